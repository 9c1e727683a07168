"""The security modes by name."""

from enum import StrEnum

from ...key import KeyKind
from . import Security
from .digest import DigestSecurity
from .rc4 import Rc4Security
from .tls import TlsSecurity


class SecurityMode(StrEnum):
    """How messages are protected, as configurations name it."""

    DIGEST = "digest"
    RC4 = "rc4"
    TLS = "tls"


def make_security(
    mode: SecurityMode, key: bytes, key_kind: KeyKind = KeyKind.BASIC
) -> Security:
    """Return the one mode that a link uses for good, with the 16 bytes of the key.

    Only TLS needs to know which key it is: in the other modes the meter tries both.
    """
    if mode is SecurityMode.TLS:
        return TlsSecurity(key, key_kind)
    return Rc4Security(key) if mode is SecurityMode.RC4 else DigestSecurity(key)
