"""Boundary states of a large round outlive the process, and count only as far as they are what was committed to."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from contracts.protocol.run_config import RunConfig
from tests.trainer.desk import RUN, job_of, play
from trainer.conduct import Conduct, RoundTask
from trainer.data.text import load_corpus
from trainer.node import boundaries
from trainer.node.boundaries import Boundaries
from trainer.steps.trajectory import Trajectory

pytestmark = pytest.mark.unit
CONFIG = RunConfig(layers=1, d_model=16, heads=2, context=16, steps=4, segment=2, batch=2)
KEY = (RUN, 1)


@pytest.fixture
def done(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Boundaries, RoundTask, Trajectory]:
    """A round that was too large for memory."""
    monkeypatch.setattr(boundaries, "IN_MEMORY_BYTES", 0)
    text = tmp_path / "text.txt"
    text.write_text("".join(f"line {i}: the quick brown fox, {i * i} times\n" for i in range(500)))
    kept, job = Boundaries(tmp_path / "boundaries"), job_of(CONFIG, load_corpus([text]))
    trajectory, _ = play(Conduct(), job, kept.folder(KEY, CONFIG))
    kept.keep(KEY, trajectory)
    return kept, job, trajectory


def test_a_small_round_stays_in_memory(tmp_path: Path) -> None:
    assert Boundaries(tmp_path).folder(KEY, CONFIG) is None


def test_a_round_is_read_again_with_all_that_is_opened_of_it(done: tuple[Boundaries, RoundTask, Trajectory]) -> None:
    kept, job, before = done
    after = kept.read(KEY, CONFIG, job.start, before.root)
    assert after is not None
    assert Conduct().commitments(job, after)[0].message == Conduct().commitments(job, before)[0].message
    assert Conduct().openings(job, after, [0, 1, 2]) == Conduct().openings(job, before, [0, 1, 2])
    assert kept.read(KEY, CONFIG, job.start, None) is not None, "a kill came before the commitment"


def of_another_root(kept: Boundaries, job: RoundTask, _: Path) -> Trajectory | None:
    return kept.read(KEY, CONFIG, job.start, b"\7" * 32)


def from_another_start(kept: Boundaries, job: RoundTask, _: Path) -> Trajectory | None:
    moved = {name: value + 1 for name, value in job.start.items()}
    return kept.read(KEY, CONFIG, moved, None)


def half_written(kept: Boundaries, job: RoundTask, folder: Path) -> Trajectory | None:
    (folder / "boundary-0001.safetensors").write_bytes(b"half")
    return kept.read(KEY, CONFIG, job.start, None)


def exchanged(kept: Boundaries, job: RoundTask, folder: Path) -> Trajectory | None:
    (folder / "boundary-0001.safetensors").write_bytes((folder / "boundary-0002.safetensors").read_bytes())
    return kept.read(KEY, CONFIG, job.start, None)


def killed_before_the_end(kept: Boundaries, job: RoundTask, folder: Path) -> Trajectory | None:
    (folder / boundaries.LIST).unlink()
    return kept.read(KEY, CONFIG, job.start, None)


@pytest.mark.parametrize("read", [of_another_root, from_another_start, half_written, exchanged, killed_before_the_end])
def test_what_does_not_fit_is_trained_anew(
    done: tuple[Boundaries, RoundTask, Trajectory],
    tmp_path: Path,
    read: Callable[[Boundaries, RoundTask, Path], Trajectory | None],
) -> None:
    kept, job, _ = done
    folder = kept.folder(KEY, CONFIG)
    assert folder is not None
    assert read(kept, job, folder) is None


def test_rounds_that_are_over_are_forgotten(done: tuple[Boundaries, RoundTask, Trajectory]) -> None:
    kept, job, before = done
    kept.forget_but({KEY})
    assert kept.read(KEY, CONFIG, job.start, before.root) is not None
    kept.forget_but(set())
    assert kept.read(KEY, CONFIG, job.start, before.root) is None
