"""The simulated meter as a process of its own, with its remote control."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
import sys
from typing import Any

from tests.simulator.control import call

from .process import Child, ToolError, free_port, stopped_at_exit

ROOT = Path(__file__).parents[1]
LOCAL = "127.0.0.1"
READ_KEY = "Demo-RK-of-the-meter"
"""The read-only key of the optical port of a meter that is served at both."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Simulator:
    """A running simulated meter.

    `port` is what a user enters as the port of the meter: a device or a URL.
    """

    port: str
    key: str = field(repr=False)
    process: Child
    control_port: int

    async def control(self, command: str, **arguments: object) -> Any:
        """Carry out a command of the remote control and return its result.

        Raises OSError when the meter is not there, ToolError when it refuses.
        """
        try:
            return await call(LOCAL, self.control_port, command, **arguments)
        except RuntimeError as error:
            raise ToolError(f"The simulated meter refused: {error}") from error


@asynccontextmanager
async def simulator(
    folder: Path,
    *,
    key: str,
    device: Path | None = None,
    profile: str = "gen3",
    baud: int = 9600,
    link: str = "mep",
    head: Path | None = None,
    requires_tls: bool = False,
    environment: Mapping[str, str] | None = None,
) -> AsyncIterator[Simulator]:
    """Run a simulated meter, over a pty that is linked from `device`, else over TCP.

    `link` is the port of the meter, mep or optical, and `key` the one of that port. With
    `head`, its optical port is there too, over a pty that is linked from it, with READ_KEY.
    It is paced at `baud` and, when it requires TLS, speaks nothing else. Its process
    gets the environment beside ours. Its output goes to a file in `folder`. Raises
    ToolError when it ends by itself before it answers.
    """
    control_port = free_port()
    tcp_port = free_port()
    line = ("--pty", str(device)) if device else ("--listen", f"{LOCAL}:{tcp_port}")
    key_option = "--read-key" if link == "optical" else "--key"
    optical = ("--optical-pty", str(head), "--read-key", READ_KEY) if head else ()
    tls = ("--tls", "openssl", "--tls-required") if requires_tls else ()
    process = await Child.start(
        "The simulated meter",
        *(
            sys.executable,
            "-m",
            "tests.simulator",
            "--link",
            link,
            *line,
            *optical,
            *tls,
        ),
        *("--control", f"{LOCAL}:{control_port}"),
        *("--profile", profile, "--baud", str(baud), key_option, key),
        log=folder / "simulator.log",
        cwd=ROOT,
        environment=environment,
    )
    async with stopped_at_exit(process):
        running = Simulator(
            port=str(device) if device else f"socket://{LOCAL}:{tcp_port}",
            key=key,
            process=process,
            control_port=control_port,
        )
        while True:
            try:
                await running.control("info")
                break
            except OSError:
                process.check()
                await asyncio.sleep(0.1)
        yield running
