"""`scripts/develop`: a Home Assistant to develop in, with a simulated meter.

It keeps its users, entries and history between runs, logs the integration at debug
level into this terminal and starts anew when it is restarted from its pages.
"""

from argparse import ArgumentParser, Namespace
import asyncio
from contextlib import AsyncExitStack
from pathlib import Path
import shutil
import sys

from .home_assistant import PASSWORD, ROOT, USER, HomeAssistant, home_assistant
from .process import ToolError, cancel_on_signals, first_to_end
from .simulator import Simulator, simulator
from .stage import DOMAIN, KEY

HOME = ROOT / ".dev" / "home"
RESTART = 100  # Home Assistant's exit code when a restart was asked for
START_SECONDS = 180


async def follow(log: Path) -> None:
    """Print what is appended to a file, until cancelled."""
    with log.open(encoding="utf-8", errors="replace") as output:
        while True:
            while text := output.read():
                sys.stdout.write(text)
                sys.stdout.flush()
            await asyncio.sleep(0.3)


async def add_meter(house: HomeAssistant, source: Simulator) -> None:
    """Add the simulated meter, when Home Assistant has none of the integration."""
    if not await house.api.command("config_entries/get", domain=DOMAIN):
        await house.api.config_flow(DOMAIN, {"port": source.port, "key": source.key})


async def run_home_assistant(options: Namespace, source: Simulator) -> bool:
    """Run Home Assistant once and tell whether it wants to be started again."""
    async with AsyncExitStack() as stack:
        async with asyncio.timeout(START_SECONDS):
            house = await stack.enter_async_context(
                home_assistant(HOME, port=options.port, level="debug")
            )
            await add_meter(house, source)
        print(f"Open {house.url}  (user {USER}, password {PASSWORD})", flush=True)
        log = asyncio.create_task(follow(house.process.log))
        stack.callback(log.cancel)
        try:
            await first_to_end(house.process, source.process)
        except ToolError:
            if house.process.code == RESTART:
                return True
            raise
    return False


async def main(options: Namespace) -> int:
    """Run until Ctrl-C and return the exit code."""
    cancel_on_signals()
    if options.fresh:
        shutil.rmtree(HOME, ignore_errors=True)
    HOME.mkdir(parents=True, exist_ok=True)
    device = HOME / "meter"
    try:
        async with simulator(
            HOME, key=KEY, device=device, profile=options.profile
        ) as source:
            print(
                f"The simulated meter: {source.port}, key {KEY}; its remote control "
                f"takes a line of JSON on port {source.control_port}, such as "
                '{"command": "fault_kinds"} (see tests/simulator/control.py)'
            )
            while await run_home_assistant(options, source):
                pass
    except asyncio.CancelledError:
        return 130
    except TimeoutError:
        print(f"Home Assistant was not up after {START_SECONDS} seconds.")
    except (ToolError, OSError) as error:
        print(error)
    return 1


def parse(arguments: list[str]) -> Namespace:
    """Read the command line."""
    parser = ArgumentParser(prog="scripts/develop", description=__doc__)
    parser.add_argument("--port", type=int, default=8123, help="of its pages (8123)")
    parser.add_argument("--profile", default="gen3", help="kind of meter (gen3)")
    parser.add_argument(
        "--fresh", action="store_true", help="forget what earlier runs left"
    )
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(asyncio.run(main(parse(sys.argv[1:]))))
