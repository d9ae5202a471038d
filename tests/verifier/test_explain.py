"""Anyone checks one proof again, with or without a server; and a bounded run is judged by its published limits."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from contracts.limits import LimitTable
from contracts.reasons import Reason
from tests.verifier.bounded_world import OTHER_WAY, bounded_world
from tests.world import World, accepted
from trainer import cheats
from trainer.corpus import WrongCorpus
from trainer.trajectory import InnerRunner, run_inner
from trainer.variants import Variant, choose
from verifier import outer_step
from verifier.bundle import BundleIncomplete, open_bundle, save_bundle
from verifier.checks import Case, check_end, check_segment
from verifier.errors import CannotJudge, CheckFailed
from verifier.explain import explain, opened_segments, outcome_of

pytestmark = pytest.mark.integration


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    with World(tmp_path / "world") as made:
        yield made


@pytest.fixture(autouse=True)
def _default_way() -> Iterator[None]:
    yield
    choose(Variant())


def opened_proof(world: World, runner: InnerRunner = run_inner) -> str:
    """A committed proof of the first node, drawn and fully opened."""
    work = world.train(world.nodes[0], runner)
    proof = str(accepted(world.post_proof(work))["proof"])
    for verifier in world.verifiers:
        world.draw(verifier, proof)
    world.open_wanted(proof, work)
    return proof


def test_an_honest_proof_stands_from_its_saved_folder_alone(world: World, tmp_path: Path) -> None:
    proof = opened_proof(world.start())
    save_bundle(world.api_client(), proof, tmp_path / "saved")
    bundle = open_bundle(tmp_path / "saved")
    findings = list(explain(bundle, world.corpus))
    assert outcome_of(findings) == "accept"
    assert len(findings) >= 3
    assert all(f.outcome == "stands" for f in findings)


def test_a_cheat_is_explained_with_measure_and_reason(world: World, tmp_path: Path) -> None:
    proof = opened_proof(world.start(), cheats.runner("learning-rate-half"))
    findings = list(explain(save_bundle(world.api_client(), proof, tmp_path / "saved"), world.corpus))
    assert outcome_of(findings) == "reject"
    wrong = [f for f in findings if f.outcome == "fails"]
    assert all("replay-mismatch" in f.detail and f.error > f.limit for f in wrong)


def test_a_verifier_with_other_text_than_the_run_cannot_judge_and_never_rejects(world: World, tmp_path: Path) -> None:
    proof = opened_proof(world.start())
    other = replace(world.corpus, train=world.corpus.train[::-1].copy())
    findings = list(explain(save_bundle(world.api_client(), proof, tmp_path / "saved"), other))
    assert outcome_of(findings) == "undecided"
    replays = [f for f in findings if "replayed" in f.check]
    assert replays
    assert all(f.outcome == "undecided" and f.detail.startswith("wrong-corpus: ") for f in replays)


def test_a_verifier_with_other_text_merges_no_round(world: World) -> None:
    world.start()
    other = replace(world.corpus, held_out=world.corpus.held_out[::-1].copy())
    basis = {"config": world.config.to_json(), "posted": []}
    with pytest.raises(WrongCorpus):
        outer_step.compute(world.api_client(), world.run, 1, basis, other)


def test_a_changed_blob_is_undecided_and_never_an_accept(world: World, tmp_path: Path) -> None:
    proof = opened_proof(world.start())
    bundle = save_bundle(world.api_client(), proof, tmp_path / "saved")
    name = next(iter(bundle.view["openings"].values()))["blob"]
    (tmp_path / "saved" / "blobs" / name).write_bytes(b"changed")
    assert outcome_of(list(explain(open_bundle(tmp_path / "saved"), world.corpus))) == "undecided"
    (tmp_path / "saved" / "blobs" / bundle.round["theta"]["blob"]).unlink()
    assert outcome_of(list(explain(open_bundle(tmp_path / "saved"), world.corpus))) == "undecided"


@pytest.mark.parametrize("text", [None, "", "{}", "[1]", '{"proof": {}, "round": {}, "domain": {}}'])
def test_a_folder_that_is_no_saved_proof_is_refused(tmp_path: Path, text: str | None) -> None:
    if text is not None:
        (tmp_path / "bundle.json").write_text(text)
    with pytest.raises(BundleIncomplete):
        open_bundle(tmp_path)


# ---- bounded runs


@pytest.fixture
def bounded(tmp_path: Path) -> Iterator[tuple[World, LimitTable]]:
    with bounded_world(tmp_path / "bounded") as made:
        yield made


def case_of(world: World, proof: str) -> Case:
    client = world.api_client()
    return Case(client, client.get(f"/proofs/{proof}"), world.round_view(1))


def drawn(world: World, proof: str) -> list[int]:
    return opened_segments({int(b) for b in world.api_client().get(f"/proofs/{proof}")["openings"]})


def test_another_machine_is_judged_by_the_limits_and_a_cheat_on_it_is_not_let_through(
    bounded: tuple[World, LimitTable],
) -> None:
    world, _ = bounded
    world.start()
    choose(OTHER_WAY)
    proof = opened_proof(world)
    choose(Variant())
    case = case_of(world, proof)
    for segment in drawn(world, proof):
        found = check_segment(case, segment, world.corpus).comparison
        assert found.limit > 0
        assert 0 < found.error <= found.limit
    check_end(case)


def test_a_cheat_on_another_machine_is_beyond_the_limits(bounded: tuple[World, LimitTable]) -> None:
    world, _ = bounded
    world.start()
    choose(OTHER_WAY)
    proof = opened_proof(world, cheats.runner("learning-rate-99"))
    choose(Variant())
    with pytest.raises(CheckFailed) as caught:
        check_segment(case_of(world, proof), drawn(world, proof)[0], world.corpus)
    assert caught.value.reason is Reason.REPLAY_MISMATCH
    assert caught.value.measured > 10 * caught.value.limit > 0


def test_a_machine_that_nobody_calibrated_is_undecided(bounded: tuple[World, LimitTable]) -> None:
    world, _ = bounded
    world.start()
    choose(Variant(micro_batches=1, adamw="loop"))
    proof = opened_proof(world)
    choose(Variant())
    with pytest.raises(CannotJudge, match="no limits"):
        check_segment(case_of(world, proof), drawn(world, proof)[0], world.corpus)


def test_the_same_machine_is_compared_exactly_in_a_bounded_run(bounded: tuple[World, LimitTable]) -> None:
    world, _ = bounded
    proof = opened_proof(world.start())
    found = check_segment(case_of(world, proof), drawn(world, proof)[0], world.corpus).comparison
    assert (found.equal, found.limit) == (True, 0)
    assert np.isfinite(found.error)
