"""The tariff calendar of a meter, for its sensors and its calendar."""

from collections.abc import Mapping
from typing import Final, override

from ..descriptions import NEXT_TARIFF, NEXT_TARIFF_SWITCH
from ..osgp import Meter, Tariffs, Value
from .reading import SlowValues

_PERIOD = 60.0
_DAY = 86400.0

TARIFF_CALENDAR: Final = "tariff_calendar"
"""Key of the calendar entity; its value is the tariff in force."""


def _values_of(tariffs: Tariffs) -> Mapping[str, Value | None]:
    """Return what is shown by key; None where the next switch is not known."""
    switch = tariffs.next_switch
    return {
        TARIFF_CALENDAR: tariffs.tier + 1,
        NEXT_TARIFF_SWITCH.key: None if switch is None else switch.time,
        NEXT_TARIFF.key: None if switch is None else switch.tier + 1,
    }


class SlowTariffs(SlowValues):
    """The tariff calendar, where it has more than one tariff."""

    def __init__(self) -> None:
        """Start with no calendar known."""
        super().__init__("tariff calendar", _PERIOD)
        self.tariffs: Tariffs | None = None

    @override
    async def _read_values(self, meter: Meter) -> Mapping[str, Value | None]:
        tariffs = await meter.read_tariffs()
        has_several = tariffs is not None and len(tariffs.schedule.tiers) > 1
        self.tariffs = tariffs if has_several else None
        # Another calendar may be activated.
        self.period = _PERIOD if has_several else _DAY
        return {} if self.tariffs is None else _values_of(self.tariffs)

    @override
    def _forget(self, *, for_good: bool) -> None:
        super()._forget(for_good=for_good)
        self.tariffs = None
