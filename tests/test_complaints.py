"""A test fails in which Home Assistant complains about the integration."""

from collections.abc import Callable

import pytest

from custom_components.nes_mep.const import DOMAIN
from homeassistant.core import HomeAssistant
from homeassistant.helpers import frame
from homeassistant.helpers.deprecation import deprecated_function
from homeassistant.loader import async_get_integration

from .complaints import no_complaints
from .imports import INTEGRATION

pytestmark = pytest.mark.usefixtures("enable_custom_integrations")


@deprecated_function("another one")
def outdated() -> None:
    """Do what nobody should want any more."""


def report_frame() -> None:
    """Report a use by whoever calls this."""
    frame.report_usage("does what it should not")


def report_domain() -> None:
    """Report a use by the integration that is named."""
    frame.report_usage("does what it should not", integration_domain=DOMAIN)


@pytest.mark.parametrize("use", [outdated, report_frame, report_domain])
async def test_complaint(
    hass: HomeAssistant, monkeypatch: pytest.MonkeyPatch, use: Callable[[], None]
) -> None:
    """Whatever a module of the integration does wrong is found."""
    monkeypatch.setattr(frame, "_REPORTED_INTEGRATIONS", set())
    await async_get_integration(hass, DOMAIN)

    def sensor() -> None:
        use()

    sensor.__code__ = sensor.__code__.replace(
        co_filename=str(INTEGRATION / "sensor.py")
    )
    with pytest.raises(AssertionError, match=DOMAIN), no_complaints():
        sensor()
