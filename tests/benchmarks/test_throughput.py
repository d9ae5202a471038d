"""The proof that is timed is one that all checks accept, and not one that they would accept whatever it held."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks.throughput import DOMAIN, KEY, measure, published_proof
from contracts.errors import CommonweightError
from contracts.messages import Opening, from_json, to_json
from contracts.run_config import RunConfig
from contracts.signing import sign
from trainer.corpus import default_corpus
from verifier.checks import check_binding, check_end, check_segment
from verifier.errors import CheckFailed

pytestmark = pytest.mark.unit

TINY = RunConfig(layers=1, d_model=16, heads=2, context=16, batch=4, segment=2, steps=4)


def test_all_checks_accept_the_published_proof(tmp_path: Path) -> None:
    case, corpus = published_proof(TINY, default_corpus(), tmp_path), default_corpus()
    check_binding(case)
    check_end(case)
    replayed = [check_segment(case, segment, corpus) for segment in range(TINY.segments)]
    assert [r.comparison.equal for r in replayed] == [True, True]
    assert sorted(len(r.trace) for r in replayed) == [0, 32]


def test_a_proof_whose_opening_holds_another_state_is_rejected(tmp_path: Path) -> None:
    case = published_proof(TINY, default_corpus(), tmp_path)
    opened, other = case.view["openings"]["1"], case.view["openings"]["2"]["blob"]
    message = replace(from_json(Opening, opened["message"]), blob=bytes.fromhex(other))
    opened |= {"message": to_json(message), "signature": "0x" + sign(message, DOMAIN, KEY).hex()}
    with pytest.raises(CheckFailed) as caught:
        check_segment(case, 1, default_corpus())
    assert isinstance(caught.value, CommonweightError)
    assert caught.value.segment == 1


def test_both_kinds_of_segment_and_the_end_check_are_timed() -> None:
    found = measure(TINY, 1)
    assert all(found[kind]["check_segment ms"] > 0 for kind in ("own segment", "common segment"))
    own = found["own segment"]
    assert own["percent of bare"] == pytest.approx(100 * own["bare ms"] / own["check_segment ms"], rel=0.01)
    assert found["end check in steps"] == pytest.approx(found["end check ms"] / (own["bare ms"] / 2), rel=0.01)
