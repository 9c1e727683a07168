"""A simulated NES meter, written from the guide alone; standard library only.

``python -m tests.simulator --help`` runs it as a program. In a test::

    meter = SimulatedMeter(PROFILES["gen3"], key=KEY, paced=False)
    async with serve_tcp(meter) as url:
        ...

That serves its MEP; ``serve_tcp(OpticalPort(meter))`` serves its optical port.
"""

from .alarms import ALARMS, Disconnect
from .catalogue import EVERY_PROFILE, PROFILES
from .events import Event
from .faults import KINDS, ActiveFault, Exchange, Fault
from .load_profile.data_set import DataSet, mbus_source
from .load_profile.handle import LoadProfile
from .load_profile.history import Interval
from .messages import Message
from .meter import DEFAULT_KEY, Served, SimulatedMeter
from .names import table_id, table_name
from .optical import OpticalPort, OpticalSettings
from .profiles import Profile, with_firmware
from .quality import Outage
from .serve import serve_pty, serve_tcp
from .timing import Pace, poll_time

__all__ = [
    "ALARMS",
    "DEFAULT_KEY",
    "EVERY_PROFILE",
    "KINDS",
    "PROFILES",
    "ActiveFault",
    "DataSet",
    "Disconnect",
    "Event",
    "Exchange",
    "Fault",
    "Interval",
    "LoadProfile",
    "Message",
    "OpticalPort",
    "OpticalSettings",
    "Outage",
    "Pace",
    "Profile",
    "Served",
    "SimulatedMeter",
    "mbus_source",
    "poll_time",
    "serve_pty",
    "serve_tcp",
    "table_id",
    "table_name",
    "with_firmware",
]
