"""What Home Assistant logs about outdated or wrong use of it by the integration."""

from collections.abc import Iterator
from contextlib import contextmanager
import logging
import re
from typing import override

_BY_US = re.compile(r"custom integration 'nes_mep'|was \w+ from nes_mep\b")
"""As Home Assistant's frame helper has it; as its deprecation helper does."""


class _Collector(logging.Handler):
    """Collects the messages, from threads and about imports as well."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    @override
    def emit(self, record: logging.LogRecord) -> None:
        message = record.getMessage()
        if _BY_US.search(message):
            self.found.append(message)


_COLLECTOR = _Collector()
# pytest's own handlers are there only while a test runs.
logging.getLogger().addHandler(_COLLECTOR)


@contextmanager
def no_complaints() -> Iterator[None]:
    """Raise AssertionError at the end if there was one since the last time."""
    yield
    found = _COLLECTOR.found.copy()
    _COLLECTOR.found.clear()
    assert not found, "\n".join(found)
