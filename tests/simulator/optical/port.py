"""The optical port of a simulated meter: its session, keys, times, faults and log."""

from collections import Counter, deque
from collections.abc import Callable
from random import Random
from time import monotonic

from ..faults import ActiveFault
from ..meter import Served, SimulatedMeter
from ..names import table_name
from ..packet import Request
from ..timing import Pace
from .access import Keys
from .codes import Code, State
from .faults import OpticalExchange, OpticalFault
from .noise import Noise
from .services import serve
from .session import Session
from .settings import PROVISIONING_KEY, READ_KEY, UNIQUE_KEY, OpticalSettings

_BAUD = 9600  # the speed of every session
_PROCESSING = 0.02  # seconds that a meter takes for a request
_NEVER = float("inf")


class OpticalPort:
    """The second port of a meter: the same tables, another link, other keys.

    ``is_attached``: the head is in its place; else bytes go nowhere. ``echoes``: the head sees its own light. ``noise``
    damages bytes on the way. ``keys.refused`` is the meter's own count of wrong keys.
    ``requests`` are the last ones that were carried out or refused; lengths are those
    of the messages, without packets around them.
    """

    def __init__(
        self,
        meter: SimulatedMeter,
        settings: OpticalSettings | None = None,
        *,
        read_only_key: bytes = READ_KEY,
        provisioning_key: bytes | None = PROVISIONING_KEY,
        unique_key: bytes = UNIQUE_KEY,
        seed: int = 1,
    ) -> None:
        """Give a meter an optical port with nobody at it."""
        self.meter = meter
        self.keys = Keys(unique_key, provisioning_key, read_only_key)
        self.session = Session(
            meter=meter, settings=settings or OpticalSettings(), keys=self.keys
        )
        self.pace = Pace(_BAUD if meter.pace.baud else 0)
        self.random = Random(seed)  # noqa: S311
        self.noise = Noise(self.random)
        self.is_attached = True
        self.echoes = False
        self.faults: list[ActiveFault] = []
        self.requests: deque[Served] = deque(maxlen=10_000)
        self.counts: Counter[str] = Counter()
        self.monotonic: Callable[[], float] = monotonic  # a line sets its loop's time
        self.epoch = 0  # counts the ends of sessions
        self.is_awaiting = False  # the acknowledgement of an own packet
        self._has_uart = False  # the shared one was switched to this port
        self._heard = 0.0  # the time of the last right packet or acknowledgement
        self._began = _NEVER  # the present session
        self._deaf_until = -_NEVER
        self._is_locking = False
        self._replies: dict[int | None, bytes] = {}
        meter.uart_is_taken = self.takes_uart
        meter.on_restart.append(self._lose_power)

    @property
    def settings(self) -> OpticalSettings:
        """How it behaves; may be replaced while it runs."""
        return self.session.settings

    @settings.setter
    def settings(self, settings: OpticalSettings) -> None:
        self.session.settings = settings

    @property
    def reply_delay(self) -> float:
        """Seconds from the acknowledgement of a request to the reply."""
        delay = self.settings.reply_delay
        return (_PROCESSING if self.pace.baud else 0.0) if delay is None else delay

    # The shared UART

    @property
    def shares_uart(self) -> bool:
        """Whether one UART serves the MEP and this port."""
        shares = self.settings.shares_uart
        return not self.meter.profile.generation4 if shares is None else shares

    def takes_uart(self) -> bool:
        """Tell whether the MEP is dead because of this port."""
        self.expire()
        return self.shares_uart and self._is_active

    def switch_uart(self, when: float) -> bool:
        """Switch the shared UART to this port; return whether the MEP had it."""
        if not self.shares_uart or self._is_active:
            return False
        self._has_uart = True
        self._heard = when
        return True

    # Time

    @property
    def _is_active(self) -> bool:
        return self._has_uart or self.session.state is not State.BASE

    @property
    def is_deaf(self) -> bool:
        """Whether it ignores the light: hold-off, lock, mains failure."""
        self.expire()
        return self.monotonic() < self._deaf_until

    def expire(self) -> None:
        """End the session if its time is over."""
        if not self._is_active:
            return
        settings = self.settings
        patience = self.session.time_out or settings.traffic_time_out
        silent = _NEVER if self.is_awaiting else self._heard + patience
        limits = settings.limits_sessions
        is_limited = self.shares_uart if limits is None else limits
        too_long = self._began + settings.session_limit if is_limited else _NEVER
        if self.monotonic() < min(silent, too_long):
            return
        if too_long <= silent:
            self._deaf_until = too_long + settings.hold_off
            self.counts["cut_sessions"] += 1
        else:
            self.counts["timed_out_sessions"] += 1
        self.end()

    def hear(self, when: float, *, packet: bool = True) -> None:
        """Note that something right came."""
        self._heard = when
        if packet:
            self.session.time_out = 0.0

    def end(self) -> None:
        """Go back to the base state without a word."""
        self.session.end()
        self.epoch += 1
        self.is_awaiting = self._has_uart = False
        self._began = _NEVER

    def finish(self) -> None:
        """Note that a reply is done with: acknowledged or given up."""
        self.is_awaiting = False
        if self.session.state is State.BASE:
            self.end()
        if self._is_locking:
            self._is_locking = False
            self.end()
            self.fall_silent(self.settings.lock_time)

    def fall_silent(self, seconds: float) -> None:
        """Ignore the light for so many seconds."""
        self._deaf_until = self.monotonic() + seconds

    def restart(self, seconds: float = 0.0) -> None:
        """Let the meter lose its mains and be silent for a while, on both ports."""
        self.meter.restart(seconds)

    def _lose_power(self, seconds: float) -> None:
        self.end()
        self.fall_silent(seconds)

    # Faults

    @property
    def key(self) -> bytes:
        """The read-only key, which a fault may change."""
        return self.keys.read_only

    @key.setter
    def key(self, key: bytes) -> None:
        self.keys.read_only = key

    def raise_interface_version(self) -> None:
        """Do what a change of the interface definition does."""
        self.meter.raise_interface_version()

    def remember_reply(self, table: int, packet: bytes) -> None:
        """Keep a packet of a good reply, to be sent once more at the wrong time."""
        self._replies.pop(table, None)
        self._replies = {table: packet, **self._replies}

    def earlier_reply(self, table: int | None) -> bytes | None:
        """Return the last packet of a good reply for another table."""
        others = (packet for other, packet in self._replies.items() if other != table)
        return next(others, None)

    def add_fault(self, fault: OpticalFault | str) -> ActiveFault:
        """Switch a fault on (an ``OpticalFault`` or its text) and return its handle."""
        if isinstance(fault, str):
            fault = OpticalFault.parse(fault)
        active = ActiveFault(fault, self.faults)
        self.faults.append(active)
        return active

    def clear_faults(self) -> None:
        """Switch all faults off, the noise too; a silence that began ends."""
        self.faults.clear()
        self.noise.rate = 0.0
        self._deaf_until = -_NEVER

    # One request

    def serve(self, message: bytes, exchange: OpticalExchange, when: float) -> bytes:
        """Carry out a whole message, or refuse it; empty for no reply."""
        session, before = self.session, self.session.state
        if exchange.refusal is None:
            reply = serve(session, message)
        else:
            reply = bytes([exchange.refusal])
            if exchange.refusal == Code.RENEGOTIATE:
                session.renegotiate()
        if before is State.BASE and session.state is not before:
            self._began = when
            self.counts["sessions"] += 1
        if 0 < self.settings.lock_after <= self.keys.in_a_row:
            self.keys.in_a_row = 0
            self._is_locking = True
        self._log(message, reply, exchange)
        return reply

    def _log(self, message: bytes, reply: bytes, exchange: OpticalExchange) -> None:
        request = Request.parse_packet(message)
        self.requests.append(
            Served(
                code=request.code,
                table=request.table,
                offset=request.offset,
                count=request.count,
                reply_code=reply[0] if reply else None,
                request_length=len(message),
                reply_length=len(reply),
                faults=tuple(exchange.faults),
            )
        )
        self.counts["requests"] += 1
        self.counts["replies"] += bool(reply)

    def statistics(self) -> dict[str, object]:
        """Return state, counts, wrong keys, tables and reply codes."""
        self.expire()
        served = self.requests
        tables = Counter(table_name(s.table) for s in served if s.table is not None)
        codes = Counter(
            f"{s.reply_code:02X}" for s in served if s.reply_code is not None
        )
        return {
            "state": self.session.state.value,
            "refused_keys": self.keys.refused,
            **self.counts,
            "tables": dict(tables),
            "reply_codes": dict(codes),
            "faults": {
                str(active.number): {"kind": active.fault.kind, "hits": active.hits}
                for active in self.faults
            },
        }
