"""A session on the optical port: how far it has come and what was agreed."""

from dataclasses import dataclass, field

from ..meter import SimulatedMeter
from .access import Keys, Right
from .codes import State
from .packets import DEFAULT_SIZE, OVERHEAD
from .settings import OpticalSettings


@dataclass(slots=True, kw_only=True)
class Session:
    """What the meter knows of its client; the session itself ends with ``end()``.

    ``pending`` are the pending tables by the number of the table that they are to
    become: six bytes of descriptor, then the contents.
    """

    meter: SimulatedMeter
    settings: OpticalSettings
    keys: Keys
    pending: dict[int, bytes] = field(default_factory=dict)
    state: State = State.BASE
    right: Right = Right.NONE
    user: int | None = None
    packet_size: int = DEFAULT_SIZE
    packets: int = 1
    time_out: float = 0.0  # what Wait set, until the next packet; 0: nothing

    @property
    def most_data(self) -> int:
        """The most bytes of a reply."""
        return (self.packet_size - OVERHEAD) * self.packets

    def renegotiate(self) -> None:
        """Go back to the identified state, as code 09 says."""
        if self.state is State.SESSION:
            self.state = State.IDENTIFIED
            self.right = Right.NONE

    def end(self) -> None:
        """Go back to the base state, without a word."""
        self.state = State.BASE
        self.right = Right.NONE
        self.user = None
        self.packet_size, self.packets = DEFAULT_SIZE, 1
        self.time_out = 0.0
