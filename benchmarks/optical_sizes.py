"""What a poll costs at the optical port, by the packets that the meter grants.

    .dev/next/bin/python -m benchmarks.optical_sizes

For a simulated meter of generation 4 at 9600 baud, in a session. The limit is what the
bytes take on the wire. Time is driven.
"""

import asyncio
from datetime import UTC, datetime

from custom_components.nes_mep.descriptions import DEFAULT_REGISTERS
from custom_components.nes_mep.osgp import Access, Meter, MeterPort
from tests.driven_clock import driven_clock
from tests.simulator import (
    PROFILES,
    OpticalPort,
    OpticalSettings,
    SimulatedMeter,
    serve_tcp,
)
from tests.simulator.optical import READ_KEY

_NOW = datetime(2026, 2, 17, 18, 40, 30, tzinfo=UTC)
_SIZES = ((64, 1), (64, 2), (128, 1), (512, 1), (512, 4))
_BYTE = 10 / 9600
"""Seconds that a byte takes."""


async def measure(size: int, packets: int) -> None:
    """Print what polls cost with packets of a size, so many to a message."""
    simulated = SimulatedMeter(PROFILES["gen4"])
    simulated.freeze(_NOW)
    optical = OpticalPort(
        simulated, OpticalSettings(packet_size=size, most_packets=packets)
    )
    clock = driven_clock()
    async with serve_tcp(optical, timers=clock) as url:
        meter = await Meter.open(
            Access(url, READ_KEY, port=MeterPort.OPTICAL), clock=clock
        )
        await meter.read(DEFAULT_REGISTERS)
        costs = []
        for keys in (DEFAULT_REGISTERS, None):
            await clock.sleep(2.0)
            counted, began_at = meter.statistics, clock.time()
            before = counted.bytes_sent + counted.bytes_received
            await meter.read(keys)
            sent = counted.bytes_sent + counted.bytes_received - before
            costs += [clock.time() - began_at, sent * _BYTE]
        await meter.close()
    print(f"{size:4} x {packets} " + " ".join(f"{seconds:10.3f}" for seconds in costs))


async def main() -> None:
    """Print a row for each size."""
    print("packets   default      limit       all      limit (s)")
    for size, packets in _SIZES:
        await measure(size, packets)


if __name__ == "__main__":
    asyncio.run(main())
