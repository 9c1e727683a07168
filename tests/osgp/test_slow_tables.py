"""What is read beside the registers: subjects, events and M-Bus meters."""

from collections.abc import Mapping
from dataclasses import fields, replace
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from osgp import DecodeError, Meter, RefusalError, Value
from osgp.tables.clock import decode_local_clock
from osgp.tables.names import parse_table
from osgp.tables.status import decode_alarms, decode_disconnect_state, decode_hardware
from tests.simulator import PROFILES, Exchange, Fault, Profile, SimulatedMeter

_EVERY_PROFILE = pytest.mark.parametrize("profile", PROFILES)
_ZONE = ZoneInfo("Europe/Copenhagen")


def _utc(value: object) -> float:
    """Return the Unix time of a value, which is local where it is naive."""
    assert isinstance(value, datetime)
    return (value if value.tzinfo else value.replace(tzinfo=_ZONE)).timestamp()


async def _values(meter: Meter, subject: str) -> Mapping[str, Value]:
    """Read a subject that the meter has."""
    values = await meter.read_slow_table(subject)
    assert values is not None
    return values


@_EVERY_PROFILE
async def test_clock(meter: Meter, simulated: SimulatedMeter) -> None:
    """The drift is the meter's clock minus this computer's."""
    simulated.thaw()
    simulated.clock_offset = 120
    values = await _values(meter, "clock")
    drift = values["clock_drift"]
    assert isinstance(drift, float)
    assert 118 <= drift <= 121


@_EVERY_PROFILE
async def test_tariff(meter: Meter, simulated: SimulatedMeter) -> None:
    """Tariff and season count from 1; what chose the tariff is told."""
    truth = simulated.truth()
    assert await meter.read_slow_table("tariff") == {
        "active_tariff": truth["active_tier"] + 1,
        "season": truth["season"] + 1,
        "daylight_saving": bool(truth["dst"]),
        "tariff_control": "calendar",
    }
    simulated.set_tier(2, drive=2)
    values = await _values(meter, "tariff")
    assert values["active_tariff"] == 3
    assert values["tariff_control"] == "manual_indefinitely"


_ALARMS = {
    "clock_error": "alarm_clock_error",
    "low_battery": "alarm_low_battery",
    "power_failure": "alarm_power_failure",
    "cover_removed": "alarm_cover_removed",
    "reverse_energy": "alarm_reverse_energy",
    "phase_loss": "alarm_phase_loss",
    "phase_inversion": "alarm_phase_inversion",
    "magnetic_tamper": "alarm_magnetic_tamper",
}


@_EVERY_PROFILE
async def test_alarms(meter: Meter, simulated: SimulatedMeter) -> None:
    """Each alarm is raised by its own bit and by no other."""
    calm = await _values(meter, "alarms")
    for name, key in _ALARMS.items():
        before = set(simulated.alarms)
        simulated.set_alarm(name)
        values = await _values(meter, "alarms")
        assert values[key] is True
        raised = {key for key, value in values.items() if value != calm[key]}
        assert raised <= {key}
        if name not in simulated.alarm_names() or before != set(simulated.alarms):
            simulated.set_alarm(name, on=False)
    # The unbalanced voltage is in a byte that came with 3.60.
    assert ("alarm_unbalanced_voltage" in calm) == simulated.profile.since(3, 60)


async def test_disconnect(meter: Meter, simulated: SimulatedMeter) -> None:
    """The disconnect's state, on meters that have one."""
    for number, name in enumerate(("closed", "closing", "open", "opening")):
        simulated.disconnect = type(simulated.disconnect)(number)
        assert await meter.read_slow_table("disconnect") == {"disconnect_state": name}


@pytest.mark.parametrize("profile", ["vt"])
async def test_no_disconnect(meter: Meter) -> None:
    """A meter without disconnect has no state of it."""
    assert await meter.read_slow_table("disconnect") is None


@_EVERY_PROFILE
async def test_outages(meter: Meter, simulated: SimulatedMeter) -> None:
    """The last outage, from the log or the records, whatever the meter has."""
    for _ in range(2):
        truth = simulated.truth()
        values = await _values(meter, "outages")
        assert _utc(values["last_outage_start"]) == truth["outage.0.start"]
        assert _utc(values["last_outage_end"]) == truth["outage.0.end"]
        assert values["last_outage_duration"] == truth["outage.0.seconds"]
        end = simulated.time - timedelta(hours=1)
        simulated.add_outage(end - timedelta(minutes=17), end)


@_EVERY_PROFILE
async def test_power_quality(meter: Meter, simulated: SimulatedMeter) -> None:
    """Counts, voltages and times of sags and swells, extremes, and losses."""
    simulated.sag(1, 180_000, simulated.time)
    truth = simulated.truth()
    values = await _values(meter, "power_quality")
    for phase in {1, 2, 3} - {*simulated.profile.missing_phases}:
        assert values[f"sags_l{phase}"] == truth[f"sag.{phase}"]
        assert values[f"swells_l{phase}"] == truth[f"surge.{phase}"]
        assert values[f"phase_losses_l{phase}"] == truth[f"phase_loss.{phase}"]
        assert values[f"overcurrents_l{phase}"] == truth[f"over_current.{phase}"]
    assert values["sag_voltage_l1"] == 180
    assert _utc(values["last_sag_l1"]) == truth["sag.1.time"]
    assert values["minimum_frequency"] == truth["frequency_min"] / 1000
    assert values["maximum_frequency"] == truth["frequency_max"] / 1000
    assert _utc(values["minimum_frequency_time"]) == truth["frequency_min.time"]
    assert values["short_outages"] == truth["short_outages"]


@pytest.mark.parametrize("table", ["BT00", "BT03"])
async def test_refused_subject(
    meter: Meter, simulated: SimulatedMeter, table: str
) -> None:
    """A meter that refuses a table says so; the next one is read all the same."""
    simulated.add_fault(Fault(kind="refuse", table=table, code=5))
    with pytest.raises(RefusalError, match=table):
        await meter.read_slow_table("alarms")
    assert await meter.read_slow_table("tariff")


async def test_what_was_prepared_is_not_asked_again(
    meter: Meter, simulated: SimulatedMeter
) -> None:
    """Lengths and options are asked for once, until the dimensions change."""
    await meter.read_slow_table("alarms")
    simulated.requests.clear()
    await meter.read_slow_table("alarms")
    assert [request.table for request in simulated.requests] == [3]


@_EVERY_PROFILE
async def test_hardware_is_asked_for_once(
    meter: Meter, simulated: SimulatedMeter
) -> None:
    """What several tables depend on is read once, and the phases are known."""
    simulated.requests.clear()
    for name in meter.slow_tables:
        await meter.read_slow_table(name)
    asked = [request.table for request in simulated.requests]
    assert asked.count(parse_table("ET29")) == 1
    # How many outages ET09 has, and the wiring.
    assert asked.count(parse_table("ET04")) == 2


@_EVERY_PROFILE
async def test_events(meter: Meter, simulated: SimulatedMeter) -> None:
    """All events of all logs by their number, newest last, and only new ones."""
    events = await meter.read_events()
    numbers = [event.sequence_number for event in events]
    assert numbers == sorted(numbers)
    assert len(events) == (
        simulated.truth()["events"] + simulated.truth()["alternate_events"]
    )
    assert await meter.read_events(after=numbers[-1]) == ()
    simulated.log_event(77, b"\x05\x06")
    (event,) = await meter.read_events(after=numbers[-1])
    assert event.event_id == 77
    assert event.argument == b"\x05\x06"
    assert event.time == simulated.time.replace(microsecond=0)
    assert [event] == list(await meter.read_events(count=1))
    assert (await meter.read_events(count=3))[-1] == event


def _module(minor: int) -> SimulatedMeter:
    """Return a control point module with the logs of a meter of 3.70."""

    class ModuleProfile(Profile):
        def since(self, major: int, minor: int) -> bool:
            return (major, minor) <= (3, 70)

    meter = replace(PROFILES["fw_3_70"], firmware=(1, minor, 0))
    same = {field.name: getattr(meter, field.name) for field in fields(meter)}
    module = SimulatedMeter(ModuleProfile(**same), paced=False)
    module.freeze()
    return module


@pytest.mark.parametrize(
    ("simulated", "has_logs"), [(_module(19), False), (_module(20), True)]
)
async def test_logs_of_a_module(
    meter: Meter, simulated: SimulatedMeter, has_logs: bool
) -> None:
    """Control point modules have the newer logs since their own 1.20."""
    simulated.log_event(9, alternate=True)
    newest = (await meter.read_events())[-1]
    assert (newest.log == "ET79") is has_logs
    await meter.read_slow_table("outages")
    tables = {request.table for request in simulated.requests}
    assert (parse_table("ET81") in tables) is has_logs


async def test_events_of_a_cleared_log(meter: Meter, simulated: SimulatedMeter) -> None:
    """A number that the logs have not reached is one of before they were cleared."""
    assert await meter.read_events(after=1_000_000) == await meter.read_events()


@pytest.mark.parametrize("profile", ["fw_3_70"])
async def test_events_while_the_logs_are_read(
    meter: Meter, simulated: SimulatedMeter, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is passed over of what the meter logs between the reads of both logs."""
    after = (await meter.read_events(count=1))[-1].sequence_number
    primary, alternate = parse_table("BT74"), parse_table("ET79")
    simulated.requests.clear()
    exchange = simulated.exchange

    def log_meanwhile(message: bytes) -> Exchange:
        asked = [request.table for request in simulated.requests]
        if asked == [primary, alternate, primary]:
            simulated.log_event(1)
            simulated.log_event(9, alternate=True)
        return exchange(message)

    monkeypatch.setattr(simulated, "exchange", log_meanwhile)
    events = await meter.read_events(after=after)
    assert [event.event_id for event in events] == [1, 9]


@pytest.mark.parametrize("profile", ["mbus", "mbus_log"])
async def test_mbus(meter: Meter, simulated: SimulatedMeter) -> None:
    """Each M-Bus meter with its newest reading, from wherever the meter keeps it."""
    truth = simulated.truth()
    devices = await meter.read_mbus_devices()
    assert devices
    for device in devices:
        name = f"mbus.{device.slot - 1}"
        assert device.handle == truth[f"{name}.handle"]
        assert device.up == (truth[f"{name}.status"] == 1)
        assert int(device.serial_number) == truth[f"{name}.serial"]
        assert _utc(device.read_at) == truth[f"{name}.time"]
        first = {
            record.quantity: record.value
            for record in reversed(device.records)
            if not record.storage
        }
        for quantity in ("volume", "energy", "flow"):
            if (raw := truth.get(f"{name}.{quantity}")) is not None:
                assert first[quantity] == pytest.approx(raw / 1000)


async def test_no_mbus(meter: Meter) -> None:
    """A meter without M-Bus meters has none."""
    assert await meter.read_mbus_devices() == ()


def test_local_clock() -> None:
    """BT55: tier, what drives it, and season share one number."""
    clock = decode_local_clock(bytes.fromhex("1a0211130f1e6a c2 10"))
    assert clock.time == datetime(2026, 2, 17, 19, 15, 30)  # noqa: DTZ001
    assert clock.daylight_saving
    assert (clock.tier, clock.season, clock.tariff_control) == (2, 1, "override")
    with pytest.raises(DecodeError, match="BT55"):
        decode_local_clock(bytes(8))


def test_status_decoders() -> None:
    """BT03, ET23 and ET29: short and impossible input is refused."""
    assert decode_alarms(bytes.fromhex("00400900"))["clock_error"]
    assert decode_alarms(bytes.fromhex("00400900"))["low_battery"]
    assert "magnetic_tamper" not in decode_alarms(bytes(4))
    assert decode_alarms(bytes(5) + b"\x20")["memory_failure"]
    with pytest.raises(DecodeError, match="BT03"):
        decode_alarms(bytes(3))
    with pytest.raises(DecodeError, match="ET23 at 94"):
        decode_disconnect_state(b"\x04")
    assert decode_hardware(bytes.fromhex("200100")).has_disconnect
    assert decode_hardware(bytes.fromhex("200100")).has_mbus
    with pytest.raises(DecodeError, match="ET29"):
        decode_hardware(b"\x20")


def test_the_times_of_the_tests_are_aware() -> None:
    """The helper of these tests tells local from UTC."""
    assert _utc(datetime(2026, 1, 1, 1, tzinfo=_ZONE)) == _utc(
        datetime(2026, 1, 1, tzinfo=UTC)
    )
