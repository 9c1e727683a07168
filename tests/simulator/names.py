"""Names of tables: ``BT23`` is number 23, ``ET04`` is number 2048 + 4."""

import re

EXTENDED = 0x0800
_NAME = re.compile(r"(?P<kind>[BE])T(?P<number>\d+)", re.IGNORECASE)


def table_id(name: str | int) -> int:
    """Return the number for ``BT23``, ``ET04``, ``23`` or ``0x17``.

    Raises ValueError for anything else.
    """
    if isinstance(name, int):
        return name
    if found := _NAME.fullmatch(name.strip()):
        base = EXTENDED if found["kind"] in "Ee" else 0
        return base + int(found["number"])
    return int(name, 0)


def table_name(number: int) -> str:
    """Return the name of a table number."""
    if number >= EXTENDED:
        return f"ET{number - EXTENDED:02}"
    return f"BT{number:02}"
