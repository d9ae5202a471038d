"""Every error of every contract has a sentence and a remedy, and shows its arguments as people read them."""

from __future__ import annotations

import string
from typing import Any

import pytest

from contracts.chain.connection import ContractRejected, _errors_by_selector
from contracts.chain.refusal_words import WORDS, sentence, utc

pytestmark = pytest.mark.unit
ERRORS = {entry["name"]: entry["inputs"] for entry in _errors_by_selector().values()}


def example(kind: str) -> Any:
    if kind.startswith("uint"):
        return 1
    if kind.startswith("bytes"):
        return b"\1" * int(kind.removeprefix("bytes") or 5)
    return {"address": "0x" + "11" * 20, "string": "text"}[kind]


@pytest.mark.parametrize("name", sorted(ERRORS))
def test_every_error_of_the_abis_has_words(name: str) -> None:
    given = {entry["name"]: example(entry["type"]) for entry in ERRORS[name]}
    said = sentence(name, given)
    assert said is not None
    assert "{" not in said
    assert ContractRejected(name, given).detail.startswith(said)


def test_no_words_are_of_an_error_that_there_is_not() -> None:
    assert set(WORDS) == set(ERRORS)


@pytest.mark.parametrize("name", sorted(WORDS))
def test_words_name_arguments_that_the_error_has(name: str) -> None:
    used = {field for text in WORDS[name] for _, field, _, _ in string.Formatter().parse(text) if field}
    assert used <= {entry["name"] for entry in ERRORS[name]}
    assert all(text.strip() and not text.endswith(".") for text in WORDS[name])


@pytest.mark.parametrize(
    ("error", "given", "words"),
    [
        (
            "CapitalPoolWrongStatus",
            {"status": 0, "needed": 1},
            "is open; this needs one that is closed with success",
        ),
        (
            "EpochRootsDisputeOpen",
            {"lapsesAt": 1_764_410_400},
            "the dispute may be decided until 2025-11-29 10:00:00 UTC",
        ),
        (
            "EpochRootsWrongBond",
            {"given": 10**17, "bond": 10**21 + 1},
            "1,000.000000000000000001 coins, and 0.1 were sent",
        ),
        ("GovernorUnexpectedProposalState", {"proposalId": 1, "current": 4, "expectedStates": b""}, "is succeeded"),
        ("GovernorUnexpectedProposalState", {"proposalId": 1, "current": 9, "expectedStates": b""}, "is in state 9"),
    ],
)
def test_arguments_are_shown_as_people_read_them(error: str, given: dict[str, Any], words: str) -> None:
    assert words in str(sentence(error, given))


def test_an_error_that_is_not_ours_keeps_its_name() -> None:
    assert sentence("Strange", {}) is None
    assert sentence("EpochRootsDisputeOpen", {"other": 1}) is None
    assert ContractRejected("Unknown", {"data": "0x"}).detail == "Unknown(data=0x)"


def test_a_second_beyond_every_calendar_is_a_number() -> None:
    assert utc(2**64) == f"second {2**64}"
