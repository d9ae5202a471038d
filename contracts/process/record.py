"""What processes of one owner say to each other, or to themselves after a restart, as JSON: objects of fixed fields.

What others say is read by the classes of contracts/wire/fields.py, and what is signed by contracts/messages/.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Self

from pydantic import ConfigDict, PlainSerializer, TypeAdapter

from contracts.wire.fields import Object

BigNumber = Annotated[int, PlainSerializer(str)]
"""A whole number that stands in JSON as text."""


class Record:
    """Base of dataclasses that are JSON objects: tuples are lists there, keys are text."""

    __pydantic_config__ = ConfigDict(extra="forbid")

    def to_json(self) -> Object:
        """Its fields, in their order."""
        found: Object = _adapter(type(self)).dump_python(self, mode="json")
        return found

    @classmethod
    def from_json(cls, body: Mapping[str, object]) -> Self:
        """What `to_json` gave. Raises ValueError."""
        found: Self = _adapter(cls).validate_python(body)
        return found


_ADAPTERS: dict[type[Record], TypeAdapter[Any]] = {}


def _adapter(kind: type[Record]) -> TypeAdapter[Any]:
    if kind not in _ADAPTERS:
        _ADAPTERS[kind] = TypeAdapter(kind)
    return _ADAPTERS[kind]
