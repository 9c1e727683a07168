"""The meter's tables: one encoder each, a module a subject.

A new table is a function that takes a ``View`` and returns bytes, decorated with
``@table("ET99")``, in a module that is imported here.
"""

from . import (
    clock,
    configuration,
    dimensions,
    events,
    identity,
    interface,
    mbus,
    power,
    registers,
    status,
)
from .layout import TABLES, Layout, Table, View, Writer, table

__all__ = [
    "TABLES",
    "Layout",
    "Table",
    "View",
    "Writer",
    "clock",
    "configuration",
    "dimensions",
    "events",
    "identity",
    "interface",
    "mbus",
    "power",
    "registers",
    "status",
    "table",
]
