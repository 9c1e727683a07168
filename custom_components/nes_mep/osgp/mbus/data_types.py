"""What the load profile records of M-Bus meters: the data types of ET57.

A data type stands for data record headers; of an M-Bus meter's answer, the meter
records the data of the record that has one of them.
"""

from dataclasses import dataclass

from ..tables.fields import TableData
from .telegram import decode_number, decode_record_header, number_length, register_key
from .units import Form, Measure

DATA_TYPE_LENGTH = 4
"""Bytes of an entry of ET57."""

_RECORDED_LENGTH = 4
_KIND = 0b11
_MBUS_BASE, _EXTENSION = 1, 3


@dataclass(frozen=True, slots=True, kw_only=True)
class MBusRegister:
    """A register of M-Bus meters, as MBusRecord has it, and the form of its data."""

    measure: Measure
    data_field: int
    storage: int
    tariff: int
    subunit: int
    function: str

    @property
    def key(self) -> str:
        """The key by which the registers of an M-Bus meter differ."""
        return register_key(
            self.measure.quantity,
            self.measure.qualifiers,
            storage=self.storage,
            tariff=self.tariff,
            subunit=self.subunit,
            function=self.function,
        )

    def value(self, recorded: int) -> float | None:
        """Return the value of what was recorded, None if that is no number.

        0 is none either: it stands for intervals in which the M-Bus meter was not
        asked, in some meters without a status that says so.
        """
        data = recorded.to_bytes(_RECORDED_LENGTH, "little", signed=True)
        number = decode_number(self.data_field, data[: number_length(self.data_field)])
        if not recorded or number is None:
            return None
        return self.measure.scale(number)


def decode_data_types(data: bytes) -> dict[int, MBusRegister]:
    """Decode ET57, or its beginning: the register of each data type, by its number.

    A type whose headers mean different things is left out, as nothing tells which of
    them was recorded, and so is one whose data have more than the four bytes that are
    recorded. Raises DecodeError.
    """
    table = TableData("ET57", data)
    headers: list[tuple[int, bytes]] = []
    is_mbus = False
    for offset in range(0, len(data), DATA_TYPE_LENGTH):
        flags = table.uint(offset)
        kind, header = flags & _KIND, table.raw(offset + 1, DATA_TYPE_LENGTH - 1)
        if kind == _EXTENSION and is_mbus:
            number, begin = headers.pop()
            headers.append((number, begin + header))
        elif kind != _EXTENSION:
            is_mbus = kind == _MBUS_BASE
            if is_mbus:
                headers.append((flags >> 2 & 0x1F, header))
    meanings: dict[int, set[MBusRegister | None]] = {}
    for number, header in headers:
        meanings.setdefault(number, set()).add(_register(header))
    return {
        number: register
        for number, registers in meanings.items()
        if len(registers) == 1 and (register := registers.pop()) is not None
    }


def _register(header: bytes) -> MBusRegister | None:
    """Return which register has a header, None if its data cannot be understood."""
    found = decode_record_header(header)
    if found is None or found.measure is None or any(header[found.length :]):
        return None
    length = number_length(found.data_field)
    if found.measure.form is not Form.NUMBER or not 0 < length <= _RECORDED_LENGTH:
        return None
    return MBusRegister(
        measure=found.measure,
        data_field=found.data_field,
        storage=found.storage,
        tariff=found.tariff,
        subunit=found.subunit,
        function=found.function,
    )
