"""A real Home Assistant process with this integration, for demos and end-to-end tests.

It runs with the Python that runs this module (the environment "next" of
scripts/setup holds Home Assistant with all that it needs) in a folder of its own,
answers on the loopback interface only and never goes through the onboarding pages.
"""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
import json
from pathlib import Path
import sys

import aiohttp

from .api import Api
from .process import Child, ToolError, check_is_free, free_port, stopped_at_exit

ROOT = Path(__file__).parents[1]
INTEGRATION = ROOT / "custom_components" / "nes_mep"
STAND_INS = Path(__file__).parent / "stand_ins"

USER = "demo"
PASSWORD = "demo"

_START = """
import sys
from homeassistant import __main__, bootstrap
for name in ("STAGE_0_SUBSTAGE_TIMEOUT", "STAGE_1_TIMEOUT", "STAGE_2_TIMEOUT"):
    if hasattr(bootstrap, name):
        setattr(bootstrap, name, getattr(bootstrap, name) * {patience})
sys.exit(__main__.main())
"""
"""What Home Assistant's own command does, with other time limits."""

CONFIGURATION = """\
homeassistant:
  name: Home
  country: DK
  currency: DKK
  latitude: 55.7
  longitude: 12.6
  elevation: 10
  time_zone: Europe/Copenhagen
  unit_system: metric
http:
  server_host: 127.0.0.1
  server_port: {port}
automation: !include automations.yaml
frontend:
config:
history:
logbook:
energy:
recorder:
  commit_interval: 1
{recorder}system_log:
  max_entries: 500
logger:
  default: {others}
  logs:
    custom_components.nes_mep: {level}
"""


def prepare(
    folder: Path, port: int, level: str, others: str, recorder: str = ""
) -> None:
    """Write the configuration of a Home Assistant that listens on this port.

    The integration is linked, so that a restart uses what the tree holds then, unless
    the folder has one already. A folder that was used before keeps its users, entries
    and history.
    """
    storage = folder / ".storage"
    storage.mkdir(parents=True, exist_ok=True)
    (folder / "configuration.yaml").write_text(
        CONFIGURATION.format(port=port, level=level, others=others, recorder=recorder)
    )
    # What is made on the pages of the automations is kept here.
    (folder / "automations.yaml").touch()
    link = folder / "custom_components" / INTEGRATION.name
    link.parent.mkdir(exist_ok=True)
    if not (link.is_symlink() or link.exists()):
        link.symlink_to(INTEGRATION)
    # Only the owner is left to be made: the other steps would set up cloud things.
    onboarding = storage / "onboarding"
    if not onboarding.exists():
        done = {"done": ["core_config", "analytics", "integration"]}
        onboarding.write_text(
            json.dumps({"version": 4, "key": onboarding.name, "data": done})
        )
    # The configuration's port is taken over once; from then on the store has it.
    http = storage / "http"
    if http.exists():
        document = json.loads(http.read_text())
        data = document["data"]
        # Older versions of Home Assistant have nothing in between.
        data.get("stable", data)["server_port"] = port
        http.write_text(json.dumps(document))


@dataclass(frozen=True, slots=True, kw_only=True)
class HomeAssistant:
    """A running Home Assistant and the way to talk to it."""

    url: str
    process: Child
    api: Api


@asynccontextmanager
async def home_assistant(
    folder: Path,
    *,
    port: int | None = None,
    level: str = "info",
    others: str = "warning",
    environment: Mapping[str, str] | None = None,
    recorder: str = "",
    patience: int = 1,
) -> AsyncIterator[HomeAssistant]:
    """Run a Home Assistant in this folder; it is up with an owner when this enters.

    `level` is the log level of the integration, `others` that of all the rest. Its
    process gets the environment beside ours: a clock that runs faster, for example.
    `recorder` are further lines of the recorder's configuration. It waits so many times
    as long as usual for its integrations: with a fast clock, it starts slowly.
    Raises ToolError when it does not come up; the time that may take is the caller's to
    limit.
    """
    port = port or free_port()
    # What answers there would be taken for ours, and get an owner made.
    check_is_free(port)
    url = f"http://127.0.0.1:{port}"
    prepare(folder, port, level, others, recorder)
    process = await Child.start(
        "Home Assistant",
        *(sys.executable, "-c", _START.format(patience=patience)),
        *("--config", str(folder)),
        "--skip-pip",
        log=folder / "output.log",
        cwd=folder,
        environment={
            "PYTHONPATH": str(STAND_INS),
            "NO_COLOR": "1",
            **(environment or {}),
        },
    )
    async with stopped_at_exit(process), aiohttp.ClientSession() as session:
        await _answers(url, process, session)
        api = Api(url=url, token=await _log_in(url, session), session=session)
        while not await api.is_running():
            process.check()
            await asyncio.sleep(0.2)
        # Unless confirmed, a port from the configuration is given up after minutes.
        with suppress(ToolError):
            await api.command("http/config/promote")
        yield HomeAssistant(url=url, process=process, api=api)


async def _answers(url: str, process: Child, session: aiohttp.ClientSession) -> None:
    """Wait until Home Assistant answers requests."""
    while True:
        process.check()
        try:
            async with session.get(f"{url}/manifest.json") as response:
                if response.status == 200:
                    return
        except aiohttp.ClientError:
            pass
        await asyncio.sleep(0.2)


async def _log_in(url: str, session: aiohttp.ClientSession) -> str:
    """Make the owner, or log in when there is one, and return a token for long."""
    client = f"{url}/"
    async with session.get(f"{url}/api/onboarding") as response:
        is_new = response.status == 200
    if is_new:
        owner = {"name": "Demo", "username": USER, "password": PASSWORD}
        code = (
            await _post(
                session,
                f"{url}/api/onboarding/users",
                json={**owner, "client_id": client, "language": "en"},
            )
        )["auth_code"]
    else:
        code = await _code_of_login(url, session, client)
    tokens = await _post(
        session,
        f"{url}/auth/token",
        data={"grant_type": "authorization_code", "code": code, "client_id": client},
    )
    token: str = await Api(
        url=url, token=tokens["access_token"], session=session
    ).command(
        "auth/long_lived_access_token",
        client_name=f"tools {tokens['refresh_token'][:8]}",
        lifespan=365,
    )
    return token


async def _code_of_login(url: str, session: aiohttp.ClientSession, client: str) -> str:
    """Log in with user and password and return the authorization code."""
    flow = f"{url}/auth/login_flow"
    begun = await _post(
        session,
        flow,
        json={
            "client_id": client,
            "handler": ["homeassistant", None],
            "redirect_uri": client,
        },
    )
    answer = await _post(
        session,
        f"{flow}/{begun['flow_id']}",
        json={"client_id": client, "username": USER, "password": PASSWORD},
    )
    return answer["result"]


async def _post(
    session: aiohttp.ClientSession, url: str, **arguments: object
) -> dict[str, str]:
    """Send a POST request without a token and return the decoded answer."""
    async with session.post(url, **arguments) as response:  # type: ignore[arg-type]
        if response.status >= 400:
            raise ToolError(
                f"Home Assistant answered {response.status} to {url}: "
                f"{await response.text()}"
            )
        answer: dict[str, str] = await response.json()
        return answer
