"""The automation conditions: whether the link is down, and which tariff is active."""

from abc import abstractmethod
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Final, Unpack, override

from homeassistant.config_entries import ConfigEntryState
from homeassistant.core import CALLBACK_TYPE, HomeAssistant
from homeassistant.helpers import config_validation as cv
from homeassistant.helpers.condition import (
    Condition,
    ConditionCheckParams,
    ConditionConfig,
)
from homeassistant.helpers.typing import ConfigType

from .coordinator import NesMepConfigEntry
from .descriptions import ACTIVE_TARIFF
from .descriptions.expand import TARIFFS
from .monitor import async_get_monitor
from .targets import targeted_meters, validated, watch_targets, watch_value

if TYPE_CHECKING:
    import probatio as vol
else:
    import voluptuous as vol

CONF_BEHAVIOR: Final = "behavior"
CONF_TARIFF: Final = "tariff"

_BEHAVIORS: Final[dict[str, Callable[[list[bool]], bool]]] = {
    "any": any,
    # Of no meter, nothing holds.
    "all": lambda found: bool(found) and all(found),
}


class MeterCondition(Condition):
    """A condition that holds for any, or for all, of the targeted meters."""

    OPTIONS: ClassVar[Mapping[Any, Any]] = {}
    """The schema of the options, in addition to those of every condition."""

    @classmethod
    @override
    async def async_validate_config(
        cls, hass: HomeAssistant, config: ConfigType
    ) -> ConfigType:
        """Return the config if its options are valid and it names a target."""
        behavior = vol.Optional(CONF_BEHAVIOR, default="any")
        return validated(hass, config, {behavior: vol.In(_BEHAVIORS), **cls.OPTIONS})

    def __init__(self, hass: HomeAssistant, config: ConditionConfig) -> None:
        """Initialize the condition with its target and options."""
        super().__init__(hass, config)
        self._target = config.target or {}
        self._options = config.options or {}

    @override
    def _async_check(self, **kwargs: Unpack[ConditionCheckParams]) -> bool:
        """Return whether the condition holds now."""
        meters = targeted_meters(self._hass, self._target, self._options).values()
        return _BEHAVIORS[self._options[CONF_BEHAVIOR]](
            [self._holds(entry) for entry in meters]
        )

    @abstractmethod
    def _holds(self, entry: NesMepConfigEntry) -> bool:
        """Return whether the condition holds for one meter."""


class LinkIsDownCondition(MeterCondition):
    """The meter cannot be read, as a whole or in part."""

    @override
    def _holds(self, entry: NesMepConfigEntry) -> bool:
        return (
            entry.state is not ConfigEntryState.LOADED
            or async_get_monitor(self._hass, entry).outages.is_down
        )


class TariffIsCondition(MeterCondition):
    """The meter counts in one of some tariffs."""

    OPTIONS: ClassVar[Mapping[Any, Any]] = {
        vol.Required(CONF_TARIFF): vol.All(
            cv.ensure_list, [vol.All(vol.Coerce(int), vol.In(list(TARIFFS)))]
        )
    }
    _ignore: CALLBACK_TYPE | None = None

    @override
    async def _async_setup(self) -> None:
        """Request that the tariff is read, whether or not an entity shows it."""
        self._ignore = watch_targets(
            self._hass,
            self._target,
            self._options,
            lambda entry: watch_value(entry, ACTIVE_TARIFF.key, lambda tariff: None),
        )

    @override
    def _async_unload(self) -> None:
        """Withdraw the request to read the tariff."""
        if self._ignore is not None:
            self._ignore()
            self._ignore = None

    @override
    def _holds(self, entry: NesMepConfigEntry) -> bool:
        if entry.state is not ConfigEntryState.LOADED:
            return False
        coordinator = entry.runtime_data.coordinator
        return (
            coordinator.last_update_success
            and coordinator.data.values.get(ACTIVE_TARIFF.key)
            in self._options[CONF_TARIFF]
        )


def _name_as_before(condition: Any) -> None:
    """Give a condition's setup and unloading the names they have in 2026.5."""
    unload = condition.async_unload

    def async_unload(self: Any) -> None:
        self._async_unload()
        unload(self)

    condition.async_setup = condition._async_setup  # noqa: SLF001
    condition.async_unload = async_unload


if not hasattr(Condition, "_async_setup"):
    _name_as_before(TariffIsCondition)

CONDITIONS: Final[dict[str, type[Condition]]] = {
    "link_is_down": LinkIsDownCondition,
    "tariff_is": TariffIsCondition,
}


async def async_get_conditions(hass: HomeAssistant) -> dict[str, type[Condition]]:
    """Return the conditions of the integration by key."""
    return CONDITIONS
