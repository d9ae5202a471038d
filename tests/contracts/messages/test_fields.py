"""What a message is made of: values, lists, structs."""

from __future__ import annotations

from typing import Any

import pytest

from contracts.errors import BadField
from contracts.ids import as_address
from contracts.messages.fields import LONGEST_LIST, from_json, to_json, type_string, typed_fields
from contracts.messages.for_log import JUDGED, Has, SegmentVerdict, Verdict

pytestmark = pytest.mark.unit

WORD = SegmentVerdict(3, 2, 1, 10**18, 5)
GOOD = to_json(WORD)
VERDICT = Verdict(b"\1" * 32, as_address("0x" + "ab" * 20), b"\2" * 32, b"\0" * 32, (WORD, WORD))


def test_a_type_names_the_structs_that_it_is_made_of() -> None:
    word = "SegmentVerdict(uint32 segment,uint8 word,uint16 reason,uint256 measured,uint256 limit)"
    assert (
        type_string(Verdict)
        == f"Verdict(bytes32 proof,address verifier,bytes32 root,bytes32 witness,SegmentVerdict[] words){word}"
    )
    assert list(typed_fields(Verdict)) == ["Verdict", "SegmentVerdict"]


def test_the_wire_form_reads_back() -> None:
    assert from_json(Verdict, to_json(VERDICT)) == VERDICT
    assert to_json(VERDICT)["words"][0]["measured"] == "1000000000000000000"


@pytest.mark.parametrize(
    "words",
    [
        None,
        "x",
        {},
        [None],
        [{}],
        [to_json(WORD) | {"more": 1}],
        [to_json(WORD) | {"word": 256}],
        [to_json(WORD)] * 1025,
    ],
    ids=["none", "text", "object", "null", "empty", "unknown field", "too large", "too many"],
)
def test_a_list_that_does_not_fit_is_refused(words: Any) -> None:
    with pytest.raises(BadField):
        from_json(Verdict, to_json(VERDICT) | {"words": words})


def test_a_list_is_a_tuple_of_its_type() -> None:
    for words in ([WORD], (VERDICT,), (WORD,) * (LONGEST_LIST + 1)):
        with pytest.raises(BadField):
            Verdict(b"\1" * 32, "0x" + "ab" * 20, b"\2" * 32, b"\0" * 32, words)  # type: ignore[arg-type]
    with pytest.raises(BadField):
        Has(b"\1" * 32, 1, as_address("0x" + "ab" * 20), (b"\1" * 31,))


def test_no_message_of_judgement_carries_a_deadline() -> None:
    """Whether one comes in time follows from the log (J10)."""
    assert not any("deadline" in type_string(kind) for kind in JUDGED)
