"""The automation triggers: the link, the meter's clock and its tariff.

They survive reloads of the meter and work while it cannot be set up. A meter is polled
while a trigger listens, and what the trigger needs is read, whether or not an entity
shows it.
"""

from abc import abstractmethod
from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import TYPE_CHECKING, Any, ClassVar, Final, override

from homeassistant.config_entries import ConfigEntryState
from homeassistant.const import ATTR_CONFIG_ENTRY_ID, CONF_OPTIONS, CONF_TARGET
from homeassistant.core import CALLBACK_TYPE, HomeAssistant, callback
from homeassistant.helpers import (
    config_validation as cv,
    device_registry as dr,
    entity_registry as er,
)
from homeassistant.helpers.target import (
    TargetSelection,
    async_extract_referenced_entity_ids,
)
from homeassistant.helpers.trigger import Trigger, TriggerActionRunner, TriggerConfig
from homeassistant.helpers.typing import ConfigType

from .const import DOMAIN
from .coordinator import MeterCoordinator, NesMepConfigEntry
from .descriptions import ACTIVE_TARIFF, CLOCK_DRIFT
from .descriptions.expand import TARIFFS
from .link.errors import FailureKind
from .link.outages import LinkEvent
from .monitor import async_get_monitor
from .osgp import Value

if TYPE_CHECKING:
    import probatio as vol

    from homeassistant.helpers.trigger import TriggerNotTriggeredReporter
else:
    import voluptuous as vol

CONF_KIND: Final = "kind"
CONF_THRESHOLD: Final = "threshold"
CONF_FROM: Final = "from"
CONF_TO: Final = "to"

DEFAULT_THRESHOLD: Final = timedelta(seconds=60)

_CLOCK_TOLERANCE: Final = 2.0
"""Seconds by which a drift must fall below the threshold to count as under it again:
the meter's clock has whole seconds, and a drift changes by a second a day or less."""

_TARIFFS: Final = vol.All(
    cv.ensure_list, [vol.All(vol.Coerce(int), vol.In(list(TARIFFS)))]
)


class MeterTrigger(Trigger):
    """A trigger that watches one or more meters."""

    OPTIONS: ClassVar[Mapping[Any, Any]] = {}
    """The schema of the options, in addition to that of the meters."""

    @classmethod
    @override
    async def async_validate_config(
        cls, hass: HomeAssistant, config: ConfigType
    ) -> ConfigType:
        """Return the config if its options are valid and it targets a meter."""
        meters = vol.Optional(ATTR_CONFIG_ENTRY_ID)
        schema = vol.Schema(
            {
                vol.Optional(CONF_TARGET, default={}): dict,
                vol.Optional(CONF_OPTIONS, default={}): {
                    meters: vol.All(cv.ensure_list, [cv.string]),
                    **cls.OPTIONS,
                },
            }
        )
        valid: ConfigType = schema(config)
        if not _targeted(hass, valid[CONF_TARGET], valid[CONF_OPTIONS]):
            raise vol.Invalid(
                "Choose a meter: a device of this integration as target, or its "
                "configuration entry"
            )
        return valid

    def __init__(self, hass: HomeAssistant, config: TriggerConfig) -> None:
        """Initialize the trigger with its target and options."""
        super().__init__(hass, config)
        self._target = config.target or {}
        self._options = config.options or {}

    @override
    async def async_attach_runner(
        self,
        run_action: TriggerActionRunner,
        did_not_trigger: TriggerNotTriggeredReporter | None = None,
    ) -> CALLBACK_TYPE:
        """Watch the meters until the returned function is called."""
        removes = [
            self._watch(entry, _Fire(self._hass, entry, run_action))
            for entry in _targeted(self._hass, self._target, self._options)
        ]

        @callback
        def remove() -> None:
            for remove_one in removes:
                remove_one()

        return remove

    @abstractmethod
    def _watch(self, entry: NesMepConfigEntry, fire: _Fire) -> CALLBACK_TYPE:
        """Watch one meter until the returned function is called."""


class _Fire:
    """Runs the action for one meter."""

    def __init__(
        self,
        hass: HomeAssistant,
        entry: NesMepConfigEntry,
        run_action: TriggerActionRunner,
    ) -> None:
        """Initialize with the meter and the action to run."""
        self._hass = hass
        self._entry = entry
        self._run_action = run_action

    def __call__(self, what: str, **variables: Any) -> None:
        """Run the action; the description says what happened to which meter."""
        identifier = (DOMAIN, str(self._entry.unique_id))
        device = next(
            (
                device
                for device in dr.async_entries_for_config_entry(
                    dr.async_get(self._hass), self._entry.entry_id
                )
                if identifier in device.identifiers
            ),
            None,
        )
        meter = (device and device.name_by_user) or self._entry.title
        facts = {
            "config_entry_id": self._entry.entry_id,
            "device_id": device.id if device else None,
            "meter": meter,
        }
        _ = self._run_action({**facts, **variables}, f"{what} of {meter}")


class LinkFailedTrigger(MeterTrigger):
    """The link of a meter failed, once per outage."""

    OPTIONS: ClassVar[Mapping[Any, Any]] = {
        vol.Optional(CONF_KIND): vol.All(
            cv.ensure_list, [vol.In([kind.value for kind in FailureKind])]
        )
    }

    @override
    def _watch(self, entry: NesMepConfigEntry, fire: _Fire) -> CALLBACK_TYPE:
        kinds = self._options.get(CONF_KIND) or list(FailureKind)
        has_fired = False

        @callback
        def tell(event: LinkEvent) -> None:
            nonlocal has_fired
            if not event.is_failure:
                has_fired = False
            elif not has_fired and event.type in kinds:
                has_fired = True
                fire(
                    f"link failure ({event.type})",
                    kind=event.type,
                    **_chosen(event, "reason", "error", "tables"),
                )

        return _watch_link(self._hass, entry, tell)


class LinkRecoveredTrigger(MeterTrigger):
    """The link of a meter recovered."""

    @override
    def _watch(self, entry: NesMepConfigEntry, fire: _Fire) -> CALLBACK_TYPE:
        @callback
        def tell(event: LinkEvent) -> None:
            if event.is_recovery:
                fire("link recovery", **_chosen(event, "duration", "kinds"))

        return _watch_link(self._hass, entry, tell)


class ClockDriftedTrigger(MeterTrigger):
    """The clock of a meter is off by more than a threshold, and was not before."""

    OPTIONS: ClassVar[Mapping[Any, Any]] = {
        vol.Optional(CONF_THRESHOLD, default=DEFAULT_THRESHOLD): vol.All(
            cv.positive_time_period, vol.Range(min=timedelta(seconds=1))
        )
    }

    @override
    def _watch(self, entry: NesMepConfigEntry, fire: _Fire) -> CALLBACK_TYPE:
        threshold = self._options[CONF_THRESHOLD].total_seconds()
        rearm = threshold - min(_CLOCK_TOLERANCE, threshold / 2)
        was_off: bool | None = None

        @callback
        def look(drift: Value) -> None:
            nonlocal was_off
            assert isinstance(drift, float)
            is_off = abs(drift) > (rearm if was_off else threshold)
            if is_off and was_off is False:
                fire(
                    "clock drift",
                    drift=round(drift, 1),
                    threshold=threshold,
                )
            was_off = is_off

        return _watch_value(entry, CLOCK_DRIFT.key, look)


class TariffChangedTrigger(MeterTrigger):
    """The active tariff of a meter changed."""

    OPTIONS: ClassVar[Mapping[Any, Any]] = {
        vol.Optional(CONF_FROM): _TARIFFS,
        vol.Optional(CONF_TO): _TARIFFS,
    }

    @override
    def _watch(self, entry: NesMepConfigEntry, fire: _Fire) -> CALLBACK_TYPE:
        origins = self._options.get(CONF_FROM) or TARIFFS
        aims = self._options.get(CONF_TO) or TARIFFS
        before: Value | None = None

        @callback
        def look(tariff: Value) -> None:
            nonlocal before
            last, before = before, tariff
            if last not in {None, tariff} and last in origins and tariff in aims:
                fire("tariff change", from_tariff=last, to_tariff=tariff)

        return _watch_value(entry, ACTIVE_TARIFF.key, look)


TRIGGERS: Final[dict[str, type[Trigger]]] = {
    "clock_drifted": ClockDriftedTrigger,
    "link_failed": LinkFailedTrigger,
    "link_recovered": LinkRecoveredTrigger,
    "tariff_changed": TariffChangedTrigger,
}


async def async_get_triggers(hass: HomeAssistant) -> dict[str, type[Trigger]]:
    """Return the triggers of the integration by key."""
    return TRIGGERS


def _chosen(event: LinkEvent, *names: str) -> dict[str, Any]:
    """Return some attributes of an event."""
    return {name: event.attributes[name] for name in names}


@callback
def _targeted(
    hass: HomeAssistant, target: ConfigType, options: ConfigType
) -> list[NesMepConfigEntry]:
    """Return the config entries of the targeted meters."""
    found = async_extract_referenced_entity_ids(hass, TargetSelection(target))
    entity_ids = found.referenced | found.indirectly_referenced
    entities, devices = er.async_get(hass), dr.async_get(hass)
    return [
        entry
        for entry in hass.config_entries.async_entries(DOMAIN)
        if entry.entry_id in options.get(ATTR_CONFIG_ENTRY_ID, ())
        or any(
            device.id in found.referenced_devices
            for device in dr.async_entries_for_config_entry(devices, entry.entry_id)
        )
        or any(
            entity.entity_id in entity_ids
            for entity in er.async_entries_for_config_entry(entities, entry.entry_id)
        )
    ]


@callback
def _watch_link(
    hass: HomeAssistant, entry: NesMepConfigEntry, tell: Callable[[LinkEvent], None]
) -> CALLBACK_TYPE:
    """Call tell with each event of the link, and keep the meter polled."""
    unsubscribe = async_get_monitor(hass, entry).outages.async_subscribe(tell)
    leave = _follow(entry, None, lambda coordinator: None)

    @callback
    def remove() -> None:
        unsubscribe()
        leave()

    return remove


@callback
def _watch_value(
    entry: NesMepConfigEntry, key: str, look: Callable[[Value], None]
) -> CALLBACK_TYPE:
    """Call look with a value after each update, and keep that value being read.

    It is not called while the value is unknown.
    """

    @callback
    def take(coordinator: MeterCoordinator) -> None:
        if (value := coordinator.data.values.get(key)) is not None:
            look(value)

    return _follow(entry, key, take)


@callback
def _follow(
    entry: NesMepConfigEntry,
    context: str | None,
    take: Callable[[MeterCoordinator], None],
) -> CALLBACK_TYPE:
    """Call take with the coordinator of a meter, now and after each update.

    After a reload, the new coordinator is followed instead. The context says what to
    read.
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
        leave = coordinator.async_add_listener(lambda: take(coordinator), context)
        take(coordinator)

    follow()
    forget = entry.async_on_state_change(follow)

    @callback
    def remove() -> None:
        forget()
        if leave is not None:
            leave()

    return remove
