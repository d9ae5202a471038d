"""The round that is timed is one that a verifier calls true, and not one that it would call true whatever it held."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks.throughput import measure, published_round
from contracts.protocol.run_config import RunConfig
from trainer.data.text import default_corpus
from verifier.replay.holding import check_gradient
from verifier.replay.replaying import TRUE, UNSERVED, judge_segment

pytestmark = pytest.mark.unit

TINY = RunConfig(layers=1, d_model=16, heads=2, context=16, batch=4, segment=2, steps=4)


def test_the_published_round_is_true_throughout(tmp_path: Path) -> None:
    desk = published_round(TINY, default_corpus(), tmp_path)
    check_gradient(desk.held(), desk.files)
    said = [judge_segment(desk.segment(n, common=n == 0), desk.files, desk.corpus) for n in range(TINY.segments)]
    assert [one.word for one in said] == [TRUE, TRUE]
    assert [bool(one.trace) for one in said] == [True, False]


def test_a_file_that_holds_another_state_is_unserved(tmp_path: Path) -> None:
    desk = published_round(TINY, default_corpus(), tmp_path)
    asked = replace(desk.segment(1, common=False), start_blob=desk.blobs[2])
    assert judge_segment(asked, desk.files, desk.corpus).word == UNSERVED


def test_both_kinds_of_segment_and_the_gradient_are_timed() -> None:
    found = measure(TINY, 1)
    assert all(found[kind]["judge_segment ms"] > 0 for kind in ("own segment", "common segment"))
    own = found["own segment"]
    assert own["percent of bare"] == pytest.approx(100 * own["bare ms"] / own["judge_segment ms"], rel=0.01)
    assert found["gradient in steps"] == pytest.approx(found["gradient ms"] / (own["bare ms"] / 2), rel=0.01)
