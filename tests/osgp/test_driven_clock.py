"""The clock that tests drive."""

import asyncio
from selectors import BaseSelector
from unittest.mock import Mock

from tests.driven_clock import DrivenClock, _WatchedSelector, driven_clock


async def test_cancelled_sleep() -> None:
    """A sleeper that was cancelled at the moment when it is woken is no error."""
    clock = driven_clock()
    sleeper = asyncio.create_task(clock.sleep(5))
    await asyncio.sleep(0)
    sleeper.cancel()
    clock.move(10)
    await asyncio.wait([sleeper])
    assert sleeper.cancelled()


def test_grace() -> None:
    """A timeout rings after the loop has waited for bytes, not while it is busy."""
    clock = DrivenClock()
    rung: list[str] = []
    clock.call_later(1, lambda: rung.append("timeout"))
    selector = Mock(BaseSelector, **{"select.return_value": []})
    watched = _WatchedSelector(selector, clock)
    for _ in range(10):
        watched.select(0)
    assert not rung
    watched.select(None)
    assert selector.select.call_args.args[0] > clock.grace / 2
    assert rung == ["timeout"]
