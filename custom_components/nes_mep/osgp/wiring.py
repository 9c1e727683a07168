"""Slow tables about the wiring: absent phases, their rotation, and what is wrong."""

from collections.abc import Mapping
from typing import Final

from .registers import Value
from .slow_table import QUARTER_HOUR, Reader, SlowTable, SlowTableSource
from .tables.names import parse_table
from .tables.wiring import (
    MISWIRING_OFFSET,
    WIRING_LENGTH,
    WIRING_OFFSET,
    decode_miswiring,
    decode_wiring,
)

_ET04 = parse_table("ET04")
_ET54 = parse_table("ET54")

_MOST_ABSENT: Final = 2
_MISWIRING_SINCE: Final = (3, 60)


async def _prepare_wiring(source: SlowTableSource) -> Reader:
    async def read() -> Mapping[str, Value | None]:
        wiring = decode_wiring(
            await source.link.read(_ET04, WIRING_OFFSET, WIRING_LENGTH)
        )
        absent = "_".join(f"l{phase}" for phase in wiring.absent)
        values: dict[str, Value | None] = {"absent_phases": absent or "none"}
        # A single phase has no rotation.
        if len(wiring.absent) < _MOST_ABSENT:
            values["phase_rotation"] = wiring.rotation
        return values

    return read


async def _prepare_miswiring(source: SlowTableSource) -> Reader | None:
    if source.identity.firmware_version < _MISWIRING_SINCE:
        return None

    async def read() -> Mapping[str, Value | None]:
        data = await source.link.read(_ET54, MISWIRING_OFFSET, 1)
        return {"miswiring": decode_miswiring(data)}

    return read


WIRING_TABLES: Final = (
    SlowTable("wiring", QUARTER_HOUR, _prepare_wiring),
    SlowTable("miswiring", QUARTER_HOUR, _prepare_miswiring),
)
