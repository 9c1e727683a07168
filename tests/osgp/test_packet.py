"""Requests and responses of the C12.18 layer."""

from hypothesis import given, strategies as st
import pytest

from osgp import RefusalError, UnverifiedReplyError
from osgp.mep.sequence_number import invalid_sequence_number
from osgp.requests import (
    FullRead,
    PartialRead,
    ReadRequest,
    parse_request,
    response_data,
)
from osgp.tables.names import parse_table, table_name

_READ = PartialRead(table=23, offset=0, count=44)


@pytest.mark.parametrize(
    ("request_", "packet"),
    [
        (_READ, "3f0017000000002c"),
        (PartialRead(table=2128, offset=0x10203, count=1), "3f08500102030001"),
        (FullRead(table=28, length=0x200), "30001c0200"),
    ],
)
def test_requests(request_: ReadRequest, packet: str) -> None:
    """Requests have the guide's layout, and are recognised again."""
    assert request_.to_bytes().hex() == packet
    assert parse_request(bytes.fromhex(packet)) == request_


@pytest.mark.parametrize(
    "packet", ["", "3f", "3f0017000000002c00", "40000700061108", "4f08320000", "57aa"]
)
def test_only_read_requests_are_recognised(packet: str) -> None:
    """This client sends no write, not even on demand."""
    with pytest.raises(ValueError, match="Not a read request"):
        parse_request(bytes.fromhex(packet))


@pytest.mark.parametrize(
    ("text", "table", "name"),
    [
        ("BT23", 23, "BT23"),
        ("bt1", 1, "BT01"),
        ("ET03", 2051, "ET03"),
        ("2051", 2051, "ET03"),
        ("0x0817", 2071, "ET23"),
        ("23", 23, "BT23"),
    ],
)
def test_table_names(text: str, table: int, name: str) -> None:
    """Tables can be named as the guide does or numbered."""
    assert parse_table(text) == table
    assert table_name(table) == name


@pytest.mark.parametrize("text", ["", "XT1", "BT", "70000", "ET65000", "-1", "0xZZ"])
def test_what_is_no_table(text: str) -> None:
    """Nonsense gets an error that repeats it."""
    with pytest.raises(ValueError, match="is not a table"):
        parse_table(text)


def test_response_with_data() -> None:
    """The data of a response is what its count says; it may be less than asked."""
    assert response_data(_READ, bytes.fromhex("000003aabbcc")) == b"\xaa\xbb\xcc"


@pytest.mark.parametrize(
    "packet", ["00", "0000", "000003aabb", "000003aabbccdd", "00002d" + "00" * 45]
)
def test_impossible_counts(packet: str) -> None:
    """A count that is not that of the bytes, or more than asked, is refused."""
    with pytest.raises(UnverifiedReplyError, match="BT23 at 0, 44 bytes"):
        response_data(_READ, bytes.fromhex(packet))


@pytest.mark.parametrize(
    ("code", "meaning"),
    [
        (1, "unrecognised request"),
        (2, "unsupported request"),
        (3, "no permission"),
        (4, "not possible now"),
        (5, "does not exist"),
        (0x0B, "authentication failure"),
        (0x77, "unknown response code"),
    ],
)
def test_refusals(code: int, meaning: str) -> None:
    """A refusal says what was asked and why it was refused."""
    with pytest.raises(RefusalError, match=meaning) as caught:
        response_data(_READ, bytes((code,)))
    assert caught.value.code == code
    assert "BT23 at 0, 44 bytes" in str(caught.value)


def test_invalid_sequence_number() -> None:
    """0C carries the meter's number; without one it is worthless."""
    assert invalid_sequence_number(bytes.fromhex("0c77635b90")) == 0x77635B90
    assert invalid_sequence_number(bytes.fromhex("000000")) is None
    with pytest.raises(UnverifiedReplyError):
        invalid_sequence_number(b"\x0c\x01")


@given(st.binary(max_size=64))
def test_arbitrary_responses(packet: bytes) -> None:
    """Arbitrary bytes give data that fits the request, or a MeterError."""
    try:
        invalid_sequence_number(packet)
        data = response_data(_READ, packet)
    except (UnverifiedReplyError, RefusalError):
        return
    assert packet[:3] == b"\0" + len(data).to_bytes(2)
