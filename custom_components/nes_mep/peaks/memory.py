"""What is remembered over restarts: the energy at the boundaries of a month's intervals."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from homeassistant.core import HomeAssistant, callback
from homeassistant.helpers.storage import Store

from ..const import DOMAIN
from .intervals import Boundaries, Boundary

_SAVE_SOON: Final = 1.0
_SAVE_BOUNDARIES: Final = 3600.0
"""Seconds after which changes are written; when Home Assistant stops they are anyway."""

type Stored = dict[str, Any]


class PeakMemory:
    """Remembers boundaries by the register that counts, such as energy_import.

    It exists as long as the entry, so that a reload loses nothing. profile_interval is
    the length that the load profile suggests, None if that is not known. By register,
    asked says up to which boundary the load profile was read.
    """

    def __init__(self, hass: HomeAssistant, entry_id: str) -> None:
        """Start with nothing remembered."""
        self.boundaries: dict[str, dict[datetime, Boundary]] = {}
        self.interval: timedelta | None = None
        self.profile_interval: timedelta | None = None
        self.asked: dict[str, datetime] = {}
        self.revision = 0
        self._store: Store[Stored] = Store(hass, 1, f"{DOMAIN}.{entry_id}.peaks")
        self._is_loaded = False
        self._is_saving = False

    async def async_load(self) -> None:
        """Load what is stored, once."""
        if self._is_loaded:
            return
        self._is_loaded = True
        if not (stored := await self._store.async_load()):
            return
        self.interval = _length(stored["interval"])
        self.profile_interval = _length(stored["profile_interval"])
        self.asked = {key: _time(each) for key, each in stored["asked"].items()}
        self.boundaries = {
            key: {
                _time(time): Boundary(energy, bool(is_exact), bool(ends_whole))
                for time, energy, is_exact, ends_whole in each
            }
            for key, each in stored["boundaries"].items()
        }

    def of(self, key: str) -> Boundaries:
        """Return the boundaries of a register."""
        return self.boundaries.get(key, {})

    @callback
    def async_use(self, interval: timedelta) -> None:
        """Keep what is of use with intervals of this length."""
        if self.interval is None or interval % self.interval:
            # Between the boundaries that are known, there are others.
            self.asked.clear()
        self.interval = interval

    @callback
    def async_add(self, key: str, boundaries: Boundaries) -> None:
        """Remember boundaries; exact ones stay. It is written within an hour."""
        known = self.boundaries.setdefault(key, {})
        for time, boundary in boundaries.items():
            if boundary.is_exact or not (time in known and known[time].is_exact):
                known[time] = boundary
        self.revision += 1
        # Asked again, the store would put it off for as long again.
        if not self._is_saving:
            self._is_saving = True
            self._store.async_delay_save(self._stored, _SAVE_BOUNDARIES)

    @callback
    def async_forget_before(self, begin: datetime) -> None:
        """Forget what is before a time."""
        self._async_keep(lambda time, _: time >= begin)

    @callback
    def async_ask_again(self, now: datetime) -> None:
        """Read the load profile again where it was read up to a time to come."""
        self.asked = {key: time for key, time in self.asked.items() if time <= now}

    @callback
    def async_forget_inexact(self, begin: datetime) -> None:
        """Forget what was interpolated since a time."""
        self._async_keep(lambda time, each: each.is_exact or time < begin)

    @callback
    def _async_keep(self, is_kept: Callable[[datetime, Boundary], bool]) -> None:
        for key, boundaries in self.boundaries.items():
            self.boundaries[key] = {
                time: each for time, each in boundaries.items() if is_kept(time, each)
            }
        self.revision += 1

    @callback
    def async_save(self) -> None:
        """Write what has changed within a second."""
        self._is_saving = True
        self._store.async_delay_save(self._stored, _SAVE_SOON)

    async def async_remove(self) -> None:
        """Delete what is stored."""
        await self._store.async_remove()

    def _stored(self) -> Stored:
        """Return what is written: times as Unix times, as there are thousands."""
        self._is_saving = False
        return {
            "interval": self.interval and self.interval.total_seconds(),
            "profile_interval": self.profile_interval
            and self.profile_interval.total_seconds(),
            "asked": {key: each.timestamp() for key, each in self.asked.items()},
            "boundaries": {
                key: [
                    [
                        int(time.timestamp()),
                        each.energy,
                        int(each.is_exact),
                        int(each.ends_whole),
                    ]
                    for time, each in sorted(boundaries.items())
                ]
                for key, boundaries in self.boundaries.items()
            },
        }


def _time(stored: float) -> datetime:
    return datetime.fromtimestamp(stored, UTC)


def _length(stored: float | None) -> timedelta | None:
    return None if stored is None else timedelta(seconds=stored)
