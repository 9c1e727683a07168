"""A house whose Home Assistant raises issues, and a user who fixes them."""

from datetime import timedelta
import json
from typing import Any

from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.nes_mep.const import DOMAIN
from homeassistant.components.repairs import repairs_flow_manager
from homeassistant.core import HomeAssistant
from homeassistant.data_entry_flow import FlowResultType
from homeassistant.helpers import issue_registry as ir

from ..common import make_entry, poll, set_up, unavailable
from ..driven_clock import DrivenClock
from ..imports import INTEGRATION
from ..simulator import SimulatedMeter
from ..values import NOON, Clock

TEXTS = json.loads((INTEGRATION / "translations" / "en.json").read_text())["issues"]
"""What issues say, by their key."""


class House:
    """A Home Assistant and its meter, whose time a test lets pass, from noon on."""

    def __init__(
        self,
        hass: HomeAssistant,
        host_clock: DrivenClock,
        meter: SimulatedMeter,
        meter_clock: Clock,
        url: str,
        storage: dict[str, Any],
    ) -> None:
        """Initialize at noon, with a meter whose clock is right."""
        self.hass = hass
        self.entry = MockConfigEntry()
        self._host_clock = host_clock
        self._meter = meter
        self._meter_clock = meter_clock
        self._url = url
        self._storage = storage
        host_clock.began = meter_clock.now = NOON

    # What happens

    async def set_up(
        self, mode: str = "digest", *, url: str | None = None, **memory: Any
    ) -> MockConfigEntry:
        """Set the meter up in a mode of security, with what is remembered of it.

        The automatic recovery leaves it alone.
        """
        made = make_entry(self._meter, url or self._url, resync_automatically=False)
        self.entry = MockConfigEntry(
            domain=DOMAIN,
            title=made.title,
            unique_id=made.unique_id,
            minor_version=2,
            data={**made.data, "security": mode, "key_kind": "basic"},
            options=dict(made.options),
        )
        if memory:
            self._storage[self._stored] = {"version": 1, "data": memory}
        return await set_up(self.hass, self.entry)

    async def pass_time(self, seconds: float) -> None:
        """Let so many seconds pass, and the meter be polled once after that."""
        self._host_clock.move(seconds)
        self._meter_clock.now += timedelta(seconds=seconds)
        await poll(self.hass, max(seconds, 11))

    async def reload(self, *, without: str | None = None) -> None:
        """Set the entry up again, without an issue that a restart would forget."""
        if without:
            ir.async_delete_issue(self.hass, DOMAIN, self._issue_id(without))
        await self.hass.config_entries.async_reload(self.entry.entry_id)
        await self.settle()

    async def unload(self) -> None:
        """Unload the entry."""
        await self.hass.config_entries.async_unload(self.entry.entry_id)

    async def load(self) -> None:
        """Set the entry up that was unloaded."""
        await self.hass.config_entries.async_setup(self.entry.entry_id)
        await self.settle()

    async def settle(self) -> None:
        """Wait until nothing is going on."""
        await self.hass.async_block_till_done(wait_background_tasks=True)

    # What there is to see

    @property
    def issues(self) -> set[str]:
        """The issues about meters; all that they say is filled in."""
        found: set[str] = set()
        for (domain, _), issue in ir.async_get(self.hass).issues.items():
            if domain == DOMAIN and issue.active:
                assert issue.translation_key
                found.add(issue.translation_key)
                texts = TEXTS[issue.translation_key]
                steps = texts.get("fix_flow", {}).get("step", {})
                assert issue.is_fixable == bool(steps)
                for text in (texts, *steps.values()):
                    for part in ("title", "description"):
                        if part in text:
                            shown = text[part].format(**issue.translation_placeholders)
                            assert "{" not in shown
        return found

    def placeholders(self, issue: str) -> dict[str, str]:
        """Return what an issue says of its own."""
        found = ir.async_get(self.hass).async_get_issue(DOMAIN, self._issue_id(issue))
        assert found
        assert found.translation_placeholders
        assert found.translation_placeholders["meter"] == self.entry.title
        return found.translation_placeholders

    @property
    def reauths(self) -> list[str]:
        """Home Assistant's own issues that a key is asked for."""
        return [
            id_
            for domain, id_ in ir.async_get(self.hass).issues
            if domain == "homeassistant" and id_.startswith("config_entry_reauth")
        ]

    @property
    def unavailable(self) -> set[str]:
        """The keys of the entities that are unavailable."""
        return unavailable(self.hass, self.entry)

    @property
    def memory(self) -> dict[str, Any] | None:
        """What is remembered of the meter, None if nothing is."""
        stored = self._storage.get(self._stored)
        return stored and stored["data"]

    # What a user does about an issue

    async def start_fix(self, issue: str) -> dict[str, Any]:
        """Start the fix of an issue, and return the form."""
        manager = repairs_flow_manager(self.hass)
        assert manager
        form = await manager.async_init(
            DOMAIN, data={"issue_id": self._issue_id(issue)}
        )
        assert form["type"] is FlowResultType.FORM
        assert form["step_id"] == "confirm"
        assert form["description_placeholders"] == self.placeholders(issue)
        return form

    async def submit(self, form: dict[str, Any]) -> dict[str, Any]:
        """Submit the form."""
        manager = repairs_flow_manager(self.hass)
        assert manager
        result = await manager.async_configure(form["flow_id"], {})
        await self.settle()
        return result

    async def fix(self, issue: str) -> dict[str, Any]:
        """Go through the fix of an issue, and return how it ended."""
        result = await self.submit(await self.start_fix(issue))
        if result["type"] is FlowResultType.ABORT:
            texts = TEXTS[issue]["fix_flow"]["abort"]
            assert texts[result["reason"]].format(**result["description_placeholders"])
        return result

    def _issue_id(self, issue: str) -> str:
        return f"{issue}_{self.entry.entry_id}"

    @property
    def _stored(self) -> str:
        return f"{DOMAIN}.{self.entry.entry_id}.memory"
