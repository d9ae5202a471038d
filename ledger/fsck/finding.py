"""The findings of fsck."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, order=True)
class Finding:
    """Something that does not hold: the table, the row's key, and what is wrong with it."""

    table: str
    key: str
    what: str

    def __str__(self) -> str:
        return f"{self.table} {self.key}: {self.what}"


def differences(table: str, expected: Mapping[Any, Any], actual: Mapping[Any, Any], source: str) -> Iterator[Finding]:
    """A finding for every key under which two views of one table differ."""
    for key in sorted(expected.keys() - actual.keys(), key=str):
        yield Finding(table, str(key), f"is missing: {source} gives {expected[key]}")
    for key in sorted(actual.keys() - expected.keys(), key=str):
        yield Finding(table, str(key), f"does not follow from {source}")
    for key in sorted(expected.keys() & actual.keys(), key=str):
        if expected[key] != actual[key]:
            yield Finding(table, str(key), f"is {actual[key]} where {source} gives {expected[key]}")
