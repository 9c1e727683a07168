"""A clock that runs faster, for whole processes: hours of Home Assistant in minutes.

The library libfaketime (Debian's package "faketime") is loaded before everything else
and answers in place of the clock. The machine's own clock is never touched.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
import time
from typing import Self

from .process import ToolError

LIBRARY = "faketime/libfaketimeMT.so.1"
FOLDERS = (
    "/usr/lib",
    "/usr/local/lib",
    str(Path(__file__).parents[1] / ".dev/faketime"),
)


def library() -> Path:
    """Return the library that moves the time; raises ToolError without it."""
    for folder in FOLDERS:
        if found := sorted(Path(folder).glob(f"**/{LIBRARY}")):
            return found[0]
    raise ToolError(
        "libfaketime is missing: install the package faketime, or unpack it "
        "(apt-get download libfaketime; dpkg -x libfaketime_*.deb .dev/faketime)."
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class FastClock:
    """A clock that began at `start` (UTC) and runs `speed` times as fast as ours."""

    start: datetime
    speed: int
    library: Path = field(default_factory=library)
    _began: float = field(default_factory=time.monotonic)

    @property
    def now(self) -> datetime:
        """The time by this clock, in UTC."""
        passed = (time.monotonic() - self._began) * self.speed
        return self.start + timedelta(seconds=passed)

    def moved(self, seconds: float) -> Self:
        """Return the clock after so many seconds at once."""
        return replace(
            self, start=self.now + timedelta(seconds=seconds), _began=time.monotonic()
        )

    @property
    def environment(self) -> Mapping[str, str]:
        """What a process needs in its environment to live by this clock from now on."""
        return {
            "LD_PRELOAD": str(self.library),
            "FAKETIME": f"@{self.now.astimezone(UTC):%Y-%m-%d %H:%M:%S} x{self.speed}",
            "FAKETIME_NO_CACHE": "1",
            "TZ": "UTC",
        }

    def setting(self, file: Path, behind: float) -> Setting:
        """Return a clock for one process that starts so many seconds behind this one.

        `file` is where the process reads how far behind it is. Raises ToolError with a
        clock that is fast: only the time of day is set, and that alone cannot be fast.
        """
        if self.speed != 1:
            raise ToolError("Only a clock with speed 1 can be set.")
        setting = Setting(clock=self, file=file)
        setting.set(-behind)
        return setting

    def real(self, seconds: float) -> float:
        """Return the seconds that pass for us while these pass by this clock."""
        return seconds / self.speed


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """The time of day of one process, as a person or a time server sets it.

    Its monotonic clock is the machine's and does not jump.
    """

    clock: FastClock
    file: Path

    def set(self, ahead: float = 0) -> None:
        """Set the time of day to that of the clock, or so many seconds ahead of it."""
        offset = (self.clock.now - datetime.now(UTC)).total_seconds() + ahead
        self.file.write_text(f"{offset:+.0f}\n")

    @property
    def environment(self) -> Mapping[str, str]:
        """What the process needs in its environment."""
        return {
            "LD_PRELOAD": str(self.clock.library),
            "FAKETIME_TIMESTAMP_FILE": str(self.file),
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
            "FAKETIME_NO_CACHE": "1",
            "TZ": "UTC",
        }
