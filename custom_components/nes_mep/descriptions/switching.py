"""What switches loads: the control relays."""

from typing import Final

from homeassistant.components.binary_sensor import BinarySensorEntityDescription

_NUMBERS: Final = (1, 2)

RELAYS: Final = tuple(
    # No device class: "opening" is for doors and windows, and would be listed with them.
    BinarySensorEntityDescription(
        key=f"control_relay_{number}",
        translation_key="control_relay",
        translation_placeholders={"number": str(number)},
    )
    for number in _NUMBERS
)
