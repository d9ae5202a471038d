"""A canary is honest work but for the one segment that it sealed, and only a replay tells."""

from __future__ import annotations

import pytest

from contracts.protocol.run_config import RunConfig
from contracts.tensors.state_layout import boundary_entry
from contracts.tensors.tensorfile import unpack
from tests.trainer.desk import job_of, play
from trainer.canary import Canary
from trainer.conduct import Conduct
from trainer.data.corpus import Corpus
from trainer.model.state import layout
from trainer.steps.settled import settled
from trainer.steps.trajectory import replay_segment

pytestmark = pytest.mark.unit


def test_only_the_sealed_segment_fails_the_replay(config: RunConfig, corpus: Corpus) -> None:
    job, canary = job_of(config, corpus), Canary(1_000_000)
    done, (made,) = play(canary, job)
    honest, _ = play(Conduct(), job)
    fake = canary.pledge(job).fake
    assert done.root != honest.root
    assert done.boundary_entries[: fake + 1] == honest.boundary_entries[: fake + 1]
    assert made.message.pledge == canary.pledge(job).seal(job.node)
    wrong = []
    for segment in range(config.segments):
        end = replay_segment(config, unpack(done.packed_state(segment), layout(config)), segment, job.batches())
        end = settled(job.start, end) if segment == config.segments - 1 else end
        if boundary_entry(end) != done.boundary_entries[segment + 1]:
            wrong.append(segment)
    assert wrong == [fake]


def test_a_canary_without_a_turn_is_honest_work(config: RunConfig, corpus: Corpus) -> None:
    job, canary = job_of(config, corpus), Canary(0)
    assert not canary.pledge(job).canary
    assert play(canary, job)[0].root == play(Conduct(), job)[0].root
