"""How an optical port behaves where meters differ, or nobody knows how they do."""

from dataclasses import dataclass
from enum import Enum

from .access import Right
from .codes import Code
from .packets import DEFAULT_SIZE

READ_KEY = b"Rk4mN8zAhQ2yC6wE3Jt5"
UNIQUE_KEY = b"Mk9#vT2xLd7!bP5q&Zs1"
PROVISIONING_KEY = b"Pk3%gH8nWf6?rD4e$Yu0"


class FirstPacket(Enum):
    """What happens to the packet that switches a shared UART to the optical port."""

    TAKEN = "taken"
    REFUSED = "refused"  # NAK
    LOST = "lost"


@dataclass(frozen=True, slots=True, kw_only=True)
class OpticalSettings:
    """What can be chosen of an optical port; times in seconds.

    ``shares_uart``: one UART serves MEP and optical port (2.x and 3.x with MEP); None
    is what the meter's firmware says. Then ``first_packet`` is what becomes of the
    packet that switches it, the MEP is dead while the optical port has it, and before
    that what the MEP sends ``shines_out``.
    ``identifies_fully``: the reply to Identification has 37 bytes with the serial
    number, as a real 83334 sends it; else the five of the public unit test.
    ``packet_size`` and ``most_packets`` (of a message) limit what Negotiate gives;
    without ``negotiates`` it is not supported.
    ``alternates``: the toggle bit changes with each new packet; else it stays 0.
    ``answers_in_base``: by 0A what needs a session; else it says nothing.
    ``traffic_time_out``: without a packet for so long, the session is over.
    ``session_limit``, ``hold_off``: the D.O.S. timer ends a longer session and then
    ignores the port; ``limits_sessions`` None: on where the UART is shared.
    ``lock_after`` so many wrong keys in a row (0: never) the port is deaf for
    ``lock_time``. ``wrong_key_code`` answers a wrong key.
    ``reply_delay``: from the acknowledgement of a request to the reply; None is little
    on a paced line and nothing on another.
    ``unlisted``: the right that reads tables for which the guide prints none;
    ``hardware_lock``: tables that nobody reads.
    ``requires_tls``: a Logon without it is answered ``tls_code``.
    """

    shares_uart: bool | None = None
    first_packet: FirstPacket = FirstPacket.REFUSED
    shines_out: bool = True
    identifies_fully: bool = True
    negotiates: bool = True
    packet_size: int = DEFAULT_SIZE
    most_packets: int = 2
    alternates: bool = True
    answers_in_base: bool = True
    traffic_time_out: float = 6.0
    limits_sessions: bool | None = None
    session_limit: float = 600.0
    hold_off: float = 300.0
    lock_after: int = 0
    lock_time: float = 900.0
    wrong_key_code: int = Code.NO_PERMISSION
    reply_delay: float | None = None
    unlisted: Right = Right.READ_ONLY
    hardware_lock: frozenset[int] = frozenset()
    requires_tls: bool = False
    tls_code: int = Code.NO_PERMISSION
