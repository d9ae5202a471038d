"""JSON Schema of a signed message's wire form, from the struct that is signed (contracts/messages/fields.py)."""

from __future__ import annotations

from functools import cache
from typing import Any

from contracts.messages.fields import LARGEST_NUMBER
from contracts.messages.for_contracts import Message, field_types


def schema_of(kind: type[Message]) -> dict[str, Any]:
    """Exactly the fields, each of its type; structs within structs and lists stand in the log's messages alone."""
    properties = {name: _field(solidity) for name, solidity in field_types(kind).items()}
    return {
        "type": "object",
        "title": kind.__name__,
        "required": list(properties),
        "properties": properties,
        "additionalProperties": False,
    }


def _field(solidity: str) -> dict[str, Any]:
    if solidity == "address":
        return {"type": "string", "pattern": "^0x[0-9a-fA-F]{40}$"}
    if solidity == "bytes32":
        return {"type": "string", "pattern": "^0x[0-9a-fA-F]{64}$"}
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
