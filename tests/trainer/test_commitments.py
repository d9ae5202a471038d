"""What nodes commit to, honest ones and cheats: a commitment of the protocol, and what it takes to be refused."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from blake3 import blake3

from contracts.errors import BadSignature, CommonweightError, InvalidTensorFile, InvalidTree
from contracts.ids import NO_ADDRESS, BlobName, ProofId
from contracts.merkle.positional_tree import KECCAK_TREE
from contracts.messages.fields import to_json
from contracts.messages.signatures import sign
from contracts.protocol.architecture import theta_layout
from contracts.protocol.judge.state import Stage
from contracts.protocol.log.signed import Envelope, fact_of
from contracts.protocol.run_config import RunConfig
from contracts.tensors.state_layout import theta_digest
from contracts.tensors.tensorfile import state_digest, unpack
from tests.trainer.desk import VICTIM, Alone, job_of, play
from trainer.cheats import conduct
from trainer.conduct import Conduct, Made, NothingToCopy, RoundTask
from trainer.data.corpus import Corpus
from trainer.log_view.shown import CoveredProof, CoveredProofLine, OpeningView
from trainer.node.pen import hexes
from trainer.steps.settled import after

pytestmark = pytest.mark.unit
PROOF = ProofId("0xp")


@pytest.fixture
def config() -> RunConfig:
    return RunConfig(layers=1, d_model=16, heads=2, context=16, steps=8, segment=2, batch=4, clip="0.1")


def committed(job: RoundTask, made: Made) -> Any:
    """The machine's fact. Raises what a server or mirror answers to it."""
    paths = {"first_path": hexes(made.first_path), "last_path": hexes(made.last_path)}
    signature = sign(made.message, made.domain or job.client.domain, bytes(job.client.account.key))
    return fact_of(Envelope(made.message, (signature,), paths), job.client.domain, lambda _: NO_ADDRESS)


def test_an_honest_commitment_is_bound_to_its_round_and_gradient(config: RunConfig, corpus: Corpus) -> None:
    job = job_of(config, corpus)
    done, (made,) = play(Conduct(), job)
    said, gradient = made.message, unpack(made.gradient, theta_layout(config))
    assert (said.node, said.startState, said.tokens) == (job.node, theta_digest(job.start), config.tokens_per_round)
    assert (said.gradient, said.gradientSize) == (state_digest(gradient), len(made.gradient))
    assert said.gradientBlob == blake3(made.gradient).digest()
    assert said.endState == theta_digest(after(job.start, gradient))
    assert said.root == done.root == KECCAK_TREE.root(list(done.boundary_entries))
    assert committed(job, made).segments == config.segments
    (opened,) = Conduct().openings(job, done, [2])
    KECCAK_TREE.check_inclusion(opened.entry, 2, config.segments + 1, list(opened.path), said.root)


UNBOUND = {"more-tokens", "other-profile", "other-run"}


@pytest.mark.parametrize(
    ("name", "error"), [("impostor", BadSignature), ("other-chain", BadSignature), ("other-end", InvalidTree)]
)
def test_a_commitment_that_does_not_hold_by_itself_is_refused(
    name: str, error: type[CommonweightError], config: RunConfig, corpus: Corpus
) -> None:
    job = job_of(config, corpus)
    (made,) = play(conduct(name), job)[1]
    with pytest.raises(error):
        committed(job, made)


def test_no_steps_are_a_whole_commitment_that_no_round_asks_for(config: RunConfig, corpus: Corpus) -> None:
    job = job_of(config, corpus)
    (made,) = play(conduct("zero-steps"), job)[1]
    assert (committed(job, made).segments, committed(job, made).tokens) == (0, 0)


@pytest.mark.parametrize("name", sorted(UNBOUND))
def test_a_commitment_to_something_else_than_the_round_asks_for(name: str, config: RunConfig, corpus: Corpus) -> None:
    job = job_of(config, corpus, Alone())
    (made,) = play(conduct(name), job)[1]
    honest = Conduct().commitments(job, conduct(name).work(job, lambda *_: None, None))[0].message
    changed = {key for key, value in to_json(made.message).items() if to_json(honest)[key] != value}
    assert changed == {{"more-tokens": "tokens", "other-profile": "profile", "other-run": "dataSeed"}[name]}


def test_gradients_that_nobody_can_use(config: RunConfig, corpus: Corpus) -> None:
    """Bytes under their right name, which no verifier says `Has` of."""
    job = job_of(config, corpus)
    for name in ("nan-gradient", "infinite-gradient"):
        (made,) = play(conduct(name), job)[1]
        with pytest.raises(InvalidTensorFile):
            unpack(made.gradient, theta_layout(config))
    (bait,) = play(conduct("gradient-bait"), job)[1]
    assert bait.message.gradientBlob == blake3(bait.gradient).digest()
    assert state_digest(unpack(bait.gradient, theta_layout(config))) != bait.message.gradient


@pytest.mark.parametrize("name", ["gradient-x2", "gradient-x10", "gradient-reversed"])
def test_another_gradient_makes_another_end(name: str, config: RunConfig, corpus: Corpus) -> None:
    job = job_of(config, corpus)
    honest, cheat = play(Conduct(), job)[0], play(conduct(name), job)[0]
    assert cheat.boundary_entries[:-1] == honest.boundary_entries[:-1]
    assert cheat.boundary_entries[-1] != honest.boundary_entries[-1]


def test_two_commitments_to_one_round(config: RunConfig, corpus: Corpus) -> None:
    job = job_of(config, corpus)
    for name in ("second-proof", "profile-changed"):
        first, second = play(conduct(name), job)[1]
        assert first.message != second.message


def beside_a_victim(config: RunConfig, corpus: Corpus, stage: Stage = Stage.READING, number: int = 1) -> RoundTask:
    """A round in which another node has committed, and opened its second boundary."""
    around = Alone()
    theirs = job_of(config, corpus, replace(around, rounds={}, proofs={}, blobs={}))
    done, (made,) = play(Conduct(), theirs)
    (shown,) = Conduct().openings(theirs, done, [1])
    message = replace(made.message, node=VICTIM, round=1)
    opened = {1: OpeningView(BlobName(blake3(shown.packed).hexdigest()), shown.path)}
    around.proofs[PROOF] = CoveredProof(PROOF, message, made.first_path, made.last_path, opened)
    around.blobs = {blake3(data).hexdigest(): data for data in (made.gradient, shown.packed)}
    job = job_of(config, corpus, around, number)
    around.rounds = {number: job.round, 1: replace(job.round, proofs=(CoveredProofLine(PROOF, VICTIM, stage),))}
    return job


@pytest.mark.parametrize("name", ["copied-trajectory", "front-run"])
def test_a_commitment_of_this_round_is_copied_path_and_all(name: str, config: RunConfig, corpus: Corpus) -> None:
    job, copier = beside_a_victim(config, corpus), conduct(name)
    done, (made,) = play(copier, job)
    assert committed(job, made).node == job.node
    assert blake3(made.gradient).digest() == made.message.gradientBlob
    opened = [shown.boundary for shown in copier.openings(job, done, [0, 1, 2])]
    assert opened == ([1] if name == "copied-trajectory" else [])


def test_anothers_end_is_copied_before_the_round_closes(config: RunConfig, corpus: Corpus) -> None:
    job = beside_a_victim(config, corpus)
    done, (made,) = play(conduct("copied-end"), job)
    theirs = job.client.proof(PROOF).message
    assert made.message.endState == theirs.endState
    assert done.root != theirs.root
    shaken, _ = play(conduct("copied-end-perturbed"), job)
    assert shaken.boundary_entries[-1] != done.boundary_entries[-1]


def test_a_round_before_is_replayed_from_its_posted_commitment(config: RunConfig, corpus: Corpus) -> None:
    job = beside_a_victim(config, corpus, Stage.POSTED, number=2)
    (made,) = play(conduct("replayed-round"), job)[1]
    assert (made.message.round, made.message.node) == (2, job.node)


def test_the_weights_before_are_where_a_stale_start_begins(config: RunConfig, corpus: Corpus) -> None:
    job = beside_a_victim(config, corpus, number=2)
    moved = replace(job, start={n: v + 1 if n.startswith("theta.") else v for n, v in job.start.items()})
    stale, _ = play(conduct("stale-start"), moved)
    assert stale.boundary_entries[1] == play(Conduct(), job_of(config, corpus, number=2))[0].boundary_entries[1]


@pytest.mark.parametrize("name", ["replayed-round", "stale-start"])
def test_who_lives_on_others_finds_nothing_to_copy(name: str, config: RunConfig, corpus: Corpus) -> None:
    with pytest.raises(NothingToCopy):
        play(conduct(name), job_of(config, corpus, number=2))
