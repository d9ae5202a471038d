"""JSON Schema of a signed message's wire form, from the struct that is signed (contracts/messages/fields.py)."""

from __future__ import annotations

from functools import cache

from pydantic.json_schema import JsonSchemaValue

from contracts.messages.fields import LARGEST_NUMBER, LONGEST_LIST, Struct, field_types, structs

_EXAMPLES: dict[str, object] = {
    "address": "0x7E5F4552091A69125d5DfCb7b8C2659029395Bdf",
    "bytes32": "0x" + "5a" * 32,
    "uint256": "250000000000000000000",
    "string": "a few words",
    "bool": True,
}


def schema_of(kind: type[Struct]) -> JsonSchemaValue:
    """Exactly the fields, each of its type, with the Solidity type as its unit; structs and lists within."""
    inner = structs(kind)
    properties = {name: _field(kind, name, solidity, inner) for name, solidity in field_types(kind).items()}
    return {
        "type": "object",
        "title": kind.__name__,
        "description": f"The struct {kind.__name__} of EIP-712 in its wire form.",
        "required": list(properties),
        "properties": properties,
        "additionalProperties": False,
    }


def _field(kind: type[Struct], name: str, solidity: str, inner: dict[str, type[Struct]]) -> JsonSchemaValue:
    extra = {"description": f"{name} of {kind.__name__}.", "x-unit": solidity}
    if not solidity.endswith("[]"):
        return _form(solidity, inner) | extra
    return {"type": "array", "maxItems": LONGEST_LIST, "items": _form(solidity[:-2], inner), "examples": [[]]} | extra


def _form(solidity: str, inner: dict[str, type[Struct]]) -> JsonSchemaValue:
    if solidity in inner:
        return schema_of(inner[solidity])
    return _value(solidity) | {"examples": [_EXAMPLES.get(solidity, 1)]}


def _value(solidity: str) -> JsonSchemaValue:
    if solidity == "address":
        return {"type": "string", "pattern": "^0x[0-9a-fA-F]{40}$"}
    if solidity == "bytes32":
        return {"type": "string", "pattern": "^0x[0-9a-fA-F]{64}$"}
    if solidity == "string":
        return {"type": "string", "pattern": "^[\\x20-\\x7e]{1,200}$"}
    if solidity == "bool":
        return {"type": "boolean"}
    largest = 2 ** int(solidity.removeprefix("uint")) - 1
    if solidity == "uint256":
        return {"type": "string", "pattern": decimals(0, largest)}
    number = {"type": "integer", "minimum": 0, "maximum": min(largest, LARGEST_NUMBER)}
    if largest <= LARGEST_NUMBER:
        return number
    return {"anyOf": [number, {"type": "string", "pattern": decimals(LARGEST_NUMBER + 1, largest)}]}


@cache
def decimals(low: int, high: int) -> str:
    """A pattern of the whole numbers from `low` to `high` in decimals, without leading zeros."""
    parts: list[str] = []
    for length in range(len(str(low)), len(str(high)) + 1):
        least = max(low, 10 ** (length - 1) if length > 1 else 0)
        parts += _same_length(str(least), str(min(high, 10**length - 1)))
    return f"^({'|'.join(parts)})$"


def _same_length(low: str, high: str) -> list[str]:
    """Parts for numbers of one length: at each place where the two differ the digits between, and any behind them."""
    if low == high:
        return [low]
    rest = len(low) - 1
    if set(low[1:]) <= {"0"} and set(high[1:]) <= {"9"}:
        return [_digits(low[0], high[0]) + _any(rest)]
    if low[0] == high[0]:
        return [low[0] + part for part in _same_length(low[1:], high[1:])]
    first = [low[0] + part for part in _same_length(low[1:], "9" * rest)]
    last = [high[0] + part for part in _same_length("0" * rest, high[1:])]
    between = (int(low[0]) + 1, int(high[0]) - 1)
    middle = [_digits(str(between[0]), str(between[1])) + _any(rest)] if between[0] <= between[1] else []
    return [*first, *middle, *last]


def _digits(low: str, high: str) -> str:
    return low if low == high else f"[{low}-{high}]"


def _any(count: int) -> str:
    return f"[0-9]{{{count}}}" if count else ""
