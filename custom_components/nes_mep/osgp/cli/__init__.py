"""The command line: a meter without Home Assistant."""

from .commands import main

__all__ = ["main"]
