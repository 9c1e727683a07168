"""The simulated meter: a request in, a reply out, with all the state between."""

from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from random import Random
from time import monotonic

from .faults import KINDS, ActiveFault, Exchange, Fault
from .names import table_name
from .packet import MAX_READ, ReplyCode, Request, RequestCode, reply_frame
from .profiles import Profile
from .registers import Snapshot
from .tables import TABLES, View, Writer
from .timing import Pace

DEFAULT_KEY = b"Wb7#kP2x!dL9vT4q"
WINDOW = 8  # how far a sequence number may be ahead of the last accepted one
JUMP = 25  # what a change of the interface definition adds to the number
_WRAP = 0xFFFFFFFF
_READS = frozenset({RequestCode.FULL_READ, RequestCode.PARTIAL_READ})
_WRITES = frozenset({RequestCode.FULL_WRITE, RequestCode.PARTIAL_WRITE})
_TLS = frozenset(
    {
        RequestCode.TLS_TERMINATE,
        RequestCode.TLS_HELLO,
        RequestCode.TLS_CONTINUE,
        RequestCode.TLS_PACKET,
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Served:
    """One request as the meter's log keeps it; lengths are bytes on the wire."""

    code: int
    table: int | None
    offset: int
    count: int | None
    reply_code: int | None  # None: nothing was sent
    request_length: int
    reply_length: int
    faults: tuple[str, ...] = ()


class RefusedError(Exception):
    """The meter answers with a response code and nothing else."""

    def __init__(self, code: ReplyCode) -> None:
        """Keep the code."""
        super().__init__(code)
        self.code = code


def _utc_now() -> datetime:
    return datetime.now(UTC)


class SimulatedMeter:
    """A meter of one profile.

    ``key`` is the basic key (MBK), ``advanced_key`` the MAK, tested first.
    ``clock`` gives the true time (aware); the load follows it. ``clock_offset`` is by
    how many seconds the meter's own clock is ahead of it.
    ``paced`` False answers at once, whatever ``baud`` says.
    ``returns_last_number``: 0x0C carries the last accepted number, not the next one
    (the guide can be read both ways). ``bare_authentication_failure``: 0x0B comes
    without a digest.
    """

    def __init__(
        self,
        profile: Profile,
        *,
        key: bytes = DEFAULT_KEY,
        advanced_key: bytes | None = None,
        paced: bool = True,
        baud: int = 9600,
        clock: Callable[[], datetime] = _utc_now,
        seed: int = 1,
        serial_number: str | None = None,
        returns_last_number: bool = False,
        bare_authentication_failure: bool = False,
    ) -> None:
        """Switch the meter on."""
        if serial_number is not None:
            profile = replace(profile, serial_number=serial_number)
        self.profile = profile
        self.random = Random(seed)  # noqa: S311
        self.key = key[:16]
        self.advanced_key = (advanced_key or self.random.randbytes(16))[:16]
        self.pace = Pace(baud if paced else 0)
        self.returns_last_number = returns_last_number
        self.bare_authentication_failure = bare_authentication_failure
        self.sequence = self.random.getrandbits(32)  # the last accepted number
        self.interface_version = 1
        self.clock_offset = 0.0
        self.faults: list[ActiveFault] = []
        self.requests: deque[Served] = deque(maxlen=10_000)
        self.bytes_received = 0
        self.bytes_sent = 0
        self.on_alert: list[Callable[[], None]] = []  # called when `alert` is changed
        self.monotonic: Callable[[], float] = monotonic  # a line sets its loop's time
        self._alert = False
        self._seed = seed
        self._clock = clock
        self._shift = timedelta()
        self._frozen: datetime | None = None
        self._snapshot: Snapshot | None = None
        self._silent_until = float("-inf")
        self._written: dict[int, dict[int, int]] = {}
        self._replies: dict[int | None, bytes] = {}
        self._counts: Counter[str] = Counter()
        self._tables_read: Counter[str] = Counter()
        self._codes: Counter[str] = Counter()

    # Time

    @property
    def time(self) -> datetime:
        """The true time as the meter's world sees it, aware, UTC."""
        return self._frozen or self._clock().astimezone(UTC) + self._shift

    def freeze(self, time: datetime | None = None) -> None:
        """Stop the world's time, now or at a given time; registers stand still."""
        self._frozen = time or self.time

    def thaw(self) -> None:
        """Let time run again."""
        self._frozen = None

    def shift(self, seconds: float) -> None:
        """Move the world's time (a frozen one too); energies follow."""
        self._shift += timedelta(seconds=seconds)
        if self._frozen:
            self._frozen += timedelta(seconds=seconds)

    # What a test compares with

    def snapshot(self) -> Snapshot:
        """Return all registers at the present second."""
        second = int(self.time.timestamp())
        if self._snapshot is None or self._snapshot.time != second:
            self._snapshot = Snapshot(self.profile, self._seed, second)
        return self._snapshot

    def truth(self) -> dict[int | str, int]:
        """Return the raw register values at the present second.

        Int keys are source ids of the totals (BT23) and present values (BT28) that
        the meter reports, plus 29..72 (tiers 0 to 3). The free ids of the quadrant
        apparent energies are those of BT22. Str keys: ``tier2.0`` (source 0 of tier 2,
        for every tier and summation), ``demand.8`` (peak of demand source 8), and
        ``energy_unit``, ``active_tier``, ``demand_resets``, ``utc`` (the meter's clock,
        Unix time).
        """
        profile, snapshot = self.profile, self.snapshot()
        demand = profile.demand
        tiers = range(profile.tiers)
        reported = {*profile.summations, *profile.present, *range(29, 73)}
        if demand:
            reported |= {88 + index for index in range(len(demand.sources))}
        return {
            **{source: snapshot.value(source) for source in sorted(reported)},
            **{
                f"tier{tier}.{source}": snapshot.tier_value(source, tier)
                for tier in tiers
                for source in profile.summations
            },
            **{
                f"demand.{source}": snapshot.peak(source, None).value
                for source in (demand.sources if demand else ())
            },
            "energy_unit": profile.ratios.energy_unit,
            "active_tier": snapshot.tier,
            "demand_resets": snapshot.demand.resets(snapshot.time) if demand else 0,
            "utc": int(self._view().clock.timestamp()),
        }

    def table(self, number: int) -> bytes | None:
        """Return a table as it is now, or None when this meter lacks it."""
        if (table := TABLES.get(number)) is None:
            return None
        if (data := table.encode(self._view())) is None:
            return None
        if written := self._written.get(number):
            patched = bytearray(data)
            for offset, byte in written.items():
                patched[offset] = byte
            return bytes(patched)
        return data

    def _view(self) -> View:
        return View(
            profile=self.profile,
            snapshot=self.snapshot(),
            clock=self.time + timedelta(seconds=self.clock_offset),
            sequence=self.sequence,
            interface_version=self.interface_version,
        )

    def statistics(self) -> dict[str, object]:
        """Return counts of requests, replies, bytes, tables, codes and faults."""
        return {
            "requests": self._counts["requests"],
            "replies": self._counts["replies"],
            "bytes_received": self.bytes_received,
            "bytes_sent": self.bytes_sent,
            "tables": dict(self._tables_read),
            "reply_codes": dict(self._codes),
            "faults": {
                str(active.number): {"kind": active.fault.kind, "hits": active.hits}
                for active in self.faults
            },
        }

    # Faults

    def add_fault(self, fault: Fault | str) -> ActiveFault:
        """Switch a fault on (a ``Fault`` or its text) and return its handle."""
        if isinstance(fault, str):
            fault = Fault.parse(fault)
        active = ActiveFault(fault, self.faults)
        self.faults.append(active)
        return active

    def clear_faults(self) -> None:
        """Switch all faults off; a silence that began with one ends."""
        self.faults.clear()
        self._silent_until = float("-inf")

    @property
    def alert(self) -> bool:
        """Whether the meter has a reason to send alert sequences."""
        return self._alert

    @alert.setter
    def alert(self, reason: bool) -> None:
        self._alert = reason
        for changed in self.on_alert:
            changed()

    def fall_silent(self, seconds: float) -> None:
        """Ignore requests for so many seconds."""
        self._silent_until = self.monotonic() + seconds

    def restart(self, seconds: float = 0.0) -> None:
        """Lose the sequence number and be silent for a while."""
        self.sequence = self.random.getrandbits(32)
        self.fall_silent(seconds)

    def raise_interface_version(self) -> None:
        """Do what a change of the interface definition does (guide, page 55)."""
        self.interface_version = (self.interface_version + 1) % 256
        self.sequence = self.sequence + JUMP & _WRAP

    def earlier_reply(self, table: int | None) -> bytes | None:
        """Return the last good reply for another table."""
        others = (frame for other, frame in self._replies.items() if other != table)
        return next(others, None)

    # One request

    def exchange(self, message: bytes) -> Exchange:
        """Serve a request message (without length field)."""
        exchange = Exchange(Request.parse(message))
        struck = [
            active
            for active in self.faults
            if active.strikes(exchange.request, self.random)
        ]
        if self.monotonic() < self._silent_until:
            exchange.lost = True
        self._apply(exchange, struck, early=True)
        if not exchange.lost:
            self._answer(exchange)
            self._apply(exchange, struck, early=False)
        self._log(exchange, len(message) + 2)
        return exchange

    def _apply(
        self, exchange: Exchange, struck: list[ActiveFault], *, early: bool
    ) -> None:
        for active in struck:
            if (kind := KINDS[active.fault.kind]).early == early:
                kind.effect(self, active.fault, exchange)
                exchange.faults.append(active.fault.kind)

    def _log(self, exchange: Exchange, length: int) -> None:
        request = exchange.request
        reply_code = exchange.reply_code if exchange.frames else None
        served = Served(
            code=request.code,
            table=request.table,
            offset=request.offset,
            count=request.count,
            reply_code=reply_code,
            request_length=length,
            reply_length=sum(map(len, exchange.frames)),
            faults=tuple(exchange.faults),
        )
        self.requests.append(served)
        self._counts["requests"] += 1
        if request.table is not None:
            self._tables_read[table_name(request.table)] += 1
        if reply_code is not None:
            self._counts["replies"] += 1
            self._codes[f"{reply_code:02X}"] += 1

    def _answer(self, exchange: Exchange) -> None:
        """Verify a request, carry it out or refuse it, and put the reply on the wire."""
        request = exchange.request
        key = next(
            (key for key in (self.advanced_key, self.key) if request.signed_by(key)),
            None,
        )
        code = self._objection(request, key, exchange.refusal)
        if code is None:
            self.sequence = request.sequence
            body = self._serve(request, advanced=key == self.advanced_key)
        else:
            body = bytes([code])
        if code is ReplyCode.INVALID_SEQUENCE_NUMBER:
            number = self.sequence + (not self.returns_last_number) & _WRAP
            body += number.to_bytes(4)
        if code is ReplyCode.AUTHENTICATION_FAILURE:
            key = None if self.bare_authentication_failure else key or self.key
        frame = reply_frame(request, body, key)
        exchange.reply_code = body[0]
        exchange.frames.append(frame)
        if body[0] == ReplyCode.OK:
            self._replies.pop(request.table, None)
            self._replies = {request.table: frame, **self._replies}

    def _objection(
        self, request: Request, key: bytes | None, refusal: int | None
    ) -> ReplyCode | None:
        """Return why a request is not accepted; its number then stays unused."""
        if key is None:
            return ReplyCode.AUTHENTICATION_FAILURE
        if not 1 <= (request.sequence - self.sequence & _WRAP) <= WINDOW:
            return ReplyCode.INVALID_SEQUENCE_NUMBER
        return None if refusal is None else ReplyCode(refusal)

    def _serve(self, request: Request, *, advanced: bool) -> bytes:
        """Return the body of the reply to a request that was accepted."""
        try:
            if request.code in _READS:
                return self._read(request)
            if request.code in _WRITES:
                return self._write(request, advanced)
        except RefusedError as refused:
            return bytes([refused.code])
        return bytes(
            [ReplyCode.UNSUPPORTED if request.code in _TLS else ReplyCode.UNRECOGNIZED]
        )

    def _existing(self, request: Request) -> tuple[int, bytes]:
        """Return number and content of the table a request names."""
        if request.table is None:
            raise RefusedError(ReplyCode.UNRECOGNIZED)
        if (data := self.table(request.table)) is None:
            raise RefusedError(ReplyCode.TABLE_NOT_POSSIBLE)
        return request.table, data

    def _read(self, request: Request) -> bytes:
        _, data = self._existing(request)
        if request.code == RequestCode.PARTIAL_READ:
            end = request.offset + (request.count or 0)
            if request.count is None or end > len(data):
                raise RefusedError(ReplyCode.TABLE_NOT_POSSIBLE)
            data = data[request.offset : end]
        if len(data) > MAX_READ:
            raise RefusedError(ReplyCode.NOT_POSSIBLE)
        return bytes([ReplyCode.OK]) + len(data).to_bytes(2) + data

    def _write(self, request: Request, advanced: bool) -> bytes:
        number, data = self._existing(request)
        writer = TABLES[number].writer
        if writer is Writer.NONE or (writer is Writer.ADVANCED and not advanced):
            raise RefusedError(ReplyCode.NO_PERMISSION)
        cells = self._written.setdefault(number, {})
        for index, byte in enumerate(request.data[: request.count], request.offset):
            if index < len(data):
                cells[index] = byte
        return bytes([ReplyCode.OK])
