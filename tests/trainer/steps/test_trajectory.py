from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from contracts.protocol.run_config import RunConfig
from contracts.tensors.state_layout import boundary_entry
from contracts.tensors.tensorfile import state_digest, unpack
from tests.holds import Threat, holds
from trainer.data.batches import Batch, BatchSource
from trainer.model.state import (
    StateMismatch,
    Tensors,
    TrainState,
    initial_theta,
    inner_of,
    layout,
    start_tensors,
    step_count,
)
from trainer.steps.inner_step import NonFiniteLoss
from trainer.steps.trajectory import BoundaryLost, OnStep, UnknownSegment, replay_segment, run_inner

pytestmark = pytest.mark.unit


@holds(
    "A replay from any boundary reaches the committed state",
    by="trainer/steps/trajectory.py:replay_segment",
    against=Threat.FALSE_WORK,
)
def test_replaying_any_segment_gives_the_committed_state(
    config: RunConfig, start: Tensors, batches: BatchSource
) -> None:
    trajectory = run_inner(config, start, batches)
    assert len(trajectory.boundary_entries) == config.segments + 1
    for segment in range(config.segments):
        opened = unpack(trajectory.packed_state(segment), layout(config))
        end = replay_segment(config, opened, segment, batches)
        assert boundary_entry(end) == trajectory.boundary_entries[segment + 1]


def test_the_pseudo_gradient_is_start_minus_end(config: RunConfig, start: Tensors, batches: BatchSource) -> None:
    seen: list[int] = []
    on_step: OnStep = lambda step, _result: seen.append(step)  # noqa: E731
    trajectory = run_inner(config, start, batches, on_step)
    assert seen == list(range(config.steps))
    assert trajectory.pseudo_gradient_digest == state_digest(trajectory.pseudo_gradient)
    for name, value in trajectory.pseudo_gradient.items():
        assert value.dtype == np.float32
        assert np.array_equal(value, np.subtract(start[name], trajectory.end_state[name]))


def test_states_kept_in_a_folder_are_the_same_bytes(
    config: RunConfig, start: Tensors, batches: BatchSource, tmp_path: Path
) -> None:
    memory, disk = (
        run_inner(config, start, batches),
        run_inner(config, start, batches, folder=tmp_path / "kept"),
    )
    assert memory.root == disk.root
    assert all(memory.packed_state(i) == disk.packed_state(i) for i in range(config.segments + 1))
    assert disk.opening(2).proof == memory.opening(2).proof


@pytest.mark.parametrize("spoil", [lambda data: data[:-1], lambda data: data[:-1] + b"\1", lambda _: b"", None])
def test_a_boundary_that_the_disk_spoilt_is_never_opened(
    spoil: Callable[[bytes], bytes] | None, config: RunConfig, start: Tensors, batches: BatchSource, tmp_path: Path
) -> None:
    trajectory = run_inner(config, start, batches, folder=tmp_path)
    file = trajectory.kept[2]
    assert isinstance(file, Path)
    file.write_bytes(spoil(file.read_bytes())) if spoil else file.unlink()
    with pytest.raises(BoundaryLost):
        trajectory.opening(2)
    assert trajectory.opening(1).index == 1


@pytest.mark.parametrize("index", [-1, 5])
def test_a_boundary_outside_the_round_is_refused(
    index: int, config: RunConfig, start: Tensors, batches: BatchSource
) -> None:
    with pytest.raises(UnknownSegment):
        run_inner(config, start, batches).opening(index)
    with pytest.raises(UnknownSegment):
        replay_segment(config, start, index, batches)


@holds(
    "Two processes train with the same bits",
    by="trainer/steps/determinism.py:configure_determinism",
    against=Threat.UNLIKE_MACHINES,
)
def test_fresh_processes_agree_bit_for_bit() -> None:
    code = """
from contracts.protocol.run_config import RunConfig
from trainer.model.state import initial_theta, start_tensors
from trainer.steps.trajectory import run_inner
from trainer.data.batches import batch_source
from trainer.data.text import text_corpus
import numpy as np
config = RunConfig(layers=2, d_model=32, heads=2, context=32, steps=6, segment=2, batch=4)
tokens = (np.arange(9999) * 7919 % 251).astype(np.uint8)
source = batch_source(text_corpus(tokens, tokens), config, bytes(32), 0)
print(run_inner(config, start_tensors(initial_theta(config), None), source).root.hex())
"""
    runs = [subprocess.run([sys.executable, "-c", code], capture_output=True, check=True) for _ in range(2)]
    assert runs[0].stdout == runs[1].stdout
    assert len(runs[0].stdout.strip()) == 64


def test_a_non_finite_loss_stops_the_round(config: RunConfig, start: Tensors, batches: BatchSource) -> None:
    poisoned = start | {"theta.norm.weight": np.full_like(start["theta.norm.weight"], np.nan)}
    with pytest.raises(NonFiniteLoss):
        run_inner(config, poisoned, batches)


def test_the_run_never_writes_into_its_start(config: RunConfig, start: Tensors, batches: BatchSource) -> None:
    before = state_digest(start)
    run_inner(config, start, batches)
    assert state_digest(start) == before


def test_layout_is_exact(config: RunConfig, start: Tensors) -> None:
    assert start.keys() == layout(config).keys()
    broken = [
        {name: value for name, value in start.items() if name != "adam.step"},
        start | {"theta.extra": np.zeros(1, np.float32)},
        start | {"adam.step": np.array([0], np.int32)},
        start | {"m.norm.weight": np.zeros((1, 16), np.float32)},
    ]
    for tensors in broken:
        with pytest.raises(StateMismatch):
            TrainState.from_tensors(tensors, config)


@holds(
    "The optimizer state carries over from round to round",
    by="trainer/model/state.py:start_tensors",
    against=Threat.UNLIKE_MACHINES,
)
def test_the_inner_state_carries_over_rounds(config: RunConfig, start: Tensors, batches: BatchSource) -> None:
    end = run_inner(config, start, batches).end_state
    nxt = start_tensors(initial_theta(config), inner_of(end))
    assert step_count(nxt) == config.steps
    assert state_digest(nxt) != state_digest(start)


def test_training_lowers_the_loss(config: RunConfig, start: Tensors, batches: BatchSource) -> None:
    same: Batch = batches(0)
    losses = run_inner(replace(config, steps=20, inner_lr="0.01"), start, lambda _step: same).losses
    assert losses[-1] < losses[0] - 0.5
