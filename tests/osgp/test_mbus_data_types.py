"""Tests of what the load profile records of M-Bus meters: ET57 and four bytes."""

import struct

from hypothesis import given, strategies as st
import pytest

from osgp.errors import DecodeError
from osgp.mbus.data_types import decode_data_types


def entry(number: int, header: str, *, kind: int = 1, special: bool = False) -> bytes:
    """Return the entries of a data type, with as many extensions as it needs."""
    rest = bytes.fromhex(header)
    entries = b""
    while rest or not entries:
        flags = kind | number << 2 | special << 7
        entries += bytes((flags, *rest[:3].ljust(3, b"\0")))
        kind, rest = 3, rest[3:]
    return entries


def recorded(data: bytes) -> int:
    """Return the INT32 that the load profile has for the data of a record."""
    (value,) = struct.unpack("<i", data[:4].ljust(4, b"\0"))
    return value


def test_example_of_the_guide() -> None:
    """Page 33: 0C 93 3A is a volume of eight BCD digits, not temperature-corrected."""
    registers = decode_data_types(bytes.fromhex("050C933A") + bytes(60))
    assert list(registers) == [1]
    register = registers[1]
    assert register.key == "volume_uncorrected"
    assert register.measure.unit == "m³"
    assert register.value(recorded(bytes.fromhex("56341200"))) == 123.456


@pytest.mark.parametrize(
    ("header", "key", "data", "value"),
    [
        ("0C14", "volume", "78563412", 123456.78),
        ("0B13", "volume", "563412", 123.456),
        ("0A06", "energy", "3412", 1234),
        ("0906", "energy", "12", 12),
        ("0413", "volume", "40E20100", 123.456),
        ("0206", "energy", "0F27", 9999),
        ("0306", "energy", "40E201", 123456),
        ("0506", "energy", "00002041", 10.0),
        ("4C06", "energy_storage_1", "78563412", 12345678),
        ("8C80407F21", None, "", None),
        ("8C4014", "volume_subunit_1", "78563412", 123456.78),
        # Six bytes, eight, none, text; a date; a filler; a VIF that nobody knows.
        ("0E13", None, "", None),
        ("0713", None, "", None),
        ("0013", None, "", None),
        ("0D78", None, "", None),
        ("046D", None, "", None),
        ("2F", None, "", None),
        ("04FF21", None, "", None),
        ("0C13AA", None, "", None),
    ],
)
def test_registers(
    header: str, key: str | None, data: str, value: float | None
) -> None:
    """A header tells the register, and how four bytes of it are read."""
    registers = decode_data_types(entry(5, header))
    assert [each.key for each in registers.values()] == ([key] if key else [])
    if value is not None:
        assert registers[5].value(recorded(bytes.fromhex(data))) == pytest.approx(value)


def test_several_headers() -> None:
    """Headers that mean the same are one register; of others, nobody knows which."""
    same = entry(2, "0C14") + entry(2, "0C14", special=True)
    assert list(decode_data_types(same)) == [2]
    other = entry(2, "0C14") + entry(2, "0C933A", special=True) + entry(3, "0C13")
    assert list(decode_data_types(other)) == [3]
    assert not decode_data_types(entry(2, "0C14") + entry(2, "0E14"))


def test_other_entries() -> None:
    """Entries of MEP devices and empty ones are no registers, nor their extensions."""
    data = (
        entry(1, "0C14", kind=2)
        + entry(0, "FFFFFF", kind=3)
        + entry(0, "", kind=0)
        + entry(0, "0C13", kind=3)
        + entry(4, "0C06")
    )
    assert list(decode_data_types(data)) == [4]
    with pytest.raises(DecodeError, match="ET57"):
        decode_data_types(data[:-1])


@pytest.mark.parametrize("data", ["00000000", "EEEEEEEE", "0A000000"])
def test_no_value(data: str) -> None:
    """0 stands for a meter that was not asked; other digits for a value in error."""
    register = decode_data_types(entry(1, "0C13"))[1]
    assert register.value(recorded(bytes.fromhex(data))) is None


@given(number=st.integers(1, 99_999_999))
def test_any_bcd(number: int) -> None:
    """Eight digits of any number are that number."""
    register = decode_data_types(entry(1, "0C06"))[1]
    data = bytes.fromhex(f"{number:08d}")[::-1]
    assert register.value(recorded(data)) == number


@given(data=st.binary(min_size=4, max_size=4), table=st.binary(max_size=16))
def test_any_bytes(data: bytes, table: bytes) -> None:
    """Whatever ET57 and the load profile hold, it is a number or nothing."""
    for register in decode_data_types(table[: len(table) // 4 * 4]).values():
        value = register.value(recorded(data))
        assert value is None or isinstance(value, int | float)
