"""What the frontend does with forms, where a wrong form is not seen otherwise."""

from typing import Any, Final

from aiohttp.test_utils import TestClient
from pytest_homeassistant_custom_component.typing import ClientSessionGenerator

from homeassistant.core import HomeAssistant
from homeassistant.setup import async_setup_component

_FLOWS: Final = "/api/config/config_entries"
OPTIONS: Final = f"{_FLOWS}/options/flow"
SETUP: Final = f"{_FLOWS}/flow"

type Form = dict[str, Any]


async def open_frontend(
    hass: HomeAssistant, hass_client: ClientSessionGenerator
) -> TestClient[Any, Any]:
    """Return a client that is logged in, of a Home Assistant that has dialogues."""
    for component in ("config", "usb"):
        assert await async_setup_component(hass, component, {})
    return await hass_client()


async def open_form(client: TestClient[Any, Any], path: str, handler: str) -> Form:
    """Start a flow, as the frontend does, and return its first form."""
    answer = await client.post(path, json={"handler": handler})
    assert answer.status == 200, await answer.text()
    form: Form = await answer.json()
    return form


async def submit(
    client: TestClient[Any, Any], path: str, form: Form, user_input: dict[str, Any]
) -> Form:
    """Submit a form and return the next one, or the result."""
    answer = await client.post(f"{path}/{form['flow_id']}", json=user_input)
    assert answer.status == 200, await answer.text()
    result: Form = await answer.json()
    return result


def filled_in(fields: list[dict[str, Any]]) -> dict[str, Any]:
    """Return what the frontend fills in by itself, and submits if nobody changes it.

    A section with a default of its own does not show those of its fields.
    """
    shown: dict[str, Any] = {}
    for field in fields:
        suggested = (field.get("description") or {}).get("suggested_value")
        if suggested is not None:
            shown[field["name"]] = suggested
        elif "default" in field:
            shown[field["name"]] = field["default"]
        elif field.get("type") == "expandable":
            shown[field["name"]] = filled_in(field["schema"])
    return shown
