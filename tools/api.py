"""A client of Home Assistant's REST and websocket interfaces."""

from dataclasses import dataclass, field
from typing import Any

import aiohttp

from .process import ToolError


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
        return await self._flow("config/config_entries/flow", handler, *inputs)

    async def options_flow(self, entry_id: str, *inputs: object) -> dict[str, Any]:
        """Go through the options flow of an entry, one input a step."""
        return await self._flow("config/config_entries/options/flow", entry_id, *inputs)

    async def _flow(self, path: str, handler: str, *inputs: object) -> dict[str, Any]:
        """Go through a flow to its end and return the last answer."""
        answer: dict[str, Any] = await self.request("POST", path, {"handler": handler})
        for user_input in inputs:
            flow = f"{path}/{answer['flow_id']}"
            answer = await self.request("POST", flow, user_input)
        if answer["type"] != "create_entry":
            found = answer.get("errors") or answer.get("reason") or answer["type"]
            raise ToolError(f"The flow of {handler} did not end well: {found}.")
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
