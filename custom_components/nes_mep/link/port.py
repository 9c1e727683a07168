"""The port of a meter, as people enter it."""

from ipaddress import ip_address
import re
from typing import Final
from urllib.parse import urlsplit

from ..osgp import pasted_text

NETWORK_SCHEMES: Final = frozenset({"rfc2217", "socket", "tcp"})
"""Ports in the network, by host and port, whose bytes travel as they are."""

_HOST_AND_PORT: Final = re.compile(r"(\[[^\[\]/]+\]|[^\s:/@?#\[\]]+):\d+/*")


def parse_port(text: str) -> str:
    """Return the device path or serialx URL that a person entered.

    Blanks and invisible characters around it are dropped, and host:port stands for
    socket://host:port. The same port in the network has the same URL, however it was
    written. Raises ValueError for what cannot be a port.
    """
    port = pasted_text(text)
    if _HOST_AND_PORT.fullmatch(port):
        port = f"socket://{port}"
    if "://" in port:
        return _uniform_url(port)
    if not (port and port.isprintable()) or _is_address(port):
        raise ValueError("A port is a device path or a URL")
    return port


def _uniform_url(url: str) -> str:
    """Return a URL, or raise ValueError if it is malformed or lacks host or port."""
    parts = urlsplit(url)
    host_and_port = parts.hostname, parts.port
    if not (parts.scheme and url.isprintable() and " " not in parts.netloc):
        raise ValueError("The URL is malformed")
    if parts.scheme in NETWORK_SCHEMES and not all(host_and_port):
        raise ValueError("The URL lacks a host or a port")
    if parts.scheme not in NETWORK_SCHEMES:
        return url
    user, at, host = parts.netloc.rpartition("@")
    netloc = f"{user}{at}{host.lower()}"
    return parts._replace(netloc=netloc, path=parts.path.rstrip("/")).geturl()


def _is_address(text: str) -> bool:
    """Return whether a text is an IP address."""
    try:
        ip_address(text)
    except ValueError:
        return False
    return True
