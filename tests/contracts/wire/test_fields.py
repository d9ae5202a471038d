"""An answer is read strictly; what a newer server says beside is left out."""

from __future__ import annotations

from typing import Any

import pytest

from contracts.errors import BadField
from contracts.wire.epochs import ClaimLine, Epoch
from contracts.wire.fields import AnswerMisfit, read_as
from contracts.wire.log import LogPage, LogSize
from contracts.wire.network import Network
from contracts.wire.proofs import Proof
from contracts.wire.relay import RelayBudget
from contracts.wire.requests import CallBody
from contracts.wire.rounds import LineageRound, MergeWord, Round
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


def test_a_field_named_like_a_python_keyword_keeps_its_name() -> None:
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


def test_numbers_of_64_bits_are_read_and_written_as_they_came() -> None:
    for said, number in ((2**53 - 1, 2**53 - 1), (str(2**53), 2**53), (str(2**64 - 1), 2**64 - 1)):
        word = dict.fromkeys(("theta", "momentum", "theta_blob", "momentum_blob"), "0x" + "ab" * 32)
        check_as(MergeWord, {**word, "held_out_loss": said})
        assert read_as(MergeWord, {**word, "held_out_loss": said}).held_out_loss == number
    others: tuple[str | float, ...] = (str(2**64), "1", "-1", 1.0, "x")
    for other in others:
        with pytest.raises(AnswerMisfit, match="held_out_loss"):
            read_as(MergeWord, {**word, "held_out_loss": other})


def test_a_body_that_no_server_takes_names_its_field() -> None:
    with pytest.raises(BadField, match=r"^data: "):
        CallBody.made(target="0x" + "11" * 20, data="0x" + "00" * 40_000)
    assert CallBody.made(target="0x" + "11" * 20, data="0x").to_json()["value"] == "0"


def test_an_example_of_each_class_fits_it() -> None:
    """What `/openapi.json` shows as an example is one."""
    for kind in (Network, Round, Proof, Epoch, ClaimLine, Tally, TypedData, RelayBudget):
        sample(kind)
