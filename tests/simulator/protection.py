"""How messages to the meter are protected, and so its replies: signed, RC4 or TLS."""

from collections.abc import Callable, Collection
from dataclasses import dataclass

from .digest import digest
from .packet import DIGEST_LENGTH, Request
from .rc4 import message_stream, xor


def _as_it_is(body: bytes) -> bytes:
    return body


@dataclass(frozen=True, slots=True, kw_only=True)
class Opened:
    """A message as far as the meter understands it.

    ``key`` is the key that its sender proved to have, ``seal`` makes the reply
    message of a body, and ``numbered`` tells whether there is a sequence number.
    ``reply`` is there when there is no packet in it to be served.
    """

    request: Request
    key: bytes | None = None
    seal: Callable[[bytes], bytes] = _as_it_is
    numbered: bool = True
    reply: bytes | None = None


def open_signed(message: bytes, keys: Collection[bytes]) -> Opened:
    """Open a message with a digest; what does not verify as plain may be encrypted."""
    plain = Request.parse(message)
    for key in keys:
        if plain.signed_by(key):
            return Opened(request=plain, key=key, seal=signer(plain, key))
    return next(
        filter(None, (_open_encrypted(plain, key) for key in keys)),
        Opened(request=plain),
    )


def _open_encrypted(message: Request, key: bytes) -> Opened | None:
    stream = message_stream(key, message.digest)
    request = Request.parse(xor(message.covered, stream) + message.digest)
    if not request.signed_by(key):
        return None
    sign = signer(request, key)

    def seal(body: bytes) -> bytes:
        signed = sign(body)
        return xor(signed[:-DIGEST_LENGTH], stream) + signed[-DIGEST_LENGTH:]

    return Opened(request=request, key=key, seal=seal)


def signer(request: Request, key: bytes) -> Callable[[bytes], bytes]:
    """Return what signs the reply to a request."""
    return lambda body: body + digest(key, request.covered, body)
