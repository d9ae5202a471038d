"""The small parts: each value has one spelling."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.tlog import text
from contracts.tlog.note import InvalidNote

pytestmark = pytest.mark.unit


@given(st.integers(0, text.MAX_SIZE))
def test_decimals_round_trip(number: int) -> None:
    assert text.parse_decimal(str(number), InvalidNote) == number


@pytest.mark.parametrize(
    "said",
    ["", "00", "01", "-1", "+1", " 1", "1 ", "1\n", "1_0", "0x1", "1.0", "\u0661", "1e3", str(2**63), "9" * 5000],
)
def test_other_spellings_of_a_number_are_refused(said: str) -> None:
    with pytest.raises(InvalidNote, match="decimal"):
        text.parse_decimal(said, InvalidNote)


@given(st.binary(max_size=80))
def test_base64_round_trips(data: bytes) -> None:
    assert text.parse_base64(text.to_base64(data), InvalidNote) == data


@pytest.mark.parametrize(
    "said", ["AA", "AA=", "AA===", "AB==", "AAB=", "A A=", "AA==\n", "AA==AAAA", "A-_=", "\u00e4AA=", "="]
)
def test_other_spellings_of_base64_are_refused(said: str) -> None:
    with pytest.raises(InvalidNote, match="base64"):
        text.parse_base64(said, InvalidNote)


@pytest.mark.parametrize("length", [31, 33])
def test_a_hash_of_another_length_is_refused(length: int) -> None:
    with pytest.raises(InvalidNote, match="32 bytes"):
        text.parse_hash(text.to_base64(bytes(length)), InvalidNote)


@pytest.mark.parametrize("name", ["", "a b", "a+b", "a\u00a0b", "a\u2003b", "a\nb", "a\tb", "a\x00b", "a\udc80b"])
def test_names_that_no_key_has_are_refused(name: str) -> None:
    with pytest.raises(InvalidNote):
        text.check_name(name, InvalidNote)


def test_a_message_about_foreign_text_is_short_and_ascii() -> None:
    said = text.shown("\u202e" + "x" * 10_000)
    assert said.isascii()
    assert len(said) < 80
