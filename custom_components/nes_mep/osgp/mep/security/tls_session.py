"""An established TLS session that carries one request and one reply in turn."""

from ...errors import UnverifiedReplyError
from .tls_records import ContentType, RecordCipher, TlsAlertError, parse_records


class TlsSession:
    """Encrypts requests and decrypts the replies to them.

    Nothing in a reply names its request, but both sides count their records: as
    long as each request was answered before the next one is sent, the numbers of a
    request and its reply are the same, and the reply to any other request is not
    genuine. So a request without a genuine reply ends the session.
    """

    __slots__ = ("_ready", "_receiving", "_sending")

    def __init__(self, sending: RecordCipher, receiving: RecordCipher) -> None:
        """Initialize with the ciphers of both directions, after the handshake."""
        self._sending = sending
        self._receiving: RecordCipher | None = receiving
        self._ready = True

    @property
    def ready(self) -> bool:
        """Whether the session is intact, and every request in it was answered."""
        return self._ready

    def seal(self, packet: bytes) -> bytes:
        """Return a packet as a record; the session is not ready until the reply."""
        if not self._ready:
            raise UnverifiedReplyError("A request in this TLS session was not answered")
        self._ready = False
        return self._sending.encrypt(ContentType.APPLICATION_DATA, packet).to_bytes()

    def open(self, data: bytes) -> bytes:
        """Return the packet of the reply.

        Raises UnverifiedReplyError when it is not genuine and TlsAlertError when the
        meter ended the session; after either the session is over.
        """
        receiving, self._receiving = self._receiving, None
        if receiving is None or self._ready:
            raise UnverifiedReplyError(
                "Unexpected reply: no request is pending in this TLS session"
            )
        record, *others = parse_records(data)
        if others or record.content_type not in (
            ContentType.APPLICATION_DATA,
            ContentType.ALERT,
        ):
            raise UnverifiedReplyError("The reply is not a single TLS record")
        plain = receiving.decrypt(record)
        if record.content_type == ContentType.ALERT:
            raise TlsAlertError(plain)
        if not plain:
            raise UnverifiedReplyError("The reply is empty")
        self._receiving, self._ready = receiving, True
        return plain
