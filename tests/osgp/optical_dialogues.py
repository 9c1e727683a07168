"""Dialogues with the simulated optical port: those that are published, played back."""

from dataclasses import replace
import json
from pathlib import Path
from typing import Any, override

from tests.simulator import PROFILES, OpticalPort, OpticalSettings, SimulatedMeter
from tests.simulator.optical.packets import ACK
from tests.simulator.optical.probe import Air
from tests.simulator.tables import TableBytes

VECTORS: dict[str, Any] = json.loads(
    (Path(__file__).parent / "optical_vectors.json").read_text(encoding="utf-8")
)
BYTES: dict[str, bytes] = {
    vector["name"]: bytes.fromhex(vector["hex"]) for vector in VECTORS["vectors"]
}
PACKETS = [vector for vector in VECTORS["vectors"] if vector["kind"] == "packet"]
PASSWORD: bytes = VECTORS["password"].encode()

type Steps = list[tuple[str, bytes]]

DIALOGUES: dict[str, Steps] = {
    dialogue["name"]: [(who, bytes.fromhex(data)) for who, data in dialogue["steps"]]
    for dialogue in VECTORS["dialogues"]
}
PLAIN = OpticalSettings(identifies_fully=False)


def data_of(name: str) -> bytes:
    """Return the table data in a reply: without code, count and checksum."""
    return BYTES[name][6 + 3 : -3]


class MeterOfVectors(SimulatedMeter):
    """A meter some of whose tables are as short, or as long, as those of the vectors."""

    def __init__(self, **options: Any) -> None:
        """Switch it on."""
        self.known: dict[int, bytes] = {}
        super().__init__(PROFILES["gen3"], paced=False, **options)

    @override
    def content(self, number: int) -> TableBytes | None:
        return self.known.get(number) or super().content(number)


def a_port(
    settings: OpticalSettings = PLAIN, *, profile: str = "gen3", **options: Any
) -> OpticalPort:
    """Return the port of a meter that answers at once, with the vectors' key."""
    meter = SimulatedMeter(PROFILES[profile], paced=False)
    meter.freeze()
    options.setdefault("read_only_key", PASSWORD)
    return OpticalPort(meter, settings, **options)


def vectors_port(**settings: Any) -> OpticalPort:
    """Return a port whose tables are those of the vectors."""
    bt28 = BYTES["reply-read-bt28-80-packet-1-of-2"][9:-2]
    bt28 += BYTES["reply-read-bt28-80-packet-2-of-2"][6:-3]
    first, *others = (f"reply-read-bt23-full-packet-{n}-of-4" for n in range(1, 5))
    bt23 = BYTES[first][9:-2] + b"".join(BYTES[name][6:-2] for name in others)
    meter = MeterOfVectors()
    meter.known = {
        0: data_of("reply-read-bt00-19"),
        1: data_of("reply-read-bt01-24"),
        21: data_of("reply-read-bt21"),
        23: bt23[:-1],
        28: bt28,
        2051: data_of("reply-read-et03-partial"),
    }
    return OpticalPort(meter, replace(PLAIN, **settings), read_only_key=PASSWORD)


def in_session(port: OpticalPort, key: bytes = PASSWORD) -> Air:
    """Return the air between a client with a session and a port; next toggles are 0."""
    air = Air(port)
    requests = ["request-ident", "request-negotiate-61", "request-logon"]
    packets = [BYTES[name] for name in requests]
    if port.settings.shares_uart is not False and not port.meter.profile.generation4:
        air.say(packets[0])
    for packet in packets:
        assert air.say(packet).startswith(ACK)
        assert air.say(ACK) == b""
    if key == PASSWORD:
        assert air.say(BYTES["request-security"]).startswith(ACK)
        assert air.say(ACK) == b""
    return air


def play(air: Air, steps: Steps) -> None:
    """Say what the client says and expect what the meter says, in order.

    Where the meter has to say something unasked, time passes until it does.
    """
    heard = b""
    for who, data in steps:
        if who == "client":
            assert heard == b""
            heard = air.say(data)
        else:
            if data and not heard:
                heard = air.wait(2.1)
            assert heard.startswith(data), f"{heard.hex()} is not {data.hex()}"
            heard = heard[len(data) :]
    assert heard == b""
