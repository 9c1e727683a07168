"""The port of a meter, as people enter it."""

import pytest

from custom_components.nes_mep.link.port import parse_port


@pytest.mark.parametrize(
    ("text", "port"),
    [
        ("/dev/ttyUSB0", "/dev/ttyUSB0"),
        (" /dev/serial/by-id/usb-1:2-port0\n", "/dev/serial/by-id/usb-1:2-port0"),
        ("COM3", "COM3"),
        ("socket://127.0.0.1:5678 ", "socket://127.0.0.1:5678"),
        ("\u00a0socket://127.0.0.1:5678\u00a0", "socket://127.0.0.1:5678"),
        ("\ufeffsocket://127.0.0.1:56\u200b78", "socket://127.0.0.1:5678"),
        ("192.168.1.20:8888", "socket://192.168.1.20:8888"),
        ("meter.local:8888", "socket://meter.local:8888"),
        ("[fe80::1]:8888", "socket://[fe80::1]:8888"),
        (
            "rfc2217://meter.local:8888?ign_set_control",
            "rfc2217://meter.local:8888?ign_set_control",
        ),
        (
            "esphome-hass://esphome/01?port_name=mep",
            "esphome-hass://esphome/01?port_name=mep",
        ),
        ("nonsense://here", "nonsense://here"),
        ("192.168.1.20:8888/", "socket://192.168.1.20:8888"),
        ("socket://[::1]:5678/", "socket://[::1]:5678"),
        ("TCP://Meter.local:8888/", "tcp://meter.local:8888"),
        ("RFC2217://Me:Pw@Meter:1/?ign", "rfc2217://Me:Pw@meter:1?ign"),
    ],
)
def test_understood(text: str, port: str) -> None:
    """What came along when it was copied is dropped, and host:port is a socket."""
    assert parse_port(text) == port
    assert parse_port(port) == port


@pytest.mark.parametrize(
    "text",
    [
        "",
        " \u200b",
        "/dev/tty\0USB0",
        "/dev/ttyUSB0\n/dev/ttyUSB1",
        "192.168.1.20",
        "fe80::1",
        "192.168.1.20:88888",
        "://192.168.1.20:8888",
        "socket://",
        "socket://[",
        "socket://[::1",
        "socket://:8888",
        "socket://192.168.1.20",
        "socket://192.168.1.20:",
        "socket://192.168.1.20:0",
        "socket://192.168.1.20:65536",
        "socket://192.168.1.20:x",
        "socket://192.168.1.20:8888:8888",
        "socket:// 192.168.1.20:8888",
        "socket://192.168.1.20:88\n88",
        "rfc2217://]",
        "esphome://[",
    ],
)
def test_refused(text: str) -> None:
    """What cannot be a port is refused as such, whatever is wrong with it."""
    with pytest.raises(ValueError):  # noqa: PT011
        parse_port(text)
