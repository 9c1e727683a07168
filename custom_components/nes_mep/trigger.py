"""The automation triggers: the link, the meter's alarms, clock, tariff and events.

They survive reloads of the meter and work while it cannot be set up.
"""

from abc import abstractmethod
from collections.abc import Mapping
from datetime import timedelta
from typing import TYPE_CHECKING, Any, ClassVar, Final, override

from homeassistant.core import CALLBACK_TYPE, HomeAssistant, callback
from homeassistant.helpers import config_validation as cv, device_registry as dr
from homeassistant.helpers.trigger import Trigger, TriggerActionRunner, TriggerConfig
from homeassistant.helpers.typing import ConfigType

from .const import DOMAIN
from .coordinator import NesMepConfigEntry
from .descriptions import ACTIVE_TARIFF, ALARMS, CLOCK_DRIFT
from .descriptions.expand import TARIFFS
from .link.errors import FailureKind
from .link.outages import LinkEvent
from .osgp import MeterEvent, Value
from .slow_readings import event_as_json
from .targets import validated, watch_events, watch_link, watch_targets, watch_value

if TYPE_CHECKING:
    import probatio as vol

    from homeassistant.helpers.trigger import TriggerNotTriggeredReporter
else:
    import voluptuous as vol

CONF_ALARM: Final = "alarm"
CONF_CHANGE: Final = "change"
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
        """Return the config if its options are valid and it names a target."""
        return validated(hass, config, cls.OPTIONS)

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

        @callback
        def watch(entry: NesMepConfigEntry) -> CALLBACK_TYPE:
            return self._watch(entry, _Fire(self._hass, entry, run_action))

        return watch_targets(self._hass, self._target, self._options, watch)

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

        return watch_link(self._hass, entry, tell)


class LinkRecoveredTrigger(MeterTrigger):
    """The link of a meter recovered."""

    @override
    def _watch(self, entry: NesMepConfigEntry, fire: _Fire) -> CALLBACK_TYPE:
        @callback
        def tell(event: LinkEvent) -> None:
            if event.is_recovery:
                fire("link recovery", **_chosen(event, "duration", "kinds"))

        return watch_link(self._hass, entry, tell)


class AlarmRaisedTrigger(MeterTrigger):
    """A meter raised an alarm that it did not show before."""

    OPTIONS: ClassVar[Mapping[Any, Any]] = {
        vol.Optional(CONF_ALARM): vol.All(cv.ensure_list, [vol.In(ALARMS)])
    }

    @override
    def _watch(self, entry: NesMepConfigEntry, fire: _Fire) -> CALLBACK_TYPE:
        chosen = self._options.get(CONF_ALARM) or ALARMS
        removes = [self._watch_alarm(entry, fire, alarm) for alarm in chosen]

        @callback
        def remove() -> None:
            for remove_one in removes:
                remove_one()

        return remove

    def _watch_alarm(
        self, entry: NesMepConfigEntry, fire: _Fire, alarm: str
    ) -> CALLBACK_TYPE:
        """Watch one alarm of a meter until the returned function is called."""
        was_on: bool | None = None

        @callback
        def look(value: Value) -> None:
            nonlocal was_on
            before, was_on = was_on, bool(value)
            if was_on and before is False:
                fire(f"alarm ({alarm})", alarm=alarm)

        return watch_value(entry, ALARMS[alarm], look)


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

        return watch_value(entry, CLOCK_DRIFT.key, look)


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

        return watch_value(entry, ACTIVE_TARIFF.key, look)


class EventTrigger(MeterTrigger):
    """A meter entered an event of some kind in its log."""

    EVENTS: ClassVar[frozenset[str]]
    """The names of the events."""

    @override
    def _watch(self, entry: NesMepConfigEntry, fire: _Fire) -> CALLBACK_TYPE:
        changes = self._options.get(CONF_CHANGE)

        @callback
        def tell(event: MeterEvent) -> None:
            if event.name in self.EVENTS and (
                not changes or event.details.get(CONF_CHANGE) in changes
            ):
                fire(f"event ({event.name})", **event_as_json(event))

        return watch_events(entry, tell)


class ClockChangedTrigger(EventTrigger):
    """The clock of a meter was set, or is being adjusted."""

    EVENTS = frozenset({"clock_changed"})


class PasswordRefusedTrigger(EventTrigger):
    """Somebody tried to access a meter with a wrong password."""

    EVENTS = frozenset({"invalid_password"})


class TamperingDetectedTrigger(EventTrigger):
    """A meter noticed that somebody tampered with it."""

    EVENTS = frozenset(
        {"tamper", "magnetic_tamper", "pulse_input_1_tamper", "pulse_input_2_tamper"}
    )


class DisconnectSwitchedTrigger(EventTrigger):
    """The load disconnect of a meter opened or closed."""

    EVENTS = frozenset(
        {
            "disconnect_changed",
            "disconnect_closed",
            "disconnect_locked",
            "disconnect_opened",
        }
    )
    OPTIONS: ClassVar[Mapping[Any, Any]] = {
        vol.Optional(CONF_CHANGE): vol.All(
            cv.ensure_list, [vol.In(["closed", "opened", "locked"])]
        )
    }


class RelaySwitchedTrigger(EventTrigger):
    """The control relay of a meter opened or closed."""

    EVENTS = frozenset(
        {
            "control_relay_1_changed",
            "control_relay_1_closed",
            "control_relay_1_opened",
        }
    )
    OPTIONS: ClassVar[Mapping[Any, Any]] = {
        vol.Optional(CONF_CHANGE): vol.All(
            cv.ensure_list, [vol.In(["closed", "opened"])]
        )
    }


TRIGGERS: Final[dict[str, type[Trigger]]] = {
    "alarm_raised": AlarmRaisedTrigger,
    "clock_changed": ClockChangedTrigger,
    "clock_drifted": ClockDriftedTrigger,
    "disconnect_switched": DisconnectSwitchedTrigger,
    "link_failed": LinkFailedTrigger,
    "link_recovered": LinkRecoveredTrigger,
    "password_refused": PasswordRefusedTrigger,
    "relay_switched": RelaySwitchedTrigger,
    "tampering_detected": TamperingDetectedTrigger,
    "tariff_changed": TariffChangedTrigger,
}


async def async_get_triggers(hass: HomeAssistant) -> dict[str, type[Trigger]]:
    """Return the triggers of the integration by key."""
    return TRIGGERS


def _chosen(event: LinkEvent, *names: str) -> dict[str, Any]:
    """Return some attributes of an event."""
    return {name: event.attributes[name] for name in names}
