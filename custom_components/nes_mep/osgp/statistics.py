"""The counters of the link to the meter."""

from dataclasses import dataclass


@dataclass(slots=True)
class LinkStatistics:
    """Counters of one link since it was opened for the first time.

    tls_handshakes is the number of TLS sessions that were established.
    late_replies is the number of genuine replies to requests that were given up or
    repeated. hint says what is unusual about the link, such as "slow link".
    last_reply_time is the time in milliseconds from sending the newest answered
    request to its verified reply; last_error is the text of the newest error that
    a caller saw.
    """

    requests: int = 0
    replies: int = 0
    resent: int = 0
    timeouts: int = 0
    late_replies: int = 0
    digest_failures: int = 0
    sequence_resyncs: int = 0
    authentication_failures: int = 0
    alerts: int = 0
    reopens: int = 0
    tls_handshakes: int = 0
    bytes_sent: int = 0
    bytes_received: int = 0
    last_reply_time: float | None = None
    last_error: str | None = None
    hint: str | None = None
