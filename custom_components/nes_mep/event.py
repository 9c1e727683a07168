"""Event entities: events of the link, and new entries of the meter's event logs."""

from typing import override

from homeassistant.components.event import EventEntity, EventEntityDescription
from homeassistant.const import EntityCategory
from homeassistant.core import HomeAssistant, callback
from homeassistant.helpers.entity_platform import AddConfigEntryEntitiesCallback

from .coordinator import MeterCoordinator, NesMepConfigEntry
from .entity import NesMepEntity, async_add_what_is_reported
from .link.outages import LINK_EVENT_TYPES, LinkEvent
from .osgp import EVENT_NAMES, MeterEvent
from .slow_readings import METER_EVENT, event_as_json

PARALLEL_UPDATES = 0

METER_EVENT_DESCRIPTION = EventEntityDescription(
    key=METER_EVENT,
    translation_key=METER_EVENT,
    entity_category=EntityCategory.DIAGNOSTIC,
    # Most entries concern the grid company, and reading the log takes time.
    entity_registry_enabled_default=False,
    event_types=list(EVENT_NAMES),
)

LINK_DESCRIPTION = EventEntityDescription(
    key="link",
    translation_key="link",
    entity_category=EntityCategory.DIAGNOSTIC,
    event_types=list(LINK_EVENT_TYPES),
)


async def async_setup_entry(
    hass: HomeAssistant,
    entry: NesMepConfigEntry,
    async_add_entities: AddConfigEntryEntitiesCallback,
) -> None:
    """Add the event entities of a meter: its link's, and its log's where it has one."""
    coordinator = entry.runtime_data.coordinator
    async_add_entities([NesMepLinkEvent(coordinator, LINK_DESCRIPTION)])

    def make(_: str) -> NesMepMeterEvent:
        return NesMepMeterEvent(coordinator, METER_EVENT_DESCRIPTION)

    async_add_what_is_reported(
        coordinator,
        async_add_entities,
        lambda: coordinator.data.reported & {METER_EVENT},
        make,
    )


class NesMepMeterEvent(NesMepEntity, EventEntity):
    """The newest entry of the meter's event logs."""

    entity_description: EventEntityDescription

    def __init__(
        self, coordinator: MeterCoordinator, description: EventEntityDescription
    ) -> None:
        """Initialize the entity, which shows entries from now on."""
        super().__init__(coordinator, description)
        self._was_available = self.available

    @override
    async def async_added_to_hass(self) -> None:
        """Subscribe to new entries of the log."""
        await super().async_added_to_hass()
        self.async_on_remove(self.coordinator.slow.events.subscribe(self._async_tell))

    @callback
    def _async_tell(self, event: MeterEvent) -> None:
        """Show an entry of the log."""
        self._trigger_event(event.name, event_as_json(event))
        self.async_write_ha_state()

    @callback
    @override
    def _handle_coordinator_update(self) -> None:
        """Write the state if the availability has changed."""
        if self.available != self._was_available:
            self._was_available = self.available
            super()._handle_coordinator_update()


class NesMepLinkEvent(NesMepEntity, EventEntity):
    """What happened to the link last: how it failed, or that it recovered."""

    entity_description: EventEntityDescription

    @property
    @override
    def available(self) -> bool:
        """Return True: this entity reports that the link is down."""
        return True

    @override
    async def async_added_to_hass(self) -> None:
        """Subscribe to link events, and show the one that was missed, if any."""
        await super().async_added_to_hass()
        outages = self.coordinator.monitor.outages
        self.async_on_remove(outages.async_subscribe(self._async_tell, is_entity=True))
        if event := outages.missed(self.state, self.state_attributes["event_type"]):
            self._async_tell(event)

    @callback
    def _async_tell(self, event: LinkEvent) -> None:
        """Show an event."""
        self._trigger_event(event.type, dict(event.attributes))
        self.async_write_ha_state()

    @callback
    @override
    def _handle_coordinator_update(self) -> None:
        """Ignore polls: they are not events."""
