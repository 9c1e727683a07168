"""What can go wrong on the optical port, to be switched on at will.

Each fault hits single packets: one that the meter receives, one that it sends (a
repetition is another one), or an acknowledgement that it waits for.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import override

from ..faults import KINDS, ActiveFault, Exchange, Fault, Kind, Victim
from ..packet import Request
from .packets import ACK


class Moment(Enum):
    """When a fault can strike."""

    REQUEST = "a right packet came"
    REPLY = "a packet is sent"
    ACKNOWLEDGEMENT = "an acknowledgement came"


@dataclass(slots=True)
class OpticalExchange(Exchange):
    """One packet on its way, and what becomes of it."""

    answer: bytes = ACK  # what is sent for a packet that was received
    is_refused: bool = False  # it is taken for broken
    is_doubled: bool = False  # it comes twice
    pause: float = 0.0  # seconds without a byte inside the packet that is sent
    pause_at: int = 0


def _lose_ack(victim: Victim, fault: Fault, exchange: Exchange) -> None:
    assert isinstance(exchange, OpticalExchange)
    exchange.answer = b""


def _stray(victim: Victim, fault: Fault, exchange: Exchange) -> None:
    assert isinstance(exchange, OpticalExchange)
    noise = bytes(fault.count) if fault.data is None else fault.data
    exchange.answer = noise + (b"" if fault.replace else exchange.answer)


def _nak(victim: Victim, fault: Fault, exchange: Exchange) -> None:
    assert isinstance(exchange, OpticalExchange)
    exchange.is_refused = True


def _double_request(victim: Victim, fault: Fault, exchange: Exchange) -> None:
    assert isinstance(exchange, OpticalExchange)
    exchange.is_doubled = True


def _pause(victim: Victim, fault: Fault, exchange: Exchange) -> None:
    assert isinstance(exchange, OpticalExchange)
    exchange.pause = 0.6 if fault.seconds is None else fault.seconds
    exchange.pause_at = 10 if fault.at is None else fault.at


def _lose(victim: Victim, fault: Fault, exchange: Exchange) -> None:
    exchange.lost = True


_SHARED = (
    "refuse",
    "lose_request",
    "silence",
    "restart",
    "change_key",
    "lose_reply",
    "double",
    "truncate",
    "corrupt",
    "drop_byte",
    "insert_noise",
    "stale",
    "late",
    "disconnect",
)

OPTICAL_KINDS: dict[str, Kind] = {
    **{name: KINDS[name] for name in _SHARED},
    "restart": Kind(
        KINDS["restart"].effect,
        "mains failure: no session any more, silent for `seconds` (2)",
        early=True,
        once=True,
    ),
    "lose_ack": Kind(_lose_ack, "takes the packet, says nothing", early=True),
    "stray": Kind(
        _stray, "`count` times 00, or `data`, before the 06 (or `replace`)", early=True
    ),
    "nak": Kind(_nak, "answers 15 to a right packet", early=True),
    "double_request": Kind(_double_request, "receives the packet twice", early=True),
    "lose_client_ack": Kind(_lose, "never sees the client's 06"),
    "pause": Kind(_pause, "stops for `seconds` (0.6) before byte `at` (10)"),
}

_OF_ACKNOWLEDGEMENTS = frozenset({"lose_client_ack"})


class OpticalFault(Fault):
    """One kind of trouble on the optical port, and which packets meet it.

    The fields are those of faults on the MEP, read per packet; ``table`` and
    ``request_code`` are those of the request that a packet belongs to. See
    ``OPTICAL_KINDS``.
    """

    __slots__ = ()

    @classmethod
    @override
    def known(cls) -> Mapping[str, Kind]:
        return OPTICAL_KINDS

    @property
    def moment(self) -> Moment:
        """When it strikes."""
        if self.kind in _OF_ACKNOWLEDGEMENTS:
            return Moment.ACKNOWLEDGEMENT
        return Moment.REQUEST if OPTICAL_KINDS[self.kind].early else Moment.REPLY


def apply(
    victim: Victim,
    faults: list[ActiveFault],
    moment: Moment,
    request: Request,
    *frames: bytes,
) -> OpticalExchange:
    """Return what becomes of a packet of a request."""
    exchange = OpticalExchange(request, frames=list(frames))
    for active in list(faults):
        fault = active.fault
        assert isinstance(fault, OpticalFault)
        if fault.moment is moment and active.strikes(request, victim.random):
            OPTICAL_KINDS[fault.kind].effect(victim, fault, exchange)
            exchange.faults.append(fault.kind)
    return exchange
