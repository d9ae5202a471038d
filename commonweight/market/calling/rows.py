"""Rows of a provider's lists: each field is checked, and a row that cannot be read hides no other."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator, Mapping
from decimal import Decimal
from typing import Any, TypeVar

from commonweight.market.errors import BadPrice, MarketError, ProviderAway

logger = logging.getLogger(__name__)
T = TypeVar("T")
LARGEST = 2**53


class BadRow(MarketError):
    """A row of a provider's list that says something impossible."""

    code = "bad-row"


def readable(rows: Iterable[object], read: Callable[[Mapping[str, Any]], T], what: str) -> Iterator[T]:
    """The rows that can be read; each of the others is one line in the log."""
    for row in rows:
        try:
            yield read(as_object(row, what))
        except (BadPrice, BadRow) as error:
            logger.warning("%s: a row is left out: %s", what, error.detail)


def every(rows: Iterable[object], read: Callable[[Mapping[str, Any]], T], what: str) -> list[T]:
    """All rows of a list that must be whole. Raises ProviderAway where one cannot be read."""
    try:
        return [read(as_object(row, what)) for row in rows]
    except (BadPrice, BadRow) as error:
        raise ProviderAway(f"{what} cannot be read: {error.detail}", sent=True) from None


def as_object(value: object, what: str) -> Mapping[str, Any]:
    """Raises BadRow where the value is no object."""
    if not isinstance(value, Mapping):
        raise BadRow(f"{what} is no object")
    return value


def as_list(value: object, what: str) -> list[Any]:
    """A list that an answer must have. Raises ProviderAway: an answer without it is none."""
    if not isinstance(value, list):
        raise ProviderAway(f"{what} is no list", sent=True)
    return value


def text(row: Mapping[str, Any], name: str, most: int = 200) -> str:
    """A text, or a number as text; empty where it is missing. Raises BadRow."""
    value = row.get(name)
    if value is None:
        return ""
    if isinstance(value, bool) or not isinstance(value, str | int | Decimal):
        raise BadRow(f"{name} is no text: {repr(value)[:60]}")
    return str(value)[:most]


def whole(row: Mapping[str, Any], name: str, least: int = 0) -> int:
    """A whole number, rounded down; `least` where it is missing. Raises BadRow for text and what is out of range."""
    value = row.get(name)
    if value is None:
        return least
    if isinstance(value, bool) or not isinstance(value, int | Decimal) or not Decimal(value).is_finite():
        raise BadRow(f"{name} is no number: {repr(value)[:60]}")
    if not least <= value <= LARGEST:
        raise BadRow(f"{name} is out of range: {repr(value)[:60]}")
    return int(value)
