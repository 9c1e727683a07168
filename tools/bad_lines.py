"""A real Home Assistant whose meter is late, flooded, refused, restarted or damaged.

Each part starts its own processes, makes the trouble, and ends with exit code 0 only
when readings went on or came back by themselves and equal what the meter counted.

    .dev/next/bin/python -m tools.bad_lines            # all parts but "day"
    .dev/next/bin/python -m tools.bad_lines late flood
    .dev/next/bin/python -m tools.bad_lines day --speed 30 --hours 24
"""

from argparse import ArgumentParser, Namespace
import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import pairwise
from pathlib import Path
import sys
import time
from typing import Any, Final

import aiohttp

from .fast_clock import FastClock
from .home_assistant import HomeAssistant, home_assistant
from .process import ToolError, free_port
from .simulator import LOCAL, Simulator, simulator
from .stage import DOMAIN, KEY, UNUSABLE, Meter, Stage, perform, say

START: Final = datetime(2026, 11, 20, 5, 40, tzinfo=UTC)
DELAYS: Final = (1.05, 2.5, 4.0)  # seconds
FLOOD_SECONDS: Final = 60
FLOOD: Final = (476).to_bytes(2) + bytes(range(1, 239)) * 2
OUTAGES: Final = (25, 7200)  # seconds for which the key is refused
SOURCES: Final = {"energy_import": 0, "energy_export": 1}
POLL: Final = 10  # seconds
VAGUE: Final = ("ET55", "ET42", "BT15", "BT21", "BT22", "BT27")
VAGUE_SECONDS: Final = 1200


class Line:
    """A TCP line to a meter that can be late and can be flooded."""

    def __init__(self, meter: str) -> None:
        """Initialize with the address of the meter, as socket://HOST:PORT."""
        host, _, port = meter.removeprefix("socket://").rpartition(":")
        self._meter = (host, int(port))
        self._clients: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self.delay = 0.0

    async def relay(
        self, client: asyncio.StreamReader, to_client: asyncio.StreamWriter
    ) -> None:
        """Hand on what either side says, what the meter says later."""
        meter, to_meter = await asyncio.open_connection(*self._meter)
        self._clients.add(to_client)
        forward = asyncio.create_task(_copy(client, to_meter))
        self._tasks.add(forward)
        loop = asyncio.get_running_loop()
        try:
            while data := await meter.read(1024):
                loop.call_later(self.delay, _write, to_client, data)
        except ConnectionError:
            pass
        finally:
            forward.cancel()
            self._clients.discard(to_client)
            for writer in (to_meter, to_client):
                writer.close()

    async def flood(self, seconds: float) -> int:
        """Send messages that nobody asked for; returns how many bytes."""
        end = time.monotonic() + seconds
        sent = 0
        while time.monotonic() < end:
            for writer in list(self._clients):
                _write(writer, FLOOD * 32)
                sent += len(FLOOD) * 32
                try:
                    async with asyncio.timeout(1):
                        await writer.drain()
                except TimeoutError, ConnectionError:
                    continue
            await asyncio.sleep(0.001)
        return sent


def _write(writer: asyncio.StreamWriter, data: bytes) -> None:
    if not writer.is_closing():
        writer.write(data)


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Hand on bytes until the reader ends."""
    try:
        while data := await reader.read(1024):
            _write(writer, data)
    finally:
        writer.close()


@asynccontextmanager
async def line_to(source: Simulator) -> AsyncIterator[tuple[Line, str]]:
    """Serve a line to a simulated meter; gives it with its own URL."""
    line = Line(source.port)
    port = free_port()
    server = await asyncio.start_server(line.relay, LOCAL, port)
    try:
        yield line, f"socket://{LOCAL}:{port}"
    finally:
        server.close()


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """What a part has: a meter, a line to it, Home Assistant, and an entry."""

    source: Simulator
    line: Line
    house: HomeAssistant
    meter: Meter
    clock: FastClock | None

    async def readings(self, *, usable: bool = True) -> None:
        """Wait until net power has a value, or until it has none."""
        entity_id = self.meter.entity_id("power_net")
        while True:
            states = await self.house.api.states()
            state = states.get(entity_id, {"state": "unavailable"})["state"]
            if (state not in UNUSABLE) == usable:
                return
            await asyncio.sleep(0.05)

    async def compare(self) -> None:
        """Stop the load and see the energies equal what the meter counted."""
        await self.source.control("freeze")
        truth = await self.source.control("truth")
        wanted = {
            self.meter.entity_id(key): truth[number] / 1000
            for key, number in SOURCES.items()
        }
        while True:
            states = await self.house.api.states()
            got = {id_: states[id_]["state"] for id_ in wanted}
            if not UNUSABLE & set(got.values()) and all(
                abs(float(got[id_]) - wanted[id_]) < 0.0005 for id_ in wanted
            ):
                break
            await asyncio.sleep(0.2)
        await self.source.control("thaw")
        say(f"  equal to the meter's registers: {', '.join(got.values())} kWh")


async def add_meter(house: HomeAssistant, url: str, data: dict[str, Any]) -> Meter:
    """Add the meter through the config flow and wait for its entities."""
    entry = await house.api.config_flow(DOMAIN, {"port": url, "key": KEY, **data})
    meter = Meter(house.api, entry["result"]["entry_id"], entry["title"])
    await meter.learn_entities()
    return meter


@asynccontextmanager
async def scene(
    folder: Path,
    *,
    profile: str = "gen3",
    delay: float = 0.0,
    speed: int | None = None,
    tls: bool = False,
) -> AsyncIterator[Scene]:
    """Start everything; the meter is there, loaded and read when this enters."""
    await asyncio.to_thread(folder.mkdir)
    clock = FastClock(start=START, speed=speed) if speed else None
    environment = clock.environment if clock else None
    async with AsyncExitStack() as stack:
        enter = stack.enter_async_context
        source = await enter(
            simulator(
                folder,
                key=KEY,
                profile=profile,
                requires_tls=tls,
                environment=environment,
            )
        )
        line, url = await enter(line_to(source))
        line.delay = delay
        house = await enter(
            home_assistant(
                folder / "home", environment=clock.environment if clock else None
            )
        )
        meter = await add_meter(house, url, {})
        found = Scene(source=source, line=line, house=house, meter=meter, clock=clock)
        await found.readings()
        yield found


async def be_late(stage: Stage, folder: Path, _: Namespace) -> None:
    """Read a meter whose replies arrive late, in the old mode and in TLS."""
    for tls in (False, True):
        for delay in DELAYS:
            what = f"{'TLS' if tls else 'Digest'}, every reply {delay} s late"
            async with stage.step(what, 600):
                began = time.monotonic()
                name = f"late-{tls}-{delay}"
                async with scene(
                    folder / name,
                    profile="gen4" if tls else "gen3",
                    delay=delay,
                    tls=tls,
                ) as on:
                    say(f"  readings after {time.monotonic() - began:.0f} s")
                    await on.compare()
                    await on.readings()


async def be_flooded(stage: Stage, folder: Path, _: Namespace) -> None:
    """Flood the line for a minute and see memory, the event loop and the readings."""
    step = stage.step(f"{FLOOD_SECONDS} s of flood", 400)
    async with step, scene(folder / "flood") as on:
        quiet = await _slowest_answer(on.house, 10)
        before = _memory(on)
        flood = asyncio.create_task(on.line.flood(FLOOD_SECONDS))
        flooded = await _slowest_answer(on.house, FLOOD_SECONDS)
        sent = await flood
        after = _memory(on)
        say(f"  sent {sent / 1e6:.0f} MB; memory {before} -> {after} MB")
        say(f"  slowest answer {quiet:.0f} ms without, {flooded:.0f} ms with flood")
        await on.readings()
        await on.compare()


def _memory(on: Scene) -> int:
    """Return the resident memory of Home Assistant, in MB."""
    for line in Path(f"/proc/{on.house.process.pid}/status").read_text().splitlines():
        if line.startswith("VmRSS"):
            return int(line.split()[1]) // 1024
    raise ToolError("The memory of Home Assistant is not told.")


async def _slowest_answer(house: HomeAssistant, seconds: float) -> float:
    """Return the longest time that a ping took on the websocket, in ms."""
    slowest = 0.0
    end = time.monotonic() + seconds
    async with house.api.session.ws_connect(f"{house.url}/api/websocket") as socket:
        await socket.receive_json()
        await socket.send_json({"type": "auth", "access_token": house.api.token})
        await socket.receive_json()
        number = 0
        while (began := time.monotonic()) < end:
            number += 1
            await socket.send_json({"id": number, "type": "ping"})
            while (await socket.receive(timeout=30)).type is not aiohttp.WSMsgType.TEXT:
                continue
            slowest = max(slowest, time.monotonic() - began)
            await asyncio.sleep(0.002)
    return 1000 * slowest


async def be_refused(stage: Stage, folder: Path, options: Namespace) -> None:
    """Refuse the key for a while: readings and the question are gone, then back."""
    for seconds in OUTAGES:
        async with stage.step(f"The key is refused for {seconds} s", 900):
            speed = options.speed if seconds > 60 else 1
            async with scene(folder / f"key-{seconds}", speed=speed) as on:
                assert on.clock
                await on.source.control("add_fault", spec="refuse:code=0x0B")
                began = on.clock.now
                await asyncio.sleep(on.clock.real(seconds))
                asked = len(await _questions(on))
                await on.source.control("clear_faults")
                cleared = on.clock.now
                await on.readings()
                back = on.clock.now
                say(f"  refused for {cleared - began}, back after {back - cleared}")
                say(f"  questions for the key: {asked} at the end")
                await on.compare()
                await _question_gone(on)
                say("  the question is gone")


async def _questions(on: Scene) -> list[dict[str, Any]]:
    """Return the flows that ask for the key of the meter."""
    return [
        flow
        for flow in await on.house.api.command("config_entries/flow/progress")
        if flow["context"].get("entry_id") == on.meter.entry_id
    ]


async def _question_gone(on: Scene) -> None:
    """Wait until no flow asks for the key."""
    while True:
        if not await _questions(on):
            return
        await asyncio.sleep(0.2)


async def be_vague(stage: Stage, folder: Path, options: Namespace) -> None:
    """Restart while the meter refuses once each to say what decides its values."""
    step = stage.step("A CT meter that refuses its unit after a restart", 900)
    async with step, AsyncExitStack() as stack:
        here = folder / "vague"
        await asyncio.to_thread(here.mkdir)
        clock = FastClock(start=START, speed=options.speed)
        source = await stack.enter_async_context(
            simulator(here, key=KEY, profile="ct", environment=clock.environment)
        )
        home = here / "home"
        async with home_assistant(home, environment=clock.environment) as house:
            meter = await add_meter(house, source.port, {})
            entry_id = meter.entry_id
            await asyncio.sleep(clock.real(VAGUE_SECONDS))
        for table in VAGUE:
            await source.control(
                "add_fault", spec=f"refuse:table={table},code=0x04,times=1"
            )
        async with home_assistant(home, environment=clock.environment) as house:
            meter = Meter(house.api, entry_id, "")
            await meter.learn_entities()
            await asyncio.sleep(clock.real(VAGUE_SECONDS))
            await _check_steps(meter, source)


async def _check_steps(meter: Meter, source: Simulator) -> None:
    """Compare the statistics with what the meter counted in each five minutes."""
    worst = 0.0
    unit = (await source.control("truth"))["energy_unit"]  # Wh
    for key, number in SOURCES.items():
        entity_id = meter.entity_id(key)
        rows = await meter.api.statistics(entity_id, period="5minute")
        for start, row in rows.items():
            end = start + timedelta(minutes=5)
            low, high = [
                await source.control(
                    "register_truth",
                    source=number,
                    time=(end + timedelta(seconds=by)).isoformat(),
                )
                for by in (-VAGUE_SECONDS, POLL)
            ]
            counted = round(1000 * row["state"] / unit)
            if not low <= counted <= high:
                raise ToolError(f"{entity_id} was {counted}, not {low} to {high}.")
        worst = max(worst, *(b["sum"] - a["sum"] for a, b in pairwise(rows.values())))
    say(f"  every row is true; largest change in five minutes {worst:.3f} kWh")


async def live_a_day(stage: Stage, folder: Path, options: Namespace) -> None:
    """Damage, lose and delay replies for a day, and restart the meter each hour."""
    hours: int = options.hours
    step = stage.step(f"{hours} hours", 3600 * hours / options.speed + 400)
    async with step, scene(folder / "day", speed=options.speed) as on:
        assert on.clock
        for spec in (
            "corrupt:probability=0.01",
            "lose_reply:probability=0.01",
            "late:probability=0.005,seconds=1.3",
        ):
            await on.source.control("add_fault", spec=spec)
        before = await on.source.control("statistics")
        start = on.clock.now
        for _ in range(hours):
            await on.source.control("restart", seconds=5)
            await asyncio.sleep(on.clock.real(3600))
        after = await on.source.control("statistics")
        await _check_day(on, start, on.clock.now)
        requests = after["requests"] - before["requests"]
        say(f"  {requests / hours:.0f} requests an hour")


async def _check_day(on: Scene, start: datetime, end: datetime) -> None:
    """Compare every recorded energy with the truth, and find the longest gap."""
    checked = wrong = 0
    longest = timedelta()
    for key, number in SOURCES.items():
        entity_id = on.meter.entity_id(key)
        states = (
            await on.house.api.command(
                "history/history_during_period",
                start_time=start.isoformat(),
                end_time=end.isoformat(),
                entity_ids=[entity_id],
                significant_changes_only=False,
                minimal_response=False,
                no_attributes=True,
            )
        )[entity_id]
        lost: float | None = None
        for state in states:
            changed = state.get("lc", state["lu"])
            if state["s"] in UNUSABLE:
                lost = lost or changed
                continue
            if lost:
                longest = max(longest, timedelta(seconds=changed - lost))
                lost = None
            low, high = [
                await on.source.control(
                    "register_truth",
                    source=number,
                    time=datetime.fromtimestamp(changed + by, UTC).isoformat(),
                )
                for by in (-2 * POLL, POLL)
            ]
            checked += 1
            wrong += not low <= round(1000 * float(state["s"])) <= high
    say(f"  {checked} states compared, {wrong} wrong; longest unavailable {longest}")
    if wrong or not checked:
        raise ToolError("A recorded energy is not what the meter counted.")


type Part = Callable[[Stage, Path, Namespace], Awaitable[None]]

PARTS: Final[dict[str, Part]] = {
    "late": be_late,
    "flood": be_flooded,
    "key": be_refused,
    "vague": be_vague,
    "day": live_a_day,
}
SHORT: Final = tuple(name for name in PARTS if name != "day")


async def run(options: Namespace, folder: Path) -> None:
    """Go through the parts that were asked for."""
    stage = Stage()
    for name in options.parts or SHORT:
        await PARTS[name](stage, folder, options)
    say(f"\nDone in {stage.seconds:.0f} s.")


def main() -> int:
    """Run the program."""
    parser = ArgumentParser(prog="python -m tools.bad_lines", description=__doc__)
    parser.add_argument("parts", nargs="*", metavar="PART", help=", ".join(PARTS))
    parser.add_argument("--speed", type=int, default=60, help="of time, where it moves")
    parser.add_argument("--hours", type=int, default=24, help='of the part "day"')
    options = parser.parse_args()
    if unknown := set(options.parts) - set(PARTS):
        parser.error(f"unknown: {', '.join(sorted(unknown))}")
    return asyncio.run(perform(partial(run, options)))


if __name__ == "__main__":
    sys.exit(main())
