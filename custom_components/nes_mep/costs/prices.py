"""What a kWh cost at a time: pure functions."""

from bisect import bisect_right
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final, Self

QUARTER: Final = timedelta(minutes=15)
_LATENESS: Final = timedelta(minutes=2)
"""How long after a quarter of an hour an entity may show the price that began then."""
_EVER: Final = (datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC))

type PriceChange = tuple[datetime, float | None]
"""When a price begins; with None, when the price becomes unknown."""


class ContradictingPricesError(ValueError):
    """Two prices for the same time, or one for no time at all."""

    def __init__(self, time: datetime) -> None:
        """Name the place."""
        super().__init__(f"contradicting prices at {time.isoformat()}")
        self.time = time


@dataclass(frozen=True, slots=True)
class Price:
    """A price per kWh, from start (aware) up to end."""

    start: datetime
    end: datetime
    value: float


@dataclass(frozen=True, slots=True)
class Prices:
    """Prices in order of time. Where there is none, the price is not known."""

    known: tuple[Price, ...] = ()

    @classmethod
    def always(cls, value: float) -> Self:
        """Return one price for all times."""
        return cls((Price(*_EVER, value),))

    @classmethod
    def of(cls, prices: Iterable[Price]) -> Self:
        """Return prices in any order, in which one may be repeated.

        Raises ContradictingPricesError where they overlap otherwise.
        """
        known: list[Price] = []
        for price in sorted(set(prices), key=lambda price: (price.start, price.end)):
            if price.start >= price.end or (known and price.start < known[-1].end):
                raise ContradictingPricesError(price.start)
            known.append(price)
        return cls(tuple(known))

    def scaled(self, factor: float, addend: float) -> Prices:
        """Return the prices times factor, plus addend."""
        return Prices(
            tuple(
                Price(price.start, price.end, price.value * factor + addend)
                for price in self.known
            )
        )

    def during(self, start: datetime, end: datetime) -> tuple[Price, ...]:
        """Return the prices of a span, equal ones joined.

        There are none unless the price is known all the time.
        """
        found: list[Price] = []
        at = start
        first = bisect_right(self.known, start, key=lambda price: price.start) - 1
        for price in self.known[max(first, 0) :]:
            if at >= end or not price.start <= at < price.end:
                break
            until = min(price.end, end)
            if found and found[-1].value == price.value:
                found[-1] = Price(found[-1].start, until, price.value)
            else:
                found.append(Price(at, until, price.value))
            at = until
        return tuple(found) if at >= end else ()

    def mean(self, start: datetime, end: datetime) -> float | None:
        """Return the mean price of a span, None unless it is known all the time."""
        prices = self.during(start, end)
        if not prices:
            return None
        return sum(
            price.value * ((price.end - price.start) / (end - start))
            for price in prices
        )


def prices_of_changes(changes: Iterable[PriceChange], end: datetime) -> Prices:
    """Return the prices that an entity has shown up to end.

    Prices begin with a quarter of an hour, and an entity shows them a little later. So a
    change counts from the quarter that began within two minutes before it. If the price
    was not known in between, it counts from the quarter that began meanwhile, if there
    was just one; a price that is the same before and after has not changed.
    """
    known: list[Price] = []
    value: float | None = None
    since = lost = datetime.max.replace(tzinfo=UTC)
    for time, new in [*sorted(changes, key=lambda change: change[0]), (end, None)]:
        if time > end:
            continue
        if new is None:
            lost = min(lost, time)
            continue
        begin = _beginning(min(lost, time), time, is_same=new == value)
        if value is not None:
            _add(
                known, Price(since, min(lost, time) if begin is None else begin, value)
            )
        since = time if begin is None else begin
        value, lost = new, datetime.max.replace(tzinfo=UTC)
    if value is not None:
        _add(known, Price(since, min(lost, end), value))
    return Prices(tuple(known))


def _beginning(lost: datetime, time: datetime, *, is_same: bool) -> datetime | None:
    """Return when the price seen at a time began, None if that is not known.

    The price before it was known until lost.
    """
    if time - lost >= QUARTER:
        return None
    if is_same:
        return lost
    quarter = time - timedelta(seconds=time.timestamp() % QUARTER.total_seconds())
    if quarter >= min(lost, time - _LATENESS):
        return quarter
    return time if lost == time else None


def _add(known: list[Price], price: Price) -> None:
    """Append a price that held for some time."""
    if price.start < price.end:
        known.append(price)
