"""A minimal client of the optical port, to test the simulator with."""

from ...driven_clock import DrivenClock
from .line import OpticalLine
from .packets import ACK, CHARACTER_GAP, Packet, Receiver, cut
from .port import OpticalPort
from .settings import READ_KEY

_LARGEST = 0xFFFF


class Air:
    """A port with a clock that a test drives; ``heard`` is what it sent, and when."""

    def __init__(self, port: OpticalPort) -> None:
        """Hold a head to a port."""
        self.port = port
        self.clock = DrivenClock()
        self.heard: list[tuple[float, bytes]] = []
        self.cuts = 0
        self.line = OpticalLine(port, self.clock)
        self.line.connect(self._hear, self._cut)

    def _hear(self, data: bytes) -> None:
        self.heard.append((self.clock.time(), data))

    def _cut(self) -> None:
        self.cuts += 1

    def say(self, data: bytes) -> bytes:
        """Send bytes and return what comes back before time passes."""
        before = len(self.heard)
        self.line.feed(data)
        return b"".join(data for _, data in self.heard[before:])

    def wait(self, seconds: float) -> bytes:
        """Let time pass and return what comes meanwhile."""
        before = len(self.heard)
        end = self.clock.time() + seconds
        while (alarm := self.clock.next_alarm()) and alarm.when <= end:
            self.clock.ring()
        self.clock.move(end - self.clock.time())
        return b"".join(data for _, data in self.heard[before:])


class OpticalProbe:
    """Asks a port over the air; sends one request at a time, repeats nothing."""

    def __init__(self, air: Air) -> None:
        """Start with the toggle bit at 0."""
        self.air = air
        self.toggle = False
        self.size = 64
        self.packets: list[Packet] = []  # those of the last reply

    def packet(self, request: bytes) -> bytes:
        """Return the next packet, which holds a whole request."""
        self.toggle = not self.toggle
        return Packet(data=request, toggle=not self.toggle).encode()

    def send(self, request: bytes) -> bytes:
        """Send a request in as many packets as it takes and return the last answer."""
        answer = b""
        for packet in cut(request, self.size, self.toggle):
            answer = self.air.say(packet.encode())
            self.toggle = not packet.toggle
        return answer

    def ask(self, request: bytes) -> bytes:
        """Return the reply; ValueError when the port does not answer as it should."""
        answer = self.send(request)
        self.packets = []
        message, following = b"", 1
        while following:
            if not self.packets:
                if answer[:1] != ACK:
                    raise ValueError(f"not acknowledged: {answer.hex()}")
                answer = answer[1:]
            packet = _one(answer)
            self.packets.append(packet)
            message += packet.data
            following = packet.following
            answer = self.air.say(ACK)
        if answer:
            raise ValueError(f"more than a reply: {answer.hex()}")
        return message

    def open(self, key: bytes | None = READ_KEY) -> None:
        """Open a session; without a key it has no rights."""
        self.toggle = False
        self.size = 64
        if not self.air.say(self.packet(b"\x20")).startswith(ACK):
            self.toggle = False  # the same bytes again
            self.air.say(self.packet(b"\x20"))
        self.air.say(ACK)
        self.ask(log_on())
        if key is not None:
            self.ask(password(key))

    def read(self, table: int, offset: int, count: int) -> bytes:
        """Return the reply to a partial read, response code and all."""
        return self.ask(partial_read(table, offset, count))

    def close(self) -> None:
        """Log off and terminate."""
        self.ask(b"\x52")
        self.ask(b"\x21")


def _one(data: bytes) -> Packet:
    receiver = Receiver()
    receiver.most_data = _LARGEST
    found = receiver.feed(data, CHARACTER_GAP, 0.0)
    packets = [item for _, item in found if isinstance(item, Packet)]
    if len(packets) != 1 or packets[0].encode() != data:
        raise ValueError(f"not one packet: {data.hex()}")
    return packets[0]


def log_on(user: int = 1, name: bytes = b"HomeAssist") -> bytes:
    """Return a Logon request."""
    return b"\x50" + user.to_bytes(2) + name.ljust(10)


def password(key: bytes) -> bytes:
    """Return a Security request."""
    return b"\x51" + key.ljust(20, b"\0")


def full_read(table: int) -> bytes:
    """Return a request for a whole table."""
    return b"\x30" + table.to_bytes(2)


def partial_read(table: int, offset: int, count: int) -> bytes:
    """Return a request for a part of a table."""
    return b"\x3f" + table.to_bytes(2) + offset.to_bytes(3) + count.to_bytes(2)
