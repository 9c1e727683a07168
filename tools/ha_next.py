"""Early pytest plugin: makes the test harness fit a Home Assistant newer than its own.

Load it with `pytest -p tools.ha_next`. The harness of 2026.10 imports httpx
before Home Assistant 2026.11, which wants to be first, and looks for a helper in
the place where it was until then. Drop this when a newer harness is published.
"""

import homeassistant.const  # isort: skip  # noqa: F401 - before anything imports httpx
from homeassistant.components import logger
from homeassistant.components.logger import helpers

vars(logger)["_clear_logger_overwrites"] = vars(helpers)["_clear_logger_overwrites"]
