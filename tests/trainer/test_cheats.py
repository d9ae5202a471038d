from __future__ import annotations

import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest

from contracts.errors import InvalidTensorFile
from contracts.merkle.positional_tree import KECCAK_TREE
from contracts.protocol.run_config import RunConfig
from contracts.tensors.state_layout import boundary_entry
from contracts.tensors.tensorfile import unpack
from trainer.cheats import CHEATS, UnknownCheat, conduct, runner
from trainer.cheats.protocol import CONDUCTS
from trainer.cheats.states import DRIFT, drift
from trainer.cheats.work import RUNNERS
from trainer.conduct import Conduct
from trainer.data.batches import BatchSource
from trainer.model.state import Tensors, layout, step_count, theta_of
from trainer.steps.trajectory import Trajectory, replay_segment, run_inner

pytestmark = pytest.mark.unit
NOT_FINITE = {"nan-state": 2, "infinite-moment": 4}
FAKED = {
    "skip-half": [False, False, True, True],
    "skip-middle": [False, True, True, True],
    "skip-one-segment": [False, False, True, False],
    "poisoned-last-step": [False, False, False, True],
    "planted-moments": [False, False, False, True],
}
"""Which of four segments a replay finds; all of them where a cheat is not named."""


@pytest.fixture
def config() -> RunConfig:
    return RunConfig(layers=1, d_model=16, heads=2, context=16, steps=8, segment=2, batch=4, clip="0.1")


def test_the_catalogue_names_exactly_what_can_be_run() -> None:
    assert set(CHEATS) == set(RUNNERS) | set(CONDUCTS)
    assert not set(RUNNERS) & set(CONDUCTS)
    assert all(cheat.how and cheat.gain and cheat.stopped_by for cheat in CHEATS.values())


@pytest.mark.parametrize("name", sorted(set(RUNNERS) - set(NOT_FINITE)))
def test_every_cheat_commits_consistently_and_fails_a_replay(
    name: str, config: RunConfig, start: Tensors, batches: BatchSource
) -> None:
    seen: list[int] = []
    claimed = runner(name)(config, start, batches, lambda step, _result: seen.append(step))
    assert seen == list(range(config.steps))
    assert claimed.root == KECCAK_TREE.root(list(claimed.boundary_entries))
    assert (len(claimed.losses), claimed.tokens) == (config.steps, config.tokens_per_round)
    assert step_count(claimed.end_state) == config.steps
    assert _fails(config, claimed, batches) == FAKED.get(name, [True] * config.segments)


@pytest.mark.parametrize(("name", "boundary"), sorted(NOT_FINITE.items()))
def test_a_state_that_is_not_finite_cannot_be_read(
    name: str, boundary: int, config: RunConfig, start: Tensors, batches: BatchSource
) -> None:
    claimed = runner(name)(config, start, batches)
    for index in range(config.segments + 1):
        if index != boundary:
            unpack(claimed.packed_state(index), layout(config))
    with pytest.raises(InvalidTensorFile, match="NaN or infinity"):
        unpack(claimed.packed_state(boundary), layout(config))


@pytest.mark.parametrize("name", ["interpolate", "one-token", "skip-half", "skip-one-segment"])
def test_a_cheat_of_one_segment_can_be_measured(
    name: str, config: RunConfig, start: Tensors, batches: BatchSource
) -> None:
    single = replace(config, steps=config.segment)
    assert len(runner(name)(single, start, batches).boundary_entries) == 2


def test_drift_moves_each_update_by_its_size_in_one_direction(
    config: RunConfig, start: Tensors, batches: BatchSource
) -> None:
    single = replace(config, steps=1, segment=1)
    honest, small, large = (r(single, start, batches) for r in (run_inner, drift(1e-4), drift(1e-2)))
    gaps = [_flat(claimed) - _flat(honest) for claimed in (small, large)]
    length = np.linalg.norm(_flat(honest) - np.concatenate([v.ravel() for _, v in sorted(theta_of(start).items())]))
    assert np.linalg.norm(gaps[1]) == pytest.approx(1e-2 * length, rel=1e-3)
    assert np.linalg.norm(gaps[0]) == pytest.approx(1e-4 * length, rel=1e-2)
    cosine = gaps[0] @ gaps[1] / np.linalg.norm(gaps[0]) / np.linalg.norm(gaps[1])
    assert cosine > 0.999
    assert drift(DRIFT)(single, start, batches).root != honest.root


def test_skip_middle_does_its_first_segment(config: RunConfig, start: Tensors, batches: BatchSource) -> None:
    honest, claimed = run_inner(config, start, batches), runner("skip-middle")(config, start, batches)
    same = [a == b for a, b in zip(honest.boundary_entries, claimed.boundary_entries, strict=True)]
    assert same == [True, True, *[False] * (config.segments - 1)]


def test_no_name_is_the_honest_way_and_an_unknown_one_is_refused() -> None:
    assert runner() is run_inner
    assert type(conduct()) is Conduct
    for find in (runner, conduct):
        with pytest.raises(UnknownCheat, match="skip-all"):
            find("nap")


def test_every_name_gives_a_conduct_of_its_own() -> None:
    for name in CHEATS:
        one, other = conduct(name), conduct(name)
        assert one is not other
        assert type(one) is not Conduct


def test_the_names_can_be_listed_without_torch() -> None:
    program = "import sys; from trainer.cheats import CHEATS; print(len(CHEATS), 'torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.split() == [str(len(CHEATS)), "False"]


def _fails(config: RunConfig, claimed: Trajectory, batches: BatchSource) -> list[bool]:
    failed = []
    for segment in range(config.segments):
        opened = unpack(claimed.packed_state(segment), layout(config))
        assert boundary_entry(opened) == claimed.boundary_entries[segment]
        end = replay_segment(config, opened, segment, batches)
        failed.append(boundary_entry(end) != claimed.boundary_entries[segment + 1])
    return failed


def _flat(trajectory: Trajectory) -> np.ndarray:
    return np.concatenate([value.ravel() for _, value in sorted(theta_of(trajectory.end_state).items())])
