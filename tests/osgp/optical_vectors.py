"""The published vectors of the optical port, checked against the guide."""

import json
from pathlib import Path
from typing import Any

OPTICAL_VECTORS: dict[str, Any] = json.loads(
    (Path(__file__).parent / "optical_vectors.json").read_text(encoding="utf-8")
)
VECTORS: dict[str, dict[str, Any]] = {
    vector["name"]: vector for vector in OPTICAL_VECTORS["vectors"]
}
PACKETS = {name: each for name, each in VECTORS.items() if each["kind"] == "packet"}
DIALOGUES: dict[str, list[tuple[str, bytes]]] = {
    dialogue["name"]: [(who, bytes.fromhex(text)) for who, text in dialogue["steps"]]
    for dialogue in OPTICAL_VECTORS["dialogues"]
}


def data_of(name: str) -> bytes:
    """Return the data of the packet of a vector."""
    return bytes.fromhex(PACKETS[name]["data"])
