"""A client of Home Assistant's REST and websocket interfaces."""

import asyncio
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final

import aiohttp

from .process import ToolError

CONFIG_FLOWS: Final = "config/config_entries/flow"


@dataclass(frozen=True, slots=True)
class Api:
    """What a person or a program can ask of a running Home Assistant.

    Every method raises ToolError when Home Assistant refuses, with its own words.
    """

    url: str
    token: str = field(repr=False)
    session: aiohttp.ClientSession = field(repr=False)

    async def request(self, method: str, path: str, body: object = None) -> Any:
        """Send a REST request below /api/ and return the decoded answer."""
        async with self.session.request(
            method,
            f"{self.url}/api/{path}",
            json=body,
            headers={"Authorization": f"Bearer {self.token}"},
        ) as response:
            if response.status >= 400:
                raise ToolError(
                    f"Home Assistant answered {response.status} to {method} /api/{path}: "
                    f"{await response.text()}"
                )
            return await response.json()

    async def command(self, command: str, **arguments: object) -> Any:
        """Send one websocket command and return its result.

        Each has a connection of its own: an idle one would have to answer pings.
        """
        async with self.session.ws_connect(
            f"{self.url}/api/websocket", max_msg_size=0
        ) as connection:
            await connection.receive_json()
            await connection.send_json({"type": "auth", "access_token": self.token})
            if (await connection.receive_json())["type"] != "auth_ok":
                raise ToolError("Home Assistant did not accept the token.")
            await connection.send_json({"id": 1, "type": command, **arguments})
            answer = await connection.receive_json()
        if not answer["success"]:
            raise ToolError(
                f"Home Assistant refused {command}: {answer['error']['message']}"
            )
        return answer["result"]

    async def is_running(self) -> bool:
        """Tell whether everything was set up."""
        config = await self.request("GET", "config")
        return bool(config["state"] == "RUNNING")

    async def config_flow(self, handler: str, *inputs: object) -> dict[str, Any]:
        """Go through a config flow, one input a step, and return the new entry."""
        return await self._begin(CONFIG_FLOWS, {"handler": handler}, *inputs)

    async def reconfigure(self, handler: str, entry_id: str, *inputs: object) -> None:
        """Go through the flow that reconfigures an entry, one input a step."""
        await self._begin(
            CONFIG_FLOWS, {"handler": handler, "entry_id": entry_id}, *inputs
        )

    async def reauthenticate(self, entry_id: str, *inputs: object) -> None:
        """Wait until an entry asks for new credentials and give them."""
        while True:
            for flow in await self.command("config_entries/flow/progress"):
                if flow["context"].get("entry_id") == entry_id:
                    await self._go_on(CONFIG_FLOWS, flow, *inputs)
                    return
            await asyncio.sleep(0.1)

    async def options_flow(self, entry_id: str, *inputs: object) -> dict[str, Any]:
        """Go through the options flow of an entry, one input a step."""
        path = "config/config_entries/options/flow"
        return await self._begin(path, {"handler": entry_id}, *inputs)

    async def issues(self, domain: str) -> list[str]:
        """Return the ids of the repair issues of an integration."""
        listed = await self.command("repairs/list_issues")
        return [
            issue["issue_id"] for issue in listed["issues"] if issue["domain"] == domain
        ]

    async def fix_issue(self, domain: str, issue_id: str, *inputs: object) -> None:
        """Go through the flow that fixes an issue, one input a step."""
        begin = {"handler": domain, "issue_id": issue_id}
        await self._begin("repairs/issues/fix", begin, *inputs)

    async def _begin(
        self, path: str, begin: dict[str, str], *inputs: object
    ) -> dict[str, Any]:
        """Go through a new flow to its end and return the last answer."""
        return await self._go_on(path, await self.request("POST", path, begin), *inputs)

    async def _go_on(
        self, path: str, flow: dict[str, Any], *inputs: object
    ) -> dict[str, Any]:
        """Go through the rest of a flow and return the last answer."""
        answer = flow
        for user_input in inputs:
            flow_path = f"{path}/{flow['flow_id']}"
            answer = await self.request("POST", flow_path, user_input)
        reason = str(answer.get("reason"))
        if answer.get("type") != "create_entry" and not reason.endswith("_successful"):
            found = answer.get("errors") or answer.get("reason") or answer
            raise ToolError(f"The flow of {flow['handler']} did not end well: {found}.")
        return answer

    async def entry_state(self, entry_id: str) -> tuple[str, str | None]:
        """Return the state of a config entry ("loaded" ...) and the reason for it."""
        entry = (await self.command("config_entries/get_single", entry_id=entry_id))[
            "config_entry"
        ]
        return entry["state"], entry["reason"]

    async def entities(self, entry_id: str) -> dict[str, dict[str, Any]]:
        """Return the registered entities of a config entry by entity id."""
        listed = await self.command("config/entity_registry/list")
        return {
            entity["entity_id"]: entity
            for entity in listed
            if entity["config_entry_id"] == entry_id
        }

    async def states(self) -> dict[str, dict[str, Any]]:
        """Return all states by entity id."""
        listed = await self.request("GET", "states")
        return {state["entity_id"]: state for state in listed}

    async def statistics(
        self, entity_id: str, *, period: str = "hour"
    ) -> dict[datetime, dict[str, float]]:
        """Return the rows of an entity's statistics by their start; energies in kWh."""
        found: dict[str, list[dict[str, Any]]] = await self.command(
            "recorder/statistics_during_period",
            start_time="2020-01-01T00:00:00+00:00",
            statistic_ids=[entity_id],
            period=period,
            units={"energy": "kWh"},
            types=["change", "state", "sum"],
        )
        return {
            datetime.fromtimestamp(row["start"] / 1000, UTC): row
            for row in found.get(entity_id, [])
        }

    async def action(self, domain: str, name: str, **data: object) -> dict[str, Any]:
        """Perform an action and return its response."""
        answer = await self.command(
            "call_service",
            domain=domain,
            service=name,
            service_data=data,
            return_response=True,
        )
        response: dict[str, Any] = answer["response"]
        return response

    async def log(self) -> list[dict[str, Any]]:
        """Return the warnings and errors that Home Assistant has logged."""
        listed: list[dict[str, Any]] = await self.command("system_log/list")
        return listed
