"""RDATE: a date that recurs each week, month or year (optical guide, "Data types")."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Final, Self

_EVERY_MONTH: Final = 13
_WEEKLY: Final = 14
_PERIODIC: Final = 15
_DAYS_OF_WEEK: Final = 7
_LAST_OFFSET_AWAY: Final = timedelta(days=31)
"""No offset moves a date farther than this."""

_BEFORE: Final = 1
_ON_OR_AFTER: Final = range(2, 6)
_LAST_OF_MONTH: Final = 6

_SUNDAY, _SATURDAY = 0, 6
_MOVES: Final = {
    # Days by which the date moves that falls on a Sunday, and on a Saturday.
    8: {_SUNDAY: 1},
    9: {_SUNDAY: -2},
    10: {_SATURDAY: 2},
    11: {_SATURDAY: -1},
    12: {_SUNDAY: 1, _SATURDAY: 2},
    13: {_SUNDAY: -2, _SATURDAY: -1},
    14: {_SUNDAY: 1, _SATURDAY: -1},
}
_AND_THE_DAY_AFTER: Final = 7
_THE_DAY_AFTER: Final = 15


def weekday(day: date) -> int:
    """Return the day of the week as the meter counts: 0 is Sunday."""
    return day.isoweekday() % _DAYS_OF_WEEK


@dataclass(frozen=True, slots=True)
class RecurringDate:
    """RDATE. month: 0 unused, 1 to 12, 13 every month, 14 every week.

    offset moves the date, mostly to a weekday (0 Sunday to 6 Saturday, 7 none). Month 15
    recurs after a number of days, which the guide does not say from when on.
    """

    month: int
    offset: int
    weekday: int
    day: int

    @classmethod
    def decode(cls, bits: int) -> Self:
        """Return what the 16 bits of an RDATE say."""
        return cls(bits & 0xF, bits >> 4 & 0xF, bits >> 8 & 0b111, bits >> 11)

    @property
    def is_used(self) -> bool:
        """Whether there is a date at all."""
        return self.month != 0

    @property
    def is_periodic(self) -> bool:
        """Whether it recurs after a number of days, so that nobody knows when."""
        return self.month == _PERIODIC

    def between(self, first: date, last: date) -> Iterator[date]:
        """Yield the days from first to last on which the date falls, in any order."""
        if self.month == _WEEKLY:
            if self.weekday < _DAYS_OF_WEEK:
                ahead = (self.weekday - weekday(first)) % _DAYS_OF_WEEK
                for days in range(ahead, (last - first).days + 1, _DAYS_OF_WEEK):
                    yield first + timedelta(days=days)
            return
        begin, end = first - _LAST_OFFSET_AWAY, last + _LAST_OFFSET_AWAY
        for number in range(
            begin.year * 12 + begin.month - 1, end.year * 12 + end.month
        ):
            year, month = number // 12, number % 12 + 1
            if self.month in (month, _EVERY_MONTH):
                for day in self._days(year, month):
                    if first <= day <= last:
                        yield day

    def _days(self, year: int, month: int) -> Iterator[date]:
        """Yield the days that the date of one month has, moved by its offset."""
        try:
            day = date(year, month, self.day)
        except ValueError:
            # 30 February, or day 0.
            return
        if _BEFORE <= self.offset <= _LAST_OF_MONTH:
            if self.weekday < _DAYS_OF_WEEK:
                yield from self._on_weekday(day)
        elif self.offset == _THE_DAY_AFTER:
            yield day + timedelta(days=1)
        elif self.offset == _AND_THE_DAY_AFTER:
            yield day
            yield day + timedelta(days=1)
        else:
            moved = _MOVES.get(self.offset, {}).get(weekday(day), 0)
            yield day + timedelta(days=moved)

    def _on_weekday(self, day: date) -> Iterator[date]:
        """Yield the weekday that an offset from 1 to 6 means, if there is one."""
        if self.offset == _BEFORE:
            back = (weekday(day) - self.weekday - 1) % _DAYS_OF_WEEK + 1
            yield day - timedelta(days=back)
            return
        first = day + timedelta(days=(self.weekday - weekday(day)) % _DAYS_OF_WEEK)
        if self.offset in _ON_OR_AFTER:
            yield first + timedelta(weeks=self.offset - _ON_OR_AFTER.start)
            return
        weeks = range(5)
        same_month = [
            found
            for week in weeks
            if (found := first + timedelta(weeks=week)).month == day.month
        ]
        yield from same_month[-1:]
