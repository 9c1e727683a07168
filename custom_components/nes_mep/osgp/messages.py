"""Slow tables about what the grid company writes on the meter's display."""

from collections.abc import Mapping
from typing import Final

from .registers import Value
from .slow_table import QUARTER_HOUR, Reader, SlowTable, SlowTableSource
from .tables.messages import (
    DISPLAY_TEXTS_OFFSET,
    MESSAGE_OFFSET,
    decode_display_texts,
    decode_message,
    display_texts_length,
    message_length,
)
from .tables.names import parse_table

_ET55 = parse_table("ET55")
_ET90 = parse_table("ET90")
_ET97 = parse_table("ET97")


async def _prepare_message(source: SlowTableSource) -> Reader:
    firmware = source.identity.firmware_version
    length = message_length(firmware)

    async def read() -> Mapping[str, Value | None]:
        """Return nothing before the first message, and None after it."""
        message = decode_message(
            await source.link.read(_ET55, MESSAGE_OFFSET, length), firmware
        )
        if message is None:
            return {}
        if not message.is_shown(source.link.clock.now()):
            return {"message": None}
        return {
            "message": message.text,
            "message.from": message.start,
            "message.until": message.end,
            **({"message.id": message.id} if message.id else {}),
        }

    return read


async def _prepare_display_texts(source: SlowTableSource) -> Reader | None:
    if not _has_display_texts(source.identity.firmware_version):
        return None
    length = display_texts_length(
        await source.link.read(_ET90, DISPLAY_TEXTS_OFFSET, 1)
    )
    if not length:
        return None

    async def read() -> Mapping[str, Value | None]:
        texts = decode_display_texts(await source.link.read(_ET97, 0, length))
        return {f"display_text_{n}": text or None for n, text in enumerate(texts, 1)}

    return read


def _has_display_texts(firmware: tuple[int, int, int]) -> bool:
    """Return whether the firmware of a meter, or of a module, has free text messages."""
    release = firmware[:2]
    return (
        release >= (4, 2) or (3, 82) <= release < (4, 0) or (1, 31) <= release < (2, 0)
    )


MESSAGE_TABLES: Final = (
    SlowTable("message", QUARTER_HOUR, _prepare_message),
    SlowTable("display_texts", QUARTER_HOUR, _prepare_display_texts),
)
