"""A run with limits: within them true, beyond them false, drift where residuals push one way; never without bytes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from contracts.ids import to_hex
from contracts.protocol.limits import METRICS, LimitTable, PairLimits, pair_key
from contracts.tensors.state_layout import boundary_entry
from contracts.tensors.tensorfile import pack
from tests.verifier.honest import NODE, Honest, Shelf, changed
from trainer.model.state import Tensors
from trainer.steps.determinism import configure_determinism
from trainer.steps.variants import Variant, choose
from verifier.comparison.bounded import residual
from verifier.comparison.drift import LEAST_ROUNDS, Drift
from verifier.replay import replaying
from verifier.replay.files import BytesMissing
from verifier.replay.labour import Bounded
from verifier.replay.replaying import DRIFT, FALSE, TRUE, UNSERVED, CannotCompare, Segment, judge_segment

pytestmark = pytest.mark.unit

OTHER_WAY = Variant(micro_batches=2)


def limits_between(one: bytes, other: bytes) -> LimitTable:
    """Ten times what micro-batching was measured to differ by, and then some."""
    honest = dict.fromkeys(METRICS, ("0.0000001", "0.000001", "0.00001"))
    return LimitTable((PairLimits(pair_key(one, other), 1, 2, honest, dict.fromkeys(METRICS, "0.0001"), {}),))


@pytest.fixture
def profiles() -> Iterator[tuple[bytes, LimitTable]]:
    """The node's profile, and the table of it and this process's."""
    own = configure_determinism("bounded").digest()
    choose(OTHER_WAY)
    other = configure_determinism("bounded").digest()
    choose(Variant())
    yield other, limits_between(own, other)
    configure_determinism("exact")


def asked_of(
    work: Honest, profiles: tuple[bytes, LimitTable], shelf: Shelf, amount: float
) -> tuple[Segment, Tensors, Tensors, Tensors]:
    """Segment 1 of another machine, whose end is off by so much in one weight; its start, replayed and claimed end."""
    node, table = profiles
    config = replace(work.config, profile="bounded", limits_digest=table.digest().hex())
    asked = replace(work.segment(1), config=config.to_json(), profile=to_hex(node), limits=table.to_json())
    batches = Bounded(config, replaying._batches(config, asked, work.corpus))
    end = replaying._replay(config, asked, work.state(1), batches, [])

    def push(tensors: Tensors) -> None:
        tensors["theta." + next(n for n in tensors if n.startswith("theta."))[6:]].reshape(-1)[0] += np.float32(amount)

    claimed = changed(end, push)
    entry, blob = to_hex(boundary_entry(claimed)), shelf.put(pack(claimed))
    return replace(asked, end=entry, end_blob=blob), work.state(1), end, claimed


def test_within_the_limits_is_true_and_beyond_is_false(
    work: Honest, profiles: tuple[bytes, LimitTable], tmp_path: Path
) -> None:
    for amount, word in ((0.0, TRUE), (5e-7, TRUE), (0.01, FALSE)):
        shelf = work.shelf()
        asked, *_ = asked_of(work, profiles, shelf, amount)
        said = judge_segment(asked, shelf, work.corpus, tmp_path)
        assert said.word == word, said
        assert (said.measured > 0) == (amount > 0)


def test_without_the_ends_bytes_there_is_no_word(work: Honest, profiles: tuple[bytes, LimitTable]) -> None:
    shelf = work.shelf()
    asked, *_ = asked_of(work, profiles, shelf, 0.0)
    del shelf.held[asked.end_blob]
    with pytest.raises(BytesMissing):
        judge_segment(asked, shelf, work.corpus)


def test_an_end_whose_file_holds_another_state_is_unserved(work: Honest, profiles: tuple[bytes, LimitTable]) -> None:
    shelf = work.shelf()
    asked, *_ = asked_of(work, profiles, shelf, 0.0)
    asked = replace(asked, end_blob=work.blob(3))
    said = judge_segment(asked, shelf, work.corpus)
    assert (said.word, said.reason) == (UNSERVED, 0)


@pytest.mark.parametrize("limits", ["", "[]"])
def test_without_the_runs_table_there_is_no_word(work: Honest, profiles: tuple[bytes, LimitTable], limits: str) -> None:
    shelf = work.shelf()
    asked, *_ = asked_of(work, profiles, shelf, 0.0)
    with pytest.raises(CannotCompare):
        judge_segment(replace(asked, limits=limits), shelf, work.corpus)


def test_residuals_that_push_one_way_are_drift_once_a_segment(
    work: Honest, profiles: tuple[bytes, LimitTable], tmp_path: Path
) -> None:
    shelf = work.shelf()
    asked, start, end, claimed = asked_of(work, profiles, shelf, 5e-7)
    known = Drift.none()
    for _ in range(LEAST_ROUNDS - 1):
        known.add(residual(start, claimed, end))
    known.save(tmp_path / f"{NODE}.json")
    assert not known.suspicious
    for _ in range(2):
        said = judge_segment(asked, shelf, work.corpus, tmp_path)
        assert (said.word, said.reason) == (DRIFT, 0)
        assert said.measured > said.limit
        assert Drift.load(tmp_path / f"{NODE}.json").rounds == LEAST_ROUNDS
