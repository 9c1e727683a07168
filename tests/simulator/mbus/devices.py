"""Gas, water and heat meters on the M-Bus, their readings a function of time.

The telegrams have the records of published examples, which the tests build again byte
by byte: the wired examples of the OMS specification, volume 2, annex N, for gas, water
and heat (also in libmbus, test-frames oms_frame1 to 3), and the fixed data structure
of "The M-Bus: A Documentation", rev. 4.8, section 6.2.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from enum import IntEnum
from math import cos, pi, sin
from zoneinfo import ZoneInfo

from ..load import ANCHOR, DAY
from .telegram import Record, bcd, day, fixed, integer, moment, raw, variable

_YEAR = 365.25
_COLDEST = 15  # days from the anchor to the middle of winter
_HEAT_CAPACITY = 1163  # mWh to warm a litre of water by a degree
_FLOW, _RETURN = 443, 251  # 1/10 degree Celsius, as in the published example
_FIXED_WATER = bytes.fromhex("E97E")  # medium water, counter 2 is counter 1 as stored


class Medium(IntEnum):
    """What is measured, in a variable telegram."""

    GAS = 3
    HEAT = 4
    HOT_WATER = 6
    WATER = 7


@dataclass(frozen=True, slots=True)
class Consumption:
    """Litres at the anchor and litres a day; ``season`` is how much winter adds."""

    initial: int
    per_day: int
    season: float = 0.0

    def litres(self, time: int) -> int:
        """Return the register; it never falls."""
        days = (time - ANCHOR) / DAY
        winter = self.season * _YEAR / (2 * pi)
        winter *= sin(2 * pi * (days - _COLDEST) / _YEAR)
        swing = self._swing / (2 * pi) * (1 - cos(2 * pi * days))
        return self.initial + int(self.per_day * (days + winter + swing))

    def flow(self, time: int) -> int:
        """Return litres an hour."""
        days = (time - ANCHOR) / DAY
        winter = self.season * cos(2 * pi * (days - _COLDEST) / _YEAR)
        swing = self._swing * sin(2 * pi * days)
        return int(self.per_day / 24 * (1 + winter + swing))

    @property
    def _swing(self) -> float:
        """How much a day's rate rises and falls; below what season leaves over."""
        return 0.9 * (1 - self.season)


@dataclass(frozen=True, slots=True)
class Reading:
    """What a device measures at a time; ``due`` is the end of the month before."""

    time: datetime  # local
    litres: int
    flow: int  # l/h
    due: date
    due_litres: int


type Records = Callable[[Reading], list[Record]]


def gas_records(reading: Reading) -> list[Record]:
    """Volume to 10 l, date and time, error flags: OMS, annex N, gas meter."""
    return [
        bcd("0C14", 8, reading.litres // 10, "volume", 10),
        moment("046D", reading.time),
        integer("02FD17", 2, 0),
    ]


def water_records(reading: Reading) -> list[Record]:
    """Volume, flow, volume on the due date, flags: OMS, annex N, water meter."""
    return [
        bcd("0C13", 8, reading.litres, "volume"),
        bcd("0B3B", 6, reading.flow, "flow"),
        bcd("4C13", 8, reading.due_litres, "due.volume"),
        day("426C", reading.due),
        integer("02FD17", 2, 0),
    ]


def heat_values(energy: int, due_energy: int, power: int, r: Reading) -> list[Record]:
    """Energies in kWh, power in 1/10 W: OMS, annex N, heat meter."""
    return [
        bcd("0C06", 8, energy, "energy", 1000),
        bcd("0C13", 8, r.litres, "volume"),
        bcd("4C06", 8, due_energy, "due.energy", 1000),
        day("426C", r.due),
        bcd("0B3B", 6, r.flow, "flow"),
        bcd("0B2A", 6, power, "power", 100),
        bcd("0A5A", 4, _FLOW, "flow_temperature", 100),
        bcd("0A5E", 4, _RETURN, "return_temperature", 100),
        integer("02FD17", 2, 0),
    ]


def heat_records(reading: Reading) -> list[Record]:
    """The example's records; one amid them and one behind them are unknown."""
    warmth = _HEAT_CAPACITY * (_FLOW - _RETURN)  # 1/10 mWh a litre
    records = heat_values(
        reading.litres * warmth // 10**7,
        reading.due_litres * warmth // 10**7,
        reading.flow * warmth // 1000,
        reading,
    )
    unknown = raw("02FF21", "3A00")  # manufacturer's VIF and VIFE
    return [*records[:-1], unknown, records[-1], raw("0F", "070119")]


def fixed_counters(reading: Reading) -> list[Record]:
    """Two counters in litres: the M-Bus documentation, section 6.2."""
    return [
        Record(b"", b"", "volume", reading.litres % 10**8),
        Record(b"", b"", "due.volume", reading.due_litres % 10**8),
    ]


@dataclass(frozen=True, slots=True, kw_only=True)
class MbusDevice:
    """A device in one of the slots 0 to 3 of a meter.

    ``handle`` is the meter's number for it (ET14), ``down_since`` when it stopped to
    answer, Unix time. ``fixed`` sends a telegram with CI 73.
    """

    name: str
    handle: int
    serial: str
    medium: Medium
    consumption: Consumption
    records: Records
    manufacturer: str = "HYD"
    version: int = 1
    fixed: bool = False
    baud: int = 4  # code of 2400
    commissioned: int = ANCHOR + 3 * DAY
    down_since: int | None = None

    def reading(self, time: int, zone: ZoneInfo, offset: int = 0) -> Reading:
        """Return what it measures; ``offset`` litres are added to its register."""
        local = datetime.fromtimestamp(time, UTC).astimezone(zone)
        month = local.replace(day=1, hour=0, minute=0, second=0)
        due = int(month.timestamp())
        return Reading(
            time=local,
            litres=self.consumption.litres(time) + offset,
            flow=self.consumption.flow(time),
            due=(month - timedelta(days=1)).date(),
            due_litres=max(0, self.consumption.litres(due) + offset),
        )

    def telegram(self, reading: Reading, access: int, status: int) -> bytes:
        """Return what it sends, from the first header byte to the last record."""
        records = self.records(reading)
        if self.fixed:
            counters = [record.value or 0 for record in records]
            return fixed(self.serial, access, status, _FIXED_WATER, counters)
        return variable(
            self.serial,
            self.manufacturer,
            self.version,
            self.medium,
            access,
            status,
            records,
        )


GAS = MbusDevice(
    name="gas",
    handle=3,
    serial="30412877",
    medium=Medium.GAS,
    consumption=Consumption(2_417_350, 4100, 0.7),
    records=gas_records,
    manufacturer="ELS",
    version=0x33,
)
WATER = MbusDevice(
    name="water",
    handle=4,
    serial="92752244",
    medium=Medium.WATER,
    consumption=Consumption(418_226, 352),
    records=water_records,
    version=0x29,
)
HEAT = MbusDevice(
    name="heat",
    handle=7,
    serial="66104935",
    medium=Medium.HEAT,
    consumption=Consumption(1_703_476, 1900, 0.75),
    records=heat_records,
    version=0x2A,
)
OLD_WATER = MbusDevice(
    name="old_water",
    handle=1,
    serial="00751903",
    medium=Medium.WATER,
    consumption=Consumption(87_135, 40),
    records=fixed_counters,
    fixed=True,
    down_since=ANCHOR + 41 * DAY + 50_000,
)
