"""What kinds of meters can be simulated, as data."""

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

from .load import LoadShape
from .load_profile.data_set import SETS, UNUSED, DataSet
from .mbus import MbusDevice
from .messages import Message

type Firmware = tuple[int, int, int]

FOUR_TIERS = (0,) * 6 + (1,) * 5 + (3,) * 3 + (1,) * 3 + (2,) * 3 + (1,) * 2 + (0,) * 2
EIGHT_TIERS = tuple(hour // 3 for hour in range(24))

# Quadrant apparent energies have no source id in the guide; this meter uses free ones.
APPARENT_ENERGY = (245, 246, 247, 248)

SUMMATIONS_11 = (0, 1, 2, 3, 4, 5, 6, 7, 26, 27, 28)
SUMMATIONS_15 = (*SUMMATIONS_11, 108, 109, 110, 111)
SUMMATIONS_19 = (*SUMMATIONS_15, *APPARENT_ENERGY)

# Sources of BT28 in the guide's order, with the firmware that brought them.
_PRESENT_VALUES: tuple[tuple[tuple[int, int], tuple[int, ...]], ...] = (
    ((0, 0), tuple(range(8, 26))),
    ((0, 0), (81, 82, 83, 84)),
    ((3, 10), (104, 105, 106, 107)),
    ((3, 50), tuple(range(185, 200))),
    ((3, 70), tuple(range(202, 216))),
    ((4, 0), tuple(range(216, 233))),
    ((4, 10), (233, 234, 235)),
    ((4, 30), tuple(range(236, 245))),
)


def present_values(major: int, minor: int) -> tuple[int, ...]:
    """Return the sources that BT28 holds with a firmware."""
    return tuple(
        source
        for since, sources in _PRESENT_VALUES
        if (major, minor) >= since
        for source in sources
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Demand:
    """Demand registers: sources, which are maxima, and coincident values of each.

    ``previous``: BT27 and BT28 have the last whole interval's demands too (ids 96..).
    """

    sources: tuple[int, ...] = (8, 10)
    maxima: tuple[bool, ...] = (True, True)
    coincidents: tuple[tuple[int, int], ...] = ((10, 0), (20, 0), (8, 1), (20, 1))
    minutes: int = 15
    cumulative: bool = True
    continuous_cumulative: bool = True
    time_remaining: bool = True
    previous: bool = False

    @property
    def present(self) -> tuple[int, ...]:
        """The source ids of the present demands, as BT27 lists them."""
        count = len(self.sources)
        before = range(96, 96 + count) if self.previous else ()
        return (*range(88, 88 + count), *before)


@dataclass(frozen=True, slots=True, kw_only=True)
class PowerLimit:
    """The average power (W) above which the load is cut off (ET80), off at first.

    It is that of the last ``multiplier`` times ``seconds``.
    """

    enabled: bool = False
    seconds: int = 1
    multiplier: int = 15
    threshold: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Transformer:
    """A CT meter's ratios (whole numbers) and the Wh of an energy count."""

    ct_ratio: int = 1
    vt_ratio: int = 1
    energy_unit: int = 1

    @property
    def factor(self) -> int:
        """What powers are multiplied with."""
        return self.ct_ratio * self.vt_ratio


# 90 days of the total energies; the blocks begin at midnight of Central Europe.
QUARTER_HOURS = DataSet(
    sources=(0, 1, 2, 3), interval=15, blocks=90, intervals=96, start=(23, 0)
)
# 60 days of the energies in total and of the first three tiers.
HOURS_BY_TIER = DataSet(
    sources=(0, 1, 29, 30, 40, 41, 51, 52, 4), interval=60, blocks=60, intervals=24
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """One kind of meter."""

    name: str
    description: str
    manufacturer: str = "NES"
    model: str = "83332-3I"
    hardware: tuple[int, int] = (3, 2)
    firmware: Firmware = (3, 70, 24)
    serial_number: str = "20260217"
    transceiver_id: bytes = bytes.fromhex("05018a3c5e71")
    program_id: bytes = bytes.fromhex("9000013503460424")
    summations: tuple[int, ...] = SUMMATIONS_11
    present: tuple[int, ...] = field(default_factory=lambda: present_values(3, 70))
    demand: Demand | None = None
    tiers: int = 4
    tariff: tuple[int, ...] = FOUR_TIERS
    max_summations: int = 15
    max_tiers: int = 4
    max_present: int = 55
    transformer: Transformer | None = None
    rollover_digits: int = 8
    time_zone: str = "Europe/Copenhagen"
    seasons: tuple[int, ...] = (0, 0, 0, 1, 1, 1, 1, 1, 1, 0, 0, 0)  # of each month
    self_reads: int = 12  # BT21.2: readings that BT26 holds, 0: none
    monthly_self_read: bool = True  # BT54: on the first day of each month
    self_read_time: tuple[int, int] = (0, 0)  # ET04.65, 66: hour and minute
    reset_log: int = 0  # entries of ET41, 0: it is not configured
    outage_records: int = 10  # ET04.53: outages in ET09
    outage_log: int = 20  # entries of ET81, 0: it is not configured
    missing_phases: tuple[int, ...] = ()  # ET04.62: without voltage and current
    single_phase: bool = False  # ET29.5
    fixed_outage_index: bool = False  # ET81.2 is always 0, as the guide prints it
    event_log: int = 100
    alternate_event_log: int = 0  # entries of ET79, 0: it is off
    disconnect: bool = True  # ET29: it can switch the load off
    relays: tuple[int, ...] = ()  # ET29: control relays 1, 2 (4.30+)
    step_tariff: bool = False  # ET55: tariffs change with the energy of the month
    power_limit: PowerLimit = PowerLimit()  # ET80 (3.70+)
    mbus: tuple[MbusDevice | None, ...] = (None,) * 4  # (): without M-Bus module
    recurring_reads: int = 0  # entries of ET45
    extended_reads: int = 0  # ET54.69: entries of ET74 (3.60+)
    unmoved_reads: int = 0  # ET74.7: of these, not in ET45 yet
    reads_in_log_only: bool = False  # ET54.0.0: scheduled reads are not in ET16
    mep_port: int = 1
    several_clients: bool = False  # ET54.0.8: two MEP clients, not compatible mode
    load_profile: tuple[DataSet, ...] = (QUARTER_HOURS,)
    skipped_status: bool = True  # ET04.71.3: no value is "skipped" and 0
    load: LoadShape = field(default_factory=LoadShape)
    message: Message | None = None  # ET55: on the display
    display_texts: tuple[str, ...] = ("", "", "")  # ET97, with firmware that has it

    def since(self, major: int, minor: int) -> bool:
        """Tell whether the firmware is at least major.minor."""
        return self.firmware[:2] >= (major, minor)

    @property
    def generation4(self) -> bool:
        """Tell whether it is a generation 4 meter."""
        return self.since(4, 0)

    @property
    def data_sets(self) -> tuple[DataSet, ...]:
        """The load profile data sets that the firmware has: one, or four (3.50+)."""
        count = SETS if self.since(3, 50) else 1
        return (*self.load_profile, *(UNUSED,) * SETS)[:count]

    @property
    def used_data_sets(self) -> dict[int, DataSet]:
        """Those of them that are in use, by their index."""
        return {n: found for n, found in enumerate(self.data_sets) if found.blocks}

    @property
    def ratios(self) -> Transformer:
        """The ratios that hold; all 1 on a meter without transformers."""
        return self.transformer or Transformer()


def with_firmware(profile: Profile, major: int, minor: int, build: int = 1) -> Profile:
    """Return a profile with another firmware and the present values of that one.

    Summations, tiers and demand stay; ``catalogue`` has whole profiles.
    """
    present = present_values(major, minor)
    return replace(
        profile,
        name=f"{profile.name}-{major}.{minor}",
        firmware=(major, minor, build),
        present=present,
        max_present=len(present),
    )


GEN3 = Profile(
    name="gen3",
    description="generation 3 without demand: 11 summations, 22 present values",
    present=present_values(3, 70)[:22],
)
GEN3_DEMAND = Profile(
    name="gen3_demand",
    description="generation 3 with demand: 15 summations, 2 demands, 4 coincidents",
    serial_number="20260318",
    transceiver_id=bytes.fromhex("05018a3c9a04"),
    summations=SUMMATIONS_15,
    demand=Demand(),
)
CT = Profile(
    name="ct",
    description="generation 3 CT meter: ratio 40, energy register unit 10 Wh",
    model="83332-3C",
    serial_number="20260419",
    transceiver_id=bytes.fromhex("05018a3cb177"),
    transformer=Transformer(ct_ratio=40, energy_unit=10),
    load=LoadShape(scale=0.3),
)
GEN4 = Profile(
    name="gen4",
    description="generation 4: 19 summations, 8 tiers, 84 present values, 2 MEP ports",
    model="83334-4I",
    hardware=(4, 1),
    firmware=(4, 30, 7),
    serial_number="20260520",
    transceiver_id=bytes.fromhex("0701c4d20e6b"),
    program_id=bytes.fromhex("9000013504460407"),
    summations=SUMMATIONS_19,
    present=present_values(4, 30),
    tiers=8,
    tariff=EIGHT_TIERS,
    max_summations=19,
    max_tiers=8,
    max_present=84,
    several_clients=True,
    load_profile=(replace(QUARTER_HOURS, blocks=60), HOURS_BY_TIER),
    message=Message(
        text="SPAR 17h",
        start=datetime(2025, 11, 1, tzinfo=UTC),
        end=datetime(2099, 12, 31, tzinfo=UTC),
        code="196",
        points=0b01000,
    ),
    display_texts=(" 123 kWh", "", ""),
)
REORDERED = replace(
    GEN3,
    name="reordered",
    description="lists its sources in an order of its own, and not all of them",
    serial_number="20260621",
    transceiver_id=bytes.fromhex("05018a3d0c55"),
    summations=(28, 7, 6, 1, 0, 5, 4, 3, 2),
    present=(
        *(19, 17, 16, 15, 84, 83, 9, 8, 12, 13, 14, 18),
        *(22, 21, 187, 186, 185, 190, 189, 188, 25, 24, 23, 20),
    ),
)
