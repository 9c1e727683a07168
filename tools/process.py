"""Child processes that end when they should, and tell why when they should not."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
import os
from pathlib import Path
import signal
import socket
from typing import Self


class ToolError(Exception):
    """Something did not work; the message is a sentence for whoever started it."""


def free_port() -> int:
    """Return a TCP port of the loopback interface that nobody uses now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def check_is_free(port: int) -> None:
    """Raise ToolError when a TCP port of the loopback interface is in use."""
    with socket.socket() as probe:
        # As servers do, who may follow one that has just ended.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            raise ToolError(
                f"Port {port} is in use: another Home Assistant may be running. Stop it "
                "or choose another port."
            ) from error


def cancel_on_signals() -> None:
    """Let Ctrl-C and its like cancel the current task once, so that it can clean up."""
    loop = asyncio.get_running_loop()
    task = asyncio.current_task()
    assert task is not None
    signals = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

    def cancel() -> None:
        for number in signals:
            loop.add_signal_handler(number, lambda: None)
        task.cancel()

    for number in signals:
        loop.add_signal_handler(number, cancel)


class Child:
    """A running child process in a session of its own, whose output is in a file."""

    def __init__(
        self, name: str, process: asyncio.subprocess.Process, log: Path
    ) -> None:
        """Initialize with a process; `name` is what messages call it."""
        self.name = name
        self.log = log
        self._process = process

    @classmethod
    async def start(
        cls,
        name: str,
        *command: str,
        log: Path,
        cwd: Path,
        environment: Mapping[str, str] | None = None,
    ) -> Self:
        """Start a command with this environment beside ours and return it."""
        with log.open("wb") as output:
            process = await asyncio.create_subprocess_exec(
                *command,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=output,
                stderr=asyncio.subprocess.STDOUT,
                cwd=cwd,
                env={**os.environ, **(environment or {})},
                start_new_session=True,
            )
        return cls(name, process, log)

    @property
    def pid(self) -> int:
        """The number of the process."""
        return self._process.pid

    @property
    def code(self) -> int | None:
        """Its exit code; None while it runs."""
        return self._process.returncode

    def check(self) -> None:
        """Raise ToolError when the process has ended."""
        if self.code is not None:
            raise ToolError(f"{self.name} ended by itself with exit code {self.code}.")

    async def ended(self) -> int:
        """Wait until the process has ended and return its exit code."""
        return await self._process.wait()

    def kill(self) -> None:
        """End it without asking, as a power cut does."""
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)

    async def stop(self, seconds: float = 20) -> None:
        """Ask the process to end, and make it end after this time."""
        for number in (signal.SIGTERM, signal.SIGKILL):
            with suppress(ProcessLookupError):
                os.killpg(self._process.pid, number)
            with suppress(TimeoutError):
                async with asyncio.timeout(seconds):
                    await self._process.wait()
                    return


async def first_to_end(*children: Child) -> None:
    """Wait until one of these processes ends; raises ToolError then."""
    waits = [asyncio.ensure_future(child.ended()) for child in children]
    try:
        await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for wait in waits:
            wait.cancel()
    for child in children:
        child.check()


@asynccontextmanager
async def stopped_at_exit(child: Child) -> AsyncIterator[Child]:
    """Stop a child process when the block is left, however it is left."""
    try:
        yield child
    finally:
        await child.stop()
