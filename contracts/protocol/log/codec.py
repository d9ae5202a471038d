"""Facts of the chain and derived entries as canonical JSON, and back: the class says what stands there.

Keys are sorted, nothing is spaced, whole numbers beyond 2^53 - 1 are decimal strings (as every JSON reader can hold
them), tuples are lists, sets are sorted lists. One entry has one text.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from enum import StrEnum
from types import UnionType
from typing import Any, TypeVar, Union, get_args, get_origin, get_type_hints

from contracts.errors import CommonweightError
from contracts.ids import beneath
from contracts.messages.fields import LARGEST_NUMBER

T = TypeVar("T")

MOST_ELEMENTS = 100_000
DEEPEST = 500
_WHOLE = re.compile(r"0|[1-9][0-9]{0,77}")
_BRACKET = re.compile(r'"(?:[^"\\]|\\.)*+(?:"|\\?\Z)|[\[\]{}]', re.DOTALL)
"""A string, also one that nothing ends: else each quotation mark in it would be tried anew, to the end of the text."""
_SURROGATE = re.compile("[\ud800-\udfff]")
_ESCAPED_SURROGATE = re.compile(r"\\u[dD][89a-fA-F]")
"""Two of them may be one letter: the text that they are read as has to have UTF-8."""
_CAPITAL = re.compile(r"(?<!^)(?=[A-Z])")
_HINTS: dict[type, dict[str, Any]] = {}


class InvalidLeaf(CommonweightError):
    """Bytes that are no entry of this log: another shape, or another spelling than the canonical one."""

    code = "invalid-leaf"
    status = 422


def slug(kind: type) -> str:
    """The name of a class in the log: `RoundOpened` is `round-opened`."""
    return _CAPITAL.sub("-", kind.__name__).lower()


def canonical(value: Any) -> str:
    """Canonical JSON."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def parse(text: str) -> Any:
    """JSON, each key once, no fractions and no numbers beyond what is written as such. Raises InvalidLeaf."""
    if _SURROGATE.search(text):
        raise InvalidLeaf("holds half of a surrogate pair, which has no UTF-8")
    if _depth(text) > DEEPEST:
        raise InvalidLeaf(f"is nested deeper than {DEEPEST}")
    try:
        value = json.loads(
            text, object_pairs_hook=_once, parse_float=_no_fraction, parse_constant=_no_fraction, parse_int=_small
        )
        if _ESCAPED_SURROGATE.search(text):
            canonical(value).encode()
    except (ValueError, RecursionError) as error:
        raise InvalidLeaf(f"is not JSON: {error}") from error
    return value


def to_wire(value: Any) -> Any:
    """The JSON of a value; a dataclass is an object of its fields."""
    if is_dataclass(value) and not isinstance(value, type):
        return {field.name: to_wire(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, frozenset):
        return sorted(to_wire(element) for element in value)
    if isinstance(value, tuple):
        return [to_wire(element) for element in value]
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) > LARGEST_NUMBER:
        return str(value)
    return value


def from_wire(hint: Any, value: Any, name: str = "entry") -> Any:
    """The value that a type hint asks for. Raises InvalidLeaf, naming the field."""
    if is_dataclass(hint):
        return from_object(hint, value, name)
    origin = get_origin(hint)
    if origin in (Union, UnionType):
        return _optional(hint, value, name)
    if origin in (tuple, frozenset):
        return _sequence(hint, value, name)
    return _scalar(hint, value, name)


def from_object(kind: Any, value: Any, name: str = "entry") -> Any:
    """A dataclass from an object with exactly its fields. Raises InvalidLeaf."""
    if kind not in _HINTS:
        _HINTS[kind] = get_type_hints(kind)
    names = [field.name for field in fields(kind)]
    if not isinstance(value, Mapping) or set(value) != set(names):
        raise InvalidLeaf(f"{name} takes exactly the fields {', '.join(names)}")
    return kind(**{field: from_wire(_HINTS[kind][field], value[field], field) for field in names})


def _optional(hint: Any, value: Any, name: str) -> Any:
    kinds = [kind for kind in get_args(hint) if kind is not type(None)]
    return None if value is None else from_wire(kinds[0], value, name)


def _sequence(hint: Any, value: Any, name: str) -> Any:
    if not isinstance(value, list) or len(value) > MOST_ELEMENTS:
        raise InvalidLeaf(f"{name} must be a list")
    kinds = get_args(hint)
    if get_origin(hint) is frozenset:
        return frozenset(from_wire(kinds[0], element, name) for element in value)
    if kinds[-1] is Ellipsis:
        return tuple(from_wire(kinds[0], element, name) for element in value)
    if len(kinds) != len(value):
        raise InvalidLeaf(f"{name} must have {len(kinds)} elements")
    return tuple(from_wire(kind, element, name) for kind, element in zip(kinds, value, strict=True))


def _scalar(hint: Any, value: Any, name: str) -> Any:
    hint = beneath(hint)
    if hint is int:
        return _whole(value, name)
    if isinstance(hint, type) and issubclass(hint, StrEnum):
        if not isinstance(value, str) or value not in hint.__members__.values():
            raise InvalidLeaf(f"{name} must be one of {', '.join(hint)}")
        return hint(value)
    if type(value) is not hint:
        raise InvalidLeaf(f"{name} must be {hint.__name__}")
    return value


def _depth(text: str) -> int:
    """The depth of brackets outside strings: a decoder in C would follow them to the end of its stack."""
    depth = deepest = 0
    for bracket in _BRACKET.findall(text):
        if bracket[0] == '"':
            continue
        depth += 1 if bracket in "[{" else -1
        deepest = max(deepest, depth)
    return deepest


def _whole(value: Any, name: str) -> int:
    """No entry holds a number below zero."""
    if isinstance(value, str) and _WHOLE.fullmatch(value):
        return int(value)
    if type(value) is not int or value < 0:
        raise InvalidLeaf(f"{name} must be a whole number")
    return value


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    result = dict(pairs)
    if len(result) != len(pairs):
        raise ValueError("a key appears twice")
    return result


def _small(text: str) -> int:
    if len(text) > 16 or abs(int(text)) > LARGEST_NUMBER:
        raise ValueError("a number beyond 2^53 - 1 is written as a string")
    return int(text)


def _no_fraction(text: str) -> Any:
    raise ValueError(f"{text[:20]} is no whole number")
