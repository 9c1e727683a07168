"""The meters that an automation targets, followed across reloads.

A meter is polled while it is watched, and what is watched is read, whether or not an
entity shows it.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

from homeassistant.config_entries import ConfigEntryState
from homeassistant.const import ATTR_CONFIG_ENTRY_ID, CONF_OPTIONS, CONF_TARGET
from homeassistant.core import CALLBACK_TYPE, Event, HomeAssistant, callback
from homeassistant.helpers import (
    area_registry as ar,
    config_validation as cv,
    device_registry as dr,
    entity_registry as er,
)
from homeassistant.helpers.target import (
    TargetSelection,
    async_extract_referenced_entity_ids,
)
from homeassistant.helpers.typing import ConfigType

from .const import DOMAIN
from .coordinator import MeterCoordinator, NesMepConfigEntry
from .link.outages import LinkEvent
from .monitor import async_get_monitor
from .osgp import MeterEvent, Value

if TYPE_CHECKING:
    from collections.abc import Mapping

    import probatio as vol
else:
    import voluptuous as vol

_CHANGES: Final = (
    ar.EVENT_AREA_REGISTRY_UPDATED,
    dr.EVENT_DEVICE_REGISTRY_UPDATED,
    er.EVENT_ENTITY_REGISTRY_UPDATED,
)
"""What can change which meters are in an area, on a floor or have a label."""


def validated(
    hass: HomeAssistant, config: ConfigType, options: Mapping[Any, Any]
) -> ConfigType:
    """Return the config of a trigger or condition if it names a target.

    The options have these in addition to config_entry_id, an entry or several. A target
    may be without a meter: one can come later. Raises vol.Invalid.
    """
    schema = vol.Schema(
        {
            vol.Optional(CONF_TARGET, default={}): cv.TARGET_FIELDS,
            vol.Optional(CONF_OPTIONS, default={}): {
                vol.Optional(ATTR_CONFIG_ENTRY_ID): vol.All(
                    cv.ensure_list, [cv.string]
                ),
                **options,
            },
        }
    )
    valid: ConfigType = schema(config)
    entry_ids = valid[CONF_OPTIONS].get(ATTR_CONFIG_ENTRY_ID, [])
    if not entry_ids and not TargetSelection(valid[CONF_TARGET]).has_any_target:
        raise vol.Invalid("Choose a meter as target")
    known = {entry.entry_id for entry in hass.config_entries.async_entries(DOMAIN)}
    if unknown := set(entry_ids) - known:
        raise vol.Invalid(f"There is no meter {', '.join(sorted(unknown))}")
    return valid


@callback
def targeted_meters(
    hass: HomeAssistant, target: ConfigType, options: ConfigType
) -> dict[str, NesMepConfigEntry]:
    """Return the config entries of the targeted meters, by their ids."""
    found = async_extract_referenced_entity_ids(hass, TargetSelection(target))
    entities, devices = er.async_get(hass), dr.async_get(hass)
    entry_ids = {
        *options.get(ATTR_CONFIG_ENTRY_ID, ()),
        *(
            entity.config_entry_id
            for entity_id in found.referenced | found.indirectly_referenced
            if (entity := entities.async_get(entity_id))
        ),
    }
    return {
        entry.entry_id: entry
        for entry in hass.config_entries.async_entries(DOMAIN)
        if entry.entry_id in entry_ids
        or any(
            device.id in found.referenced_devices
            for device in dr.async_entries_for_config_entry(devices, entry.entry_id)
        )
    }


@callback
def watch_targets(
    hass: HomeAssistant,
    target: ConfigType,
    options: ConfigType,
    watch: Callable[[NesMepConfigEntry], CALLBACK_TYPE],
) -> CALLBACK_TYPE:
    """Watch the targeted meters until the returned function is called.

    A meter is watched from when it comes into the target until it leaves it.
    """
    watched: dict[str, CALLBACK_TYPE] = {}

    @callback
    def follow(_: Event[Any] | None = None) -> None:
        meters = targeted_meters(hass, target, options)
        for entry_id in watched.keys() - meters.keys():
            watched.pop(entry_id)()
        for entry_id in meters.keys() - watched.keys():
            watched[entry_id] = watch(meters[entry_id])

    removes = [hass.bus.async_listen(change, follow) for change in _CHANGES]
    follow()

    @callback
    def remove() -> None:
        for remove_one in (*removes, *watched.values()):
            remove_one()

    return remove


@callback
def watch_link(
    hass: HomeAssistant, entry: NesMepConfigEntry, tell: Callable[[LinkEvent], None]
) -> CALLBACK_TYPE:
    """Call tell with each event of the link, and keep the meter polled."""
    unsubscribe = async_get_monitor(hass, entry).outages.async_subscribe(tell)
    leave = _follow(entry, _keep_polled)

    @callback
    def remove() -> None:
        unsubscribe()
        leave()

    return remove


@callback
def watch_value(
    entry: NesMepConfigEntry, key: str, look: Callable[[Value], None]
) -> CALLBACK_TYPE:
    """Call look with a value after each update, and keep that value being read.

    It is not called while the value is unknown.
    """

    @callback
    def attach(coordinator: MeterCoordinator) -> CALLBACK_TYPE:
        @callback
        def take() -> None:
            if (value := coordinator.data.values.get(key)) is not None:
                look(value)

        leave = coordinator.async_add_listener(take, key)
        take()
        return leave

    return _follow(entry, attach)


@callback
def watch_events(
    entry: NesMepConfigEntry, tell: Callable[[MeterEvent], None]
) -> CALLBACK_TYPE:
    """Call tell with each new entry of the event log, and keep the log being read."""

    @callback
    def attach(coordinator: MeterCoordinator) -> CALLBACK_TYPE:
        unsubscribe = coordinator.slow.events.subscribe(tell)
        leave = _keep_polled(coordinator)

        @callback
        def remove() -> None:
            unsubscribe()
            leave()

        return remove

    return _follow(entry, attach)


@callback
def _keep_polled(coordinator: MeterCoordinator) -> CALLBACK_TYPE:
    """Keep a meter polled until the returned function is called."""
    return coordinator.async_add_listener(lambda: None)


@callback
def _follow(
    entry: NesMepConfigEntry, attach: Callable[[MeterCoordinator], CALLBACK_TYPE]
) -> CALLBACK_TYPE:
    """Attach to the coordinator of a meter, and after a reload to the new one.

    What attach returns is called to detach again.
    """
    followed: MeterCoordinator | None = None
    leave: CALLBACK_TYPE | None = None

    @callback
    def follow() -> None:
        nonlocal followed, leave
        if (
            entry.state is not ConfigEntryState.LOADED
            or (coordinator := entry.runtime_data.coordinator) is followed
        ):
            return
        if leave is not None:
            leave()
        followed = coordinator
        leave = attach(coordinator)

    follow()
    forget = entry.async_on_state_change(follow)

    @callback
    def remove() -> None:
        forget()
        if leave is not None:
            leave()

    return remove
