"""The formats of the key."""

import pytest

from osgp import parse_key, parse_optical_key

_ASCII_KEY = "Wb7#kP2x!dL9vT4qXYZ!"


@pytest.mark.parametrize(
    "text",
    [
        _ASCII_KEY,
        _ASCII_KEY[:16],
        _ASCII_KEY[:18],
        f"  {_ASCII_KEY}\n",
        _ASCII_KEY.encode().hex(),
        _ASCII_KEY[:16].encode().hex().upper(),
        "0x" + _ASCII_KEY.encode().hex(),
        "0X" + _ASCII_KEY[:16].encode().hex(),
        f"\ufeff{_ASCII_KEY[:5]}\u200b{_ASCII_KEY[5:]}\u2060",
        f"\u00a0{_ASCII_KEY}\u00a0",
        _ASCII_KEY.encode().hex(" "),
        _ASCII_KEY[:16].encode().hex("-").upper(),
        "0x " + _ASCII_KEY.encode().hex(":", 2),
        ", ".join(f"0x{byte:02x}" for byte in _ASCII_KEY.encode()),
        _ASCII_KEY.encode().hex("_"),
        _ASCII_KEY.encode().hex() + "00",
        _ASCII_KEY[:16].encode().hex(" ").replace(" ", " \u2013\t"),
        f"\u200e{_ASCII_KEY.encode().hex(' ')}\u00ad",
    ],
)
def test_accepted(text: str) -> None:
    """Characters or hex digits, the first 16 bytes count."""
    assert parse_key(text) == _ASCII_KEY[:16].encode()


@pytest.mark.parametrize(
    "text",
    [
        "00112233445566778899",
        "0x11223344556677",
        "0123456789ABCDEF",
        "00 11 22-33:44 55 66",
        "a key with blanks in",
    ],
)
def test_characters_that_look_like_hex(text: str) -> None:
    """16 to 20 characters are characters, whatever they look like."""
    assert parse_key(text) == text.encode()[:16]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "x" * 15,
        "x" * 21,
        "x" * 32,
        "x" * 40,
        "a" * 39,
        "schlüssel-schlüssel",
        "a\x00" * 9,
        "\u200b" * 16,
        "12:34:" * 7,
    ],
)
def test_refused(text: str) -> None:
    """Everything else is refused, with words that do not repeat it."""
    with pytest.raises(ValueError, match=r"^A key ") as caught:
        parse_key(text)
    assert not text or text not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "key"),
    [
        (_ASCII_KEY, _ASCII_KEY.encode()),
        (f" {_ASCII_KEY[:16]}\n", _ASCII_KEY[:16].encode()),
        ("12345678901234567890", b"12345678901234567890"),
        ("short", b"short"),
        (bytes(range(20)).hex(), bytes(range(20))),
        ("0x" + bytes(range(20)).hex(" "), bytes(range(20))),
    ],
)
def test_keys_of_the_optical_port(text: str, key: bytes) -> None:
    """All 20 bytes count, and they are not shown."""
    parsed = parse_optical_key(text)
    assert bytes(parsed) == key
    assert repr(parsed) == str(parsed) == f"<OpticalKey of {len(key)} bytes>"


@pytest.mark.parametrize("text", ["", "x" * 21, "x" * 40, "a" * 32, "schlüssel"])
def test_refused_keys_of_the_optical_port(text: str) -> None:
    """A key that cannot be one is not tried."""
    with pytest.raises(ValueError, match=r"^A key ") as caught:
        parse_optical_key(text)
    assert not text or text not in str(caught.value)
