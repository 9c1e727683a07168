"""What tests do with a meter's load profile: look into it, and spoil it."""

from datetime import UTC, datetime
from math import inf

from .data_set import DataSet
from .history import History, Interval
from .memory import STATUS, LoadProfileMemory, Lost, Mark, Pause


class LoadProfile:
    """The load profile of a meter as it is now; times are those of the meter's clock.

    Data sets and channels count from 0; None stands for all. An interval belongs to a
    time from ``after`` to ``until`` when it ends later than the one, and not later than
    the other.
    """

    def __init__(
        self, history: History, memory: LoadProfileMemory, now: datetime
    ) -> None:
        """Keep what ``World`` gives."""
        self.history = history
        self._memory = memory
        self._now = now

    @property
    def data_sets(self) -> tuple[DataSet, ...]:
        """The data sets of the firmware, those not in use too."""
        return self.history.data_sets

    def truth(self, data_set: int = 0) -> dict[str, int]:
        """Return the state of a data set that is in use; times are Unix times.

        ``active``, ``blocks`` (valid), ``total`` (blocks ever), ``intervals`` (valid ones
        in the newest block), ``last`` (end of the newest interval, 0: none yet),
        ``configuration`` (ET21.78).
        """
        recording = self.history.recording(data_set)
        newest = recording.intervals(recording.total - 1) if recording.total else []
        return {
            "active": int(self.history.active(data_set)),
            "blocks": recording.valid,
            "total": recording.total,
            "intervals": len(newest),
            "last": recording.grid.end(newest[-1]) if newest else 0,
            "configuration": self.history.configuration_id,
        }

    def interval_truth(self, data_set: int, channel: int, end: datetime) -> int:
        """Return a channel's register at an interval's end, in register units.

        It is the true one, whatever the table says. Raises ValueError when no interval
        ends then.
        """
        return self.history.truth(data_set, channel, end)

    def intervals(
        self,
        data_set: int = 0,
        after: datetime | None = None,
        until: datetime | None = None,
    ) -> list[Interval]:
        """Return the recorded intervals that the meter still has, oldest first."""
        recording = self.history.recording(data_set)
        first = after.timestamp() if after else -inf
        last = until.timestamp() if until else inf
        return [
            self.history.interval(data_set, number)
            for number in recording.available()
            if first < recording.grid.end(number) <= last
        ]

    def ends(self, data_set: int = 0) -> list[datetime]:
        """Return when the recorded intervals that the meter still has end."""
        recording = self.history.recording(data_set)
        return [
            datetime.fromtimestamp(recording.grid.end(number), UTC)
            for number in recording.available()
        ]

    def stop(
        self,
        after: datetime | None = None,
        until: datetime | None = None,
        *,
        opt_out: bool = False,
    ) -> None:
        """Switch it off, from now if no time is given, and until it is resumed.

        ``opt_out``: by the customer's wish (ET54.19); then 3.70 and later record zeros.
        """
        last = until.timestamp() if until else inf
        self._memory.pauses.append(Pause(self._time(after), last, opt_out))

    def resume(self, time: datetime | None = None) -> None:
        """Switch it on again, now if no time is given; it is opted into again, too."""
        self._memory.resume(self._time(time))

    def lose(
        self, after: datetime, until: datetime, data_set: int | None = None
    ) -> None:
        """Let intervals not have been recorded: simple status 0, old bytes."""
        lost = Lost(after.timestamp(), until.timestamp(), data_set)
        self._memory.lost.append(lost)

    def mark(
        self,
        after: datetime,
        until: datetime,
        status: int | str = 0,
        *,
        common: int = 0,
        channel: int | None = None,
        data_set: int | None = None,
    ) -> None:
        """Give intervals a channel status (name of ``STATUS`` or number) or a common one.

        The value follows: skipped, opted out and placeholder are 0, an encrypted one is
        unreadable. Raises ValueError for a status that the guide does not have.
        """
        number = STATUS.get(status) if isinstance(status, str) else status
        if number not in {0, *STATUS.values()} or not 0 <= common <= 0xF:
            raise ValueError(f"no status {status!r}, {common}")
        self._memory.marks.append(
            Mark(
                after=after.timestamp(),
                until=until.timestamp(),
                status=number,
                common=common,
                channel=channel,
                data_set=data_set,
            )
        )

    def _time(self, time: datetime | None) -> float:
        return (self._now if time is None else time).timestamp()
