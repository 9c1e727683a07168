"""Tests of the drawings of the port and its wiring."""

import re
from xml.etree import ElementTree

import pytest
import yaml

from tools.wiring import DRAWINGS, ESP32, PINS, path

from .test_docs import ROOT


@pytest.mark.parametrize("name", DRAWINGS)
def test_drawings_are_up_to_date(name: str) -> None:
    """The pictures are what the program draws (`python -m tools.wiring`), and are XML."""
    drawn = DRAWINGS[name]()
    assert path(name).read_text("utf-8") == drawn
    ElementTree.fromstring(drawn)  # noqa: S314 -- it is ours


def test_table_of_pins() -> None:
    """The page says of each pin what the drawings show."""
    page = (ROOT / "docs" / "hardware.md").read_text("utf-8")
    rows = re.findall(
        r"^\| (\w+(?: V)?)[^|]* \|(?:[^|]*\|){2} (\d) \| (\d\d) \|$", page, re.MULTILINE
    )
    assert {(name, int(pin), int(terminal)) for name, pin, terminal in rows} == {
        (pin.name, pin.pin, pin.terminal) for pin in PINS
    }


def test_pins_of_esp32() -> None:
    """The drawing has the pins of the configuration for boards of one's own."""
    text = (ROOT / "esphome" / "generic.yaml").read_text("utf-8")
    pins = yaml.safe_load(text.partition("\npackages:")[0])["substitutions"]
    assert {key: name.split()[0] for key, name in ESP32.items()} == {
        "rxd": pins["tx_pin"],
        "txd": pins["rx_pin"],
        "enable": pins["enable_pin"],
        "gnd": "GND",
    }
