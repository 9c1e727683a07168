"""What can go wrong between a meter and its client, to be switched on at will."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from itertools import count
from random import Random
from typing import Protocol, Self

from .names import table_id
from .packet import Request

ALERT = b"\0\0"


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One kind of trouble, and which requests meet it.

    ``table``, ``request_code``: only these requests (a table name or number).
    ``skip``: leave the first ones alone; ``times``: then hit so many (None: until it
    is removed); ``probability``: of those, hit only some.
    The other fields belong to the kinds; see ``KINDS``. Byte positions count from the
    start of the frame, length field included; None is a random one.
    """

    kind: str
    table: int | str | None = None
    request_code: int | None = None
    times: int | None = None
    skip: int = 0
    probability: float = 1.0
    code: int = 0x0B
    seconds: float | None = None
    at: int | None = None
    mask: int | None = None
    count: int = 1
    data: bytes | None = None
    replace: bool = False
    new_key: bytes | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        """Refuse unknown kinds; tables become numbers."""
        if self.kind not in (known := self.known()):
            raise ValueError(f"unknown fault {self.kind!r}; known: {', '.join(known)}")
        if self.table is not None:
            object.__setattr__(self, "table", table_id(self.table))

    @classmethod
    def known(cls) -> Mapping[str, "Kind"]:
        """Return the kinds that there are."""
        return KINDS

    @classmethod
    def parse(cls, spec: str) -> Self:
        """Read ``kind:name=value,...``, e.g. ``refuse:table=BT23,request_code=0x30``.

        Bytes are hex digits. Raises ValueError for what is not understood.
        """
        kind, _, rest = spec.partition(":")
        values: dict[str, object] = {}
        for item in filter(None, rest.split(",")):
            name, equals, text = item.partition("=")
            if name not in _CONVERTERS or not equals:
                known = ", ".join(_CONVERTERS)
                raise ValueError(f"not understood: {item!r}; fields: {known}")
            values[name] = _CONVERTERS[name](text)
        return cls(kind=kind, **values)  # type: ignore[arg-type]

    @property
    def limit(self) -> int | None:
        """How many requests it hits; None for no limit."""
        lasts_by_itself = self.kind == "silence" and self.seconds is not None
        if self.times is None and (self.known()[self.kind].once or lasts_by_itself):
            return 1
        return self.times

    def concerns(self, request: Request) -> bool:
        """Tell whether a request is one of those that can meet this fault."""
        return self.table in {None, request.table} and self.request_code in {
            None,
            request.code,
        }


def _integer(text: str) -> int:
    return int(text, 0)


_BY_TYPE: dict[str, Callable[[str], object]] = {
    "table": table_id,
    "probability": float,
    "seconds": float,
    "data": bytes.fromhex,
    "new_key": bytes.fromhex,
    "replace": lambda text: text.lower() in {"1", "true", "yes"},
}
_CONVERTERS: dict[str, Callable[[str], object]] = {
    item.name: _BY_TYPE.get(item.name, _integer)
    for item in fields(Fault)
    if item.name != "kind"
}


@dataclass(slots=True)
class Exchange:
    """One request on its way through the meter, and what goes back."""

    request: Request
    lost: bool = False  # the meter never saw it
    refusal: int | None = None  # response code instead of what it would have answered
    reply_code: int | None = None
    frames: list[bytes] = field(default_factory=list)  # one after the other
    delay: float = 0.0  # seconds before the first frame
    disconnect: bool = False  # cut the connection after the frames
    faults: list[str] = field(default_factory=list)


class Victim(Protocol):
    """What a fault may touch of the meter."""

    random: Random
    key: bytes

    def fall_silent(self, seconds: float) -> None:
        """Ignore requests for so long."""

    def raise_interface_version(self) -> None:
        """Do what a change of the interface definition does."""

    def restart(self, seconds: float) -> None:
        """Lose the sequence number and be silent for a while."""

    def earlier_reply(self, table: int | None) -> bytes | None:
        """Return the last good reply for another table."""


type _Effect = Callable[[Victim, Fault, Exchange], None]


def _position(victim: Victim, fault: Fault, length: int) -> int:
    """Return the byte to hit."""
    if fault.at is not None:
        return min(fault.at, length - 1)
    return victim.random.randrange(length)


def _lose_request(victim: Victim, fault: Fault, exchange: Exchange) -> None:
    exchange.lost = True


def _silence(victim: Victim, fault: Fault, exchange: Exchange) -> None:
    exchange.lost = True
    if fault.seconds is not None:
        victim.fall_silent(fault.seconds)


def _restart(victim: Victim, fault: Fault, exchange: Exchange) -> None:
    exchange.lost = True
    victim.restart(2.0 if fault.seconds is None else fault.seconds)


def _change_key(victim: Victim, fault: Fault, exchange: Exchange) -> None:
    victim.key = fault.new_key or victim.random.randbytes(16)


def _sequence_jump(victim: Victim, fault: Fault, exchange: Exchange) -> None:
    victim.raise_interface_version()


def _refuse(victim: Victim, fault: Fault, exchange: Exchange) -> None:
    exchange.refusal = fault.code


def _lose_reply(victim: Victim, fault: Fault, exchange: Exchange) -> None:
    exchange.frames.clear()


def _late(victim: Victim, fault: Fault, exchange: Exchange) -> None:
    exchange.delay += 1.0 if fault.seconds is None else fault.seconds


def _double(victim: Victim, fault: Fault, exchange: Exchange) -> None:
    exchange.frames *= 2


def _each_frame(
    change: Callable[[Victim, Fault, bytearray], None],
) -> _Effect:
    """Make an effect of a function that changes the bytes of a frame."""

    def effect(victim: Victim, fault: Fault, exchange: Exchange) -> None:
        for index, frame in enumerate(exchange.frames):
            changed = bytearray(frame)
            change(victim, fault, changed)
            exchange.frames[index] = bytes(changed)

    return effect


def _truncate(victim: Victim, fault: Fault, frame: bytearray) -> None:
    del frame[_position(victim, fault, len(frame)) :]


def _corrupt(victim: Victim, fault: Fault, frame: bytearray) -> None:
    for _ in range(fault.count):
        mask = fault.mask or victim.random.randint(1, 255)
        frame[_position(victim, fault, len(frame))] ^= mask


def _drop_byte(victim: Victim, fault: Fault, frame: bytearray) -> None:
    for _ in range(min(fault.count, len(frame))):
        del frame[_position(victim, fault, len(frame))]


def _insert_noise(victim: Victim, fault: Fault, frame: bytearray) -> None:
    at = fault.at or 0
    frame[at:at] = fault.data or victim.random.randbytes(fault.count)


def _stale(victim: Victim, fault: Fault, exchange: Exchange) -> None:
    earlier = victim.earlier_reply(exchange.request.table)
    if earlier is None or not exchange.frames:
        return
    if fault.replace:
        exchange.frames.clear()
    exchange.frames.insert(0, earlier)


def _alert(victim: Victim, fault: Fault, exchange: Exchange) -> None:
    alerts = [ALERT] * fault.count
    exchange.frames[:] = [*alerts, *exchange.frames, *alerts]


def _disconnect(victim: Victim, fault: Fault, exchange: Exchange) -> None:
    _each_frame(_truncate)(victim, fault, exchange)
    exchange.disconnect = True


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of fault: what it does, before the meter looks at the request or after."""

    effect: _Effect
    about: str
    early: bool = False
    once: bool = False  # hits a single time unless told otherwise


KINDS: dict[str, Kind] = {
    "refuse": Kind(_refuse, "answers with `code` (0x0B, 0x0C, ...)", early=True),
    "lose_request": Kind(_lose_request, "never sees the request", early=True),
    "silence": Kind(
        _silence, "ignores everything for `seconds`, or until removed", early=True
    ),
    "restart": Kind(
        _restart,
        "new random sequence number, silent for `seconds` (2)",
        early=True,
        once=True,
    ),
    "change_key": Kind(_change_key, "other key: `new_key`", early=True, once=True),
    "sequence_jump": Kind(
        _sequence_jump,
        "number + 25 and interface version + 1, before the request",
        early=True,
        once=True,
    ),
    "lose_reply": Kind(_lose_reply, "acts on the request, the reply is lost"),
    "double": Kind(_double, "sends the reply twice"),
    "truncate": Kind(_each_frame(_truncate), "stops at byte `at`"),
    "corrupt": Kind(
        _each_frame(_corrupt), "XORs byte `at` with `mask` (`count` random bytes)"
    ),
    "drop_byte": Kind(_each_frame(_drop_byte), "leaves out `count` bytes at `at`"),
    "insert_noise": Kind(
        _each_frame(_insert_noise), "puts `data` or `count` random bytes at `at` (0)"
    ),
    "stale": Kind(
        _stale, "repeats a reply for another table before this one (or `replace`)"
    ),
    "alert": Kind(_alert, "`count` times 00 00 before and after the reply"),
    "late": Kind(_late, "answers `seconds` (1) later"),
    "disconnect": Kind(_disconnect, "cuts the connection at byte `at` of the reply"),
}


_numbers = count(1)


@dataclass(slots=True, eq=False)
class ActiveFault:
    """A fault that is switched on; ``remove()`` switches it off."""

    fault: Fault
    _active: list["ActiveFault"] = field(repr=False)
    number: int = field(default_factory=_numbers.__next__)
    seen: int = 0
    hits: int = 0

    def remove(self) -> None:
        """Switch it off; harmless when it is off."""
        if self in self._active:
            self._active.remove(self)

    def strikes(self, request: Request, random: Random) -> bool:
        """Count a request and tell whether it is hit."""
        if not self.fault.concerns(request):
            return False
        self.seen += 1
        limit = self.fault.limit
        if self.seen <= self.fault.skip or (limit is not None and self.hits >= limit):
            return False
        if self.fault.probability < 1 and random.random() >= self.fault.probability:
            return False
        self.hits += 1
        return True
