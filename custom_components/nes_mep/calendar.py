"""The calendar of tariffs: which one is in force when, as the meter's calendar says."""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final, override

from homeassistant.components.calendar import (
    CalendarEntity,
    CalendarEntityDescription,
    CalendarEvent,
)
from homeassistant.core import HomeAssistant, callback
from homeassistant.helpers.entity_platform import AddConfigEntryEntitiesCallback
from homeassistant.helpers.translation import async_get_cached_translations
from homeassistant.util import dt as dt_util

from .const import DOMAIN
from .coordinator import MeterCoordinator, NesMepConfigEntry
from .descriptions import ACTIVE_TARIFF
from .entity import NesMepEntity, async_add_what_is_reported
from .osgp import Tariffs, TariffSpan
from .slow_readings import TARIFF_CALENDAR

PARALLEL_UPDATES = 0

_REACH: Final = timedelta(days=366)
"""How far from today events are told: no calendar stays the same for longer."""

TARIFFS_DESCRIPTION: Final = CalendarEntityDescription(
    key=TARIFF_CALENDAR, translation_key=TARIFF_CALENDAR
)


async def async_setup_entry(
    hass: HomeAssistant,
    entry: NesMepConfigEntry,
    async_add_entities: AddConfigEntryEntitiesCallback,
) -> None:
    """Add the calendar of a meter that has more than one tariff."""
    coordinator = entry.runtime_data.coordinator
    async_add_what_is_reported(
        coordinator,
        async_add_entities,
        lambda: coordinator.data.reported & {TARIFF_CALENDAR},
        lambda _: NesMepTariffCalendar(coordinator),
    )


class NesMepTariffCalendar(NesMepEntity, CalendarEntity):
    """The tariffs; there is always one, so the state is always on."""

    entity_description: CalendarEntityDescription

    def __init__(self, coordinator: MeterCoordinator) -> None:
        """Initialize the calendar, which is read while it is enabled."""
        super().__init__(coordinator, TARIFFS_DESCRIPTION, context=TARIFF_CALENDAR)
        self._shown = self._tariffs

    @property
    @override
    def available(self) -> bool:
        """Return whether the meter's calendar is known."""
        return self._tariffs is not None

    @property
    def _tariffs(self) -> Tariffs | None:
        return self.coordinator.data.tariffs

    @property
    @override
    def event(self) -> CalendarEvent | None:
        """Return the active tariff, until the calendar has another one."""
        now = dt_util.utcnow()
        spans = self._spans(now, now + timedelta(microseconds=1))
        return self._event(spans[0]) if spans else None

    @override
    async def async_get_events(
        self, hass: HomeAssistant, start_date: datetime, end_date: datetime
    ) -> list[CalendarEvent]:
        """Return the tariffs between two times."""
        now = dt_util.utcnow()
        start, end = max(start_date, now - _REACH), min(end_date, now + _REACH)
        return [self._event(span) for span in self._spans(start, end)]

    def _spans(self, start: datetime, end: datetime) -> list[TariffSpan]:
        """Return the tiers between two times, now the one that is in force."""
        if (tariffs := self._tariffs) is None or start >= end:
            return []
        now = dt_util.utcnow()
        return [
            replace(span, tier=tariffs.tier)
            if span.start <= now < span.end and not tariffs.follows_calendar
            else span
            for span in tariffs.schedule.spans(start, end)
        ]

    def _event(self, span: TariffSpan) -> CalendarEvent:
        """Return a tier as an event, with the name that the active tariff has."""
        tariff = str(span.tier + 1)
        language = self.hass.config.language
        names = async_get_cached_translations(self.hass, language, "entity", DOMAIN)
        key = f"component.{DOMAIN}.entity.sensor.{ACTIVE_TARIFF.key}.state.{tariff}"
        start, end = dt_util.as_local(span.start), dt_util.as_local(span.end)
        # Home Assistant compares them by the clock on the wall, and takes no event that
        # ends there before it has begun, as one may in the hour that comes twice.
        return CalendarEvent(start, max(start, end), names.get(key, tariff))

    @callback
    @override
    def _handle_coordinator_update(self) -> None:
        """Write the state if something about the tariffs has changed."""
        if self._shown != (tariffs := self._tariffs):
            self._shown = tariffs
            super()._handle_coordinator_update()
