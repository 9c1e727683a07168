"""The simulated meter: a request in, a reply out, with all the state between."""

from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from random import Random
from time import monotonic
from typing import override

from .faults import KINDS, ActiveFault, Exchange, Fault
from .load_profile.data_set import DataSet
from .names import table_id, table_name
from .packet import MAX_READ, TLS_OVERHEAD, ReplyCode, Request, RequestCode
from .profiles import Profile
from .protection import Opened, open_signed, signer
from .tables import LARGE_TABLES, TABLES, Content, TableBytes, View, Writer
from .timing import Pace
from .tls import CODES as TLS_CODES, TlsPort
from .truth import truth
from .world import World

DEFAULT_KEY = b"Wb7#kP2x!dL9vT4q"
WINDOW = 8  # how far a sequence number may be ahead of the last accepted one
JUMP = 25  # what a change of the interface definition adds to the number
_WRAP = 0xFFFFFFFF
_READS = frozenset({RequestCode.FULL_READ, RequestCode.PARTIAL_READ})
_WRITES = frozenset({RequestCode.FULL_WRITE, RequestCode.PARTIAL_WRITE})


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


class SimulatedMeter(World):
    """A meter of one profile, with its MEP port.

    ``key`` is the basic key (MBK), ``advanced_key`` the MAK, tested first.
    ``clock`` gives the true time (aware). ``paced`` False answers at once, whatever
    ``baud`` says.
    ``returns_last_number``: 0x0C carries the last accepted number, not the next one
    (the guide can be read both ways). ``bare_authentication_failure``: 0x0B comes
    without a digest. ``tls`` names a TLS server for it ("mbedtls", "openssl"), which
    ``tls_required`` makes the only way; without one it is a meter that lacks TLS.
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
        time_zone: str | None = None,
        returns_last_number: bool = False,
        bare_authentication_failure: bool = False,
        tls: str | None = None,
        tls_required: bool = False,
    ) -> None:
        """Switch the meter on."""
        if serial_number is not None:
            profile = replace(profile, serial_number=serial_number)
        if time_zone is not None:
            profile = replace(profile, time_zone=time_zone)
        super().__init__(profile, clock, seed)
        self.random = Random(seed)  # noqa: S311
        self.key = key[:16]
        self.advanced_key = (advanced_key or self.random.randbytes(16))[:16]
        self.pace = Pace(baud if paced else 0)
        self.returns_last_number = returns_last_number
        self.bare_authentication_failure = bare_authentication_failure
        self.tls = (
            TlsPort(tls, lambda: (self.key, self.advanced_key), required=tls_required)
            if tls
            else None
        )
        self.answers_repetitions = True  # of the last accepted number, by 0C
        self.sequence = self.random.getrandbits(32)  # the last accepted number
        self.interface_version = 1
        self.faults: list[ActiveFault] = []
        self.requests: deque[Served] = deque(maxlen=10_000)
        self.bytes_received = 0
        self.bytes_sent = 0
        self.on_alert: list[Callable[[], None]] = []  # called when `alert` is changed
        self.monotonic: Callable[[], float] = monotonic  # a line sets its loop's time
        self.on_sent: list[Callable[[bytes], None]] = []  # with what the MEP sends
        self.on_restart: list[Callable[[float], None]] = []
        self.uart_is_taken: Callable[[], bool] = lambda: False  # by the optical port
        self._alert = False
        self._silent_until = float("-inf")
        self._written: dict[int, dict[int, int]] = {}
        self._ends: dict[int, tuple[int, ReplyCode | None]] = {}
        self._replies: dict[int | None, bytes] = {}
        self._counts: Counter[str] = Counter()
        self._tables_read: Counter[str] = Counter()
        self._tables_answered: Counter[str] = Counter()
        self._codes: Counter[str] = Counter()

    # What a test compares with

    def truth(self) -> dict[int | str, int]:
        """Return the true values at the present second; times are Unix times.

        Int keys are source ids of the totals (BT23) and present values (BT28) that
        the meter reports, plus 29..72 (tiers 0 to 3). The free ids of the quadrant
        apparent energies are those of BT22. Str keys; N are 0-based, P is 1..3:

        - ``tierN.SOURCE`` for every tier and summation, ``energy_unit``,
          ``rollover_digits``;
        - ``demand.SOURCE`` (peak), ``.time``, ``.cumulative``, ``.continuous``,
          ``.coincident.OTHER`` behind it, and ``tierN.`` before it; ``demand_resets``,
          ``demand.remaining`` (s);
        - ``active_tier``, ``tier_drive``, ``tier_reason``, ``season``, ``dst``,
          ``utc`` (the meter's clock);
        - ``disconnect``, ``wiring``, ``rotation``, ``alarms`` (bit 8 x byte + bit of BT03);
          ``cut_off`` (0: never);
        - ``relay.N.pending`` and ``.remaining`` (s) of a control relay that was told
          to switch at a random time;
        - ``outages`` and, newest first, ``outage.N.start``, ``.end``, ``.seconds``,
          ``.brownout``; ``short_outages``;
        - ``events`` and ``alternate_events`` (entries in the log), ``.total``,
          ``.last`` (id), ``.last.number``, ``.last.time``;
        - ``billing.time``, ``billing.SOURCE`` and ``billing.tierN.SOURCE`` (0, 1): the
          newest reading that is stored for the bill;
        - ``sag.P``, ``sag2.P``, ``surge.P`` (counts), ``.time`` (0: never) and
          ``.voltage`` behind them; ``phase_loss.P``, ``.time``; ``phase_lost.P`` (now);
          ``over_current.P``; ``frequency_min``, ``frequency_max``, ``.time``;
        - ``thd.KIND.P`` (count; kind voltage, current or apparent), ``.time``,
          ``.maximum``, ``.maximum_time``, ``.average``;
        - ``mbus.N.handle``, ``.status`` (ET14: 1 up, 2 down), ``.serial``, ``.medium``,
          ``.alarms``; of its newest read ``.time`` and the records that it has, in
          thousandths of m3, kWh, W, m3/h and degrees Celsius: ``.volume``,
          ``.energy``, ``.power``, ``.flow``, ``.flow_temperature``,
          ``.return_temperature``, ``.due.volume``, ``.due.energy`` (end of last month).

        The load profile has truths of its own: ``load_profile.truth``,
        ``load_profile.interval_truth``, ``register_truth``.
        """
        return truth(self)

    def table(self, number: int) -> bytes | None:
        """Return a table as it is now, or None when this meter lacks it."""
        content = self.content(number)
        return None if content is None else bytes(content)

    def content(self, number: int) -> TableBytes | None:
        """Return a table as it is now, to be read in parts, or None."""
        if large := LARGE_TABLES.get(number):
            there = self.profile.since(*large.since)
            return Content(large, self._view()) if there else None
        table = TABLES.get(number)
        if table is None or not self.profile.since(*table.since):
            return None
        data = table.encode(self._view())
        if written := self._written.get(number):
            patched = bytearray(data)
            for offset, byte in written.items():
                if offset < len(patched):
                    patched[offset] = byte
            return bytes(patched)
        return data

    def _view(self) -> View:
        return View(
            profile=self.profile,
            snapshot=self.snapshot(),
            clock=self.meter_time,
            zone=self.zone,
            season=self.season,
            state=self.state,
            history=self.history,
            sequence=self.sequence,
            interface_version=self.interface_version,
        )

    def overwrite(self, name: str | int, data: bytes, offset: int = 0) -> None:
        """Have a table say something else from an offset on, as far as it reaches."""
        cells = self._written.setdefault(table_id(name), {})
        cells |= dict(enumerate(data, offset))

    def end_early(self, name: str, length: int, code: ReplyCode | None = None) -> None:
        """End a table before its dimensions do; None clips reads, a code refuses them."""
        self._ends[table_id(name)] = (length, code)

    def statistics(self) -> dict[str, object]:
        """Return counts of requests, replies, bytes, tables, codes and faults.

        tables are those that were asked for, answered those that had a reply.
        """
        return {
            "requests": self._counts["requests"],
            "replies": self._counts["replies"],
            "bytes_received": self.bytes_received,
            "bytes_sent": self.bytes_sent,
            "tables": dict(self._tables_read),
            "answered": dict(self._tables_answered),
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
        """Lose sequence number and TLS session and be silent for a while."""
        self.sequence = self.random.getrandbits(32)
        if self.tls:
            self.tls.forget()
        self.fall_silent(seconds)
        for port in self.on_restart:
            port(seconds)

    def raise_interface_version(self) -> None:
        """Do what a change of the interface definition does (guide, page 55)."""
        self.interface_version = (self.interface_version + 1) % 256
        self.sequence = self.sequence + JUMP & _WRAP

    def change_profile(self, profile: Profile | str) -> None:
        """Give the meter another firmware and configuration while it runs.

        Serial number, clock, totals, alarms and power quality stay, the tiers are dealt
        out anew; the interface version rises. Raises ValueError for an unknown name.
        """
        self.adopt_profile(profile)
        self._written.clear()
        self._replies.clear()
        self.raise_interface_version()

    @override
    def configure_load_profile(self, *data_sets: DataSet) -> None:
        super().configure_load_profile(*data_sets)
        self.raise_interface_version()

    @override
    def replace_meter(self, serial_number: str) -> None:
        super().replace_meter(serial_number)
        self.interface_version = 1
        self._written.clear()
        self._replies.clear()
        self.restart()

    def earlier_reply(self, table: int | None) -> bytes | None:
        """Return the last good reply for another table."""
        others = (frame for other, frame in self._replies.items() if other != table)
        return next(others, None)

    # One request

    def exchange(self, message: bytes) -> Exchange:
        """Serve a request message (without length field)."""
        opened = self._open(message)
        exchange = Exchange(opened.request)
        struck = [
            active
            for active in self.faults
            if active.strikes(exchange.request, self.random)
        ]
        if self.monotonic() < self._silent_until or (
            opened.numbered
            and not self.answers_repetitions
            and opened.request.sequence == self.sequence
        ):
            exchange.lost = True
        self._apply(exchange, struck, early=True)
        if not exchange.lost:
            if struck and opened.numbered and opened.reply is None:
                opened = self._open(message)  # a fault may have changed the key
            self._answer(exchange, opened)
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
            if exchange.frames:
                self._tables_answered[table_name(request.table)] += 1
        if reply_code is not None:
            self._counts["replies"] += 1
            self._codes[f"{reply_code:02X}"] += 1

    def _open(self, message: bytes) -> Opened:
        """Open a message in the mode that it is in, or that the meter insists on."""
        if (tls := self.tls) and (
            tls.required or tls.established or message[0] in TLS_CODES
        ):
            return tls.open(message)
        return open_signed(message, (self.advanced_key, self.key))

    def _answer(self, exchange: Exchange, opened: Opened) -> None:
        """Carry a request out or refuse it, and put the reply on the wire."""
        request = exchange.request
        code = self._objection(opened, exchange.refusal)
        seal = opened.seal
        if opened.reply is not None:
            body = opened.reply if code is None else bytes([code])
        elif code is None:
            if opened.numbered:
                self.sequence = request.sequence
            body = self._serve(opened)
        else:
            body = bytes([code])
        if code is ReplyCode.INVALID_SEQUENCE_NUMBER and opened.numbered:
            number = self.sequence + (not self.returns_last_number) & _WRAP
            body += number.to_bytes(4)
        if code is ReplyCode.AUTHENTICATION_FAILURE and opened.numbered:
            # Never encrypted, and signed with one of the keys if at all.
            key = opened.key or self.key
            bare = self.bare_authentication_failure
            seal = bytes if bare else signer(request, key)
        message = seal(body)
        frame = len(message).to_bytes(2) + message
        exchange.reply_code = body[0]
        exchange.frames.append(frame)
        if body[0] == ReplyCode.OK:
            self._replies.pop(request.table, None)
            self._replies = {request.table: frame, **self._replies}

    def _objection(self, opened: Opened, refusal: int | None) -> ReplyCode | None:
        """Return why a request is not accepted; its number then stays unused."""
        if opened.reply is None and opened.key is None:
            return ReplyCode.AUTHENTICATION_FAILURE
        ahead = opened.request.sequence - self.sequence & _WRAP
        if opened.reply is None and opened.numbered and not 1 <= ahead <= WINDOW:
            return ReplyCode.INVALID_SEQUENCE_NUMBER
        return None if refusal is None else ReplyCode(refusal)

    def _serve(self, opened: Opened) -> bytes:
        """Return the body of the reply to a request that was accepted."""
        request = opened.request
        limit = MAX_READ if opened.numbered else MAX_READ - TLS_OVERHEAD
        try:
            if request.code in _READS:
                return self._read(request, limit)
            if request.code in _WRITES:
                return self._write(request, opened.key == self.advanced_key)
        except RefusedError as refused:
            return bytes([refused.code])
        unknown = request.code not in TLS_CODES
        return bytes([ReplyCode.UNRECOGNIZED if unknown else ReplyCode.UNSUPPORTED])

    def _existing(self, request: Request) -> tuple[int, TableBytes]:
        """Return number and content of the table a request names."""
        if request.table is None:
            raise RefusedError(ReplyCode.UNRECOGNIZED)
        if (data := self.content(request.table)) is None:
            raise RefusedError(ReplyCode.TABLE_NOT_POSSIBLE)
        return request.table, data

    def _read(self, request: Request, limit: int) -> bytes:
        _, data = self._existing(request)
        if request.code == RequestCode.PARTIAL_READ:
            end = request.offset + (request.count or 0)
            last, code = self._ends.get(request.table or 0, (end, None))
            if end > last and (code or request.offset >= last):
                raise RefusedError(code or ReplyCode.TABLE_NOT_POSSIBLE)
            end = min(end, last)
            if request.count is None or end > len(data):
                raise RefusedError(ReplyCode.TABLE_NOT_POSSIBLE)
            data = data[request.offset : end]
        if len(data) > limit:
            raise RefusedError(ReplyCode.NOT_POSSIBLE)
        return bytes([ReplyCode.OK]) + len(data).to_bytes(2) + bytes(data)

    def _write(self, request: Request, advanced: bool) -> bytes:
        number, data = self._existing(request)
        writer = TABLES[number].writer if number in TABLES else Writer.NONE
        if writer is Writer.NONE or (writer is Writer.ADVANCED and not advanced):
            raise RefusedError(ReplyCode.NO_PERMISSION)
        cells = self._written.setdefault(number, {})
        for index, byte in enumerate(request.data[: request.count], request.offset):
            if index < len(data):
                cells[index] = byte
        return bytes([ReplyCode.OK])
