"""The meter's end of the link: acknowledgements, repetitions, duplicates, messages."""

from collections import deque
from dataclasses import replace
from typing import Protocol

from ..packet import Request
from .codes import Code
from .faults import Moment, OpticalExchange, apply
from .packets import HEAD, NAK, OVERHEAD, START, Packet, Received, Receiver, Signal, cut
from .port import OpticalPort
from .settings import FirstPacket

ACK_TIME = 2.0  # seconds in which an acknowledgement has to come
REPETITIONS = 3
_NOTHING = Request(code=-1)


class Wire(Protocol):
    """What takes the meter's bytes away."""

    def send(self, data: bytes, when: float, *, pause: float = 0.0) -> float:
        """Send bytes at a time, or later; return when the last of them has left."""

    def hang_up(self, when: float) -> None:
        """Cut the connection."""


class Link:
    """Takes what the client sends and sends what the meter answers.

    All times are seconds of one clock. A packet counts as the one before, and is not
    carried out again, when toggle bit and CRC are those of the last one.
    """

    def __init__(self, port: OpticalPort, wire: Wire) -> None:
        """Connect a port with a wire."""
        self.receiver = Receiver()
        self.ack_due: float | None = None
        self._port = port
        self._wire = wire
        self._forget()

    def _forget(self) -> None:
        """Start again, without a session."""
        self._epoch = self._port.epoch
        self._last: bytes | None = None  # control byte and CRC of the last packet
        self._toggle = False  # of the next packet that is sent
        self._message = b""  # what came of a message of several packets
        self._due = -1  # how many of its packets follow the next one
        self._request = _NOTHING
        self._is_switching = False  # the shared UART, by the packet that is coming
        self._stop()

    def _stop(self) -> None:
        """Send nothing any more."""
        self._outgoing: deque[bytes] = deque()
        self._repeated = 0
        self.ack_due = None
        self._port.is_awaiting = False

    def refresh(self) -> None:
        """Notice what time has done to the session."""
        self._port.expire()
        if self._port.epoch != self._epoch:
            self._forget()
        self.receiver.most_data = self._port.session.packet_size - OVERHEAD

    def notice(self, data: bytes, when: float) -> None:
        """Look for a start byte, which switches the shared UART."""
        if START in data and self._port.switch_uart(when):
            self._is_switching = True

    def take(self, received: Received, when: float) -> None:
        """Deal with what came."""
        self.refresh()
        if self._port.is_deaf:
            return
        match received:
            case Signal.ACK:
                self._acknowledged(when)
            case Signal.NAK:
                if self.ack_due is not None:
                    self._repeat(when)
            case Signal.BROKEN:
                self._broken(when)
            case _:
                self._packet(received, when)
        self.refresh()

    def wait(self, now: float) -> None:
        """Let time pass: an acknowledgement may be overdue."""
        self.refresh()
        if self.ack_due is not None and now >= self.ack_due:
            self._repeat(self.ack_due)
        self.refresh()

    # What comes

    def _switched(self, when: float) -> bool:
        """Tell whether a packet was lost because it switched the shared UART."""
        first = self._port.settings.first_packet
        was_switching, self._is_switching = self._is_switching, False
        if not was_switching or first is FirstPacket.TAKEN:
            return False
        if first is FirstPacket.REFUSED:
            self._wire.send(NAK, when)
        return True

    def _broken(self, when: float) -> None:
        self._port.counts["broken"] += 1
        if not self._switched(when):
            self._wire.send(NAK, when)

    def _packet(self, packet: Packet, when: float) -> None:
        if self._switched(when):
            return
        request = _NOTHING
        if packet.first or not packet.multi:
            request = Request.parse_packet(packet.data)
        port = self._port
        exchange = apply(port, port.faults, Moment.REQUEST, request)
        if exchange.lost:
            return
        if exchange.is_refused:
            self._wire.send(NAK, when)
            return
        self._right(packet, exchange, when)
        if exchange.is_doubled:
            self._right(packet, exchange, when)

    def _right(self, packet: Packet, exchange: OpticalExchange, when: float) -> None:
        """Acknowledge a right packet, and carry it out if it is a new one."""
        self._port.hear(when)
        mark = _mark(packet)
        if mark == self._last:
            self._port.counts["duplicates"] += 1
            self._acknowledge(exchange, when)
            return
        if self.ack_due is not None:
            self._finish()  # who asks again has the reply
            self.refresh()
        self._last = mark
        acknowledged = self._acknowledge(exchange, when)
        if (message := self._joined(packet)) is None:
            return
        self._request = exchange.request
        if packet.multi:
            self._request = Request.parse_packet(message)
        size, epoch = self._port.session.packet_size, self._port.epoch
        reply = self._port.serve(message, exchange, when)
        if reply and self._port.epoch == epoch:
            self._answer(reply, size, acknowledged)

    def _acknowledge(self, exchange: OpticalExchange, when: float) -> float:
        return self._wire.send(exchange.answer, when) if exchange.answer else when

    def _joined(self, packet: Packet) -> bytes | None:
        """Return a message once it is whole; parts that do not fit are dropped."""
        if not packet.multi:
            self._due = -1
            return packet.data
        if packet.first:
            self._message = b""
        elif packet.following != self._due:
            self._due = -1
            return None
        self._message += packet.data
        self._due = packet.following - 1
        return None if packet.following else self._message

    # What goes

    def _answer(self, message: bytes, size: int, when: float) -> None:
        packets = list(cut(message, size, self._toggle))
        if self._port.settings.alternates:
            self._toggle = not packets[-1].toggle
        else:
            packets = [replace(packet, toggle=False) for packet in packets]
        self._outgoing = deque(packet.encode() for packet in packets)
        self._port.is_awaiting = True
        self._transmit(when + self._port.reply_delay)

    def _transmit(self, when: float) -> None:
        """Send the packet that is due, and expect its acknowledgement."""
        packet, port = self._outgoing[0], self._port
        exchange = apply(port, port.faults, Moment.REPLY, self._request, packet)
        when += exchange.delay
        for frame in exchange.frames:
            head, tail = frame, b""
            if exchange.pause:
                head, tail = frame[: exchange.pause_at], frame[exchange.pause_at :]
            when = self._wire.send(head, when)
            if tail:
                when = self._wire.send(tail, when, pause=exchange.pause)
        if exchange.disconnect:
            self._wire.hang_up(when)
        self.ack_due = when + ACK_TIME

    def _acknowledged(self, when: float) -> None:
        if self.ack_due is None:
            return
        port = self._port
        if apply(port, port.faults, Moment.ACKNOWLEDGEMENT, self._request).lost:
            return
        port.hear(when, packet=False)
        packet = self._outgoing.popleft()
        if self._request.table is not None and packet[HEAD] == Code.OK:
            port.remember_reply(self._request.table, packet)
        self._repeated = 0
        if self._outgoing:
            self._transmit(when)
        else:
            self._finish()

    def _repeat(self, when: float) -> None:
        """Send the same packet again, or give the session up."""
        self._repeated += 1
        if self._repeated > REPETITIONS:
            self._port.counts["lost_sessions"] += 1
            self._finish()
            self._port.end()
            return
        self._port.counts["repetitions"] += 1
        self._transmit(when)

    def _finish(self) -> None:
        self._stop()
        self._port.finish()


def _mark(packet: Packet) -> bytes:
    """Return what tells a packet from the one before: toggle bit and CRC."""
    return bytes([packet.toggle]) + packet.encode()[-2:]
