"""Slow tables about switching: relays, the step tariff, the limit of the power."""

from collections.abc import Mapping
from typing import Final

from .registers import Value
from .slow_table import MINUTE, QUARTER_HOUR, Reader, SlowTable, SlowTableSource
from .tables.names import parse_table
from .tables.switching import (
    CUT_OFF_LENGTH,
    CUT_OFF_OFFSET,
    FIRST_RELAY_OFFSET,
    MODULES_OFFSET,
    POWER_LIMIT_LENGTH,
    RELAY_OPERATION_LENGTH,
    STEP_TARIFF_ENABLED_OFFSET,
    STEP_TARIFF_OFFSET,
    decode_cut_off,
    decode_modules_length,
    decode_power_limit,
    decode_relay_operation,
    decode_step_tariff_disabled,
    decode_step_tariff_enabled,
    decode_step_tariff_in_use,
    second_relay_offset,
    step_tariff_disabled_offset,
)

_ET11 = parse_table("ET11")
_ET46 = parse_table("ET46")
_ET54 = parse_table("ET54")
_ET55 = parse_table("ET55")
_ET80 = parse_table("ET80")

_LIMIT_SINCE: Final = (3, 70)
_SECOND_RELAY: Final = 2


async def _prepare_relay_operations(source: SlowTableSource) -> Reader | None:
    hardware = await source.ask_hardware()
    relays = hardware.relays(source.identity.firmware_version)
    if not relays:
        return None
    offsets = dict.fromkeys(relays, FIRST_RELAY_OFFSET)
    if _SECOND_RELAY in offsets:
        modules = decode_modules_length(
            await source.link.read(_ET11, MODULES_OFFSET, 2)
        )
        offsets[_SECOND_RELAY] = second_relay_offset(modules)

    async def read() -> Mapping[str, Value | None]:
        values: dict[str, Value | None] = {}
        for number, offset in offsets.items():
            data = await source.link.read(_ET54, offset, RELAY_OPERATION_LENGTH)
            seconds = decode_relay_operation(data, offset)
            values[f"control_relay_{number}_pending"] = seconds is not None
            values[f"control_relay_{number}_delay"] = seconds
        return values

    return read


async def _prepare_step_tariff(source: SlowTableSource) -> Reader | None:
    enabled = await source.link.read(_ET55, STEP_TARIFF_ENABLED_OFFSET, 1)
    if not decode_step_tariff_enabled(enabled):
        return None
    offset = step_tariff_disabled_offset(source.identity.firmware_version)
    if decode_step_tariff_disabled(await source.link.read(_ET55, offset, 1), offset):
        return None

    async def read() -> Mapping[str, Value | None]:
        data = await source.link.read(_ET54, STEP_TARIFF_OFFSET, 1)
        return {"step_tariff": decode_step_tariff_in_use(data)}

    return read


async def _prepare_power_limit(source: SlowTableSource) -> Reader | None:
    if not await _limits_power(source):
        return None

    async def read() -> Mapping[str, Value | None]:
        limit = decode_power_limit(await source.link.read(_ET80, 0, POWER_LIMIT_LENGTH))
        return {
            "power_limit_enabled": limit.enabled,
            "power_limit": limit.threshold,
            "power_limit_interval": limit.seconds,
        }

    return read


async def _prepare_cut_off(source: SlowTableSource) -> Reader | None:
    if not await _limits_power(source):
        return None

    async def read() -> Mapping[str, Value | None]:
        data = await source.link.read(_ET46, CUT_OFF_OFFSET, CUT_OFF_LENGTH)
        return {"last_cut_off": decode_cut_off(data)}

    return read


async def _limits_power(source: SlowTableSource) -> bool:
    """Return whether the meter can cut the load off because of its power."""
    return (
        source.identity.firmware_version >= _LIMIT_SINCE
        and (await source.ask_hardware()).has_disconnect
    )


SWITCHING_TABLES: Final = (
    SlowTable("relay_operations", MINUTE, _prepare_relay_operations),
    SlowTable("step_tariff", MINUTE, _prepare_step_tariff),
    SlowTable("power_limit", QUARTER_HOUR, _prepare_power_limit),
    SlowTable("last_cut_off", QUARTER_HOUR, _prepare_cut_off),
)
