"""What to price, and how: the data of the action."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from math import isfinite
from typing import TYPE_CHECKING, Any, Final, Self

from homeassistant.helpers import config_validation as cv
from homeassistant.util import dt as dt_util

from .energy import Direction
from .prices import Price, Prices

if TYPE_CHECKING:
    import probatio as vol
else:
    import voluptuous as vol

_YEARS: Final = range(1970, 2101)
"""Times far from the present cannot be converted to UTC."""
_HOW: Final = "price"
"""Prices come from one of several fields."""


def _time(value: Any) -> datetime:
    """Validate a time and return it in UTC; without a zone, it is that of the house."""
    time = cv.datetime(value)
    if time.year not in _YEARS:
        raise vol.Invalid(f"the year must be from {_YEARS[0]} to {_YEARS[-1]}")
    return dt_util.as_utc(time)


def _number(value: Any) -> float:
    """Validate a number that can be calculated with."""
    number: float = vol.Coerce(float)(value)
    if not isfinite(number):
        raise vol.Invalid("expected a finite number")
    return number


_PRICE: Final = vol.Schema(
    {
        vol.Required("start"): _time,
        vol.Required("end"): _time,
        vol.Required("price"): _number,
    },
    extra=vol.REMOVE_EXTRA,
)

COST_FIELDS: Final = {
    vol.Optional("start"): _time,
    vol.Optional("end"): _time,
    vol.Exclusive("price", _HOW): _number,
    vol.Exclusive("price_entity", _HOW): cv.entity_id,
    vol.Exclusive("prices", _HOW): vol.All(cv.ensure_list, [_PRICE]),
    vol.Optional("factor", default=1.0): _number,
    vol.Optional("addend", default=0.0): _number,
    vol.Optional("direction"): vol.Coerce(Direction),
    vol.Optional("dry_run", default=False): cv.boolean,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class CostRequest:
    """What to price, and how.

    Without start and end, these are the hours that were not priced yet. Prices are
    given, shown by price_entity, or else what Energy is set to; that times factor plus
    addend counts. Without direction, it is both.
    """

    start: datetime | None = None
    end: datetime | None = None
    prices: Prices | None = None
    price_entity: str | None = None
    factor: float = 1.0
    addend: float = 0.0
    direction: Direction | None = None
    dry_run: bool = False

    @classmethod
    def of_action(cls, data: Mapping[str, Any]) -> Self:
        """Return what the data of an action, which fit COST_FIELDS, ask for.

        A price that is given is that of the import, if nothing else is said. Raises
        ContradictingPricesError.
        """
        prices = None
        if (price := data.get("price")) is not None:
            prices = Prices.always(price)
        elif (listed := data.get("prices")) is not None:
            prices = Prices.of(
                Price(each["start"], each["end"], each["price"]) for each in listed
            )
        is_given = prices is not None or "price_entity" in data
        return cls(
            start=data.get("start"),
            end=data.get("end"),
            prices=prices,
            price_entity=data.get("price_entity"),
            factor=data["factor"],
            addend=data["addend"],
            direction=data.get("direction", Direction.IMPORT if is_given else None),
            dry_run=data["dry_run"],
        )

    def is_asked(self, hour: datetime) -> bool:
        """Return whether an hour lies in the span."""
        return (self.start is None or hour >= self.start) and (
            self.end is None or hour < self.end
        )
