"""Meters that differ in their load profile: interval lengths, data sets, none at all."""

from dataclasses import replace

from .load_profile.data_set import UNUSED, DataSet, mbus_source
from .mbus import GAS, HEAT, WATER
from .profiles import GEN3, GEN4, HOURS_BY_TIER, QUARTER_HOURS, Profile

# Volume of gas and water, energy of heat, and a slot without device.
MBUS_HOURS = DataSet(
    sources=(0, mbus_source(0, 1), mbus_source(1, 2), mbus_source(2, 3), 0x4302),
    interval=60,
    blocks=40,
    intervals=24,
)


def _variant(
    number: int,
    name: str,
    description: str,
    *data_sets: DataSet,
    base: Profile = GEN3,
) -> Profile:
    return replace(
        base,
        name=f"lp_{name}",
        description=f"load profile: {description}",
        serial_number=f"2027{number:04}",
        transceiver_id=base.transceiver_id[:4] + (0x2700 + number).to_bytes(2),
        load_profile=data_sets,
    )


_TOTALS = replace(QUARTER_HOURS, sources=(0, 1))
_VARIANTS = (
    _variant(1, "none", "none"),
    _variant(
        2,
        "1min",
        "1 minute, 2 channels, 14 days",
        replace(_TOTALS, interval=1, intervals=1440, blocks=14),
    ),
    _variant(
        3,
        "7min",
        "7 minutes, blocks of 48 that begin at other times each, 40 of them",
        replace(QUARTER_HOURS, interval=7, intervals=48, blocks=40, start=(0, 3)),
    ),
    _variant(
        4,
        "20min",
        "20 minutes, blocks of 8 hours, 60 days, mapped ids",
        replace(QUARTER_HOURS, interval=20, intervals=24, blocks=180, mapped=(1, 2)),
    ),
    _variant(
        5,
        "60min",
        "60 minutes, 365 days",
        replace(QUARTER_HOURS, interval=60, intervals=24, blocks=365),
    ),
    _variant(
        6,
        "2h",
        "2 hours, weeks as blocks, 26 of them",
        replace(_TOTALS, interval=62, intervals=84, blocks=26),
    ),
    _variant(
        7,
        "day",
        "24 hours, 24 blocks of 30 days, with tiers",
        replace(HOURS_BY_TIER, interval=84, intervals=30, blocks=24, start=(23, 0)),
    ),
    _variant(
        8,
        "sets",
        "four sets, the third not in use, one with 16 channels; momentary values",
        replace(QUARTER_HOURS, interval=30, intervals=48, blocks=20),
        replace(
            HOURS_BY_TIER,
            sources=(*range(29, 37), *(8, 9, 12, 15, 18, 28, 26, 0)),
            interval=15,
            intervals=32,
            mapped=(15,),
        ),
        UNUSED,
        replace(_TOTALS, interval=5, intervals=12, blocks=100),
        base=GEN4,
    ),
    _variant(
        9,
        "gaps",
        "15 minutes, what an outage or the clock kept out stays out",
        replace(QUARTER_HOURS, stuffed=False, blocks=30),
    ),
    _variant(
        10,
        "ansi",
        "10 minutes, ANSI-compliant status",
        replace(_TOTALS, interval=10, intervals=144, blocks=60, compliant=True),
    ),
    replace(
        _variant(
            11,
            "mbus",
            "15 minutes, and 60 minutes with gas, water and heat meter",
            QUARTER_HOURS,
            MBUS_HOURS,
        ),
        mbus=(GAS, WATER, HEAT, None),
    ),
    _variant(
        12,
        "tiny",
        "15 minutes, 3 blocks of 4, 2 channels",
        replace(_TOTALS, intervals=4, blocks=3),
    ),
    _variant(
        13,
        "ansi_90min",
        "90 minutes, which only an ANSI-compliant load profile has; and a day as minutes",
        replace(_TOTALS, interval=90, intervals=16, blocks=60, compliant=True),
        replace(_TOTALS, interval=84, intervals=30, blocks=10, compliant=True),
        base=GEN4,
    ),
)
LOAD_PROFILES: dict[str, Profile] = {profile.name: profile for profile in _VARIANTS}
