"""The port of a meter, as people enter it."""

from ipaddress import ip_address
import re
from typing import Final
from urllib.parse import urlsplit

from ..osgp import pasted_text

NETWORK_SCHEMES: Final = frozenset({"rfc2217", "socket", "tcp"})
"""Ports in the network, by host and port, whose bytes travel as they are."""

_HOST_AND_PORT: Final = re.compile(r"(\[[^\[\]/]+\]|[^\s:/@?#\[\]]+):\d+")


def parse_port(text: str) -> str:
    """Return the device path or serialx URL that a person entered.

    Blanks and invisible characters around it are dropped, and host:port stands for
    socket://host:port. Raises ValueError for what cannot be a port.
    """
    port = pasted_text(text)
    if _HOST_AND_PORT.fullmatch(port):
        port = f"socket://{port}"
    if "://" in port:
        _check_url(port)
    elif not port or _is_address(port):
        raise ValueError("A port is a device path or a URL")
    return port


def _check_url(url: str) -> None:
    """Raise ValueError for a URL that is malformed or lacks host or port."""
    parts = urlsplit(url)
    host_and_port = parts.hostname, parts.port
    if not (parts.scheme and url.isprintable() and " " not in parts.netloc):
        raise ValueError("The URL is malformed")
    if parts.scheme in NETWORK_SCHEMES and not all(host_and_port):
        raise ValueError("The URL lacks a host or a port")


def _is_address(text: str) -> bool:
    """Return whether a text is an IP address."""
    try:
        ip_address(text)
    except ValueError:
        return False
    return True
