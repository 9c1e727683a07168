"""What a trace shows of a meter, and what it does not."""

from collections.abc import Iterable
from datetime import UTC, datetime

from hypothesis import given, strategies as st
import pytest

from osgp import MBusDevice, Meter, NoReplyError
from osgp.diagnostics.partial_table import PartialTable
from osgp.diagnostics.redaction import RedactedExchange, Redactor
from osgp.mbus.privacy import identifying_spans
from osgp.mbus.tables import decode_mbus_reading
from osgp.mbus.telegram import decode_telegram
from osgp.requests import FullRead, PartialRead
from osgp.tables.layout import Span
from osgp.tables.names import parse_table
from osgp.trace import ExchangeRecord, Trace
from tests.simulator import Fault, SimulatedMeter

_ET16 = parse_table("ET16")
_TIME = datetime(2026, 11, 26, tzinfo=UTC)
_READING = 517
"""Bytes of an entry of ET16."""


def image_of(*parts: tuple[int, bytes]) -> PartialTable:
    """Return an image with some parts."""
    image = PartialTable()
    for offset, data in parts:
        image.write(offset, data)
    return image


def keep(trace: Trace, table: str, offset: int, data: bytes) -> None:
    """Let a trace have read bytes of a table, in an exchange."""
    number = parse_table(table)
    trace.keep(number, offset, len(data), data, _TIME)
    request = PartialRead(number, offset, len(data)).to_bytes()
    reply = b"\0" + len(data).to_bytes(2) + data
    trace.add(
        ExchangeRecord(
            at=_TIME, seconds=0, sent=1, request=request, reply=reply, error=None
        )
    )


def exchanges(trace: Trace) -> list[RedactedExchange]:
    """Return what is shown of all exchanges."""
    return list(Redactor(trace).exchanges(trace.exchanges))


def everything(trace: Trace) -> str:
    """Return all that is shown, as hex digits."""
    redactor = Redactor(trace)
    shown = [
        data.hex() for image in redactor.tables().values() for _, data in image.parts()
    ]
    for exchange in redactor.exchanges(trace.exchanges):
        shown += [exchange.record.request.hex(), (exchange.reply or b"").hex()]
    return " ".join(shown)


def forms(number: str) -> Iterable[str]:
    """Return the hex digits of a number in the forms in which it may stand."""
    yield number.encode().hex()
    yield number.encode()[::-1].hex()
    if number.isdigit():
        yield number
        yield bytes.fromhex(number)[::-1].hex()


def test_image() -> None:
    """Newer bytes replace older ones, and gaps stay gaps."""
    image = image_of((4, b"abcd"), (6, b"XYZ"), (20, b"!"))
    assert list(image.parts()) == [(4, b"abXYZ"), (20, b"!")]
    assert list(image.known()) == [Span(4, 5), Span(20, 1)]
    assert list(image.known(6, 8)) == [Span(6, 2)]
    assert image.read(5, 3) == b"bXY"
    assert image.read(8, 2) is image.read(0, 5) is image.read(20, 2) is None
    assert len(image) == 21
    copy = image.copy()
    copy.forget(Span(5, 100))
    assert list(copy.parts()) == [(4, b"a")]
    assert len(copy) == 5
    assert len(image) == 21
    assert len(PartialTable()) == 0


@pytest.mark.parametrize("profile", ["gen3", "gen4", "mbus", "mbus_log"])
async def test_nothing_tells_whose_meter_it_is(
    meter: Meter, simulated: SimulatedMeter
) -> None:
    """Numbers of the meter and of those behind it are nowhere; the rest is as read."""
    await meter.read()
    await meter.read_system_information()
    await meter.read_table(parse_table("ET04"))
    for name in meter.slow_tables:
        await meter.read_slow_table(name)
    await meter.read_events()
    devices = await meter.read_mbus_devices()
    redactor = Redactor(meter.trace)
    shown = everything(meter.trace)

    profile = simulated.profile
    numbers = [profile.serial_number, profile.transceiver_id.hex()]
    numbers += [device.serial_number for device in devices if device.serial_number]
    for number in numbers:
        for form in forms(number):
            assert form not in shown.lower(), number
    assert simulated.sequence.to_bytes(4, "little").hex() not in shown

    tables = redactor.tables()
    for name in ("BT01", "BT21", "BT22", "BT27", "BT28", "ET09"):
        true = simulated.table(parse_table(name)) or b""
        for offset, data in tables[name].parts():
            assert true[offset : offset + len(data)] == data, name
    assert tables["ET03"].read(0, 9) == b"XXXXXXXX\0"
    assert_same_devices(redactor, devices, meter)


def assert_same_devices(
    redactor: Redactor, devices: Iterable[MBusDevice], meter: Meter
) -> None:
    """Compare what the shown readings say with what the true ones did."""
    found = {}
    for name, head in (("ET16", 0), ("ET45", 6), ("ET74", 9)):
        if (image := redactor.tables().get(name)) is None:
            continue
        starts = (
            range(0, len(image), _READING)
            if name == "ET16"
            else range(head + 8, len(image), 525)
        )
        for start in starts:
            span = next(image.known(start, start + _READING), None)
            if span is None or span.offset != start or span.length < 20:
                continue
            reading = decode_mbus_reading(name, image.read(start, span.length) or b"")
            for telegram in reading.telegrams:
                found[telegram.records] = telegram.serial_number
    expected = [device.records for device in devices if device.serial_number]
    assert set(expected) <= set(found)
    # They are told apart, by numbers that are not theirs.
    assert len({found[records] for records in expected}) == len(expected)
    assert all(number.startswith("00000") for number in found.values())


async def test_number_in_another_table(meter: Meter, simulated: SimulatedMeter) -> None:
    """The meter's number is found wherever a firmware may have put it."""
    serial = simulated.profile.serial_number.encode()
    keep(meter.trace, "ET54", 7, b"ab" + serial + b"cd" + serial)
    keep(meter.trace, "ET55", 0, b"of the house: House 12a, Some Street")
    redactor = Redactor(meter.trace, names=["House 12a, Some Street", "a", ""])
    tables = redactor.tables()
    assert tables["ET54"].read(7, 20) == b"abXXXXXXXXcdXXXXXXXX"
    assert tables["ET55"].read(0, 36) == b"of the house: " + b"X" * 22
    assert serial.hex() not in everything(meter.trace)


async def test_unknown_tables_are_left_out(
    meter: Meter, simulated: SimulatedMeter
) -> None:
    """Of tables that may hold anything, only that they were read is told."""
    await meter.read_table(parse_table("ET13"), 0, 40)
    await meter.read_table(64, 0, 40)
    redactor = Redactor(meter.trace)
    assert not redactor.tables().keys() & {"ET13", "BT64"}
    *_, first, second = exchanges(meter.trace)
    for exchange in (first, second):
        assert exchange.reply == b"\0\0\x28"
        assert exchange.withheld == 40


async def test_replies_without_data(meter: Meter, simulated: SimulatedMeter) -> None:
    """Refusals are told, without the number that a meter tells for the next request."""
    simulated.restart()
    await meter.read_clock()
    number = simulated.sequence.to_bytes(4).hex()
    simulated.add_fault(Fault(kind="silence"))
    with pytest.raises(NoReplyError):
        await meter.read_clock()
    simulated.clear_faults()
    await meter.request(FullRead(1, 16))
    simulated.add_fault(Fault(kind="refuse", table=1, code=3))
    with pytest.raises(Exception, match="no permission"):
        await meter.read_table(1, 0, 3)
    shown = exchanges(meter.trace)[-6:]
    assert [(each.reply or b"")[:1].hex() for each in shown] == [
        *("0c", "00", "", "", "00", "03")
    ]
    assert (shown[0].reply or b"").hex() == "0c00000000"
    assert shown[4].reply == b"\0\0\x10" + (simulated.table(1) or b"")
    assert not any(each.withheld for each in shown)
    assert number not in everything(meter.trace)


def blanked(*parts: tuple[int, bytes], dimensions: bool = True) -> PartialTable:
    """Return what is shown of an ET16 of which some parts were read."""
    trace = Trace()
    if dimensions:
        entry = bytes.fromhex("05422405060502010300000000") + bytes(13)
        keep(trace, "ET11", 0, entry)
    for offset, data in parts:
        keep(trace, "ET16", offset, data)
    return Redactor(trace).tables().get("ET16", PartialTable())


_HEADER = bytes.fromhex("1a061e0c000000")
_TELEGRAM = bytes.fromhex("785634122423012a55000000")
"""A header with the number 12345678."""


def reading(*records: str, number: bytes = _TELEGRAM[:4]) -> bytes:
    """Return a reading of one telegram."""
    telegram = number + _TELEGRAM[4:] + bytes.fromhex("".join(records))
    return _HEADER + bytes([len(telegram)]) + telegram


@pytest.mark.parametrize("cut", range(8, 40))
def test_reading_that_was_read_in_two_parts(cut: int) -> None:
    """A number is found wherever one read ended and the next began."""
    data = reading("0c1427048502", "0c7878563412", "0b3b270405")
    image = blanked((0, data[:cut]), (cut, data[cut:]))
    assert image.read(0, len(data)) == data.replace(
        _TELEGRAM[:4], b"\x01\0\0\0", 1
    ).replace(bytes.fromhex("0c7878563412"), bytes.fromhex("0c7800000000"))


def test_reading_of_which_a_part_is_missing() -> None:
    """What cannot be understood without what is missing is left out."""
    data = reading("0c1427048502", "0c7878563412")
    assert list(blanked((0, data[:10])).parts()) == [(0, data[:8])]
    assert not list(blanked((9, data[9:])).parts())
    assert not list(blanked((0, data), dimensions=False).parts())
    (part,) = blanked((0, data[:20]), (21, data[21:])).parts()
    assert part == (0, data[:8] + b"\x01\0\0\0" + data[12:20])
    # Entries of other devices than M-Bus meters are their owners' business.
    assert not list(blanked((4 * _READING, data)).parts())


def test_what_is_left_of_older_readings() -> None:
    """Behind the last telegram, nothing is shown."""
    data = reading("0c1427048502")
    older = reading("0c7878563412")[8:]
    image = blanked((0, data + b"\0" + older))
    shown = data.replace(_TELEGRAM[:4], b"\x01\0\0\0")
    assert list(image.parts()) == [(0, shown + bytes(1 + len(older)))]


def test_several_telegrams_and_meters() -> None:
    """Each meter keeps a number of its own."""
    first = reading("0c1427048502")
    second = reading("0c1427048502", number=bytes.fromhex("11223344"))
    several = {0: first + first[7:], _READING: second, 3 * _READING: first}
    image = blanked(*several.items())
    numbers = [
        telegram.serial_number
        for start, data in several.items()
        for telegram in decode_mbus_reading(
            "ET16", image.read(start, len(data)) or b""
        ).telegrams
    ]
    assert numbers == ["00000001", "00000001", "00000002", "00000001"]


def spans(*records: str, flags: dict[str, bool] | None = None) -> list[Span]:
    """Return the identifying spans of a telegram with some records."""
    telegram = _TELEGRAM + bytes.fromhex("".join(records))
    return list(identifying_spans(telegram, **flags or {}))


def test_identifying_spans() -> None:
    """Numbers and texts are found, in records of any length, and measures are not."""
    assert spans("0c1478563412") == []
    assert spans("0c7878563412") == [Span(14, 4)]
    assert spans("2f", "0c7878563412") == [Span(15, 4)]
    # A text says its length first.
    text = "0dfd1104" + b"Anna"[::-1].hex()
    assert spans(text, "0c1478563412") == [Span(16, 4)]
    assert decode_telegram(_TELEGRAM + bytes.fromhex(text)).records[0].value == "Anna"
    # What a maker puts into records of its own is shown, but for the number.
    assert spans("0f0102785634127856341203") == [Span(15, 4), Span(19, 4)]
    assert spans("0f" + b"12345678".hex()) == [Span(13, 8)]
    assert spans("0f0102") == []
    assert spans("0c7878563412", flags={"fixed": True}) == []


def test_encrypted_telegram() -> None:
    """Nothing is legible in it that would have to be blanked."""
    encrypted = bytearray(_TELEGRAM + bytes.fromhex("0c7878563412"))
    encrypted[10:12] = b"\x10\x05"
    assert list(identifying_spans(bytes(encrypted))) == []
    assert list(identifying_spans(bytes(encrypted), decrypted=True)) == [Span(14, 4)]
    # In mode 2 the same word is one of mode 16, which says nothing.
    assert list(identifying_spans(bytes(encrypted), big_endian=True)) == [Span(14, 4)]


@pytest.mark.parametrize("word", ["0020", "27b6"])
@pytest.mark.parametrize("unknown", ["", "02ff213a00"])
def test_plain_telegram_with_a_configuration_word(word: str, unknown: str) -> None:
    """What may be a record is blanked like one, though others are not understood."""
    plain = bytearray(_TELEGRAM + bytes.fromhex("0c7878563412" + unknown))
    plain[10:12] = bytes.fromhex(word)
    assert list(identifying_spans(bytes(plain))) == [Span(14, 4)]


@given(st.binary(max_size=80), st.booleans(), st.booleans(), st.booleans())
def test_arbitrary_telegrams(
    telegram: bytes, fixed: bool, big_endian: bool, decrypted: bool
) -> None:
    """What identifies lies within the telegram, whatever it holds."""
    for span in identifying_spans(
        telegram, fixed=fixed, big_endian=big_endian, decrypted=decrypted
    ):
        assert 0 <= span.offset <= span.offset + span.length <= len(telegram)


@given(
    st.dictionaries(
        st.sampled_from(["ET11", "ET16", "ET36", "ET45", "ET54", "ET74"]),
        st.tuples(st.integers(0, 600), st.binary(min_size=1, max_size=120)),
    )
)
def test_arbitrary_tables(parts: dict[str, tuple[int, bytes]]) -> None:
    """Tables of M-Bus meters can be shown, whatever they hold."""
    trace = Trace()
    for name, (offset, data) in parts.items():
        keep(trace, name, offset if name in {"ET16", "ET45", "ET74"} else 0, data)
    assert Redactor(trace).tables().keys() <= parts.keys()


def test_exchanges_are_those_of_the_trace() -> None:
    """They come in order, with what was asked."""
    trace = Trace()
    keep(trace, "BT21", 0, b"ab")
    keep(trace, "BT22", 3, b"cd")
    shown = exchanges(trace)
    assert [type(each) for each in shown] == [RedactedExchange] * 2
    assert [each.record for each in shown] == list(trace.exchanges)
    assert [each.reply for each in shown] == [b"\0\0\2ab", b"\0\0\2cd"]


@pytest.mark.parametrize("cut", [0, 16, 20])
def test_number_of_the_manufacturer(cut: int) -> None:
    """The optical port has it in BT01, in packed digits; model and firmware stay."""
    trace = Trace()
    table = b"NES 83334-3I" + b"\x43\0\x43\0" + bytes.fromhex("0000123456789012")
    if cut:
        keep(trace, "BT01", 0, table[:cut])
    keep(trace, "BT01", cut, table[cut:])
    keep(trace, "BT23", 0, b"12 123456789012 34" + bytes.fromhex("123456789012"))
    shown = everything(trace)
    assert (b"NES 83334-3I" + b"\x43\0\x43\0").hex() in shown
    for part in ("123456", "789012", b"123456".hex(), b"789012".hex()):
        assert part not in shown
