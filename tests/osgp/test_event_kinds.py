"""What the ids and arguments of the event logs mean."""

import json
import re

from hypothesis import given, strategies as st
import pytest

from osgp.tables.event_kinds import EVENT_NAMES, OTHER_EVENT, event_meaning
from tests.event_vectors import EVENTS

_FIRMWARE = (3, 70, 24)


@pytest.mark.parametrize(("event_id", "argument", "name", "details"), EVENTS)
def test_meaning(
    event_id: int, argument: str, name: str, details: dict[str, object]
) -> None:
    """Ids and arguments, worked out by hand from the descriptions."""
    assert event_meaning(event_id, bytes.fromhex(argument), _FIRMWARE) == (
        name,
        details,
    )


@pytest.mark.parametrize("event_id", [0, 5, 30, 31, 51, 63, 107, 112, 0x7FF, 0x841])
def test_unknown(event_id: int) -> None:
    """An id that no source has, or the sources differ about, has no name."""
    assert event_meaning(event_id, b"\x01\0", _FIRMWARE) == (OTHER_EVENT, {})


@pytest.mark.parametrize(
    ("firmware", "name"),
    [
        ((3, 29, 31), OTHER_EVENT),
        ((3, 30, 0), "load_side_voltage"),
        ((4, 30, 7), "load_side_voltage"),
        ((1, 20, 3), OTHER_EVENT),
    ],
)
def test_firmware(firmware: tuple[int, int, int], name: str) -> None:
    """Id 95 has its meaning since 3.30."""
    assert event_meaning(95, b"\x03\0", firmware)[0] == name


def test_names() -> None:
    """No name has two meanings; each is tested, and fits as a key of Home Assistant."""
    assert {name for _, _, name, _ in EVENTS} == set(EVENT_NAMES)
    assert len(EVENT_NAMES) == len(set(EVENT_NAMES))
    assert all(re.fullmatch("[a-z][a-z0-9_]*[a-z0-9]", name) for name in EVENT_NAMES)


@given(st.integers(0, 0xFFF), st.binary(max_size=16))
def test_arbitrary_arguments(event_id: int, argument: bytes) -> None:
    """Any argument of any event is decoded to plain values, and the name is known."""
    name, details = event_meaning(event_id, argument, _FIRMWARE)
    assert name in EVENT_NAMES
    assert json.loads(json.dumps(details)).keys() == details.keys()
    assert not details or argument


@given(st.integers(1, 111), st.integers(0, 0xFFFF))
def test_every_argument(event_id: int, argument: int) -> None:
    """Every event takes every argument of the two bytes that meters have."""
    name, details = event_meaning(event_id, argument.to_bytes(2, "little"), _FIRMWARE)
    assert name in EVENT_NAMES
    assert "event_type" not in details
