"""The coordinator of a meter: opens it, polls it, and hands on what was read."""

import asyncio
from collections.abc import Mapping, Set as AbstractSet
from dataclasses import dataclass, field, replace
from datetime import timedelta
from functools import partial
import logging
from math import inf
from typing import Final, NoReturn, override

from homeassistant.config_entries import ConfigEntry
from homeassistant.const import CONF_SCAN_INTERVAL, EVENT_HOMEASSISTANT_STOP, Platform
from homeassistant.core import Event, HomeAssistant, callback
from homeassistant.exceptions import ConfigEntryAuthFailed
from homeassistant.helpers.update_coordinator import DataUpdateCoordinator, UpdateFailed

from .const import DEFAULT_SCAN_INTERVAL, DOMAIN
from .costs import Costs
from .descriptions import (
    CLOCK_DRIFT,
    DEFAULT_REGISTERS,
    PEAK_SENSORS,
    describe_register,
    peak_keys,
)
from .history import History
from .issues.security import TlsProbe
from .link.access import access_of
from .link.outages import WHOLE_POLL
from .link.recovery import AutomaticRecovery
from .monitor import async_get_monitor
from .osgp import (
    KeyRefusedError,
    LinkStatistics,
    MBusDevice,
    Meter,
    MeterError,
    Readings,
    Register,
    Tariffs,
    Value,
    probe_tls,
)
from .peaks import ENERGIES, Peaks, PeakValues, interval_of, rules_of
from .registry import async_remove_entities, async_update_firmware, registered_entities
from .selection import Selection, shows_any
from .slow_readings import SlowReading, SlowReadings

_LOGGER = logging.getLogger(__name__)

LINK: Final = "link"
"""Context of the entities that show link counters."""


@dataclass(frozen=True, kw_only=True, slots=True)
class MeterData:
    """What was read last.

    values are readings by key, in the units shown: None if the meter has none now,
    missing if it could not be read. failed_tables names the tables (as "BT23") that the
    last poll could not read. reported are the keys of everything
    that the meter has and an entity shows. tariffs are those of a meter that switches
    between several.
    mbus_devices are the M-Bus meters by the ids of their devices. peaks are averages and
    peaks by direction. statistics are the link counters as long as an entity shows
    them. It compares by value, so that a poll
    without changes updates nothing.
    """

    values: Mapping[str, Value | None]
    failed_tables: frozenset[str]
    reported: frozenset[str]
    mbus_devices: Mapping[str, MBusDevice]
    peaks: Mapping[str, PeakValues]
    tariffs: Tariffs | None = None
    statistics: LinkStatistics | None = None


class MeterCoordinator(DataUpdateCoordinator[MeterData]):
    """Polls one meter and feeds its entities.

    The meter is open from the first refresh until the entry is unloaded. Its link
    recovers by itself, so it is never opened a second time. Every poll reads the
    registers; what changes seldom is read after a poll, in the background, and their
    requests take turns on the port.
    """

    config_entry: NesMepConfigEntry
    meter: Meter
    slow: SlowReadings
    peaks: Peaks
    selection: Selection

    def __init__(self, hass: HomeAssistant, entry: NesMepConfigEntry) -> None:
        """Prepare to poll the meter of an entry at the interval of its options."""
        interval = entry.options.get(CONF_SCAN_INTERVAL, DEFAULT_SCAN_INTERVAL)
        super().__init__(
            hass,
            _LOGGER,
            config_entry=entry,
            name=entry.title,
            update_interval=timedelta(seconds=interval),
            always_update=False,
        )
        self.monitor = async_get_monitor(hass, entry)
        self._clock = self.monitor.clock
        self._sessions = 0
        self._layouts = 0
        self._registers: Mapping[str, Register] = {}
        self._readings = Readings({})
        self._slow_task: asyncio.Task[None] | None = None
        self._is_closing = False
        self._cleaned_knowing: bool | None = None
        self._recovery = AutomaticRecovery(
            hass, entry, self._clock, self._async_start_session
        )

    @override
    async def _async_setup(self) -> None:
        """Open the meter, and make sure that it is the one of this entry.

        No other security mode is used than the one the entry was created with.
        """
        entry = self.config_entry
        access = access_of(entry.data, self.monitor.optical_memory)
        await self.monitor.async_load()
        self.selection = Selection(self.hass, entry, self.monitor.storage)
        try:
            self.meter = await Meter.open(
                access,
                known_as=self.monitor.known_as,
                trace=self.monitor.trace,
                clock=self._clock,
            )
        except MeterError as err:
            self.monitor.outages.async_poll_ended({WHOLE_POLL: err}, None)
            await self._async_fail(
                err,
                partial(
                    probe_tls,
                    access.url,
                    baudrate=access.baudrate,
                    clock=self._clock,
                ),
                at_setup=True,
            )
        self.monitor.async_succeeded()
        entry.async_on_unload(self.meter.close)
        entry.async_on_unload(
            self.hass.bus.async_listen_once(EVENT_HOMEASSISTANT_STOP, self._async_stop)
        )
        # Before the meter is closed, so that no failure is reported.
        entry.async_on_unload(self._async_stop_background)
        self._require_own_meter(self.meter.identity.serial_number)
        self._sessions = self.meter.sessions
        self._layouts = self.meter.layouts
        self.slow = SlowReadings(
            self.meter,
            self.name,
            self.selection.async_read_counters,
            now=self._clock.time,
            storage=self.monitor.storage,
            layout_since=lambda: self.monitor.layout_issue.layout_since,
        )
        assert self.update_interval is not None
        self.peaks = Peaks(
            self.meter,
            self.monitor.peaks,
            self._clock,
            rules_of(self.config_entry.options),
            interval_of(self.config_entry.options),
            poll_interval=self.update_interval,
            layout_since=lambda: self.monitor.layout_issue.layout_since,
        )

    @override
    async def _async_update_data(self) -> MeterData:
        """Read what enabled entities show; if that fails, forget what is too old."""
        try:
            return await self._async_poll()
        except (UpdateFailed, ConfigEntryAuthFailed) as err:
            # Without another key there is no further poll.
            is_last = isinstance(err, ConfigEntryAuthFailed)
            if self.slow.expire(inf if is_last else self._clock.time()):
                self.data = self._async_collect()
                self.async_update_listeners()
            raise

    async def _async_poll(self) -> MeterData:
        """Read the registers that the enabled entities show. Raises UpdateFailed."""
        readings = await self._async_read_registers()
        if self._registers and self._registers is not self.meter.registers:
            _LOGGER.debug("%s has other registers than before", self.name)
            self.slow.learn_again(layout_changed=self.meter.layouts != self._layouts)
            # Those that are new get their entities together with their first values.
            readings = await self._async_read_registers()
        if self._layouts != self.meter.layouts:
            self._layouts = self.meter.layouts
            async_update_firmware(self.hass, self.config_entry, self.meter.identity)
        self._registers = self.meter.registers
        self._log_failed_tables(readings.errors)
        self._async_report(readings.errors)
        self._readings = readings
        if self.slow.has_no_clock:
            self.peaks.async_use_host_clock()
        self.peaks.async_polled(readings)
        self.selection.async_count(readings.values)
        self._async_start_slow()
        return self._async_collect()

    async def _async_read_registers(self) -> Readings:
        """Read what enabled entities show, or the default registers if that is nothing.

        Raises UpdateFailed, translated.
        """
        wanted = self._wanted_registers() or DEFAULT_REGISTERS
        try:
            readings = await self.meter.read(wanted)
            await self._async_verify_own_meter()
        except MeterError as err:
            self._async_report({WHOLE_POLL: err})
            await self._async_fail(err, self.meter.probe_tls)
        self.monitor.async_succeeded()
        return readings

    async def _async_verify_own_meter(self) -> None:
        """Verify which meter answers, if a new session has begun since the last time.

        The meter may have been exchanged: readings of another one would appear in the
        statistics as consumption. Raises MeterError, and UpdateFailed for another
        meter.
        """
        if (sessions := self.meter.sessions) != self._sessions:
            self._require_own_meter(await self.meter.read_serial_number())
            self._sessions = sessions

    def _require_own_meter(self, serial_number: str) -> None:
        """Raise UpdateFailed, translated, if that is not the meter of the entry."""
        if serial_number != self.config_entry.unique_id:
            raise UpdateFailed(
                translation_domain=DOMAIN,
                translation_key="wrong_meter",
                translation_placeholders={
                    "meter": self.config_entry.title,
                    "serial_number": serial_number,
                },
            )

    @callback
    def _async_report(self, errors: Mapping[str, MeterError]) -> None:
        """Report how a poll went, unless it ended because the meter is being closed."""
        if not self._is_closing:
            self.monitor.async_poll_ended(errors, self.meter.statistics)
            self._recovery.async_poll_ended(errors.values())

    async def _async_start_session(self) -> None:
        """Start a new session and poll at once. Raises MeterError if there is none."""
        await self.meter.resync()
        await self.async_refresh()

    async def _async_fail(
        self, err: MeterError, probe: TlsProbe, *, at_setup: bool = False
    ) -> NoReturn:
        """Raise UpdateFailed, translated, for a meter that could not be read.

        Raises ConfigEntryAuthFailed for a key that is not to be tried again: then Home
        Assistant asks for another one.
        """
        pause = await self.monitor.async_failed(err, probe, at_setup=at_setup)
        text = self.monitor.error_text(err)
        if self.monitor.is_optical and isinstance(err, KeyRefusedError):
            self._recovery.async_stop()
            raise ConfigEntryAuthFailed(**text) from err
        raise UpdateFailed(**text, retry_after=pause) from err

    @callback
    def _async_start_slow(self) -> None:
        """Read in the background what is due, unless such a read is in progress.

        What falls due before the middle between this poll and the next is read now.
        """
        assert self.update_interval is not None
        if self._slow_task is not None and not self._slow_task.done():
            return
        until = self._clock.time() + self.update_interval.total_seconds() / 2
        if due := self.slow.due(until, self._contexts):
            self._slow_task = self.config_entry.async_create_background_task(
                self.hass, self._async_read_slowly(due), f"{self.name} slow readings"
            )

    @property
    def _contexts(self) -> set[str]:
        """What entities show, or an issue needs."""
        return (
            set(self.async_contexts())
            | self.monitor.clock_issue.contexts
            | ({CLOCK_DRIFT.key} if self.peaks.meter_time is None else set())
        )

    async def _async_read_slowly(self, due: list[SlowReading]) -> None:
        """Perform slow readings in turn, and publish what each returns."""
        for reading in due:
            may_go_on = await self.slow.read(reading, self._clock.time())
            await self.monitor.async_read_slowly(reading, self.slow, self.meter)
            drift = self.slow.values.get(CLOCK_DRIFT.key)
            if self.slow.is_clock(reading) and isinstance(drift, float):
                self.peaks.async_read_clock(drift)
            self.async_publish()
            if not may_go_on:
                return

    @callback
    def async_publish(self) -> None:
        """Hand on what is known now, if it has changed."""
        data = self._async_collect()
        if data != self.data:
            self.data = data
            self.async_update_listeners()

    @callback
    def _async_stop_background(self) -> None:
        """Stop what runs in the background, because the meter will be closed."""
        self._is_closing = True
        self._recovery.async_stop()
        if self._slow_task is not None:
            self._slow_task.cancel()

    async def _async_stop(self, event: Event) -> None:
        """Close the meter when Home Assistant stops, which unloads no entries."""
        self._async_stop_background()
        await self.meter.close()

    @callback
    def _async_collect(self) -> MeterData:
        """Return what is known now, and remove entities that are no longer reported.

        What the meter reported stays so until it has told of all its registers.
        """
        registers = self.selection.async_keys(self._registers)
        # A stored reading is shown where its register is.
        slow = (key for key in self.slow.keys if shows_any(key, registers))
        reported = registers.union(slow, peak_keys(registers))
        # In the background, the meter may have told of registers before the next poll.
        knows_all = not self.meter.unknown and self._registers is self.meter.registers
        if not knows_all and self.data:
            reported |= self.data.reported
        if self.data and reported == self.data.reported:
            reported = self.data.reported  # so that nobody needs to compare them again
        data = MeterData(
            values={**self._readings.values, **self.slow.values},
            failed_tables=frozenset(self._readings.errors),
            reported=reported,
            mbus_devices=self.slow.mbus.devices,
            tariffs=self.slow.tariffs.tariffs,
            peaks={direction: self.peaks.values(direction) for direction in ENERGIES},
            statistics=replace(self.meter.statistics)
            if LINK in self.async_contexts()
            else None,
        )
        if self.data and (gone := self.data.reported - data.reported):
            async_remove_entities(self.hass, self.config_entry, gone)
        if knows_all and (self._cleaned_knowing is not self.selection.is_known):
            self._cleaned_knowing = self.selection.is_known
            # The meter, or the option to show all registers, may have been changed
            # while the entry was not loaded.
            self._async_remove_former_registers(
                data.reported
                if self.selection.is_known
                else data.reported | self._registers.keys()
            )
        return data

    @callback
    def _async_remove_former_registers(self, present: AbstractSet[str]) -> None:
        """Remove the entities of registers that are not present any more."""
        async_remove_entities(
            self.hass,
            self.config_entry,
            {
                key
                for key in registered_entities(self.hass, self.config_entry)
                if (describe_register(key) or key in PEAK_SENSORS)
                and key not in present
            },
        )

    @property
    def is_read_whole(self) -> bool:
        """Whether the last poll returned everything that it asked for."""
        return self.last_update_success and not self.data.failed_tables

    def _wanted_registers(self) -> set[str]:
        """Return the keys of the registers that enabled entities show.

        Every entity that shows a value gives its key as context. Before a register has
        an entity, the registry knows whether it will be enabled; if the registry does
        not know it either, the default counts.
        """
        registers = self.meter.registers.keys()
        wanted = registers & set(self.async_contexts())
        if self._registers is self.meter.registers:
            return wanted
        if new := registers - self._registers.keys():
            entities = registered_entities(self.hass, self.config_entry)
            wanted |= {
                key
                for key in new
                if (
                    not entities[key].disabled
                    if key in entities
                    else key in DEFAULT_REGISTERS
                )
            }
        return wanted

    def _log_failed_tables(self, errors: Mapping[str, MeterError]) -> None:
        """Log a table once when it fails and once when it can be read again."""
        before: frozenset[str] = self.data.failed_tables if self.data else frozenset()
        for table in sorted(errors.keys() - before):
            _LOGGER.warning("%s: %s is missing: %s", self.name, table, errors[table])
        for table in sorted(before - errors.keys()):
            _LOGGER.info("%s: %s no longer fails", self.name, table)


@dataclass(frozen=True, slots=True)
class NesMepData:
    """What lives as long as the entry of a meter is loaded."""

    coordinator: MeterCoordinator
    history: History
    costs: Costs
    platforms: list[Platform] = field(default_factory=list)
    """The platforms that are set up."""


type NesMepConfigEntry = ConfigEntry[NesMepData]
