"""What the load profile of a meter holds at one moment: values, status, bytes."""

from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property, lru_cache
from struct import pack
from zoneinfo import ZoneInfo

from ..meter_clock import MeterClock, Setting
from ..profiles import Profile
from ..quality import Outage
from ..registers import ENERGIES, Snapshot
from ..state import MeterState
from .channels import SKIPPED, mbus_value
from .data_set import MBUS, DataSet
from .memory import COMPLIANT, PRECEDENCE, STATUS
from .recording import Grid, Recording, Run

_DST, _POWER_FAIL, _FORWARD, _BACK = 1, 2, 4, 8  # common status
# Registers that count on; all others are momentary.
_COUNTERS = {*ENERGIES, 4, 5, 7, 26, 27, 28, *range(29, 73)}
_NO_VALUE = {STATUS[name] for name in ("skipped", "opted_out", "placeholder")}
_ENCRYPTED = STATUS["encrypted"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Interval:
    """One interval: its end (aware, UTC) and status, channels in their order.

    ``values`` is what the table says, ``truth`` the registers at the interval's end.
    """

    end: datetime
    common: int
    statuses: tuple[int, ...]
    values: tuple[int, ...]
    truth: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class _Span:
    """An interval by the meter's clock and in true time."""

    start: int
    end: int
    true_start: int
    true_end: int


@lru_cache(maxsize=4096)
def _dst(zone: ZoneInfo, time: int) -> bool:
    return bool(datetime.fromtimestamp(time, zone).dst())


class History:
    """The load profile at one moment; ``now`` is a true Unix time."""

    def __init__(
        self,
        profile: Profile,
        seed: int,
        state: MeterState,
        clock: MeterClock,
        now: float,
    ) -> None:
        """Keep what values are computed from; nothing is computed yet."""
        self.profile = profile
        self.clock = clock
        self._seed = seed
        self._state = state
        self._memory = state.load_profile
        self._now = now
        self._zone = ZoneInfo(profile.time_zone)
        self._recordings: dict[int, Recording] = {}

    @property
    def data_sets(self) -> tuple[DataSet, ...]:
        """The data sets of the firmware, used or not."""
        return self.profile.data_sets

    @property
    def configuration_id(self) -> int:
        """ET21.78."""
        return self._memory.configuration_id

    @cached_property
    def reached(self) -> float:
        """The latest that the clock ever showed."""
        return self.clock.reached(self._now)

    @property
    def _shown(self) -> float:
        return self._now + self.clock.offset

    @property
    def opted_out(self) -> bool:
        """Whether the customer does not want a load profile now."""
        return self._memory.paused(self._shown, opt_out=True)

    def active(self, number: int) -> bool:
        """Tell whether a data set is recording now."""
        used = bool(self.data_sets[number].blocks)
        return used and not self._memory.paused(self._shown, opt_out=False)

    # Which intervals

    def grid(self, number: int) -> Grid:
        """Return when the intervals of a data set end."""
        return Grid(self.data_sets[number], self._memory.configured)

    def recording(self, number: int) -> Recording:
        """Return what a data set has recorded."""
        if (found := self._recordings.get(number)) is None:
            grid = self.grid(number)
            gaps = self._gaps(number, grid) if grid.data_set.blocks else []
            found = Recording(grid, self.reached, gaps)
            self._recordings[number] = found
        return found

    def _gaps(self, number: int, grid: Grid) -> list[Run]:
        zeroes = self.profile.since(3, 70)
        gaps = self._memory.gaps(grid, number, zeroes=zeroes)
        if grid.data_set.stuffed:
            return gaps
        for outage in self._state.power_cuts:
            start, end = outage.start.timestamp(), outage.end.timestamp()
            gaps.append(grid.ends_within(start, end - 0.5))  # at its end power is back
        for setting in self.clock.settings():
            jumped = grid.ends_within(setting.before, setting.after)
            gaps.append(Run(jumped.start + 1, jumped.stop))  # the first one was begun
        return gaps

    # Their values

    def interval(self, number: int, index: int) -> Interval:
        """Return an interval of a data set, recorded or not."""
        grid = self.grid(number)
        end = grid.end(index)
        span = self._span(end, grid.data_set.seconds)
        common, settings = self._common(span)
        registers = self.snapshot(span.end)
        values, truths, statuses = [], [], []
        for channel, source in enumerate(grid.data_set.sources):
            truth, status = self._measured(span, source, registers)
            candidates = [status, *settings, *self._marked(number, channel, end)]
            status = max(candidates, key=PRECEDENCE.__getitem__)
            value = truth
            if status in _NO_VALUE:
                value = 0
            elif status == _ENCRYPTED:
                value = ~truth
            if grid.data_set.compliant:
                status = COMPLIANT.get(status, status)
            values.append(value)
            truths.append(truth)
            statuses.append(status)
        for mark in self._memory.marks:
            common |= mark.common * mark.concerns(number, end)
        return Interval(
            end=datetime.fromtimestamp(end, UTC),
            common=common,
            statuses=tuple(statuses),
            values=tuple(values),
            truth=tuple(truths),
        )

    def snapshot(self, shown: float) -> Snapshot:
        """Return the registers when the meter's clock first showed a time."""
        registers = self._state.registers(self.clock, until=shown)
        time = self.clock.true_time(shown)
        return Snapshot(self.profile, self._seed, time, registers)

    def truth(self, number: int, channel: int, end: datetime) -> int:
        """Return a channel's register at the end of an interval.

        Raises ValueError when no interval of the set ends then.
        """
        grid = self.grid(number)
        time = end.timestamp()
        if not grid.data_set.blocks or (time - grid.origin) % grid.data_set.seconds:
            raise ValueError(f"no interval of data set {number} ends at {end}")
        span = self._span(int(time), grid.data_set.seconds)
        source = grid.data_set.sources[channel]
        return self._measured(span, source, self.snapshot(span.end))[0]

    def common_status(self, number: int) -> int:
        """Return the common status of the interval in progress, so far."""
        grid = self.grid(number)
        following = grid.ends_within(grid.configured, self.reached).stop
        start = grid.end(following) - grid.data_set.seconds
        span = self._span(start, 0)
        here = _Span(start, int(self.reached) + 1, span.true_start, int(self._now) + 1)
        return self._common(here)[0]

    def _span(self, end: int, seconds: int) -> _Span:
        start = end - seconds
        true = self.clock.true_time
        return _Span(start, end, true(start), true(end))

    def _measured(
        self, span: _Span, source: int, registers: Snapshot
    ) -> tuple[int, int]:
        """Return a source's register at the end of an interval, and its status."""
        dark = any(_within(cut, span.end) for cut in self._state.power_cuts)
        skipped = SKIPPED if self.profile.skipped_status else 0
        if source & 0xF000 == MBUS:
            value, status = mbus_value(self._state, self._zone, source, span.end)
            if dark:
                return 0, skipped or STATUS["placeholder"]
            return value, status
        if dark and source not in _COUNTERS:
            return 0, skipped
        if self.profile.since(3, 70) and any(
            pause.opt_out and pause.after < span.end <= pause.until
            for pause in self._memory.pauses
        ):
            return registers.value(source), STATUS["opted_out"]
        return registers.value(source), 0

    def _marked(self, number: int, channel: int, end: int) -> list[int]:
        return [
            mark.status
            for mark in self._memory.marks
            if mark.channel in {None, channel} and mark.concerns(number, end)
        ]

    def _common(self, span: _Span) -> tuple[int, list[int]]:
        """Return the common status, and what it means for the channels."""
        common, statuses = 0, []
        if _dst(self._zone, span.start) or _dst(self._zone, span.end - 1):
            common |= _DST
        cuts = [
            (cut.start.timestamp(), cut.end.timestamp())
            for cut in self._state.power_cuts
        ]
        if (started := self._state.started) is not None:
            shown = self.clock.reached(started)
            cuts.append((shown, shown + 1))
        if any(start < span.end and span.start < end for start, end in cuts):
            common |= _POWER_FAIL
        for setting in self.clock.settings():
            if _set_forward(setting, span):
                common |= _FORWARD
                statuses.append(STATUS["partial"])
            if setting.after < setting.before and (
                span.true_start <= setting.time < span.true_end
            ):
                common |= _BACK
                statuses.append(STATUS["long"])
        return common, statuses

    # Their bytes

    def read(self, number: int, start: int, end: int) -> bytes:
        """Return a stretch of BT64 + number; no more is computed than it needs."""
        data_set = self.data_sets[number]
        content = bytearray()
        while (place := start + len(content)) < end:
            slot, offset = divmod(place, data_set.block_size)
            if offset < data_set.header_size:
                content += self._header(number, slot)[offset:]
                continue
            offset -= data_set.header_size
            index, inside = divmod(offset, data_set.interval_size)
            content += self._stored(number, slot, index)[inside:]
        return bytes(content[: end - start])

    def _header(self, number: int, slot: int) -> bytes:
        recording = self.recording(number)
        data_set = recording.data_set
        block = recording.newest_in(slot)
        if block is None:
            return bytes(data_set.header_size)
        intervals = recording.intervals(block)
        end = datetime.fromtimestamp(recording.grid.end(intervals[-1]), UTC)
        flags = sum(1 << interval % data_set.intervals for interval in intervals)
        time = bytes((end.year - 2000, *end.timetuple()[1:5]))
        return time + flags.to_bytes(data_set.status_size, "little")

    def _stored(self, number: int, slot: int, index: int) -> bytes:
        """Return an interval's place: the newest that was ever recorded there."""
        recording = self.recording(number)
        data_set = recording.data_set
        block = recording.newest_in(slot)
        while block is not None and block >= 0:
            interval = recording.grid_block(block) * data_set.intervals + index
            if recording.recorded(interval):
                return encoded(self.interval(number, interval), data_set)
            block -= data_set.blocks
        return bytes(data_set.interval_size)


def encoded(interval: Interval, data_set: DataSet) -> bytes:
    """Return an interval as BT64 has it: status nibbles, values."""
    nibbles = [interval.common, *interval.statuses]
    nibbles += [0] * (2 * data_set.extended_size - len(nibbles))
    status = bytes(
        high << 4 | low for high, low in zip(nibbles[::2], nibbles[1::2], strict=True)
    )
    values = (value & 0xFFFFFFFF for value in interval.values)
    return status + pack(f"<{data_set.channels}I", *values)


def _within(cut: Outage, end: int) -> bool:
    """Tell whether the power was off when an interval ended."""
    return cut.start.timestamp() < end < cut.end.timestamp()


def _set_forward(setting: Setting, span: _Span) -> bool:
    """Tell whether the clock was set over a part of an interval, or all of it."""
    if setting.after < setting.before:
        return False
    if not span.true_start <= setting.time <= span.true_end:
        return False
    return setting.before < span.end and span.start < setting.after
