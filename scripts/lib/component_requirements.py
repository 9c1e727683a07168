"""Print what Home Assistant would install for the components that we use.

Home Assistant installs the requirements of a component when it sets it up. The
tests set nothing up that way and the demo should start at once, so the
environments hold these from the start, at the versions that the manifests of the
installed Home Assistant name.
"""

from collections.abc import Iterable
import json
from pathlib import Path
import sys

from homeassistant import bootstrap, components

#: What the integration depends on (usb, whose module imports hassio) and what
#: the tests and the demo run beside it.
USED = {"usb", "hassio", "recorder", "energy", "history", "logbook", "config"}

#: These come without wheels and need a compiler; nothing that we use calls them.
#: The demo puts empty modules in their place (tools/stand_ins).
LEFT_OUT = ("pymicro-vad==", "pyspeex-noise==")


def component_requirements(names: Iterable[str]) -> set[str]:
    """Return the requirements of these components and of all that they need."""
    found: set[str] = set()
    waiting = set(names)
    seen: set[str] = set()
    while waiting:
        seen.add(name := waiting.pop())
        path = Path(components.__path__[0]) / name / "manifest.json"
        manifest = json.loads(path.read_text("utf-8"))
        found.update(manifest.get("requirements", ()))
        waiting |= set(manifest.get("dependencies", ())) - seen
    return {line for line in found if not line.startswith(LEFT_OUT)}


needed = component_requirements(USED | bootstrap.DEFAULT_INTEGRATIONS)
sys.stdout.writelines(f"{line}\n" for line in sorted(needed))
