"""The coordinator of a meter: owns it, polls it, and says how that went."""

from collections.abc import Mapping, Set as AbstractSet
from dataclasses import dataclass
from datetime import timedelta
import logging
from typing import TypedDict, override

from homeassistant.config_entries import ConfigEntry
from homeassistant.const import CONF_PORT, CONF_SCAN_INTERVAL, EVENT_HOMEASSISTANT_STOP
from homeassistant.core import Event, HomeAssistant
from homeassistant.exceptions import (
    ConfigEntryAuthFailed,
    ConfigEntryError,
    HomeAssistantError,
)
from homeassistant.helpers import entity_registry as er
from homeassistant.helpers.update_coordinator import DataUpdateCoordinator, UpdateFailed

from .const import CONF_KEY, DEFAULT_SCAN_INTERVAL, DOMAIN
from .mep import (
    MepAuthenticationError,
    MepConnectionError,
    MepError,
    MepTimeoutError,
    Meter,
    ResyncResult,
    parse_key,
)

_LOGGER = logging.getLogger(__name__)

# A disturbed line can make the meter refuse a good key for a while, and a reauth
# flow ends the polling. So a key that worked counts as wrong only after this many
# polls in a row.
_REFUSALS_BEFORE_REAUTH = 3

_TRANSLATION_KEYS: tuple[tuple[type[MepError], str], ...] = (
    (MepConnectionError, "cannot_connect"),
    (MepTimeoutError, "no_reply"),
    (MepAuthenticationError, "invalid_auth"),
    (MepError, "not_readable"),
)

type NesMepConfigEntry = ConfigEntry[MeterCoordinator]


@dataclass(frozen=True, kw_only=True, slots=True)
class MeterData:
    """What one poll brought.

    values are the readings by register key, in the units shown; failed_tables names
    the tables (as "BT23") that could not be read, whose registers are missing from
    values. It compares by value, so that a poll without news changes nothing.
    """

    values: Mapping[str, float]
    failed_tables: frozenset[str]


class _ErrorText(TypedDict):
    """The translated text of an error of Home Assistant."""

    translation_domain: str
    translation_key: str
    translation_placeholders: dict[str, str]


class MeterCoordinator(DataUpdateCoordinator[MeterData]):
    """Polls one meter and feeds its entities.

    The meter is open from the first refresh until the entry is unloaded. It mends
    its link by itself, so it is never opened a second time.
    """

    config_entry: NesMepConfigEntry
    meter: Meter

    def __init__(
        self,
        hass: HomeAssistant,
        entry: NesMepConfigEntry,
        *,
        default_registers: AbstractSet[str],
    ) -> None:
        """Prepare to poll the meter of an entry at the interval of its options.

        default_registers are the keys that entities show when a meter is new.
        """
        interval = entry.options.get(CONF_SCAN_INTERVAL, DEFAULT_SCAN_INTERVAL)
        super().__init__(
            hass,
            _LOGGER,
            config_entry=entry,
            name=entry.title,
            update_interval=timedelta(seconds=interval),
            always_update=False,
        )
        self._default_registers = default_registers
        self._refusals = 0

    @override
    async def _async_setup(self) -> None:
        """Open the meter, and make sure that it is the one of this entry."""
        entry = self.config_entry
        try:
            self.meter = await Meter.open(
                entry.data[CONF_PORT], parse_key(entry.data[CONF_KEY])
            )
        except MepAuthenticationError as err:
            raise ConfigEntryAuthFailed(**self._error_text(err)) from err
        except MepError as err:
            raise UpdateFailed(**self._error_text(err)) from err
        entry.async_on_unload(self.meter.close)
        entry.async_on_unload(
            self.hass.bus.async_listen_once(EVENT_HOMEASSISTANT_STOP, self._async_stop)
        )
        if self.meter.identity.serial_number != entry.unique_id:
            raise ConfigEntryError(
                translation_domain=DOMAIN,
                translation_key="wrong_meter",
                translation_placeholders={
                    "meter": entry.title,
                    "serial_number": self.meter.identity.serial_number,
                },
            )

    @override
    async def _async_update_data(self) -> MeterData:
        """Read the registers that the enabled entities show."""
        try:
            readings = await self.meter.read(
                self._wanted_registers() & self.meter.registers.keys()
                # The link is watched even if no sensor is enabled.
                or self._default_registers
            )
        except MepAuthenticationError as err:
            self._refusals += 1
            if self._refusals < _REFUSALS_BEFORE_REAUTH:
                raise UpdateFailed(**self._error_text(err)) from err
            # The reauth flow proves the new key on the same port.
            await self.meter.close()
            raise ConfigEntryAuthFailed(**self._error_text(err)) from err
        except MepError as err:
            raise UpdateFailed(**self._error_text(err)) from err
        self._refusals = 0
        self._log_failed_tables(readings.errors)
        return MeterData(
            values=readings.values, failed_tables=frozenset(readings.errors)
        )

    async def _async_stop(self, event: Event) -> None:
        """Close the meter when Home Assistant stops, which unloads no entries."""
        await self.meter.close()

    async def async_resync(self) -> ResyncResult:
        """Re-establish the session with the meter and read its clock.

        Raises HomeAssistantError, translated, when the meter does not answer.
        """
        try:
            return await self.meter.resync()
        except MepError as err:
            raise HomeAssistantError(**self._error_text(err)) from err

    def _wanted_registers(self) -> set[str]:
        """Return the keys of the registers that enabled entities show.

        Every entity that shows a register gives its key as context. Before there
        are entities, the registry tells which ones will come, and for those that
        it does not know what they are at first.
        """
        if wanted := set(self.async_contexts()):
            return wanted
        enabled = {
            entity.unique_id.removeprefix(f"{self.config_entry.unique_id}_"): (
                not entity.disabled
            )
            for entity in er.async_entries_for_config_entry(
                er.async_get(self.hass), self.config_entry.entry_id
            )
        }
        wanted = {key for key, is_enabled in enabled.items() if is_enabled}
        return wanted | (self._default_registers - enabled.keys())

    def _log_failed_tables(self, errors: Mapping[str, MepError]) -> None:
        """Log a table once when it cannot be read and once when that is over."""
        before: frozenset[str] = self.data.failed_tables if self.data else frozenset()
        for table in sorted(errors.keys() - before):
            _LOGGER.warning("%s: %s is missing: %s", self.name, table, errors[table])
        for table in sorted(before - errors.keys()):
            _LOGGER.info("%s: %s no longer fails", self.name, table)

    def _error_text(self, err: MepError) -> _ErrorText:
        """Return the translated text for an error of the meter client."""
        return {
            "translation_domain": DOMAIN,
            "translation_key": next(
                key for kind, key in _TRANSLATION_KEYS if isinstance(err, kind)
            ),
            "translation_placeholders": {
                "meter": self.config_entry.title,
                "error": str(err),
            },
        }
