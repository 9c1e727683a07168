"""A meter gets another layout while it is being opened."""

import pytest

from osgp import Access, Meter, MeterError, SecurityMode
from tests.driven_clock import driven_clock
from tests.simulator import DEFAULT_KEY, PROFILES, Exchange, SimulatedMeter, serve_tcp

from .test_meter import assert_true


@pytest.mark.parametrize("answered", range(16))
@pytest.mark.parametrize("mode", SecurityMode)
async def test_layout_changes_while_opening(
    socket_enabled: None,
    monkeypatch: pytest.MonkeyPatch,
    mode: SecurityMode,
    answered: int,
) -> None:
    """Whenever it changes, no register is looked for in its old place."""
    uses_tls = mode is SecurityMode.TLS
    simulated = SimulatedMeter(
        PROFILES["gen4"],
        paced=False,
        tls="openssl" if uses_tls else None,
        tls_required=uses_tls,
    )
    simulated.freeze()
    exchange, left = simulated.exchange, iter(range(answered, -1000, -1))

    def change_layout(message: bytes) -> Exchange:
        if next(left) == 0:
            simulated.change_profile(PROFILES["fw_4_10"])
        return exchange(message)

    monkeypatch.setattr(simulated, "exchange", change_layout)
    async with serve_tcp(simulated) as url:
        try:
            meter = await Meter.open(
                Access(url, DEFAULT_KEY, security=mode), clock=driven_clock()
            )
        except MeterError:
            # Half of each layout may fit together in no way; the next try gets one.
            return
        for _ in range(2):
            readings = await meter.read()
            assert_true(meter, readings, simulated)
        assert set(readings.values) == set(meter.registers)
        await meter.close()
