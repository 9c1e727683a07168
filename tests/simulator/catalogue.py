"""All profiles by name: five kinds of meters, every firmware of the guide, variants.

``PROFILES`` differ in their registers; ``EVERY_PROFILE`` has those of ``variants`` too,
which only differ in their load profile.
"""

from dataclasses import replace

from .load import LoadShape
from .mbus import GAS, HEAT, OLD_WATER, WATER
from .profiles import (
    CT,
    EIGHT_TIERS,
    GEN3,
    GEN3_DEMAND,
    GEN4,
    REORDERED,
    SUMMATIONS_11,
    SUMMATIONS_15,
    Demand,
    PowerLimit,
    Profile,
    Transformer,
    present_values,
)
from .variants import LOAD_PROFILES


def _step(
    major: int,
    minor: int,
    build: int,
    description: str,
    number: int,
    demand: Demand | None = None,
    base: Profile = GEN3,
) -> Profile:
    """Return a meter of a firmware step, with what that firmware brought."""
    present = present_values(major, minor)
    early = (major, minor) < (3, 10)
    summations = base.summations
    if major == 3:
        summations = SUMMATIONS_15 if demand else SUMMATIONS_11
    program = bytes((0x90, 0, 1, 0x35, major, 0x46, minor, build))
    return replace(
        base,
        name=f"fw_{major}_{minor:02}",
        description=f"firmware {major}.{minor:02}: {description}",
        firmware=(major, minor, build),
        serial_number=f"2026{number:04}",
        transceiver_id=base.transceiver_id[:4] + number.to_bytes(2),
        program_id=program,
        summations=summations,
        max_summations=11 if early else base.max_summations,
        present=present,
        max_present=len(present),
        demand=demand,
    )


FIRMWARE_2 = (
    replace(
        _step(2, 10, 5, "18 present values, neither BT21 nor selections", 700),
        model="83331-1I",
        present=present_values(2, 10)[:18],
        max_present=18,
        max_summations=11,
        event_log=200,
        mbus=(),
        self_reads=24,
    ),
)
FIRMWARE_3 = (
    replace(
        _step(3, 0, 24, "22 present values, no demand", 701),
        model="83331-3I",
        mbus=(),
    ),
    replace(
        _step(3, 10, 21, "two demands, 26 present values", 702),
        model="83331-3I",
        summations=SUMMATIONS_15,
        demand=Demand(time_remaining=False),
    ),
    replace(
        _step(3, 50, 9, "41 present values, 4 outages in ET09", 703),
        outage_records=4,
    ),
    replace(
        _step(
            3,
            60,
            12,
            "four demands with previous ones, no self-reads",
            704,
            Demand(
                sources=(8, 9, 10, 20),
                maxima=(True,) * 4,
                coincidents=(
                    *((10, 0), (20, 0), (12, 1), (15, 1)),
                    *((8, 2), (19, 2), (8, 3), (0, 3)),
                ),
                minutes=30,
                time_remaining=False,
                previous=True,
            ),
        ),
        self_reads=0,
    ),
    replace(
        _step(3, 70, 24, "8 tiers, 55 present values, alternate event log", 705),
        tiers=8,
        max_tiers=8,
        tariff=EIGHT_TIERS,
        alternate_event_log=40,
        step_tariff=True,
        power_limit=PowerLimit(
            enabled=True, seconds=60, multiplier=15, threshold=11_000
        ),
    ),
)
FIRMWARE_4 = (
    replace(
        _step(4, 0, 15, "4 tiers, 72 present values, no ET81", 706, base=GEN4),
        tiers=4,
        tariff=GEN3.tariff,
        outage_log=0,
    ),
    replace(
        _step(4, 10, 3, "75 present values, second sag", 707, base=GEN4),
        fixed_outage_index=True,
        alternate_event_log=30,
    ),
    replace(
        _step(
            4,
            30,
            7,
            "demand with time remaining, 84 present values",
            708,
            Demand(previous=True),
            base=GEN4,
        ),
        alternate_event_log=50,
        outage_log=5,
        relays=(1, 2),
        step_tariff=True,
    ),
)
VT = replace(
    CT,
    name="vt",
    description="CT and VT meter with demand and a log of resets, unit 100 Wh",
    serial_number="20260722",
    transceiver_id=bytes.fromhex("05018a3cb2f0"),
    summations=SUMMATIONS_15,
    transformer=Transformer(ct_ratio=20, vt_ratio=10, energy_unit=100),
    demand=Demand(
        coincidents=((20, 0), (12, 0), (8, 1), (15, 1)), time_remaining=False
    ),
    disconnect=False,
    load=LoadShape(scale=0.3),
    monthly_self_read=False,
    reset_log=6,
)
SINGLE_PHASE = replace(
    GEN3,
    name="single_phase",
    description="generation 3 on one phase, 55 present values, no self-reads",
    model="83331-3I",
    serial_number="20260925",
    transceiver_id=bytes.fromhex("05018a3d5510"),
    present=present_values(3, 70),
    missing_phases=(2, 3),
    single_phase=True,
    monthly_self_read=False,
    relays=(1,),
)
MBUS = replace(
    GEN3,
    name="mbus",
    description="generation 3 with gas, water and heat meter, and one that is down",
    serial_number="20260823",
    transceiver_id=bytes.fromhex("05018a3d41c8"),
    program_id=bytes.fromhex("9000013503464224"),
    mbus=(GAS, WATER, HEAT, OLD_WATER),
    recurring_reads=12,
    alternate_event_log=20,
)
MBUS_LOG = replace(
    GEN4,
    name="mbus_log",
    description="generation 4, gas and heat meter, scheduled reads only in ET45",
    firmware=(4, 10, 3),
    serial_number="20260824",
    transceiver_id=bytes.fromhex("0701c4d2177a"),
    program_id=bytes.fromhex("9000013504464203"),
    present=present_values(4, 10),
    max_present=75,
    mbus=(None, GAS, None, HEAT),
    recurring_reads=5,
    extended_reads=8,
    unmoved_reads=3,
    reads_in_log_only=True,
)

PROFILES: dict[str, Profile] = {
    profile.name: profile
    for profile in (
        *(GEN3, GEN3_DEMAND, CT, GEN4, REORDERED),
        *FIRMWARE_2,
        *FIRMWARE_3,
        *FIRMWARE_4,
        *(VT, MBUS, MBUS_LOG, SINGLE_PHASE),
    )
}
EVERY_PROFILE = PROFILES | LOAD_PROFILES
