"""The meter's tables: one encoder each, a module a subject.

A new table is a function that takes a ``View`` and returns bytes, decorated with
``@table("ET99")``, in a module that is imported here.
"""

from . import (
    billing,
    clock,
    configuration,
    dimensions,
    events,
    identity,
    interface,
    load_profile,
    mbus,
    power,
    registers,
    status,
    switching,
)
from .layout import (
    LARGE_TABLES,
    TABLES,
    Content,
    LargeTable,
    Layout,
    Table,
    TableBytes,
    View,
    Writer,
    table,
)

__all__ = [
    "LARGE_TABLES",
    "TABLES",
    "Content",
    "LargeTable",
    "Layout",
    "Table",
    "TableBytes",
    "View",
    "Writer",
    "billing",
    "clock",
    "configuration",
    "dimensions",
    "events",
    "identity",
    "interface",
    "load_profile",
    "mbus",
    "power",
    "registers",
    "status",
    "switching",
    "table",
]
