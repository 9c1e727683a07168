"""All issues: their texts, and their end with the entry."""

from custom_components.nes_mep.const import DOMAIN
from custom_components.nes_mep.issues import _AT_OPTICAL_PORT, _ISSUES
from homeassistant.config_entries import ConfigEntryDisabler, ConfigEntryState
from homeassistant.helpers import issue_registry as ir

from ..common import silent_port
from .house import TEXTS, House


def raise_all(house: House) -> None:
    """Raise every issue of the entry."""
    for issue in _ISSUES:
        ir.async_create_issue(
            house.hass,
            DOMAIN,
            f"{issue}_{house.entry.entry_id}",
            is_fixable=False,
            severity=ir.IssueSeverity.WARNING,
            translation_key=issue,
        )


def all_issues(house: House) -> set[str | None]:
    """Return the issues that Home Assistant has, also those that it does not show."""
    return {
        issue.translation_key
        for (domain, _), issue in ir.async_get(house.hass).issues.items()
        if domain == DOMAIN
    }


async def test_removal(house: House) -> None:
    """Nothing is left of an entry that is removed."""
    entry = await house.set_up()
    await house.pass_time(60)
    assert house.memory
    raise_all(house)
    assert all_issues(house) == set(_ISSUES)
    await house.hass.config_entries.async_remove(entry.entry_id)
    assert not all_issues(house)
    assert house.memory is None


async def test_disabled_entry(house: House) -> None:
    """Nothing is told about a meter that is not wanted, loaded or not."""
    async with silent_port() as nowhere:
        entry = await house.set_up(url=nowhere)
    assert entry.state is ConfigEntryState.SETUP_RETRY
    raise_all(house)
    assert all_issues(house) == set(_ISSUES)
    await house.hass.config_entries.async_set_disabled_by(
        entry.entry_id, ConfigEntryDisabler.USER
    )
    assert not all_issues(house)


def test_every_issue_has_texts() -> None:
    """Each is explained, at both ports, and each that can be fixed has its way."""
    assert {*_ISSUES, *_AT_OPTICAL_PORT.values()} == set(TEXTS)
    for issue, description in _ISSUES.items():
        for key in (issue, _AT_OPTICAL_PORT.get(issue, issue)):
            assert description.is_fixable == ("fix_flow" in TEXTS[key])
            assert description.is_fixable != ("description" in TEXTS[key])
