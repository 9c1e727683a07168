"""The coordinator of a meter: owns it, polls it, and says how that went."""

import asyncio
from collections.abc import Mapping, Set as AbstractSet
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import partial
import logging
from time import monotonic
from typing import Final, NoReturn, override

from homeassistant.config_entries import ConfigEntry
from homeassistant.const import CONF_PORT, CONF_SCAN_INTERVAL, EVENT_HOMEASSISTANT_STOP
from homeassistant.core import Event, HomeAssistant, callback
from homeassistant.exceptions import ConfigEntryAuthFailed, HomeAssistantError
from homeassistant.helpers import entity_registry as er
from homeassistant.helpers.update_coordinator import DataUpdateCoordinator, UpdateFailed
from homeassistant.util import dt as dt_util

from .const import CONF_KEY, DEFAULT_SCAN_INTERVAL, DOMAIN
from .history.importer import HistoryError, HistoryImport
from .history.schedule import History
from .issues.security import TlsProbe
from .link.errors import ErrorText, error_text
from .link.find_meter import LinkSecurity
from .link.outages import WHOLE_POLL, async_get_link
from .link.recovery import AutomaticRecovery
from .monitor import async_get_watch
from .osgp import (
    KeyRefusedError,
    LinkStatistics,
    MBusDevice,
    Meter,
    MeterError,
    MeterEvent,
    PortError,
    Readings,
    Register,
    ResyncResult,
    Value,
    parse_key,
    probe_tls,
    table_name,
)
from .own_meter import OwnMeter
from .slow_readings import SlowReading, SlowReadings

_LOGGER = logging.getLogger(__name__)

# A disturbed line can make the meter refuse a good key for a while, and a reauth
# flow ends the polling. So a key that worked counts as wrong only after this many
# polls in a row.
_REFUSALS_BEFORE_REAUTH = 3

type NesMepConfigEntry = ConfigEntry[MeterCoordinator]


LINK: Final = "link"
"""Context of the entities that show link counters."""


@dataclass(frozen=True, kw_only=True, slots=True)
class MeterData:
    """What the meter told last.

    values are readings by key, in the units shown: None where the meter has none now,
    missing where it could not be read. failed_tables names the tables (as "BT23") that
    the last poll could not read. reported are the keys of all that the meter has.
    mbus_devices are the M-Bus meters by the ids of their devices. statistics are the
    link counters as long as an entity shows them. It compares by value, so that a poll
    without news changes nothing.
    """

    values: Mapping[str, Value | None]
    failed_tables: frozenset[str]
    reported: frozenset[str]
    mbus_devices: Mapping[str, MBusDevice]
    statistics: LinkStatistics | None = None


class MeterCoordinator(DataUpdateCoordinator[MeterData]):
    """Polls one meter and feeds its entities.

    The meter is open from the first refresh until the entry is unloaded. It mends
    its link by itself, so it is never opened a second time. Every poll reads the
    registers; what changes seldom is read after a poll, in the background, and the
    meter's port takes the requests of both in turn.
    """

    config_entry: NesMepConfigEntry
    meter: Meter
    slow: SlowReadings
    history: History

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
        self._registers: Mapping[str, Register] = {}
        self._asked: AbstractSet[str] = frozenset()
        self._readings = Readings({})
        self._slow_task: asyncio.Task[None] | None = None
        self._is_quiet = False
        self.link = async_get_link(hass, entry.entry_id)
        self.watch = async_get_watch(hass, entry)
        self._healing = AutomaticRecovery(hass, entry, self._async_mend)

    @override
    async def _async_setup(self) -> None:
        """Open the meter, and make sure that it is the one of this entry.

        No other mode of security is used than the one the entry was made with.
        """
        entry, port = self.config_entry, self.config_entry.data[CONF_PORT]
        security = LinkSecurity.of_entry(entry.data)
        await self.watch.memory.async_load()
        try:
            self.meter = await Meter.open(
                port,
                parse_key(entry.data[CONF_KEY]),
                security=security.mode,
                key_kind=security.key_kind,
                trace=self.watch.trace,
            )
        except MeterError as err:
            self.link.async_poll_ended({WHOLE_POLL: err}, None)
            await self._async_fail(
                err,
                partial(probe_tls, port),
                is_final=isinstance(err, KeyRefusedError),
                at_setup=True,
            )
        self.watch.async_succeeded()
        entry.async_on_unload(self.meter.close)
        entry.async_on_unload(
            self.hass.bus.async_listen_once(EVENT_HOMEASSISTANT_STOP, self._async_stop)
        )
        # Before the meter is closed, so that nothing is told to fail.
        entry.async_on_unload(self._async_quiet)
        self._own_meter = OwnMeter(entry, self.meter)
        self.slow = SlowReadings(self.meter, self.name)

    @override
    async def _async_update_data(self) -> MeterData:
        """Read the registers that the enabled entities show."""
        readings = await self._async_read_registers()
        if self._registers and self._registers is not self.meter.registers:
            _LOGGER.debug("%s has other registers than before", self.name)
            self.slow.learn_again()
            # Those that are new get their entities together with their first values.
            readings = await self._async_read_registers()
        self._registers = self.meter.registers
        self._log_failed_tables(readings.errors)
        self._async_report(readings.errors)
        self._readings = readings
        self._async_start_slow()
        return self._async_collect()

    async def _async_read_registers(self) -> Readings:
        """Read what enabled entities show; the link is watched even if that is nothing.

        Raises UpdateFailed, ConfigEntryAuthFailed or ConfigEntryError, translated.
        """
        asked = self._wanted_registers() or self._default_registers
        try:
            readings = await self.meter.read(asked)
            await self._own_meter.async_verify()
        except MeterError as err:
            self._async_report({WHOLE_POLL: err})
            is_refusal = isinstance(err, KeyRefusedError)
            self._refusals += is_refusal
            await self._async_fail(
                err,
                self.meter.probe_tls,
                is_final=is_refusal and self._refusals >= _REFUSALS_BEFORE_REAUTH,
            )
        self._refusals = 0
        self.watch.async_succeeded()
        self._asked = asked
        return readings

    @callback
    def _async_report(self, errors: Mapping[str, MeterError]) -> None:
        """Tell how a poll went; one that ends because the meter is closed tells nothing."""
        if not self._is_quiet:
            self.link.async_poll_ended(errors, self.meter.statistics)
            self._healing.async_poll_ended(errors.values())

    async def _async_mend(self) -> None:
        """Make the session anew and poll at once. Raises MeterError if there is none."""
        await self.meter.resync()
        await self.async_refresh()

    async def _async_fail(
        self,
        err: MeterError,
        probe: TlsProbe,
        *,
        is_final: bool = False,
        at_setup: bool = False,
    ) -> NoReturn:
        """Raise what says that the meter could not be read, translated.

        That is ConfigEntryAuthFailed if the refusal of the key is final and the key is
        not right in TLS either.
        """
        await self.watch.async_failed(err, probe, monotonic(), at_setup=at_setup)
        if is_final and not await self.watch.async_prove_key(probe):
            if not at_setup:
                # The reauth flow proves the new key on the same port.
                self._async_quiet()
                await self.meter.close()
            raise ConfigEntryAuthFailed(**self._error_text(err)) from err
        raise UpdateFailed(**self._error_text(err)) from err

    @callback
    def _async_start_slow(self) -> None:
        """Begin to read in the background what is due by now, unless that is going on.

        What falls due before the middle between this poll and the next is read now.
        """
        assert self.update_interval is not None
        if self._slow_task is not None and not self._slow_task.done():
            return
        until = monotonic() + self.update_interval.total_seconds() / 2
        if due := self.slow.due(until, self._contexts):
            self._slow_task = self.config_entry.async_create_background_task(
                self.hass, self._async_read_slowly(due), f"{self.name} slow readings"
            )

    @property
    def _contexts(self) -> set[str]:
        """What is shown, or needed to tell whether something is wrong."""
        return set(self.async_contexts()) | self.watch.clock.contexts

    async def _async_read_slowly(self, due: list[SlowReading]) -> None:
        """Read one after the other and hand on what each brings."""
        for reading in due:
            may_go_on = await self.slow.read(reading, monotonic())
            await self.watch.async_read_slowly(
                reading, self.slow, self.meter, monotonic()
            )
            data = self._async_collect()
            if data != self.data:
                self.data = data
                self.async_update_listeners()
            if not may_go_on:
                return

    @callback
    def _async_quiet(self) -> None:
        """Do nothing in the background any more, as the meter will be closed."""
        self._is_quiet = True
        self._healing.async_stop()
        if self._slow_task is not None:
            self._slow_task.cancel()

    @callback
    def _async_collect(self) -> MeterData:
        """Return what is known now, and remove the entities of what is no more."""
        readings = self._readings
        values: dict[str, Value | None] = {
            key: None
            for key in (self._asked & self._registers.keys()) - readings.values.keys()
            if table_name(self._registers[key].table) not in readings.errors
        }
        data = MeterData(
            values={**values, **readings.values, **self.slow.values},
            failed_tables=frozenset(readings.errors),
            reported=self.slow.keys | self._registers.keys(),
            mbus_devices=self.slow.mbus.devices,
            statistics=replace(self.meter.statistics)
            if LINK in self.async_contexts()
            else None,
        )
        if self.data and (gone := self.data.reported - data.reported):
            self.async_remove_entities(gone)
        return data

    @property
    def is_read_whole(self) -> bool:
        """Whether the last poll brought all that it asked for."""
        return self.last_update_success and not self.data.failed_tables

    @callback
    def async_remove_entities(self, keys: AbstractSet[str]) -> None:
        """Remove the entities with these keys from the registry, and thereby at all."""
        registry = er.async_get(self.hass)
        for key, entity in self.async_registered_entities().items():
            if key in keys:
                registry.async_remove(entity.entity_id)

    async def _async_stop(self, event: Event) -> None:
        """Close the meter when Home Assistant stops, which unloads no entries."""
        self._async_quiet()
        await self.meter.close()

    async def async_resync(self) -> ResyncResult:
        """Re-establish the session with the meter and read its clock.

        Raises HomeAssistantError, translated, when the meter does not answer.
        """
        try:
            result = await self.meter.resync()
        except MeterError as err:
            raise HomeAssistantError(**self._error_text(err)) from err
        drift = result.meter_time - dt_util.utcnow()
        self.watch.clock.async_read(drift.total_seconds(), monotonic())
        return result

    async def async_read_events(self, count: int | None) -> tuple[MeterEvent, ...]:
        """Return the newest events of the meter's log, as many as count or all.

        Raises HomeAssistantError, translated, when the log cannot be read.
        """
        try:
            return await self.meter.read_events(count=count)
        except MeterError as err:
            raise HomeAssistantError(**self._error_text(err)) from err

    async def async_read_table(
        self, table: int, offset: int, count: int | None
    ) -> bytes:
        """Return bytes of a table, without a count all up to its end.

        Raises HomeAssistantError, translated, when they cannot be read.
        """
        try:
            return await self.meter.read_table(table, offset, count)
        except MeterError as err:
            raise HomeAssistantError(**self._error_text(err)) from err

    async def async_import_history(
        self, start: datetime | None, end: datetime | None
    ) -> HistoryImport:
        """Fill the statistics from the load profile, in a span or all that it knows.

        Raises HomeAssistantError, translated, when that cannot be done.
        """
        try:
            return await self.history.async_import(start, end)
        except MeterError as err:
            raise HomeAssistantError(**self._error_text(err)) from err
        except HistoryError as err:
            raise HomeAssistantError(
                translation_domain=DOMAIN,
                translation_key=err.translation_key,
                translation_placeholders={"meter": self.config_entry.title},
            ) from err

    def _wanted_registers(self) -> set[str]:
        """Return the keys of the registers that enabled entities show.

        Every entity that shows a value gives its key as context. Before there are
        entities for a register, the registry tells whether one will come, and where
        it does not know it, what is on at first.
        """
        registers = self.meter.registers.keys()
        wanted = registers & set(self.async_contexts())
        if new := registers - self._registers.keys():
            entities = self.async_registered_entities()
            wanted |= {
                key
                for key in new
                if (
                    not entities[key].disabled
                    if key in entities
                    else key in self._default_registers
                )
            }
        return wanted

    @callback
    def async_registered_entities(self) -> dict[str, er.RegistryEntry]:
        """Return the entities of the meter that the registry knows, by key."""
        return {
            entity.unique_id.removeprefix(f"{self.config_entry.unique_id}_"): entity
            for entity in er.async_entries_for_config_entry(
                er.async_get(self.hass), self.config_entry.entry_id
            )
        }

    @callback
    def async_enabled_entities(self) -> dict[str, str]:
        """Return the ids of the meter's enabled entities by key."""
        return {
            key: entity.entity_id
            for key, entity in self.async_registered_entities().items()
            if not entity.disabled
        }

    def _log_failed_tables(self, errors: Mapping[str, MeterError]) -> None:
        """Log a table once when it cannot be read and once when that is over."""
        before: frozenset[str] = self.data.failed_tables if self.data else frozenset()
        for table in sorted(errors.keys() - before):
            _LOGGER.warning("%s: %s is missing: %s", self.name, table, errors[table])
        for table in sorted(before - errors.keys()):
            _LOGGER.info("%s: %s no longer fails", self.name, table)

    def _error_text(self, err: MeterError) -> ErrorText:
        """Return the translated text for an error of the meter client."""
        text = error_text(err, self.config_entry.title)
        if self.watch.requires_tls and not isinstance(err, PortError):
            text["translation_key"] = "tls_required"
        return text
