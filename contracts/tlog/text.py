"""The small parts that all of these formats share: decimals, base64, hashes, key names. One spelling each.

A text that says the same in two ways is two texts under one meaning, so each of these functions takes only the one that
its inverse writes. Any other raises the error class that the caller passes.
"""

from __future__ import annotations

import base64
import re

from contracts.errors import CommonweightError

Fails = type[CommonweightError]

HASH = 32
MAX_SIZE = 2**63 - 1
"""Sizes, indices and timestamps: a signed 64-bit integer, as most implementations keep them."""

_DECIMAL = re.compile("0|[1-9][0-9]{0,18}")
_CONTROL = re.compile(r"[\x00-\x09\x0b-\x1f]")


def parse_decimal(text: str, fails: Fails) -> int:
    """A number from 0 to MAX_SIZE in ASCII digits, without leading zeros."""
    if not _DECIMAL.fullmatch(text) or int(text) > MAX_SIZE:
        raise fails(f"not a decimal from 0 to {MAX_SIZE} without leading zeros: {shown(text)}")
    return int(text)


def check_number(number: int, what: str, fails: Fails) -> None:
    """From 0 to MAX_SIZE."""
    if not 0 <= number <= MAX_SIZE:
        raise fails(f"{what} must be from 0 to {MAX_SIZE}, not {number}")


def to_base64(data: bytes) -> str:
    """RFC 4648, section 4, with padding."""
    return base64.b64encode(data).decode()


def parse_base64(text: str, fails: Fails) -> bytes:
    """Only the text that to_base64 writes: no blanks, full padding, no stray bits at the end."""
    try:
        data = base64.b64decode(text, validate=True)
    except ValueError:  # also what is not ASCII
        raise fails(f"not base64: {shown(text)}") from None
    if to_base64(data) != text:
        raise fails(f"not the only base64 of its bytes: {shown(text)}")
    return data


def parse_hash(text: str, fails: Fails) -> bytes:
    """A SHA-256 hash, 32 bytes, as base64."""
    data = parse_base64(text, fails)
    check_hash(data, "a hash", fails)
    return data


def check_hash(data: bytes, what: str, fails: Fails) -> None:
    """32 bytes."""
    if len(data) != HASH:
        raise fails(f"{what} must have {HASH} bytes, not {len(data)}")


def parse_utf8(data: bytes, fails: Fails) -> str:
    """UTF-8 whose only control character is the newline, as C2SP's signed-note asks."""
    try:
        text = data.decode()
    except UnicodeDecodeError as error:
        raise fails(f"not UTF-8 at byte {error.start}") from None
    check_characters(text, fails)
    return text


def check_characters(text: str, fails: Fails) -> None:
    """No control character but newline, nothing that UTF-8 cannot write."""
    match = _CONTROL.search(text)
    if match:
        raise fails(f"control character at place {match.start()}")
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise fails(f"no character at place {error.start}") from None


def check_name(name: str, fails: Fails) -> None:
    """The name of a key (C2SP's signed-note): not empty, without blanks of any script, plus or control characters."""
    if not name or "+" in name or any(letter.isspace() for letter in name):
        raise fails(f"a key's name must be without blanks and plus, and not empty: {shown(name)}")
    check_characters(name, fails)


def check_line(line: str, what: str, fails: Fails) -> None:
    """One line that is not empty, without its newline."""
    if not line or "\n" in line:
        raise fails(f"{what} must be one line that is not empty: {shown(line)}")
    check_characters(line, fails)


def shown(text: str) -> str:
    """A text from outside as a message shows it: printable, and not long."""
    return ascii(text if len(text) <= 60 else text[:60] + "...")
