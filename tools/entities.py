"""The table of entities in docs/entities.md, made from the descriptions.

python -m tools.entities          print it
python -m tools.entities --write  put it into that page
"""

import argparse
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
import json
from pathlib import Path
import re
from typing import Any, Final

# Home Assistant puts another library in the place of voluptuous, so it comes first.
import homeassistant.const  # noqa: F401  # isort: skip

from custom_components.nes_mep.binary_sensor import LINK_PROBLEM
from custom_components.nes_mep.calendar import TARIFFS_DESCRIPTION
from custom_components.nes_mep.descriptions import (
    BINARY_SENSORS,
    HISTORY_PROGRESS,
    LINK_SENSORS,
    PEAK_SENSORS,
    REGISTER_SENSORS,
    SLOW_TABLE_SENSORS,
    describe_sensor,
)
from custom_components.nes_mep.event import LINK_DESCRIPTION, METER_EVENT_DESCRIPTION
from custom_components.nes_mep.mbus import LAST_READING, QUANTITIES
from custom_components.nes_mep.osgp.register_descriptions import (
    APPARENT_ENERGIES,
    PRESENT_VALUES,
    SUMMATIONS,
    RegisterDescription,
)
from custom_components.nes_mep.selection import depends_on_export
from homeassistant.helpers.entity import EntityDescription

ROOT: Final = Path(__file__).parents[1]
PAGE: Final = ROOT / "docs" / "entities.md"
BEGIN: Final = "<!-- entities: made by python -m tools.entities --write -->"
END: Final = "<!-- end of entities -->"

_TEXTS: Final[dict[str, dict[str, Any]]] = json.loads(
    (ROOT / "custom_components/nes_mep/translations/en.json").read_text()
)["entity"]

_HEADING: Final = (
    "| entity | key | source | unit | class | meters | at first |",
    "| --- | --- | --- | --- | --- | --- | --- |",
)
_NUMBERS: Final = re.compile(r"_tariff_\d|_l\d_l\d|_l\d|_q\d|_relay_\d|_text_\d")
_RANGES: Final = {
    "_tariff_": "_tariff_1..8",
    "_l": "_l1..3",
    "_q": "_q1..4",
    "_relay_": "_relay_1..2",
    "_text_": "_text_1..8",
}
_PLACEHOLDERS: Final = {
    "phase": "L1..L3",
    "phases": "L1-L2, …",
    "quadrant": "Q1..Q4",
    "quantity": "…",
    "demand": "…",
    "number": "1, 2",
    "text": "1..8",
}
_SINCE: Final = (
    (range(104, 108), "3.10+"),
    (range(108, 112), "4.0+, with demand"),
    (range(185, 200), "3.50+"),
    (range(202, 216), "3.70+"),
    (range(216, 233), "4.0+"),
    (range(233, 236), "4.10+"),
    (range(236, 245), "4.30+"),
)
"""Firmware that brought the sources (the guide's tables of BT23 and BT28)."""

_SUBJECTS: Final = (
    (r"clock_drift", "BT52 against Home Assistant", "all"),
    (r"active_tariff|season|tariff_control|daylight_saving", "BT55", "all"),
    (r"next_tariff.*|tariff_calendar", "BT54", "with several tariffs"),
    (r"message", "ET55", "once it had a message"),
    (r"display_text.*", "ET97", "3.82, 4.02+"),
    (r"disconnect_state", "ET23", "with a load disconnect"),
    (r"alarm_neutral_fault|alarm_unbalanced_voltage", "BT03", "3.60+"),
    (r"alarm_disconnect_error|alarm_prepay_.*", "BT03", "with a load disconnect"),
    (r"alarm_load_side_voltage", "BT03", "3.30+, with a load disconnect"),
    (r"alarm_.*", "BT03", "all"),
    (r"control_relay_\d", "BT03", "with the relay (2: 4.30+)"),
    (r"control_relay_.*", "ET54", "with the relay (2: 4.30+)"),
    (r"absent_phases", "ET04", "all"),
    (r"phase_rotation", "ET04", "with several phases"),
    (r"miswiring", "ET54", "3.60+"),
    (r"power_limit.*", "ET80", "3.70+, with a load disconnect"),
    (r"last_cut_off", "ET46", "3.70+, with a load disconnect"),
    (r"step_tariff", "ET54", "with step tariffs"),
    (
        r"last_billing_date|billing_.*",
        "BT26, else ET41 or BT25",
        "with self-reads or demand",
    ),
    (r"last_outage.*", "ET81, else ET09", "all"),
    (r".*_thd_.*", "ET09", "3.10+"),
    (r"deep_sags.*", "ET09", "4.10+"),
    (r".*", "ET09", "all"),
)
"""Where the values of slower tables come from, by key; the first that fits counts."""

_DEMANDS: Final = (
    ("present_demand_power_import", "BT28"),
    ("previous_demand_power_import", "BT28"),
    ("maximum_demand_power_import", "BT23"),
    ("maximum_demand_power_import_time", "BT23"),
    ("minimum_demand_power_import", "BT23"),
    ("minimum_demand_power_import_time", "BT23"),
    ("cumulative_demand_power_import", "BT23"),
    ("continuous_cumulative_demand_power_import", "BT23"),
    ("coincident_power_import_at_maximum_demand_power_import", "BT23"),
    ("coincident_power_import_at_minimum_demand_power_import", "BT23"),
    ("demand_resets", "BT23"),
)
"""Examples of demand registers, which exist for every present value."""


@dataclass(frozen=True, slots=True)
class Row:
    """A row of the table: entities that differ in a number only.

    has_tariffs says that the same exists for each tariff, off at first.
    """

    name: str
    key: str
    source: str
    unit: str
    device_class: str
    meters: str
    at_first: str
    has_tariffs: bool = False

    @property
    def markdown(self) -> str:
        """The row in Markdown."""
        shares = f", `{_RANGES['_tariff_']}`" if self.has_tariffs else ""
        cells = (
            self.name,
            f"`{self.key}`{shares}",
            self.source,
            self.unit or "–",
            self.device_class or "–",
            self.meters,
            self.at_first,
        )
        return f"| {' | '.join(cells)} |"


def collapsed(key: str) -> str:
    """Return a key with ranges in the place of its numbers."""

    def collapse(match: re.Match[str]) -> str:
        number = match[0]
        return (
            "_l1_l2, …"
            if number.count("_l") > 1
            else _RANGES[number.rstrip("0123456789")]
        )

    return _NUMBERS.sub(collapse, key)


def _row(
    platform: str, description: EntityDescription, key: str, source: str, meters: str
) -> Row:
    texts = _TEXTS[platform][description.translation_key or ""]
    name: str = texts["name"]
    for placeholder, text in _PLACEHOLDERS.items():
        name = name.replace(f"{{{placeholder}}}", text)
    unit = getattr(description, "native_unit_of_measurement", None)
    return Row(
        name=name,
        key=key,
        source=source,
        unit=str(unit or texts.get("unit_of_measurement", "")),
        device_class=str(description.device_class or ""),
        meters=meters,
        at_first=_at_first(description),
    )


def _at_first(description: EntityDescription) -> str:
    """Return whether a sensor is enabled by default."""
    if not description.entity_registry_enabled_default:
        return "no"
    return "with export" if depends_on_export(description.key) else "yes"


def _sources(registers: list[RegisterDescription]) -> str:
    """Return the source ids of registers, those after transformer ratios first."""
    after = [r.source_after_ratio for r in registers if r.source_after_ratio]
    plain = _range([register.source for register in registers])
    return f"{_range(after)}, else {plain}" if after else plain


def _range(numbers: list[int]) -> str:
    first, last = min(numbers), max(numbers)
    if len(numbers) > 2 and len(numbers) == last - first + 1:
        return f"{first}..{last}"
    return ", ".join(map(str, numbers))


def _since(source: int) -> str:
    return next((text for sources, text in _SINCE if source in sources), "all")


def _register_rows() -> Iterator[Row]:
    """Return the rows of registers: totals, shares of tariffs, present values."""
    tables = {
        **{r.key: ("BT23", r) for r in SUMMATIONS},
        **{r.key: ("BT23 by position", r) for r in APPARENT_ENERGIES},
        **{r.key: ("BT28", r) for r in PRESENT_VALUES},
    }
    groups: dict[str, list[str]] = {}
    for key in REGISTER_SENSORS:
        if "_tariff_" not in key:
            groups.setdefault(collapsed(key), []).append(key)
    for group, keys in groups.items():
        source, meters = "import minus export", "all"
        if group != "power_net":
            table = tables[keys[0]][0]
            registers = [tables[key][1] for key in keys]
            apparent = registers[0] in APPARENT_ENERGIES
            meters = "4.0+" if apparent else _since(registers[0].source)
            source = f"{table} {_sources(registers)}"
        row = _row("sensor", REGISTER_SENSORS[keys[0]], group, source, meters)
        has_tariffs = f"{keys[0]}_tariff_1" in REGISTER_SENSORS
        yield replace(row, has_tariffs=has_tariffs)


def _demand_rows() -> Iterator[Row]:
    """Return the rows of demands."""
    for key, table in _DEMANDS:
        description = describe_sensor(key)
        assert description is not None
        shown = key.replace("power_import", "KEY")
        row = _row("sensor", description, shown, table, "with demand")
        if description.native_unit_of_measurement:
            row = replace(row, unit="as KEY", device_class="as KEY")
        has_tariffs = table == "BT23" and "KEY" in shown
        yield replace(row, has_tariffs=has_tariffs)


def _subject_rows() -> Iterator[Row]:
    """Return the rows of what is read at a slower pace."""
    seen: set[str] = set()
    for platform, descriptions in (
        ("sensor", SLOW_TABLE_SENSORS),
        ("binary_sensor", BINARY_SENSORS),
        ("calendar", {TARIFFS_DESCRIPTION.key: TARIFFS_DESCRIPTION}),
    ):
        for key, description in descriptions.items():
            if re.search(r"_tariff_\d", key) or (group := collapsed(key)) in seen:
                continue
            seen.add(group)
            source, meters = next(
                (source, meters)
                for pattern, source, meters in _SUBJECTS
                if re.fullmatch(pattern, key)
            )
            row = _row(platform, description, group, source, meters)
            has_tariffs = f"{key}_tariff_1" in descriptions
            yield replace(row, has_tariffs=has_tariffs)
    yield _row(
        "event",
        METER_EVENT_DESCRIPTION,
        METER_EVENT_DESCRIPTION.key,
        "BT74, ET79",
        "with an event log",
    )
    yield _row(
        "sensor",
        HISTORY_PROGRESS,
        HISTORY_PROGRESS.key,
        "BT64..BT67",
        "all",
    )


def _peak_rows() -> Iterator[Row]:
    """Return the rows of averages and peaks."""
    for key, description in PEAK_SENSORS.items():
        register = description.register
        yield _row("sensor", description, key, register, f"with {register}")


def _link_rows() -> Iterator[Row]:
    """Return the rows of the link."""
    yield _row("binary_sensor", LINK_PROBLEM, LINK_PROBLEM.key, "the link", "all")
    yield _row("event", LINK_DESCRIPTION, LINK_DESCRIPTION.key, "the link", "all")
    for description in LINK_SENSORS.values():
        yield _row("sensor", description, description.key, "the link", "all")


def _mbus_rows() -> Iterator[Row]:
    """Return the rows of M-Bus meters, units as their telegrams say."""
    source, meters = "ET16, ET45, ET74", "with M-Bus"
    for quantity, meaning in QUANTITIES.items():
        texts = _TEXTS["sensor"][f"mbus_{quantity}"]
        yield Row(
            name=texts["name"],
            key=f"mbus_…_{quantity}",
            source=source,
            unit="as sent",
            device_class=str(meaning.device_class or ""),
            meters=meters,
            at_first="yes",
        )
    key = f"mbus_…_{LAST_READING.key}"
    yield _row("sensor", LAST_READING, key, source, meters)


def rows() -> Iterable[Row]:
    """Return all rows."""
    for part in (
        _register_rows,
        _demand_rows,
        _subject_rows,
        _peak_rows,
        _link_rows,
        _mbus_rows,
    ):
        yield from part()


def table() -> str:
    """Return the table in Markdown."""
    return "\n".join((*_HEADING, *(row.markdown for row in rows())))


def main() -> None:
    """Print the table or put it into that page."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--write", action="store_true", help="change the page")
    if not parser.parse_args().write:
        print(table())
        return
    before, _, rest = PAGE.read_text().partition(BEGIN)
    _, _, after = rest.partition(END)
    PAGE.write_text(f"{before}{BEGIN}\n\n{table()}\n\n{END}{after}")


if __name__ == "__main__":
    main()
