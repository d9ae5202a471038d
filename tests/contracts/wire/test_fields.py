"""An answer is read strictly; what a newer server says beside is left out."""

from __future__ import annotations

from typing import Any, get_args

import pytest

from contracts.wire.epochs import ClaimLine, Epoch
from contracts.wire.fields import AnswerMisfit, read_as
from contracts.wire.log import LogPage, LogSize
from contracts.wire.network import Network
from contracts.wire.proofs import Proof
from contracts.wire.relay import CallStateText, RelayBudget
from contracts.wire.rounds import LineageRound, Round
from contracts.wire.states import CallState
from contracts.wire.typed_data import TypedData
from contracts.wire.votes import Tally, VoteCounts
from tests.wire import check_as, sample

pytestmark = pytest.mark.unit


def test_a_field_that_a_newer_server_has_is_left_out() -> None:
    read = read_as(LogSize, {"size": 3, "colour": "red"})
    assert (read, read.to_json()) == (LogSize(size=3), {"size": 3})


@pytest.mark.parametrize("said", [{}, {"size": "3"}, {"size": -1}, {"size": 3.0}, {"size": True}, [], None, "x"])
def test_an_answer_of_another_form_is_refused(said: Any) -> None:
    with pytest.raises(AnswerMisfit):
        read_as(LogSize, said)


def test_the_refusal_names_the_field() -> None:
    with pytest.raises(AnswerMisfit, match=r"^1\.entries\.0\.body: "):
        read_as(list[LogPage], [{"entries": []}, {"entries": [{"index": 1, "body": None}]}])


def test_a_word_that_python_keeps_is_read_and_written_by_its_name() -> None:
    said = {"against": "1", "for": "2", "abstain": "0"}
    read = read_as(VoteCounts, said)
    assert (read.in_favour, read.to_json()) == ("2", said)
    assert "from" in LineageRound.model_json_schema(mode="serialization")["properties"]


def test_the_suite_notices_a_field_that_a_class_lacks() -> None:
    """What holds every answer of the suite against its class."""
    check_as(LogSize, {"size": 3})
    with pytest.raises(AssertionError):
        check_as(LogSize, {"size": 3, "colour": "red"})
    with pytest.raises(ValueError, match="size"):
        check_as(LogSize, {})


def test_the_states_of_a_call_are_those_of_the_ledger() -> None:
    states, _ = get_args(CallStateText)
    assert set(get_args(states)) == {str(state) for state in CallState}


def test_an_example_of_each_class_fits_it() -> None:
    """What `/openapi.json` shows as an example is one."""
    for kind in (Network, Round, Proof, Epoch, ClaimLine, Tally, TypedData, RelayBudget):
        sample(kind)
