"""Command line: the output, for people and as JSON."""

from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
import json
import re
import shutil
import sys
import textwrap
from typing import Any

from ..errors import MeterError
from ..layout import Readings
from ..meter import Meter

_INDENT = "  "
_TARIFF = re.compile(r"(.+)_tariff_(\d+)")


def print_facts(facts: Mapping[str, Any], *, as_json: bool) -> None:
    """Print facts as one JSON object, or line by line for people."""
    if as_json:
        print(json.dumps(facts, default=_plain), flush=True)
    else:
        width = shutil.get_terminal_size().columns
        print("\n".join(_fact_lines(facts, width, "")))


def _plain(value: object) -> str:
    """Return a text for what JSON does not have: times, in ISO 8601."""
    return value.isoformat() if isinstance(value, datetime) else str(value)


def _fact_lines(facts: Mapping[str, Any], width: int, indent: str) -> Iterator[str]:
    """Yield lines of a width with facts, groups of them last and below a heading."""
    column = max(map(len, facts)) + len(_INDENT)
    groups_last = sorted(facts.items(), key=lambda fact: isinstance(fact[1], Mapping))
    for name, value in groups_last:
        if isinstance(value, Mapping):
            yield ""
            yield f"{indent}{name}"
            yield from _fact_lines(value, width, indent + _INDENT)
            continue
        if isinstance(value, list | tuple):
            value = ", ".join(map(str, value))
        yield from textwrap.wrap(
            str(value).strip() or "-",
            width,
            initial_indent=f"{indent}{name:{column}}",
            subsequent_indent=f"{indent}{'':{column}}",
            break_long_words=False,
            break_on_hyphens=False,
        )


def print_readings(
    meter: Meter, readings: Readings, *, as_json: bool, all_tariffs: bool
) -> None:
    """Print the values of one poll, and the tables that could not be read."""
    if as_json:
        facts: dict[str, Any] = {
            "serial_number": meter.identity.serial_number,
            "time": _now(),
            "readings": readings.values,
        }
        if readings.errors:
            facts["errors"] = {name: str(err) for name, err in readings.errors.items()}
        print_facts(facts, as_json=True)
        return
    print(f"Meter {meter.identity.serial_number} at {_now()}")
    shown = readings.values if all_tariffs else _without_unused(readings.values)
    for key, value in shown.items():
        unit = meter.registers[key].unit or ""
        print(f"  {key:32} {_text(value):>14} {unit}".rstrip())
    if unused := len(readings.values) - len(shown):
        print(f"  {unused} registers of unused tariffs are left out: --all shows them")
    for err in readings.errors.values():
        print(f"  {err}")
    print(end="", flush=True)


def _text(value: object) -> str:
    return "-" if value is None else str(value)


def _without_unused[T](values: Mapping[str, T]) -> Mapping[str, T]:
    """Return values without those of tariffs above the last one that has counted.

    Meters have registers for up to 8 tariffs, and most grid companies use 1 or 2.
    """
    used = max((_tariff(key) for key, value in values.items() if value), default=0)
    return {key: value for key, value in values.items() if _tariff(key) <= used}


def _tariff(key: str) -> int:
    """Return the tariff that a register belongs to, 0 for the totals and the rest."""
    found = _TARIFF.fullmatch(key)
    return int(found[2]) if found else 0


def tariffs_together(keys: Iterable[str]) -> list[str]:
    """Return register keys, with the tariffs of each combined into one item."""
    highest: dict[str, int] = {}
    for key in keys:
        found = _TARIFF.fullmatch(key)
        highest[found[1] if found else key] = int(found[2]) if found else 0
    return [
        f"{key} (and tariffs 1 to {tariff})" if tariff else key
        for key, tariff in highest.items()
    ]


def print_failure(err: MeterError, *, as_json: bool) -> None:
    """Print the error of a poll that failed."""
    if as_json:
        failure = {"type": type(err).__name__, "message": str(err)}
        print_facts({"time": _now(), "error": failure}, as_json=True)
    else:
        print(f"{_now()}  {err}", file=sys.stderr)


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")
