"""A small run of the campaign that damages replies, benchmarks/faults.py."""

import pytest

from benchmarks.faults import DAMAGES, collect_reads, forge, try_damages
from custom_components.nes_mep.osgp import SecurityMode


@pytest.fixture(autouse=True)
def loopback(socket_enabled: None) -> None:
    """Let the meters be served."""


@pytest.mark.parametrize("mode", SecurityMode)
async def test_damaged_replies(mode: SecurityMode) -> None:
    """What is accepted of damaged replies is true; in digest, a forgery may pass."""
    reads = await collect_reads(mode, ["gen4"])
    assert len(reads) > 20
    tally = try_damages(mode, reads, DAMAGES, 2200, seed=1)
    assert set(tally.tried.values()) == {100}
    assert len(tally.tried) == 22
    assert not tally.wrong.total()

    long = {length: same for length, same in reads.items() if length > 8}
    tally = try_damages(mode, long, {"forged": forge}, 400, seed=1)
    assert (tally.wrong["forged"] == 0) == (mode is SecurityMode.TLS)
    assert tally.wrong["forged"] < 160
