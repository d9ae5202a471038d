"""A node's work of one round: H inner steps, the boundary states they pass through, and what is committed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from contracts.errors import CommonweightError, InvalidTensorFile
from contracts.merkle.positional_tree import KECCAK_TREE
from contracts.protocol.run_config import RunConfig
from contracts.tensors.state_layout import boundary_entry
from contracts.tensors.tensorfile import layout_like, pack, state_digest, unpack, write
from trainer.data.batches import Batch, BatchSource
from trainer.model.building import build_model
from trainer.model.state import Tensors, TrainState, theta_of
from trainer.steps.determinism import configure_determinism
from trainer.steps.inner_step import StepResult, inner_step

OnStep = Callable[[int, StepResult], None]
"""Called after each inner step with the step of the round, from 0."""


class UnknownSegment(CommonweightError):
    """A segment or boundary outside the round was asked for."""

    code = "unknown-segment"


class BoundaryLost(CommonweightError):
    """A boundary state is not on the disk any more, or is spoilt there: the round is to be done again."""

    code = "boundary-lost"


@dataclass(frozen=True)
class Opening:
    """The packed state at boundary `index` and its Merkle path to the trajectory's root."""

    index: int
    packed: bytes
    proof: tuple[bytes, ...]


@dataclass(frozen=True)
class Trajectory:
    """What a round's work leaves behind.

    `boundary_entries` and `kept` have N + 1 entries (N = H / k), from the start to the end; a kept state is
    in memory, or the file that holds its packed bytes. `pseudo_gradient` is theta_start - theta_end, float32,
    named `theta.*`. `losses` has one training loss per step, in nats per byte.
    """

    boundary_entries: tuple[bytes, ...]
    root: bytes
    kept: tuple[Tensors | Path, ...]
    pseudo_gradient: Tensors
    pseudo_gradient_digest: bytes
    end_state: Tensors
    losses: tuple[float, ...]
    tokens: int

    def packed_state(self, index: int) -> bytes:
        """The packed state at boundary `index`. Raises UnknownSegment, and BoundaryLost for a file that is not what was
        committed to: a disk loses and flips bits, and whoever opened them would be void."""
        if not 0 <= index < len(self.kept):
            raise UnknownSegment(f"boundary {index} is outside 0..{len(self.kept) - 1}")
        kept = self.kept[index]
        return self._read(index, kept) if isinstance(kept, Path) else pack(kept)

    def opening(self, index: int) -> Opening:
        """Boundary `index` with the proof that it was committed to. Raises UnknownSegment and BoundaryLost."""
        packed = self.packed_state(index)
        return Opening(index, packed, tuple(KECCAK_TREE.inclusion_proof(list(self.boundary_entries), index)))

    def _read(self, index: int, file: Path) -> bytes:
        try:
            packed = file.read_bytes()
            sound = boundary_entry(unpack(packed, layout_like(self.end_state), finite=False))
        except (OSError, InvalidTensorFile) as error:
            raise BoundaryLost(f"boundary {index} cannot be read from the disk: {error}") from error
        if sound != self.boundary_entries[index]:
            raise BoundaryLost(f"boundary {index} on the disk is not the one that was committed to")
        return packed


class InnerRunner(Protocol):
    """The signature shared by `run_inner` and every named cheat."""

    def __call__(
        self,
        config: RunConfig,
        start: Tensors,
        batches: BatchSource,
        on_step: OnStep | None = None,
        folder: Path | None = None,
    ) -> Trajectory: ...


class BoundaryRecorder:
    """Digests and keeps boundary states as they are reached, in memory or as files in `folder`.

    In memory a state is packed only when it is opened: packing costs more than copying and hashing together.
    """

    def __init__(self, folder: Path | None = None) -> None:
        self._folder = folder
        self._entries: list[bytes] = []
        self._kept: list[Tensors | Path] = []
        self._start: Tensors = {}
        self._end: Tensors = {}

    def record(self, tensors: Tensors) -> None:
        """Take the next boundary state; the first one is the start of the round."""
        if not self._entries:
            self._start = tensors
        self._end = tensors
        self._kept.append(tensors if self._folder is None else self._write(self._folder, tensors))
        self._entries.append(boundary_entry(tensors))

    def finish(self, losses: list[float], tokens: int) -> Trajectory:
        """The trajectory over everything recorded."""
        gradient = pseudo_gradient(self._start, self._end)
        return Trajectory(
            boundary_entries=tuple(self._entries),
            root=KECCAK_TREE.root(self._entries),
            kept=tuple(self._kept),
            pseudo_gradient=gradient,
            pseudo_gradient_digest=state_digest(gradient),
            end_state=self._end,
            losses=tuple(losses),
            tokens=tokens,
        )

    def _write(self, folder: Path, tensors: Tensors) -> Path:
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / f"boundary-{len(self._entries):04d}.safetensors"
        write(tensors, path)
        return path


class Stepping(Protocol):
    """Takes the steps of a round, from its start: in this process, or in several (trainer/ranks)."""

    def step(self, batch: Batch) -> StepResult:
        """The next step. Raises NonFiniteLoss."""
        ...

    def tensors(self) -> Tensors:
        """A copy of the full state after the last step; asked for after each segment."""
        ...


class _Alone:
    """Steps in this process. Raises StateMismatch."""

    def __init__(self, config: RunConfig, start: Tensors) -> None:
        configure_determinism(config.profile)
        self._config = config
        self._model = build_model(config)
        self._state = TrainState.from_tensors(start, config)

    def step(self, batch: Batch) -> StepResult:
        return inner_step(self._config, self._model, self._state, batch)

    def tensors(self) -> Tensors:
        return self._state.to_tensors()


def run_inner(
    config: RunConfig,
    start: Tensors,
    batches: BatchSource,
    on_step: OnStep | None = None,
    folder: Path | None = None,
) -> Trajectory:
    """The honest round: H inner steps from the full state `start`, committed every k steps.

    Raises StateMismatch and NonFiniteLoss.
    """
    return recorded(config, start, batches, _Alone(config, start), on_step, folder)


def recorded(
    config: RunConfig,
    start: Tensors,
    batches: BatchSource,
    stepping: Stepping,
    on_step: OnStep | None = None,
    folder: Path | None = None,
) -> Trajectory:
    """The round's trajectory, its steps taken by `stepping` from `start`. Raises what that raises."""
    recorder = BoundaryRecorder(folder)
    losses = []
    recorder.record(dict(start))
    for step in range(config.steps):
        result = stepping.step(batches(step))
        losses.append(result.loss)
        if on_step is not None:
            on_step(step, result)
        if (step + 1) % config.segment == 0:
            recorder.record(stepping.tensors())
    return recorder.finish(losses, config.tokens_per_round)


def replay_segment(
    config: RunConfig,
    start: Mapping[str, NDArray[np.generic]],
    segment: int,
    batches: BatchSource,
    on_last_inside: Callable[[Tensors], None] | None = None,
) -> Tensors:
    """The full state at the end of `segment` (from 0), recomputed from the full state at its start.

    `on_last_inside` is called with the state before the last step, if there is one inside: what no node publishes.
    Raises UnknownSegment, StateMismatch and NonFiniteLoss.
    """
    if not 0 <= segment < config.segments:
        raise UnknownSegment(f"segment {segment} is outside 0..{config.segments - 1}")
    configure_determinism(config.profile)
    model = build_model(config)
    state = TrainState.from_tensors(start, config)
    for step in range(segment * config.segment, (segment + 1) * config.segment):
        inner_step(config, model, state, batches(step))
        if on_last_inside is not None and step == (segment + 1) * config.segment - 2:
            on_last_inside(state.to_tensors())
    return state.to_tensors()


def pseudo_gradient(start: Mapping[str, NDArray[np.generic]], end: Mapping[str, NDArray[np.generic]]) -> Tensors:
    """theta_start - theta_end, float32, named `theta.*`; the outer step descends along it."""
    return {name: np.subtract(value, end[name]) for name, value in theta_of(start).items()}
