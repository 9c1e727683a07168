"""M-Bus telegrams: published ones, and the forms of records one by one."""

from datetime import date, datetime
import struct

from hypothesis import given, strategies as st
import pytest

from osgp import DecodeError
from osgp.mbus.telegram import (
    MBusRecord,
    MBusTelegram,
    MBusValue,
    decode_record_header,
    decode_records,
    decode_telegram,
)

from .telegrams import FIXED, HEAT, OMS_GAS_RECORDS, VARIABLE, user_data


def _local(*parts: int) -> datetime:
    return datetime(*parts)  # noqa: DTZ001


def _record(raw: str) -> MBusRecord:
    """Return the only record, which must be understood."""
    records, unknown = decode_records(bytes.fromhex(raw))
    assert not unknown
    (record,) = records
    return record


def _value(raw: str) -> tuple[str, MBusValue, str]:
    record = _record(raw)
    return record.quantity, record.value, record.unit


def test_published_variable_telegram() -> None:
    """A water meter with a volume, a maximum flow and an energy."""
    telegram = decode_telegram(user_data(VARIABLE))
    assert telegram == MBusTelegram(
        serial_number="12345678",
        manufacturer="PAD",
        version=1,
        medium="water",
        power_low=False,
        permanent_error=False,
        temporary_error=False,
        encrypted=False,
        records=(
            MBusRecord(quantity="volume", value=12.565, unit="m³"),
            MBusRecord(
                quantity="flow",
                value=0.113,
                unit="m³/h",
                storage=5,
                function="maximum",
            ),
            MBusRecord(
                quantity="energy", value=218.37, unit="kWh", tariff=2, subunit=1
            ),
        ),
        unknown_records=(),
    )


def test_published_fixed_telegram() -> None:
    """A water meter with its volume, and the volume at a fixed date."""
    telegram = decode_telegram(user_data(FIXED), fixed=True)
    assert telegram.serial_number == "12345678"
    assert (telegram.manufacturer, telegram.version) == ("", 0)
    assert telegram.medium == "water"
    assert telegram.records == (
        MBusRecord(quantity="volume", value=0.001, unit="m³"),
        MBusRecord(quantity="volume", value=0.135, unit="m³", storage=1),
    )
    assert telegram.unknown_records == ()


def test_published_heat_meter() -> None:
    """A heat meter with all that heat meters measure, and data of its maker."""
    telegram = decode_telegram(user_data(HEAT))
    assert telegram.serial_number == "02205100"
    assert (telegram.manufacturer, telegram.medium) == ("SLB", "heat")
    assert [
        (record.quantity, record.value, record.unit) for record in telegram.records
    ] == [
        ("energy", 0.0, "kWh"),
        ("volume", 0.3, "m³"),
        ("power", 0.0, "W"),
        ("flow", 0.0, "m³/h"),
        ("temperature_flow", 128.8, "°C"),
        ("temperature_return", 51.6, "°C"),
        ("temperature_difference", 77.23, "K"),
        ("date", date(2012, 1, 12), ""),
        ("operating_time", 3383.0, "d"),
    ]
    assert telegram.unknown_records == (bytes.fromhex("0F 60 00"),)


def test_published_gas_records() -> None:
    """A gas meter with its volume, the time and its error flags."""
    records, unknown = decode_records(bytes.fromhex(OMS_GAS_RECORDS))
    assert [(record.quantity, record.value) for record in records] == [
        ("volume", 28504.27),
        ("date_time", _local(2008, 5, 31, 23, 50)),
        ("error_flags", 0),
    ]
    assert not unknown


@pytest.mark.parametrize(
    ("raw", "value"),
    [
        ("01 13 FF", -0.001),
        ("02 13 39 30", 12.345),
        ("03 13 40 E2 01", 123.456),
        ("04 13 15 CD 5B 07", 123456.789),
        ("06 13 FF FF FF FF FF 7F", 140737488355.327),
        ("07 13 00 00 00 00 01 00 00 00", 4294967.296),
        ("09 13 12", 0.012),
        ("0A 13 34 12", 1.234),
        ("0B 13 56 34 12", 123.456),
        ("0C 13 78 56 34 12", 12345.678),
        ("0E 13 21 43 65 87 09 00", 987654.321),
        ("0C 13 34 12 00 F0", -1.234),
        ("05 13 " + struct.pack("<f", 2.5).hex(), 0.0025),
    ],
)
def test_numbers(raw: str, value: float) -> None:
    """All lengths of integers, BCD digits and the real number."""
    assert _value(raw) == ("volume", value, "m³")


@pytest.mark.parametrize(
    ("vif", "quantity", "value", "unit"),
    [
        ("00", "energy", 0.002, "kWh"),
        ("03", "energy", 2.0, "kWh"),
        ("07", "energy", 20_000.0, "kWh"),
        ("08", "energy", 0.002, "MJ"),
        ("0E", "energy", 2_000.0, "MJ"),
        ("10", "volume", 0.002, "m³"),
        ("16", "volume", 2_000.0, "m³"),
        ("17", "volume", 20_000.0, "m³"),
        ("1B", "mass", 2_000.0, "kg"),
        ("20", "on_time", 2000.0, "s"),
        ("27", "operating_time", 2000.0, "d"),
        ("28", "power", 2.0, "W"),
        ("2E", "power", 2_000_000.0, "W"),
        ("30", "power", 2000 / 3600, "W"),
        ("3B", "flow", 2.0, "m³/h"),
        ("40", "flow", 0.0002, "m³/min"),
        ("48", "flow", 0.000002, "m³/s"),
        ("53", "mass_flow", 2_000.0, "kg/h"),
        ("59", "temperature_flow", 20.0, "°C"),
        ("5D", "temperature_return", 20.0, "°C"),
        ("60", "temperature_difference", 2.0, "K"),
        ("65", "temperature_external", 20.0, "°C"),
        ("68", "pressure", 2.0, "bar"),
        ("6E", "heat_cost_units", 2000.0, ""),
        ("71", "averaging_duration", 2000.0, "min"),
        ("76", "actuality_duration", 2000.0, "h"),
        ("FB 00", "energy", 200_000.0, "kWh"),
        ("FB 08", "energy", 200_000.0, "MJ"),
        ("FB 10", "volume", 200_000.0, "m³"),
        ("FB 1A", "humidity", 200.0, "%"),
        ("FB 2C", "frequency", 2.0, "Hz"),
        ("FD 3A", "dimensionless", 2000.0, ""),
        ("FD 46", "voltage", 2.0, "V"),
        ("FD 59", "current", 2.0, "A"),
        ("FD 74", "battery_remaining", 2000.0, "d"),
        ("93 00", "volume", 2.0, "m³"),
        ("93 70", "volume", 0.000002, "m³"),
        ("93 77", "volume", 20.0, "m³"),
        ("93 7D", "volume", 2_000.0, "m³"),
        ("FB 80 7D", "energy", 200_000_000.0, "kWh"),
    ],
)
def test_units(vif: str, quantity: str, value: float, unit: str) -> None:
    """One or more codes of each unit, with 2000 as the number."""
    found = _value(f"02 {vif} D0 07")
    assert found[0] == quantity
    assert found[1] == pytest.approx(value, rel=1e-15)
    assert found[2] == unit


@pytest.mark.parametrize(
    ("vifes", "qualifiers"),
    [
        ("3A", ("uncorrected",)),
        ("3B", ("forward",)),
        ("3C", ("backward",)),
        ("3E", ("at_base_conditions",)),
        ("BA 3B", ("uncorrected", "forward")),
    ],
)
def test_qualifiers(vifes: str, qualifiers: tuple[str, ...]) -> None:
    """0C 93 3A is the guide's own example: cubic metres without correction."""
    record = _record(f"0C 93 {vifes} 78 56 34 12")
    assert (record.quantity, record.value) == ("volume", 12345.678)
    assert record.qualifiers == qualifiers


def test_storage_tariff_subunit_and_function() -> None:
    """Bits of DIF and its extensions add up."""
    record = _record("E1 F5 21 13 01")
    assert record.storage == 1 | 5 << 1 | 1 << 5
    assert record.tariff == 3 | 2 << 2
    assert record.subunit == 1
    assert record.function == "minimum"
    assert [_record(f"{dif} 13 01").function for dif in ("01", "11", "21", "31")] == [
        "instantaneous",
        "maximum",
        "minimum",
        "error",
    ]
    last = _record("81 80 80 80 80 80 80 80 80 80 40 13 01")
    assert last.subunit == 1 << 9


@pytest.mark.parametrize(
    ("raw", "value"),
    [
        ("04 6D 32 37 1F 15", _local(2008, 5, 31, 23, 50)),
        ("04 6D 0B 0B CD 13", _local(2014, 3, 13, 11, 11)),
        ("04 6D 00 00 61 C1", _local(1999, 1, 1, 0, 0)),
        ("04 6D 00 20 61 C1", _local(2099, 1, 1, 0, 0)),
        ("06 6D 1E 32 17 1F 15 00", _local(2008, 5, 31, 23, 50, 30)),
        ("02 6C 1F 15", date(2008, 5, 31)),
        ("02 6C 61 C1", date(1999, 1, 1)),
    ],
)
def test_dates(raw: str, value: date) -> None:
    """Types F, I and G."""
    assert _record(raw).value == value


@pytest.mark.parametrize(
    ("raw", "quantity", "value"),
    [
        ("0C 78 76 03 01 10", "fabrication_number", "10010376"),
        ("0D 78 03 33 32 31", "fabrication_number", "123"),
        ("04 79 D2 02 96 49", "identification", "1234567890"),
        ("09 FD 0E 02", "firmware_version", "02"),
        ("02 FD 17 01 80", "error_flags", 0x8001),
    ],
)
def test_identifiers_and_flags(raw: str, quantity: str, value: MBusValue) -> None:
    """Digits keep their zeros, texts come last letter first, flags have no sign."""
    assert _value(raw) == (quantity, value, "")


@pytest.mark.parametrize(
    "raw",
    [
        pytest.param("01 6F 01", id="reserved code"),
        pytest.param("04 FF 13 01 00 00 00", id="code of the maker"),
        pytest.param("04 93 7F 4E 01 00 00", id="extension of the maker"),
        pytest.param("04 BE 50 71 BB B0 00", id="duration of a limit"),
        pytest.param("02 93 15 00 00", id="no data available"),
        pytest.param("02 EC 7E 1F 15", id="date in the future"),
        pytest.param("02 7C 03 74 61 62 22 0C", id="unit in plain text"),
        pytest.param("02 FC 03 48 52 25 74 22 0C", id="extended plain text"),
        pytest.param("02 FB 60 22 0C", id="first extension table"),
        pytest.param("02 FD 30 22 0C", id="second extension table"),
        pytest.param("02 13 00 80", id="integer marked invalid"),
        pytest.param("0C 13 FF FF FF FF", id="no digits"),
        pytest.param("0C 13 1A 00 00 00", id="hexadecimal digit"),
        pytest.param("05 13 00 00 C0 7F", id="not a number"),
        pytest.param("0D 13 02 31 32", id="text of a volume"),
        pytest.param("0D 13 C2 12 34", id="variable digits"),
        pytest.param("0D 13 E2 12 34", id="variable integer"),
        pytest.param("0D 78 01 FF", id="no ASCII"),
        pytest.param("0D 78 C1 12", id="variable digits of a number"),
        pytest.param("05 78 00 00 00 00", id="real identifier"),
        pytest.param("0C 78 0A 00 00 00", id="hexadecimal identifier"),
        pytest.param("0A FD 17 00 00", id="digits as flags"),
        pytest.param("04 6D A1 15 E9 17", id="time marked invalid"),
        pytest.param("04 6D 3F 00 E9 17", id="minute 63"),
        pytest.param("04 6D 00 60 BD 02", id="29 February 2200 and later"),
        pytest.param("02 6D 1F 15", id="time of two bytes"),
        pytest.param("04 6C 1F 15 00 00", id="date of four bytes"),
        pytest.param("02 6C FF FF", id="no date"),
        pytest.param("02 6C E1 F1", id="year 127"),
        pytest.param("02 6C 00 00", id="every day"),
        pytest.param("00 13", id="no data"),
        pytest.param("08 13", id="selection"),
    ],
)
def test_records_that_are_not_understood(raw: str) -> None:
    """They are kept as they are, and the next record is still read."""
    data = bytes.fromhex(raw)
    records, unknown = decode_records(data + bytes.fromhex("01 13 05"))
    assert unknown == (data,)
    assert [record.value for record in records] == [0.005]


@pytest.mark.parametrize(
    "raw",
    [
        pytest.param("0F 01 02 03", id="data of the maker"),
        pytest.param("1F", id="more records follow"),
        pytest.param("3F 01", id="reserved function"),
        pytest.param("0D 13 F1 00 00", id="variable data of unknown length"),
        pytest.param("0D 13 CA 00", id="reserved variable data"),
        pytest.param("0D 13", id="cut before the variable length"),
        pytest.param("04 13 01 02 03", id="cut in the data"),
        pytest.param("04 93", id="cut in the value information"),
        pytest.param("84", id="cut in the data information"),
        pytest.param("02 7C", id="cut before the plain text"),
        pytest.param("02 FC 09 74 61", id="cut in the plain text"),
        pytest.param("02 7C 09 74 61", id="cut in the last plain text"),
        pytest.param("81" + "80" * 11 + "13 01", id="too many extensions"),
    ],
)
def test_rest_that_is_not_understood(raw: str) -> None:
    """Where a record's end is not known, the rest is kept as one."""
    rest = bytes.fromhex(raw)
    records, unknown = decode_records(bytes.fromhex("2F 2F 01 13 05") + rest)
    assert unknown == (rest,)
    assert [record.value for record in records] == [0.005]


def test_fillers_and_terminator() -> None:
    """Idle fillers and the zero that the meter adds are no records."""
    raw = bytes.fromhex("2F 2F 01 13 05 2F 00")
    records, unknown = decode_records(raw)
    assert len(records) == 1
    assert not unknown


@pytest.mark.parametrize(
    ("status", "flags"),
    [
        (0x00, (False, False, False)),
        (0x02, (False, False, False)),
        (0x04, (True, False, False)),
        (0x08, (False, True, False)),
        (0x10, (False, False, True)),
    ],
)
def test_status(status: int, flags: tuple[bool, ...]) -> None:
    """The bits of the status byte."""
    data = bytearray(user_data(VARIABLE))
    data[9] = status
    telegram = decode_telegram(bytes(data))
    assert flags == (
        telegram.power_low,
        telegram.permanent_error,
        telegram.temporary_error,
    )


@pytest.mark.parametrize(
    ("telegram", "values"),
    [
        pytest.param(
            "44332211 B405 34 04 9E 00 27B6 0306F93415 0315C6004D 052E00000000"
            "053D00000000 055B22F32642 055FC7DA0D42",
            [
                ("energy", 1389817, "kWh"),
                ("volume", 504647.0, "m³"),
                ("power", 0, "W"),
                ("flow", 0, "m³/h"),
                ("temperature_flow", 41.737, "°C"),
                ("temperature_return", 35.464, "°C"),
            ],
            id="a mode that does not exist",
        ),
        pytest.param(
            "44332211 AC48 50 03 8D 00 0020 2F2F 0C1651145017 2F2F2F2F2F2F2F2F",
            [("volume", 17501451, "m³")],
            id="mode 0",
        ),
    ],
)
def test_plain_telegram_with_a_configuration_word(
    telegram: str, values: list[tuple[str, float, str]]
) -> None:
    """A word that names no encryption leaves the records as they are, and the end."""
    for end in ("", "00"):
        decoded = decode_telegram(bytes.fromhex(telegram + end))
        assert not decoded.encrypted
        assert not decoded.unknown_records
        assert [
            (record.quantity, pytest.approx(record.value, abs=5e-4), record.unit)
            for record in decoded.records
        ] == values


_PLAIN = [0x0000, 0x2000, 0xE0FF, 0x0010]
"""Configuration words of mode 0."""
_NOTHING = [0x0610, 0x0B00, 0x0C00, 0x0E00, 0x7D10, 0xB627, 0xFFFF]
"""Configuration words of modes that the standard does not define."""
_ENCRYPTED = [mode << 8 | 0x2010 for mode in (1, 2, 3, 4, 5, 7, 8, 9, 10, 13, 15)]


def _with_word(word: int, *, records: str = "") -> bytes:
    data = bytearray(user_data(VARIABLE))
    data[10:12] = word.to_bytes(2, "little")
    return bytes(data) + bytes.fromhex(records)


@pytest.mark.parametrize("word", _PLAIN)
def test_mode_0(word: int) -> None:
    """Nothing is encrypted, whatever the other bits are and the records hold."""
    telegram = decode_telegram(_with_word(word, records="02 FF 21 3A 00"))
    assert not telegram.encrypted
    assert (len(telegram.records), len(telegram.unknown_records)) == (3, 1)


@pytest.mark.parametrize("word", _NOTHING)
def test_mode_that_does_not_exist(word: int) -> None:
    """Makers that scramble records have such a word too: the records must be legible."""
    telegram = decode_telegram(_with_word(word))
    assert (telegram.encrypted, len(telegram.records)) == (False, 3)
    telegram = decode_telegram(_with_word(word, records="02 FF 21 3A 00"))
    assert (telegram.encrypted, telegram.records) == (True, ())


@pytest.mark.parametrize("word", [*_ENCRYPTED, 0x0500])
def test_encrypted_telegram(word: int) -> None:
    """Encrypted bytes are not taken for records, unless they were decrypted."""
    telegram = decode_telegram(_with_word(word))
    assert telegram.encrypted
    assert (telegram.records, telegram.unknown_records) == ((), ())
    assert telegram.serial_number == "12345678"
    telegram = decode_telegram(_with_word(word), decrypted=True)
    assert not telegram.encrypted
    assert len(telegram.records) == 3


@pytest.mark.parametrize(("word", "encrypted"), [("0500", True), ("0005", False)])
def test_configuration_word_of_mode_2(word: str, encrypted: bool) -> None:
    """Its most significant byte comes first as well."""
    data = bytes.fromhex(f"12345678 4024 01 07 55 00 {word} 03 13 00 31 15")
    assert decode_telegram(data, big_endian=True).encrypted is encrypted


def test_most_significant_byte_first() -> None:
    """Mode 2 turns numbers round, but not the codes, nor the fixed units."""
    data = bytes.fromhex(
        "12345678 4024 01 07 55 00 0000 03 13 00 31 15 DA 02 3B 01 13 8B 60 04 02 18 37"
    )
    assert decode_telegram(data, big_endian=True) == decode_telegram(
        user_data(VARIABLE)
    )
    fixed = bytes.fromhex("12345678 0A 00 E9 7E 00000001 00000135")
    assert decode_telegram(fixed, fixed=True, big_endian=True) == decode_telegram(
        user_data(FIXED), fixed=True
    )
    text = bytes.fromhex("0D 78 03 33 32 31")
    assert decode_records(text, big_endian=True) == ((), (text,))


@pytest.mark.parametrize(
    ("status", "units", "counters", "records"),
    [
        (
            0x01,
            "05 2C",
            "D2040000 FFFFFFFF",
            [("energy", 1234.0, 0, 0), ("volume", -1.0, 0, 1)],
        ),
        (
            0x02,
            "29 29",
            "01000000 02000000",
            [("volume", 0.001, 1, 0), ("volume", 0.002, 1, 1)],
        ),
        (
            0x00,
            "20 3E",
            "36000000 72000000",
            [("power", 10_000.0, 0, 0), ("power", 20_000.0, 1, 0)],
        ),
        (0x00, "00 3F", "01000000 02000000", []),
        (0x00, "29 29", "0A000000 02000000", [("volume", 0.002, 0, 1)]),
    ],
)
def test_fixed_counters(
    status: int,
    units: str,
    counters: str,
    records: list[tuple[str, float, int, int]],
) -> None:
    """Binary and BCD counters, kept ones, and units that are no measure."""
    data = bytes.fromhex(f"78563412 0A {status:02x} {units} {counters}")
    telegram = decode_telegram(data, fixed=True)
    assert [
        (record.quantity, record.value, record.storage, record.subunit)
        for record in telegram.records
    ] == records
    assert len(telegram.unknown_records) == 2 - len(records)


def test_headers_that_are_cut() -> None:
    """Who a telegram is from must be whole."""
    with pytest.raises(DecodeError, match="M-Bus telegram"):
        decode_telegram(user_data(VARIABLE)[:11])
    with pytest.raises(DecodeError, match="M-Bus telegram"):
        decode_telegram(user_data(FIXED)[:15], fixed=True)


def test_unknown_medium() -> None:
    """A medium without a name is not guessed."""
    data = bytearray(user_data(VARIABLE))
    data[7] = 0xEE
    assert decode_telegram(bytes(data)).medium == "unknown"


def test_record_header() -> None:
    """The header alone, as ET57 has it."""
    header = decode_record_header(bytes.fromhex("0C 93 3A"))
    assert header is not None
    assert header.measure is not None
    assert (header.measure.quantity, header.length) == ("volume", 3)
    assert decode_record_header(b"") is None


@given(st.binary(max_size=60), st.booleans())
def test_arbitrary_records(data: bytes, big_endian: bool) -> None:
    """Any bytes are records or unknown; none gets lost but fillers and a zero."""
    records, unknown = decode_records(data, big_endian=big_endian)
    if not records:
        fillers = data.count(b"\x2f") + 1
        assert len(data) - fillers <= sum(map(len, unknown)) <= len(data)


@given(st.binary(max_size=60), st.booleans(), st.booleans(), st.booleans())
def test_arbitrary_telegrams(
    data: bytes, fixed: bool, big_endian: bool, decrypted: bool
) -> None:
    """Any bytes are decoded or are a DecodeError."""
    try:
        telegram = decode_telegram(
            data, fixed=fixed, big_endian=big_endian, decrypted=decrypted
        )
    except DecodeError:
        assert len(data) < (16 if fixed else 12)
        return
    assert len(telegram.serial_number) == 8
