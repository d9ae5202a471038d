"""A signed message is a frozen dataclass whose fields are annotated with their Solidity type (EIP-712).

The type string follows from the class, so that name, order and types cannot drift from the signed bytes. A field is a
value, a list of values (`bytes32[]`), a struct, or a list of structs (a `Struct` subclass, or a tuple of one).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Annotated, Any, TypeVar, get_args, get_origin, get_type_hints

from contracts import ids
from contracts.errors import BadField
from contracts.ids import from_hex, to_hex

Address = Annotated[ids.Address, "address"]
Bytes32 = Annotated[bytes, "bytes32"]
Uint8 = Annotated[int, "uint8"]
Uint16 = Annotated[int, "uint16"]
Uint32 = Annotated[int, "uint32"]
Uint64 = Annotated[int, "uint64"]
Uint256 = Annotated[int, "uint256"]
Text = Annotated[str, "string"]
Bool = Annotated[bool, "bool"]
AddressList = Annotated[tuple[ids.Address, ...], "address[]"]
Bytes32List = Annotated[tuple[bytes, ...], "bytes32[]"]

LARGEST_NUMBER = 2**53 - 1
"""The largest whole number that every JSON reader holds; those beyond it are written as decimal strings."""
LONGEST_LIST = 1024
"""Elements of a list in a message: its consequences stay bounded."""

S = TypeVar("S", bound="Struct")

_ADDRESS = re.compile(r"0x[0-9a-fA-F]{40}")
_BYTES32 = re.compile(r"0x[0-9a-fA-F]{64}")
_TEXT = re.compile(r"[\x20-\x7e]{1,200}")
_DECIMAL = re.compile(r"0|[1-9][0-9]{0,77}")


@dataclass(frozen=True)
class Struct:
    """A struct of EIP-712; checks each field against its type. Raises BadField."""

    def __post_init__(self) -> None:
        for name, solidity in field_types(type(self)).items():
            check_field(name, solidity, getattr(self, name), structs(type(self)))


_TYPES: dict[type[Struct], dict[str, str]] = {}
_STRUCTS: dict[type[Struct], dict[str, type[Struct]]] = {}


def field_types(struct: type[Struct]) -> dict[str, str]:
    """Field name → Solidity type, in signing order."""
    if struct not in _TYPES:
        hints = get_type_hints(struct, include_extras=True)
        _TYPES[struct] = {field.name: _solidity(hints[field.name]) for field in fields(struct)}
    return _TYPES[struct]


def structs(struct: type[Struct]) -> dict[str, type[Struct]]:
    """The structs that a struct's fields are made of, by name, at any depth."""
    if struct not in _STRUCTS:
        _STRUCTS[struct] = _find_structs(struct)
    return _STRUCTS[struct]


def _find_structs(struct: type[Struct]) -> dict[str, type[Struct]]:
    result: dict[str, type[Struct]] = {}
    for hint in get_type_hints(struct).values():
        for part in (hint, *get_args(hint)):
            if isinstance(part, type) and issubclass(part, Struct):
                result |= {part.__name__: part} | structs(part)
    return result


def type_string(struct: type[Struct]) -> str:
    """The EIP-712 encodeType: the struct, then those that it is made of, in order of their names."""
    inner = structs(struct)
    return "".join(_one_type(kind) for kind in (struct, *(inner[name] for name in sorted(inner))))


def typed_fields(struct: type[Struct]) -> dict[str, list[dict[str, str]]]:
    """All types as wallets take them: name → list of {name, type}."""
    kinds = {struct.__name__: struct} | structs(struct)
    return {
        name: [{"name": field, "type": solidity} for field, solidity in field_types(kind).items()]
        for name, kind in kinds.items()
    }


def plain(struct: Struct) -> dict[str, Any]:
    """Field name → value, with structs inside as dicts, as a library hashes them."""
    return {name: _plain(getattr(struct, name)) for name in field_types(type(struct))}


def to_json(struct: Struct) -> dict[str, Any]:
    """Wire form: bytes as 0x-hex, uint256 as decimal strings, smaller integers as numbers up to 2^53 - 1.

    Beyond that they are decimal strings as well: each value has one spelling.
    """
    return {name: _to_wire(solidity, getattr(struct, name)) for name, solidity in field_types(type(struct)).items()}


def from_json(struct: type[S], body: Mapping[str, Any]) -> S:
    """Read the wire form strictly. Raises BadField for a missing, unknown or misfitting field."""
    types = field_types(struct)
    if not isinstance(body, Mapping) or set(body) != set(types):
        raise BadField(f"{struct.__name__} takes exactly the fields {', '.join(types)}")
    inner = structs(struct)
    return struct(**{name: _from_wire(name, solidity, body[name], inner) for name, solidity in types.items()})


def check_field(name: str, solidity: str, value: Any, inner: Mapping[str, type[Struct]]) -> None:
    """Raises BadField unless the value is of that type."""
    if solidity.endswith("[]"):
        if not isinstance(value, tuple) or len(value) > LONGEST_LIST:
            raise BadField(f"{name} must be a list of at most {LONGEST_LIST}")
        for element in value:
            check_field(name, solidity[:-2], element, inner)
    elif solidity in inner:
        if type(value) is not inner[solidity]:
            raise BadField(f"{name} must be a {solidity}")
    else:
        _check_value(name, solidity, value)


def _check_value(name: str, solidity: str, value: Any) -> None:
    if solidity == "bytes32":
        if not isinstance(value, bytes) or len(value) != 32:
            raise BadField(f"{name} must be 32 bytes")
    elif solidity == "address":
        if not isinstance(value, str) or not _ADDRESS.fullmatch(value):
            raise BadField(f"{name} must be an address: 0x followed by 40 hex digits")
    elif solidity == "string":
        if not isinstance(value, str) or not _TEXT.fullmatch(value):
            raise BadField(f"{name} must be 1 to 200 printable ASCII characters")
    elif solidity == "bool":
        if not isinstance(value, bool):
            raise BadField(f"{name} must be true or false")
    else:
        bits = int(solidity.removeprefix("uint"))
        if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value < 1 << bits:
            raise BadField(f"{name} must be a whole number of at most {bits} bits")


def _solidity(hint: Any) -> str:
    """The Solidity type of an annotation."""
    if hasattr(hint, "__metadata__"):
        return str(hint.__metadata__[0])
    if get_origin(hint) is tuple:
        return f"{get_args(hint)[0].__name__}[]"
    return str(hint.__name__)


def _one_type(struct: type[Struct]) -> str:
    inner = ",".join(f"{solidity} {name}" for name, solidity in field_types(struct).items())
    return f"{struct.__name__}({inner})"


def _plain(value: Any) -> Any:
    if isinstance(value, tuple):
        return [_plain(element) for element in value]
    return plain(value) if isinstance(value, Struct) else value


def _to_wire(solidity: str, value: Any) -> Any:
    if isinstance(value, tuple):
        return [_to_wire(solidity[:-2], element) for element in value]
    if isinstance(value, Struct):
        return to_json(value)
    if solidity == "bytes32":
        return to_hex(value)
    return str(value) if solidity == "uint256" or _is_large(value) else value


def _is_large(value: Any) -> bool:
    return isinstance(value, int) and value > LARGEST_NUMBER


def _from_wire(name: str, solidity: str, value: Any, inner: Mapping[str, type[Struct]]) -> Any:
    if solidity.endswith("[]"):
        if not isinstance(value, list) or len(value) > LONGEST_LIST:
            raise BadField(f"{name} must be a list of at most {LONGEST_LIST}")
        return tuple(_from_wire(name, solidity[:-2], element, inner) for element in value)
    if solidity in inner:
        return from_json(inner[solidity], value)
    if solidity == "bytes32":
        if not isinstance(value, str) or not _BYTES32.fullmatch(value):
            raise BadField(f"{name} must be 0x followed by 64 hex digits")
        return from_hex(value)
    if solidity == "uint256":
        if not isinstance(value, str) or not _DECIMAL.fullmatch(value):
            raise BadField(f"{name} must be a whole number as a decimal string")
        return int(value)
    return _number(name, value) if solidity.startswith("uint") else value


def _number(name: str, value: Any) -> Any:
    """A smaller integer, which the struct checks against its type."""
    if isinstance(value, str) and _DECIMAL.fullmatch(value) and _is_large(int(value)):
        return int(value)
    if isinstance(value, str) or _is_large(value):
        raise BadField(f"{name} must be a whole number, and a decimal string if it is beyond {LARGEST_NUMBER}")
    return value
