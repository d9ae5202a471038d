"""Canonical JSON of entries, and what is refused of it."""

from __future__ import annotations

import pytest

from contracts.ids import ProofId, RunId, as_address
from contracts.protocol.judge import facts
from contracts.protocol.judge.entries import EpochClosed, Lapsed, Line
from contracts.protocol.log.codec import InvalidLeaf, canonical, from_object, from_wire, parse, slug, to_wire

pytestmark = pytest.mark.unit

CLOSED = EpochClosed(1, 1, RunId("r"), 1, 2, 2**80, 2**80, (Line(as_address("a"), 0, 2**80),), "root", 5, 4)


def test_names_are_those_of_the_classes() -> None:
    assert (slug(EpochClosed), slug(facts.Rules)) == ("epoch-closed", "rules")


def test_an_entry_reads_back() -> None:
    awaited = facts.Awaited(facts.What.WORDS, RunId("r"), 1, ProofId("p"), "v")
    for entry in (CLOSED, Lapsed(awaited, 7, 2), facts.SegmentWord(1, facts.Word.TRUE)):
        assert from_object(type(entry), parse(canonical(to_wire(entry)))) == entry


def test_large_numbers_are_strings() -> None:
    assert to_wire(CLOSED)["due"] == str(2**80)
    assert to_wire(CLOSED)["deadline"] == 5


@pytest.mark.parametrize(
    "text",
    ["", "{", "1.5", "1e3", "NaN", "Infinity", '{"a":1,"a":2}', str(2**53), "9" * 5000, "[" * 100_000],
    ids=lambda text: text[:16],
)
def test_what_is_no_plain_json_is_refused(text: str) -> None:
    with pytest.raises(InvalidLeaf):
        parse(text)


@pytest.mark.parametrize("value", [None, [], {}, {"number": 1}, 5, "x"], ids=repr)
def test_other_fields_are_refused(value: object) -> None:
    with pytest.raises(InvalidLeaf):
        from_object(facts.Left, value)


@pytest.mark.parametrize(
    ("hint", "value"),
    [
        (int, "01"),
        (int, "5_0"),
        (int, True),
        (int, "9" * 80),
        (str, 5),
        (bool, 1),
        (facts.What, "no"),
        (tuple[int, ...], 5),
    ],
    ids=repr,
)
def test_a_value_of_another_type_is_refused(hint: object, value: object) -> None:
    with pytest.raises(InvalidLeaf):
        from_wire(hint, value)


@pytest.mark.parametrize("text", ['{"a":"\\ud800"}', '{"\\uDFFF":1}', '["\\udc00\\ud800"]'])
def test_half_a_surrogate_pair_is_refused_as_an_escape_too(text: str) -> None:
    with pytest.raises(InvalidLeaf):
        parse(text)


def test_a_surrogate_pair_and_an_escaped_backslash_are_read() -> None:
    assert parse('["\\ud83d\\ude00","\\\\ud800"]') == ["\U0001f600", "\\ud800"]


@pytest.mark.timeout(60)
@pytest.mark.parametrize("text", ['"' + '\\"' * 400_000, '"' * 400_001, "[" + '"\\' * 300_001])
def test_a_string_that_nothing_ends_is_read_once(text: str) -> None:
    """64 kB of it took 25 seconds of whoever read them: each quotation mark began anew."""
    with pytest.raises(InvalidLeaf):
        parse(text)
