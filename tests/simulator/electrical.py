"""Voltages, currents, angles and frequency that go with the powers of a moment."""

from cmath import phase as angle, rect
from dataclasses import dataclass
from functools import cached_property
from math import cos, degrees, isqrt, pi, radians, sin

from .load import Flow, Household

AVERAGE_SECONDS = 600  # averages are of the last whole interval, from the full hour


@dataclass(frozen=True)
class Electrical:
    """The electrical state at a whole second; L1, L2, L3 by index 0, 1, 2."""

    load: Household
    time: int

    @cached_property
    def flow(self) -> Flow:
        """The powers."""
        return self.load.flow(self.time)

    def apparent(self, phase: int) -> int:
        """Return the apparent power of a phase, VA."""
        active, reactive = self.flow.active[phase], self.flow.reactive[phase]
        return isqrt(active * active + reactive * reactive)

    def voltage(self, phase: int) -> int:
        """Return mV: around 231 V, less with load, more with export."""
        slow = sin(2 * pi * (self.time % 7200) / 7200 + phase)
        fast = sin(2 * pi * (self.time % 47) / 47 + 2 * phase)
        return round(231200 + 1300 * slow + 150 * fast) - 2 * self.flow.active[phase]

    def current(self, phase: int) -> int:
        """Return mA."""
        return round(self.apparent(phase) * 1_000_000 / self.voltage(phase))

    def power_factor(self, phase: int) -> int:
        """Return 1/1000, never negative."""
        return round(1000 * abs(cos(self._lag(phase))))

    def sine(self, phase: int) -> int:
        """Return the sine of the phase angle, 1/1000, negative when capacitive."""
        return round(1000 * sin(self._lag(phase)))

    @property
    def frequency(self) -> int:
        """Mains frequency in millihertz, 49.95 to 50.05 Hz."""
        slow = sin(2 * pi * (self.time % 1171) / 1171)
        fast = sin(2 * pi * (self.time % 313) / 313)
        return round(50000 + 30 * slow + 19 * fast)

    @property
    def neutral_current(self) -> int:
        """The sum of the three current vectors, mA."""
        total = sum(
            rect(self.current(phase), radians(-120 * phase) - self._lag(phase))
            for phase in range(3)
        )
        return round(abs(total))

    def _lag(self, phase: int) -> float:
        return angle(complex(self.flow.active[phase], self.flow.reactive[phase]))

    def voltage_angle(self, pair: int) -> int:
        """Return the angle A-B, B-C or C-A, 1/100 degree; the last one negative."""
        shift = [
            degrees(0.002 * sin(2 * pi * (self.time % 3600) / 3600 + 2 * phase))
            for phase in range(3)
        ]
        first, second = pair, (pair + 1) % 3
        return round(100 * ((120, 120, -240)[pair] + shift[first] - shift[second]))

    @cached_property
    def _samples(self) -> list["Electrical"]:
        """One state for each minute of the last whole averaging interval."""
        end = self.time - self.time % AVERAGE_SECONDS
        return [
            Electrical(self.load, second)
            for second in range(end - AVERAGE_SECONDS + 30, end, 60)
        ]

    def average_voltage(self, phase: int) -> int:
        """Return mV."""
        return sum(s.voltage(phase) for s in self._samples) // len(self._samples)

    def average_current(self, phase: int) -> int:
        """Return mA."""
        return sum(s.current(phase) for s in self._samples) // len(self._samples)

    def average_active(self, phase: int | None) -> int:
        """Return W of a phase or of all, negative to the grid."""
        total = sum(
            s.flow.total if phase is None else s.flow.active[phase]
            for s in self._samples
        )
        return total // len(self._samples)
