"""How the meter is set up: ET29, ET50, ET51, ET55."""

from ..profiles import Profile
from .layout import Layout, View, Writer, long_time, table

_SOURCES = 6  # ET11.22: data sources of a MEP client
_ENERGY_UNIT = 39  # ET55: offset from the end of the step tariff thresholds


@table("ET29")
def hardware(view: View) -> bytes:
    """Hardware options: disconnect, M-Bus, cover tamper, MEP ports, external CT."""
    profile = view.profile
    features = [9, 10, 14]
    if profile.disconnect:
        features.append(5)
    features += [5 + number for number in profile.relays]
    if profile.mbus:
        features.append(8)
    if profile.transformer:
        features.append(17)
    if profile.generation4:
        features.append(23)
    layout = (
        Layout(48 if profile.generation4 else 20)
        .put(0, "3s", sum(1 << bit for bit in features).to_bytes(3, "little"))
        .put(5, "B", 0b01 if profile.single_phase else 0b10)
    )
    if profile.generation4:
        layout.put(24, "9B", 2, 1, 1, 1, 1, 2, 3, 3, 1)
        layout.put(33, "I", 1 << 1 | 1 << 3 | 1 << 5)
    return layout.done()


def _clients(profile: Profile) -> int:
    return 2 if profile.generation4 else 1


@table("ET50", Writer.BASIC)
def mep_registration(view: View) -> bytes:
    """One element for each MEP client; none is registered."""
    return bytes((35 + 6 * _SOURCES) * _clients(view.profile))


@table("ET51", Writer.BASIC)
def mep_configuration(view: View) -> bytes:
    """Time limits of each MEP client."""
    layout = Layout()
    for _ in range(_clients(view.profile)):
        layout.add("BHBHHB", 0, 60, 30, 600, 300, 0)
        if view.profile.since(3, 70):
            layout.add("B", 0)
    return layout.done()


@table("ET55", Writer.ADVANCED)
def meter_configuration(view: View) -> bytes:
    """Meter configuration with the energy register unit."""
    profile = view.profile
    shift = 1 if profile.generation4 else 0  # five-character display codes
    if not profile.since(3, 70):
        layout = Layout(110 if profile.since(3, 50) else 109)
        return _put_message(layout, view, shift).done()
    base = 146 + shift + 4 * (profile.max_tiers - 1)
    layout = (
        Layout(base + (60 if profile.generation4 else 40))
        .put(3, "B", profile.step_tariff << 5)
        .put(78 + shift, "H", 60)
        .put(93 + shift, "B", 5 if profile.transformer else 0)
        .put(base + 5, "B", 1)
        .put(base + 10, "HHH", 15, 600, 1008)
        .put(base + _ENERGY_UNIT, "B", profile.ratios.energy_unit)
    )
    if profile.generation4:
        layout.put(base + 42, "HH", 600, 300).put(base + 58, "B", 1)
    return _put_message(layout, view, shift).done()


def _put_message(layout: Layout, view: View, shift: int) -> Layout:
    """Put the message of the display; the code has a character more on generation 4."""
    if (message := view.state.message) is None:
        return layout
    return (
        layout.text(52, 4 + shift, message.code, b" ")
        .put(56 + shift, "B", message.points)
        .text(57 + shift, 8, message.text, b" ")
        .put(65 + shift, "6s6s", long_time(message.start), long_time(message.end))
        .put(77 + shift, "B", message.dismissed << 1)
    )


@table("ET90", since=(4, 2))
def dimensions_ln(view: View) -> bytes:
    """Sizes of what came with later firmware: at 16 the number of free texts."""
    return Layout(20).put(16, "B", len(view.profile.display_texts)).done()


@table("ET97", Writer.ADVANCED, since=(4, 2))
def meter_configuration_ln(view: View) -> bytes:
    """Free texts of 8 characters among the readings of the display, and settings."""
    texts = view.profile.display_texts
    layout = Layout(8 * len(texts) + 102)
    for number, text in enumerate(texts):
        layout.text(8 * number, 8, text)
    return layout.done()
