"""The published vectors of the protocol, checked against the guide."""

import json
from pathlib import Path
from typing import Any

VECTORS: dict[str, Any] = json.loads(
    (Path(__file__).parent / "vectors.json").read_text(encoding="utf-8")
)
FRAMES: dict[str, dict[str, Any]] = {frame["id"]: frame for frame in VECTORS["frames"]}


def reply_data(identifier: str) -> bytes:
    """Return the table data of a reply: without length, head and digest."""
    return bytes.fromhex(FRAMES[identifier]["hex"])[5:-8]
