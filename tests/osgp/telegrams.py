"""Published M-Bus telegrams, as test data.

Each is a whole frame: start, length twice, start, C, A and CI field, user data,
checksum, stop.
"""

VARIABLE = """
    68 1F 1F 68 08 02 72 78 56 34 12 24 40 01 07 55 00 00 00
    03 13 15 31 00  DA 02 3B 13 01  8B 60 04 37 18 02  18 16
"""
"""Example of a variable data structure: "The M-Bus: A Documentation", Rev. 4.8."""

FIXED = """
    68 13 13 68 08 05 73 78 56 34 12 0A 00 E9 7E 01 00 00 00 35 01 00 00 3C 16
"""
"""Example of a fixed data structure: "The M-Bus: A Documentation", Rev. 4.8."""

HEAT = """
    68 3D 3D 68 08 01 72 00 51 20 02 82 4D 02 04 00 88 00 00
    04 07 00 00 00 00  0C 15 03 00 00 00  0B 2E 00 00 00  0B 3B 00 00 00
    0A 5A 88 12  0A 5E 16 05  0B 61 23 77 00  02 6C 8C 11  02 27 37 0D
    0F 60 00 67 16
"""
"""A heat meter: documentation of the Python package pymbusparser 0.5.3."""

OMS_GAS_RECORDS = "0C 14 27 04 85 02  04 6D 32 37 1F 15  02 FD 17 00 00"
"""Records of a gas meter: Open Metering System Specification, volume 2, annex N."""


def user_data(frame: str) -> bytes:
    """Return what follows the CI field, after a check of length and checksum."""
    raw = bytes.fromhex(frame)
    assert raw[0] == raw[3] == 0x68
    assert raw[1] == raw[2] == len(raw) - 6
    assert raw[-2] == sum(raw[4:-2]) & 0xFF
    assert raw[-1] == 0x16
    return raw[7:-2]
