"""The machine's state as canonical JSON and back, so that a restart need not read the log from its start.

Type hints give the form of each field. A dictionary is a list of pairs in its order, since the machine goes by that
order; a set is a sorted list; a class of which there are several kinds names its own. Nothing is ever unpickled, and
the reader of a snapshot compares its size and root with its own log (ledger/machine/snapshots.py).
"""

from __future__ import annotations

import hashlib
import json
import types
from collections.abc import Callable, Mapping
from dataclasses import fields, is_dataclass
from enum import StrEnum
from functools import lru_cache
from pathlib import Path
from typing import Any, Union, get_args, get_origin, get_type_hints

from contracts.errors import CommonweightError
from contracts.ids import beneath
from contracts.protocol.judge import chain_events
from contracts.protocol.judge.chain_events import ChainEvent
from contracts.protocol.judge.functions import Functions
from contracts.protocol.judge.state import State

FUNCTIONS = "functions"
"""The one field that is no data: the caller of `restore` gives them."""
_EVENTS: dict[str, type[ChainEvent]] = {
    name: kind
    for name, kind in vars(chain_events).items()
    if isinstance(kind, type) and issubclass(kind, ChainEvent) and kind is not ChainEvent
}


class InvalidSnapshot(CommonweightError):
    """Text that is no state of this machine."""

    code = "invalid-snapshot"
    status = 422


@lru_cache(maxsize=1)
def code_version() -> str:
    """64 hex digits over the sources of the rules: a state that other code made is not gone on from."""
    digest = hashlib.sha256()
    rules = Path(__file__).parent
    for source in sorted(rules.rglob("*.py")):
        text = source.read_bytes()
        digest.update(f"{source.relative_to(rules).as_posix()}\n{len(text)}\n".encode() + text)
    return digest.hexdigest()


def dump(state: State) -> str:
    """Canonical JSON: equal states in which everything stands in the same order give equal text."""
    return json.dumps(_object(state), sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def restore(text: str, functions: Functions) -> State:
    """The state that was dumped. Raises InvalidSnapshot."""
    try:
        value = json.loads(text, parse_float=_no_number, parse_constant=_no_number)
    except (ValueError, RecursionError) as error:
        raise InvalidSnapshot(f"is not JSON: {error}") from error
    if not isinstance(value, dict):
        raise InvalidSnapshot("a state must be an object")
    return State(functions, **_fields(State, value, "state"))


def _wire(value: Any) -> Any:
    """The JSON of a value."""
    if value is None or isinstance(value, (bool, int, str)):
        return value
    if isinstance(value, ChainEvent):
        return {"event": type(value).__name__, **_object(value)}
    if is_dataclass(value):
        return _object(value)
    if isinstance(value, dict):
        return [[_wire(key), _wire(inner)] for key, inner in value.items()]
    if isinstance(value, (set, frozenset)):
        return sorted((_wire(element) for element in value), key=_order)
    if isinstance(value, (list, tuple)):
        return [_wire(element) for element in value]
    raise TypeError(f"a state holds no {type(value).__name__}")


def _object(value: Any) -> dict[str, Any]:
    return {field.name: _wire(getattr(value, field.name)) for field in fields(value) if field.name != FUNCTIONS}


def _order(element: Any) -> str:
    return json.dumps(element, sort_keys=True)


def _read(hint: Any, value: Any, name: str) -> Any:
    """The value that a type hint asks for. Raises InvalidSnapshot, naming the field."""
    origin = get_origin(hint)
    if origin in (Union, types.UnionType):
        return _optional(hint, value, name)
    if origin in _COLLECTIONS:
        return _COLLECTIONS[origin](get_args(hint), _list(value, name), name)
    if hint is ChainEvent:
        return _event(value, name)
    if isinstance(hint, type) and is_dataclass(hint):
        return hint(**_fields(hint, value, name))
    return _scalar(hint, value, name)


def _fields(kind: Any, value: Any, name: str) -> dict[str, Any]:
    hints = _hints(kind)
    if not isinstance(value, Mapping) or set(value) != set(hints):
        raise InvalidSnapshot(f"{name} must have exactly the fields of {kind.__name__}")
    return {field: _read(hint, value[field], field) for field, hint in hints.items()}


@lru_cache(maxsize=256)
def _hints(kind: Any) -> dict[str, Any]:
    hints = get_type_hints(kind)
    return {field.name: hints[field.name] for field in fields(kind) if field.name != FUNCTIONS}


def _optional(hint: Any, value: Any, name: str) -> Any:
    kinds = [kind for kind in get_args(hint) if kind is not type(None)]
    return None if value is None else _read(kinds[0], value, name)


def _event(value: Any, name: str) -> ChainEvent:
    if not isinstance(value, Mapping) or value.get("event") not in _EVENTS:
        raise InvalidSnapshot(f"{name} must be an event of a known kind")
    kind = _EVENTS[value["event"]]
    event: ChainEvent = kind(**_fields(kind, {key: inner for key, inner in value.items() if key != "event"}, name))
    return event


def _list(value: Any, name: str) -> list[Any]:
    if not isinstance(value, list):
        raise InvalidSnapshot(f"{name} must be a list")
    return value


def _tuple(kinds: tuple[Any, ...], value: list[Any], name: str) -> tuple[Any, ...]:
    if kinds[-1] is Ellipsis:
        return tuple(_read(kinds[0], element, name) for element in value)
    if len(kinds) != len(value):
        raise InvalidSnapshot(f"{name} must have {len(kinds)} elements")
    return tuple(_read(kind, element, name) for kind, element in zip(kinds, value, strict=True))


def _dict(kinds: tuple[Any, ...], value: list[Any], name: str) -> dict[Any, Any]:
    pairs = [_tuple(kinds, _list(pair, name), name) for pair in value]
    result = dict(pairs)
    if len(result) != len(pairs):
        raise InvalidSnapshot(f"{name} has a key twice")
    return result


def _elements(kinds: tuple[Any, ...], value: list[Any], name: str) -> list[Any]:
    return [_read(kinds[0], element, name) for element in value]


def _scalar(hint: Any, value: Any, name: str) -> Any:
    hint = beneath(hint)
    if isinstance(hint, type) and issubclass(hint, StrEnum):
        if not isinstance(value, str) or value not in hint.__members__.values():
            raise InvalidSnapshot(f"{name} must be one of {', '.join(hint)}")
        return hint(value)
    if type(value) is not hint:
        raise InvalidSnapshot(f"{name} must be {hint.__name__}")
    return value


def _no_number(text: str) -> Any:
    raise ValueError(f"{text[:20]} is no whole number")


_COLLECTIONS: dict[Any, Callable[[tuple[Any, ...], list[Any], str], Any]] = {
    tuple: _tuple,
    list: _elements,
    dict: _dict,
    set: lambda kinds, value, name: set(_elements(kinds, value, name)),
    frozenset: lambda kinds, value, name: frozenset(_elements(kinds, value, name)),
}
