"""The drawings in docs/images/wiring_*.svg: the port of the meter and what to wire to it.

python -m tools.wiring    draw them

They follow the reader's choice of a light or a dark theme.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from .home_assistant import ROOT

FOLDER: Final = ROOT / "docs" / "images"

STYLE: Final = """
svg { --paper: #fff; --box: #f3f5f8; --ink: #1f2328; --soft: #59636e; --line: #b6bec8;
  --gnd: #424a53; --txd: #0969da; --rxd: #1a7f37; --enable: #b45309; --supply: #d1242f; }
@media (prefers-color-scheme: dark) { svg { --paper: #14181f; --box: #20262f;
  --ink: #f0f3f6; --soft: #a8b3bf; --line: #566170; --gnd: #c3ccd6; --txd: #58a6ff;
  --rxd: #4ac26b; --enable: #f0a742; --supply: #ff6b63; } }
text { font: 15px system-ui, "Segoe UI", Roboto, Helvetica, Arial, sans-serif; fill: var(--ink); }
.title { font-size: 18px; font-weight: 600; }
.soft { fill: var(--soft); font-size: 13px; }
.bold { font-weight: 600; }
.on { fill: var(--paper); font-weight: 600; }
.box { fill: var(--box); stroke: var(--line); stroke-width: 1.5; }
.wire { fill: none; stroke-width: 3.5; stroke-linecap: round; stroke-linejoin: round; }
.thin { fill: none; stroke: var(--line); stroke-width: 1.5; }
"""

GND, TXD, RXD, ENABLE, SUPPLY = "gnd", "txd", "rxd", "enable", "supply"


@dataclass(frozen=True, slots=True)
class Pin:
    """A pin of the port: what it is, where it is, and who drives it."""

    key: str
    name: str
    pin: int
    terminal: int


#: In the order of the wires in the drawings.
PINS: Final = (
    Pin(TXD, "TxD", 4, 30),
    Pin(RXD, "RxD", 3, 32),
    Pin(GND, "GND", 1, 36),
    Pin(ENABLE, "ENABLE", 2, 34),
    Pin(SUPPLY, "24 V", 5, 28),
)

TOP: Final = 62  # of the boxes
ROW: Final = 54  # from wire to wire
AT: Final = {pin.key: TOP + 62 + ROW * index for index, pin in enumerate(PINS)}
LEFT: Final = 238  # where the wires begin, at the meter

#: The pins of a 9-pin plug, as a computer has it.
PLUG: Final = {TXD: "2  RxD", RXD: "3  TxD", GND: "5  GND", ENABLE: "7  RTS"}

#: In, out of a MAX3232 on the side of the meter, then of the ESP32; its pins.
MAX3232: Final = {
    TXD: ("R2 in (8)", "R2 out (9)"),
    RXD: ("T2 out (7)", "T2 in (10)"),
    GND: ("GND (15)", "GND"),
    ENABLE: ("T1 out (14)", "T1 in (11)"),
}
#: As in esphome/generic.yaml.
ESP32: Final = {
    TXD: "GPIO16 (RX)",
    RXD: "GPIO17 (TX)",
    GND: "GND",
    ENABLE: "GPIO25",
}


def text(x: float, y: float, words: str, style: str = "", anchor: str = "start") -> str:
    """Return a line of text."""
    return (
        f'<text x="{x}" y="{y}" class="{style}" text-anchor="{anchor}">{words}</text>'
    )


def box(x: float, y: float, width: float, height: float, radius: float = 10) -> str:
    """Return a box."""
    return (
        f'<rect x="{x}" y="{y}" width="{width}" height="{height}" rx="{radius}"'
        ' class="box"/>'
    )


def frame(x: float, y: float, width: float, height: float, colour: str) -> str:
    """Return a rectangle of paper with a border of a colour."""
    return (
        f'<rect x="{x}" y="{y}" width="{width}" height="{height}" rx="6"'
        f' fill="var(--paper)" stroke="var(--{colour})" stroke-width="2.5"/>'
    )


def pad(x: float, y: float, width: float, height: float, key: str, label: str) -> str:
    """Return a pin or a terminal in its colour, with its number."""
    return (
        f'<rect x="{x}" y="{y}" width="{width}" height="{height}" rx="6"'
        f' fill="var(--{key})"/>'
        + text(x + width / 2, y + height / 2 + 6, label, "on", "middle")
    )


def dot(x: float, y: float, key: str) -> str:
    """Return the end of a wire."""
    return f'<circle cx="{x}" cy="{y}" r="6" fill="var(--{key})"/>'


def wire(x1: float, x2: float, key: str) -> str:
    """Return a wire towards the meter at the left, with an arrow if it has a direction."""
    y = AT[key]
    parts = [
        f'<path class="wire" stroke="var(--{key})" d="M{x1} {y}H{x2}"/>',
        dot(x1, y, key),
        dot(x2, y, key),
    ]
    if key != GND:
        step = 9 if key == TXD else -9
        tip = (x1 + x2) / 2 + step
        parts.append(f'<path fill="var(--{key})" d="M{tip} {y}l{-2 * step} -8v16z"/>')
    return "".join(parts)


def diode(x: float) -> str:
    """Return the diode in the wire of ENABLE, with its band towards the meter."""
    y = AT[ENABLE]
    return (
        f'<rect x="{x - 24}" y="{y - 9}" width="48" height="18" rx="4"'
        ' fill="var(--enable)"/>'
        f'<rect x="{x - 17}" y="{y - 9}" width="7" height="18" fill="var(--paper)"/>'
        + text(x - 24, y - 18, "diode: band towards the meter", "soft")
    )


def meter() -> str:
    """Return the meter with its five signals, and the supply pin left open."""
    y = AT[SUPPLY]
    parts = [box(28, TOP, 210, 316), text(44, TOP + 28, "Meter", "title")]
    for pin in PINS:
        where = f"pin {pin.pin} · terminal {pin.terminal}"
        parts += [
            text(44, AT[pin.key], pin.name, "bold"),
            text(44, AT[pin.key] + 17, where, "soft"),
            dot(LEFT, AT[pin.key], pin.key),
        ]
    return "".join(parts) + (
        '<path class="wire" stroke="var(--supply)"'
        f' d="M{LEFT} {y}h34m-8 -8l16 16m0 -16l-16 16"/>'
        + text(LEFT + 56, y, "Leave it open, insulate it:", "bold")
        + text(LEFT + 56, y + 18, "it destroys what it touches.", "soft")
    )


def home_assistant(x: float) -> str:
    """Return Home Assistant, at the right."""
    return (
        box(x, AT[TXD] - 10, 128, 100)
        + text(x + 64, AT[TXD] + 36, "Home", "bold", "middle")
        + text(x + 64, AT[TXD] + 56, "Assistant", "bold", "middle")
    )


def drawing(title: str, width: int, height: int, *parts: str) -> str:
    """Return a drawing on paper of its own, readable on any page."""
    body = "\n".join(parts)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}"'
        f' width="{width}" height="{height}" role="img">\n<title>{title}</title>\n'
        f"<style>{STYLE}</style>\n"
        f'<rect width="{width}" height="{height}" rx="14" fill="var(--paper)"/>\n'
        f"{body}\n</svg>\n"
    )


def port() -> str:
    """Draw the meter, and its port as you look into it."""
    parts = [
        text(28, 38, "Where the port is", "title"),
        box(28, 58, 240, 300, 18),
        frame(56, 84, 184, 62, "line"),
        text(228, 124, "004711 kWh", "bold", "end"),
        '<circle cx="82" cy="186" r="16" class="thin"/>',
        text(108, 182, "optical port", "soft"),
        text(108, 199, "(not this one)", "soft"),
        frame(56, 230, 184, 44, ENABLE),
        text(148, 258, "MEP", "bold", "middle"),
        text(148, 304, "mains terminals, sealed:", "soft", "middle"),
        text(148, 322, "never open them", "soft", "middle"),
        text(28, 388, "A sketch: models differ.", "soft"),
        text(28, 408, "Denmark, generation 3: behind a drawer.", "soft"),
        text(28, 428, "Austria: terminals under a cover.", "soft"),
        '<path class="thin" d="M240 230L330 84M240 274L330 300"/>',
        text(330, 38, "Looking into the meter's socket", "title"),
        text(330, 60, "Danish drawer, two rows of three pins, 2.54 mm apart", "soft"),
        box(330, 84, 330, 216, 16),
    ]
    places = {pin.pin: pin for pin in PINS}
    for number in range(1, 7):
        column, row = (number - 1) % 3, (number - 1) // 3
        x, y = 385 + 110 * column, 150 + 92 * row
        pin = places.get(number)
        parts += [
            pad(x - 21, y - 21, 42, 42, pin.key if pin else "line", str(number)),
            text(x, y - 29, pin.name if pin else "not used", "bold", "middle"),
        ]
    parts += [
        text(330, 326, "Which way up? Measure from 1 to 5, with a voltmeter:", "bold"),
        text(330, 346, "24 to 26 V: this way. Nothing: turn the drawing upside down."),
        text(
            330, 366, "On the pins of a plug in your hand, left and right are swapped."
        ),
        text(330, 402, "Terminals of 83332-3I and 83334-3I, by their number", "bold"),
    ]
    for index, pin in enumerate(sorted(PINS, key=lambda pin: pin.terminal)):
        x = 330 + 86 * index
        parts += [
            pad(x, 416, 78, 36, pin.key, str(pin.terminal)),
            text(x + 39, 472, pin.name, "bold", "middle"),
        ]
    return drawing("The port of the meter", 812, 496, *parts)


def usb() -> str:
    """Draw a USB/RS-232 adapter at the meter."""
    parts = [
        text(28, 38, "USB/RS-232 adapter", "title"),
        meter(),
        box(520, TOP, 160, 246),
        text(536, TOP + 28, "9-pin plug", "title"),
        diode(300),
    ]
    for key, name in PLUG.items():
        parts += [wire(LEFT, 520, key), text(536, AT[key] + 5, name, "bold")]
    middle = AT[TXD] + 40
    parts += [
        f'<path class="wire" stroke="var(--line)" d="M680 {middle}H720M790 {middle}H826"/>',
        box(720, middle - 30, 70, 60, 8),
        text(755, middle - 4, "USB", "bold", "middle"),
        text(755, middle + 15, "isolator", "soft", "middle"),
        home_assistant(826),
    ]
    return drawing("A USB/RS-232 adapter at the meter", 982, 406, *parts)


def esp32() -> str:
    """Draw an ESP32 and a MAX3232 at the meter."""
    power = AT[SUPPLY]
    parts = [
        text(28, 38, "ESP32 with a MAX3232", "title"),
        meter(),
        box(520, TOP, 230, 316),
        text(536, TOP + 28, "MAX3232", "title"),
        box(850, TOP, 150, 316),
        text(866, TOP + 28, "ESP32", "title"),
        diode(300),
        f'<path class="wire" stroke="var(--ink)" d="M750 {power}H850"/>',
        text(734, power + 5, "VCC (16)", "bold", "end"),
        text(866, power + 5, "3.3 V", "bold"),
        f'<path class="wire" stroke="var(--line)" d="M925 {TOP + 316}v34h-30"/>',
        text(884, TOP + 346, "USB power supply, 5 V,", "bold", "end"),
        text(884, TOP + 364, "an ordinary plug-in one", "soft", "end"),
        text(
            28, TOP + 346, "In brackets: pins of the chip. Modules print names", "soft"
        ),
        text(
            28,
            TOP + 364,
            "and have the five capacitors (100 nF) that it needs.",
            "soft",
        ),
    ]
    for key, (left, right) in MAX3232.items():
        parts += [
            wire(LEFT, 520, key),
            wire(750, 850, key),
            text(536, AT[key] + 5, left, "bold"),
            text(734, AT[key] + 5, right, "bold", "end"),
            text(866, AT[key] + 5, ESP32[key], "bold"),
        ]
    return drawing("An ESP32 and a MAX3232 at the meter", 1028, 452, *parts)


def server() -> str:
    """Draw a serial server at the meter, with a fixed voltage at ENABLE."""
    minus = AT[ENABLE] - 27
    parts = [
        text(28, 38, "Serial server", "title"),
        meter(),
        box(520, TOP, 160, 184),
        text(536, TOP + 28, "RS-232 port", "title"),
        box(520, TOP + 188, 260, 60),
        f'<path class="wire" stroke="var(--gnd)" d="M490 {AT[GND]}V{minus + 5}H520"/>',
        dot(490, AT[GND], GND),
        dot(520, minus + 5, GND),
        text(536, minus + 11, "&#8722;", "title"),
        wire(LEFT, 520, ENABLE),
        text(536, AT[ENABLE] + 6, "+", "title"),
        text(570, AT[ENABLE] - 6, "plug-in supply, 9 V DC", "bold"),
    ]
    for key in (TXD, RXD, GND):
        parts += [wire(LEFT, 520, key), text(536, AT[key] + 5, PLUG[key], "bold")]
    middle = AT[TXD] + 40
    parts += [
        f'<path class="wire" stroke="var(--line)" d="M680 {middle}H826"/>',
        text(753, middle - 12, "network", "soft", "middle"),
        home_assistant(826),
    ]
    return drawing("A serial server at the meter", 982, 406, *parts)


DRAWINGS: Final[dict[str, Callable[[], str]]] = {
    "wiring_port": port,
    "wiring_usb": usb,
    "wiring_esp32": esp32,
    "wiring_server": server,
}


def path(name: str) -> Path:
    """Return where a drawing is kept."""
    return FOLDER / f"{name}.svg"


if __name__ == "__main__":
    for name, draw in DRAWINGS.items():
        path(name).write_text(draw(), "utf-8")
