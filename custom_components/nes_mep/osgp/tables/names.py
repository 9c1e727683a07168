"""Names of tables and procedures: standard (BT23, BP10) and extended (ET03, EP02)."""

import re

EXTENDED = 2048
"""Extended (manufacturer) tables have their number plus this as table id."""

_TABLE_NAME = re.compile(
    r"(?P<kind>BT|ET)?\s*(?P<number>0X[0-9A-F]+|[0-9]+)", re.IGNORECASE
)
_LARGEST_TABLE_ID = 0xFFFF


def table_name(table: int) -> str:
    """Return the name of a table id: BT23 for 23, ET03 for 2051."""
    kind, number = ("BT", table) if table < EXTENDED else ("ET", table - EXTENDED)
    return f"{kind}{number:02d}"


def procedure_name(procedure: int) -> str:
    """Return the name of the number of a procedure: BP10 for 10, EP02 for 2050."""
    return table_name(procedure).replace("T", "P")


def parse_table(text: str) -> int:
    """Return the table id of a name (BT23, ET3) or a number (23, 0x0803).

    Raises ValueError when it is neither.
    """
    if not (match := _TABLE_NAME.fullmatch(text.strip())):
        raise ValueError(f"{text!r} is not a table: write BT23, ET03, 23 or 0x0803")
    number = int(match["number"], 0 if match["number"][:2].upper() == "0X" else 10)
    table = number + (EXTENDED if (match["kind"] or "").upper() == "ET" else 0)
    if table > _LARGEST_TABLE_ID:
        raise ValueError(f"{text!r} is not a table: its number is too large")
    return table
