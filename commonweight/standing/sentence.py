"""One sentence for each state of a thing, and the command that says more or moves it on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any


@dataclass(frozen=True)
class Sentence:
    """`text` and `command` take named values in braces; a command starts with `commonweight`."""

    text: str
    command: str


def told(table: Mapping[StrEnum, Sentence], state: StrEnum, values: Mapping[str, Any]) -> str:
    """The sentence of a state. Raises KeyError for a value that it needs and is not given."""
    return table[state].text.format_map(values)


def helper(table: Mapping[StrEnum, Sentence], state: StrEnum, values: Mapping[str, Any]) -> str:
    """The command that says more about a state, to be pasted."""
    return table[state].command.format_map(values)


def clock(seconds: int) -> str:
    """A Unix second for people."""
    try:
        return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
    except (OverflowError, ValueError, OSError):  # a contract may hold any number
        return f"second {seconds}"


def span(seconds: int) -> str:
    """A span of time in the two largest units: 2 days 3 hours."""
    parts = []
    rest = max(0, seconds)
    for name, size in (("day", 86_400), ("hour", 3_600), ("minute", 60), ("second", 1)):
        count, rest = divmod(rest, size)
        if count:
            parts.append(f"{count} {name}{'' if count == 1 else 's'}")
    return " ".join(parts[:2]) or "0 seconds"


def until(second: int, now: int) -> str:
    """A second to come, as a time and as the span until then."""
    return f"{clock(second)} (in {span(second - now)})" if second > now else f"{clock(second)} (past)"
