"""Tests of the meter client, as the package of its own that it is: no Home Assistant."""

from pathlib import Path
import sys

sys.path.append(str(Path(__file__).parents[2] / "custom_components" / "nes_mep"))
