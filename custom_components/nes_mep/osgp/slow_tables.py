"""What is read from a meter less often than its registers.

A slow table is read separately, with a period and failures of its own. Its values are
flat, by the keys under which they are shown.
"""

from collections.abc import Mapping
from functools import partial

from .discovery import read_log_dimensions
from .errors import RefusalError
from .link import Link
from .messages import MESSAGE_TABLES
from .refusals import is_out_of_reach
from .registers import Value
from .slow_table import MINUTE, QUARTER_HOUR, Reader, SlowTable, SlowTableSource
from .switching import SWITCHING_TABLES
from .tables.clock import (
    LOCAL_CLOCK_LENGTH,
    UTC_CLOCK_LENGTH,
    decode_local_clock,
    decode_utc_clock,
)
from .tables.identity import OUTAGE_RECORDS_COUNT_OFFSET, decode_outage_records_count
from .tables.logs import LogDimensions, LogKind, decode_log_header
from .tables.names import parse_table
from .tables.outages import (
    OUTAGE_RECORD_LENGTH,
    OUTAGE_RECORDS_OFFSET,
    Outage,
    decode_outage_log,
    decode_outage_records,
    outage_log_length,
)
from .tables.power_quality import (
    decode_power_quality,
    power_quality_length,
    power_quality_offset,
    power_quality_values,
)
from .tables.status import (
    DISCONNECT_OFFSET,
    MANUFACTURER_STATUS_LENGTH_OFFSET,
    Hardware,
    decode_alarms,
    decode_disconnect_state,
    decode_mode_status_length,
    decode_open_relays,
)
from .wiring import WIRING_TABLES

_BT00 = parse_table("BT00")
_BT03 = parse_table("BT03")
_BT52 = parse_table("BT52")
_BT55 = parse_table("BT55")
_ET04 = parse_table("ET04")
_ET09 = parse_table("ET09")
_ET23 = parse_table("ET23")
_ET81 = parse_table("ET81")

_OUTAGE_LOG = "ET81"


async def _prepare_clock(source: SlowTableSource) -> Reader:
    async def read() -> Mapping[str, Value]:
        clock = decode_utc_clock(await source.link.read(_BT52, 0, UTC_CLOCK_LENGTH))
        return {"clock_drift": (clock.time - source.link.clock.now()).total_seconds()}

    return read


async def _prepare_tariff(source: SlowTableSource) -> Reader:
    async def read() -> Mapping[str, Value]:
        clock = decode_local_clock(await source.link.read(_BT55, 0, LOCAL_CLOCK_LENGTH))
        return {
            "active_tariff": clock.tier + 1,
            "season": clock.season + 1,
            "daylight_saving": clock.daylight_saving,
            "tariff_control": clock.tariff_control,
        }

    return read


async def _prepare_alarms(source: SlowTableSource) -> Reader:
    length = decode_mode_status_length(
        await source.link.read(_BT00, MANUFACTURER_STATUS_LENGTH_OFFSET, 1)
    )
    firmware = source.identity.firmware_version
    told: Hardware | None = None

    async def read() -> Mapping[str, Value]:
        nonlocal told
        told = told or await _hardware_if_told(source)
        # Most alarms do not depend on the hardware, and do not wait for it.
        hardware = told or Hardware()
        status = await source.link.read(_BT03, 0, length)
        alarms, relays = decode_alarms(status), decode_open_relays(status)
        return {
            **{
                f"alarm_{name}": raised
                for name, raised in alarms.items()
                if hardware.has_alarm(name, firmware)
            },
            **{
                f"control_relay_{number}": relays[number]
                for number in hardware.relays(firmware)
                if number in relays
            },
        }

    return read


async def _hardware_if_told(source: SlowTableSource) -> Hardware | None:
    """Return the hardware, without any where it stays hidden, None while not told."""
    try:
        return await source.ask_hardware()
    except RefusalError as err:
        return Hardware() if is_out_of_reach(err) else None


async def _prepare_disconnect(source: SlowTableSource) -> Reader | None:
    if not (await source.ask_hardware()).has_disconnect:
        return None

    async def read() -> Mapping[str, Value]:
        state = await source.link.read(_ET23, DISCONNECT_OFFSET, 1)
        return {"disconnect_state": decode_disconnect_state(state)}

    return read


async def _prepare_outages(source: SlowTableSource) -> Reader:
    """Prefer the outage log, which is newer and longer, to the records of ET09."""
    log: LogDimensions | None = None
    if source.identity.is_like_3_70:
        try:
            log = (await read_log_dimensions(source.link)).get(_OUTAGE_LOG)
        except RefusalError as err:
            if not is_out_of_reach(err):
                raise
    if log is not None and log.entries:
        return partial(_read_outage_log, source.link, log)
    return partial(_read_outage_record, source.link)


async def _read_outage_log(link: Link, log: LogDimensions) -> Mapping[str, Value]:
    data = await link.read(_ET81, 0, outage_log_length(log))
    header = decode_log_header(_OUTAGE_LOG, LogKind.SMALL, data)
    return _last_outage(decode_outage_log(data, header, log))


async def _read_outage_record(link: Link) -> Mapping[str, Value]:
    """Read the first outage record of ET09, which is the newest."""
    data = await link.read(_ET09, OUTAGE_RECORDS_OFFSET, OUTAGE_RECORD_LENGTH)
    return _last_outage(decode_outage_records(data, 1, OUTAGE_RECORDS_OFFSET))


def _last_outage(outages: tuple[Outage, ...]) -> Mapping[str, Value]:
    if not outages:
        return {}
    last = outages[-1]
    values: dict[str, Value] = {
        "last_outage_start": last.start,
        "last_outage_end": last.end,
    }
    if last.duration is not None:
        values["last_outage_duration"] = last.duration
    return values


async def _prepare_power_quality(source: SlowTableSource) -> Reader:
    records = decode_outage_records_count(
        await source.link.read(_ET04, OUTAGE_RECORDS_COUNT_OFFSET, 1)
    )
    phases = (await source.ask_phases()).voltage
    length = power_quality_length(source.identity.firmware_version, records)
    offset = power_quality_offset(records)

    async def read() -> Mapping[str, Value]:
        data = await source.link.read(_ET09, offset, length - offset)
        quality = decode_power_quality(data, records, offset)
        return power_quality_values(quality, phases)

    return read


SLOW_TABLES: Mapping[str, SlowTable] = {
    table.name: table
    for table in (
        SlowTable("clock", MINUTE, _prepare_clock),
        SlowTable("tariff", MINUTE, _prepare_tariff),
        SlowTable("alarms", MINUTE, _prepare_alarms),
        SlowTable("disconnect", MINUTE, _prepare_disconnect),
        SlowTable("outages", QUARTER_HOUR, _prepare_outages),
        SlowTable("power_quality", QUARTER_HOUR, _prepare_power_quality),
        *MESSAGE_TABLES,
        *SWITCHING_TABLES,
        *WIRING_TABLES,
    )
}
