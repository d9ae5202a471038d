"""Checks of single fields: kinds of numbers and texts that a run's configuration may hold."""

from __future__ import annotations

import re
from decimal import Decimal

from contracts.errors import CommonweightError
from contracts.protocol.maintainers import InvalidMaintainers, Maintainers
from contracts.protocol.mixture import InvalidMixture, parse_mixture

_RATE = re.compile(r"[0-9]{1,9}(?:\.[0-9]{1,24})?")
_MAX_RATE_LENGTH = 24
_URL = re.compile(r"https?://[A-Za-z0-9.:\[\]-]+(?:/[A-Za-z0-9._~!$&'()*+,;=:@%/-]*)?")
_LONGEST_URL = 200
_MOST_URLS = 8


class InvalidRunConfig(CommonweightError):
    """A run configuration field is unknown, missing, of the wrong type or out of range."""

    code = "invalid-run-config"
    status = 422

    def __init__(self, field: str, problem: str) -> None:
        self.field = field[:40]  # a decision's key is as long as its proposer likes
        super().__init__(f"{self.field} {problem}")


def invalid(field: str, problem: str) -> InvalidRunConfig:
    """The error of a field."""
    return InvalidRunConfig(field, problem)


def check_integer(name: str, value: object, low: int, high: int) -> None:
    """A whole number within bounds. Raises InvalidRunConfig, as all of these do."""
    if isinstance(value, bool) or not isinstance(value, int):
        raise invalid(name, "must be a whole number")
    if not low <= value <= high:
        raise invalid(name, f"must be between {low} and {high}")


def check_rate(name: str, value: object, low: Decimal, high: Decimal) -> None:
    """One number has one spelling (no exponent, no trailing zero), so equal configs digest equally."""
    if not isinstance(value, str) or len(value) > _MAX_RATE_LENGTH or not _RATE.fullmatch(value):
        raise invalid(name, f"must be a decimal of at most {_MAX_RATE_LENGTH} digits and a point, without exponent")
    number = Decimal(value)
    if not low <= number <= high:
        raise invalid(name, f"must be between {low} and {high}, is {value}")
    canonical = f"{number:f}"
    canonical = canonical.rstrip("0").rstrip(".") if "." in canonical else canonical
    if value != canonical:
        raise invalid(name, f"must be written as {canonical!r}, is {value!r}")


def check_digest(name: str, value: object) -> None:
    """32 bytes in lower-case hex."""
    if not isinstance(value, str) or len(value) != 64 or set(value) - set("0123456789abcdef"):
        raise invalid(name, "must be 64 lower-case hexadecimal digits")


def check_maintainers(value: object) -> None:
    """Nothing, or a threshold and addresses."""
    try:
        Maintainers.parse(value)
    except InvalidMaintainers as error:
        raise invalid("maintainers", error.detail) from error


def check_mixture(value: object) -> None:
    """Nothing, or weights of sources."""
    try:
        parse_mixture(value)
    except InvalidMixture as error:
        raise invalid("mixture", error.detail) from error


def check_url(name: str, value: object) -> None:
    """Nothing, or an http address without a query."""
    if value != "" and (not isinstance(value, str) or len(value) > _LONGEST_URL or not _URL.fullmatch(value)):
        raise invalid(
            name, f"must be empty, or an http or https address of at most {_LONGEST_URL} characters, no query"
        )


def check_urls(name: str, value: object) -> None:
    """Nothing, or several such addresses with one space between, each once: one list has one spelling."""
    addresses = value.split(" ", _MOST_URLS) if isinstance(value, str) and value else []
    if not isinstance(value, str) or len(addresses) > _MOST_URLS or len(set(addresses)) < len(addresses):
        raise invalid(name, f"must be empty, or at most {_MOST_URLS} addresses, each once, with one space between")
    for address in addresses:
        if not address:
            raise invalid(name, "must have one space between addresses")
        check_url(name, address)
