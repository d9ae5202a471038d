"""`Has`: a gradient with real tensors, and everything about it that may be wrong (J5, J7)."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from contracts.ids import to_hex
from contracts.tensors.state_layout import theta_digest
from contracts.tensors.tensorfile import pack, state_digest
from tests.holds import Threat, holds
from tests.verifier.honest import Honest, changed
from tests.verifier.replay.test_replaying import nudge
from trainer.model.state import Tensors, start_tensors
from trainer.steps.settled import after, settle, settled
from trainer.steps.trajectory import Trajectory, pseudo_gradient
from verifier.replay.files import BytesMissing, Folder, momentum_of, weights_of
from verifier.replay.holding import GradientRefused, Question, check_gradient

pytestmark = pytest.mark.unit


def test_an_honest_gradient_is_held(work: Honest) -> None:
    check_gradient(work.held(), work.shelf())
    question = work.held().question
    assert Question.from_json(question.to_json()) == question


def test_a_gradient_that_is_not_here_says_nothing(work: Honest) -> None:
    asked, shelf = work.held(), work.shelf()
    del shelf.held[asked.blob]
    with pytest.raises(BytesMissing):
        check_gradient(asked, shelf)


def test_another_gradient_than_the_committed_one_is_refused(work: Honest) -> None:
    gradient, shelf = changed(work.done.pseudo_gradient, nudge), work.shelf()
    shelf.put(pack(gradient))
    with pytest.raises(GradientRefused, match="committed to"):
        check_gradient(work.held(gradient), shelf)


def test_a_gradient_that_leads_elsewhere_is_refused(work: Honest) -> None:
    """376 times as long as an honest one, and committed to: the end that follows from it is not the committed one."""
    gradient = {name: np.multiply(value, np.float32(376)) for name, value in work.done.pseudo_gradient.items()}
    shelf = work.shelf()
    shelf.put(pack(gradient))
    asked = replace(work.held(gradient), gradient=to_hex(state_digest(gradient)))
    with pytest.raises(GradientRefused, match="committed end"):
        check_gradient(asked, shelf)


@holds(
    "A gradient that no steps can produce is not held",
    by="trainer/steps/reach.py:is_within_reach",
    against=Threat.FALSE_WORK,
)
def test_a_gradient_beyond_the_reach_of_any_steps_is_refused(work: Honest) -> None:
    """Finite, committed to, and leading to the committed end: where the last segment is not drawn it was posted, and
    no merge could be computed any more."""
    gradient = {name: np.full_like(value, 3e38) for name, value in work.done.pseudo_gradient.items()}
    shelf = work.shelf()
    shelf.put(pack(gradient))
    end = to_hex(state_digest(after(work.theta, gradient)))
    asked = replace(work.held(gradient), gradient=to_hex(state_digest(gradient)), end=end)
    with pytest.raises(GradientRefused, match="further than"):
        check_gradient(asked, shelf)


def test_nan_and_other_layouts_are_refused(work: Honest) -> None:
    def spoil(tensors: Tensors) -> None:
        next(iter(tensors.values())).reshape(-1)[0] = np.inf

    spoilt: tuple[Tensors, ...] = (changed(work.done.pseudo_gradient, spoil), {"theta.x": np.zeros(3, np.float32)})
    for gradient in spoilt:
        shelf = work.shelf()
        shelf.put(pack(gradient))
        asked = replace(work.held(gradient), gradient=to_hex(state_digest(gradient)))
        with pytest.raises(GradientRefused):
            check_gradient(asked, shelf)
    with pytest.raises(GradientRefused, match="bytes"):
        check_gradient(replace(work.held(), size=7), work.shelf())


def test_weights_are_taken_from_whoever_names_the_right_ones(work: Honest) -> None:
    later = after(work.theta, work.done.pseudo_gradient)
    shelf = work.shelf()
    names = (shelf.put(b"no tensors"), "0" * 64, shelf.put(pack(work.theta)), shelf.put(pack(later)))
    found = weights_of(shelf, work.config, to_hex(state_digest(later)), names)
    assert state_digest(found) == state_digest(later)
    for read in (weights_of, momentum_of):
        with pytest.raises(BytesMissing):
            read(shelf, work.config, to_hex(b"\5" * 32), names)


def test_a_spoilt_file_is_removed_and_missing(tmp_path: Path, work: Honest) -> None:
    (tmp_path / "held").mkdir()
    file = tmp_path / "held" / work.held().blob
    data = pack(work.done.pseudo_gradient)
    file.write_bytes(data)
    assert Folder(tmp_path).read(file.name) == data
    file.write_bytes(data[:-1] + bytes([data[-1] ^ 1]))
    with pytest.raises(BytesMissing):
        Folder(tmp_path).read(file.name)
    assert not file.exists()


def test_settling_keeps_the_gradient_and_all_before_the_end(work: Honest, tmp_path: Path) -> None:
    """It is a last boundary that follows from weights and gradient alone, and settling it again changes nothing."""
    raw = start_tensors(work.theta, None)
    end = settled(work.theta, work.done.end_state)
    assert theta_digest(end) == theta_digest(work.done.end_state)
    done = Trajectory(
        (b"\0" * 64, b"\1" * 64), b"", (raw, tmp_path / "end"), pseudo_gradient(raw, raw), b"", raw, (), 0
    )
    made = settle(work.theta, done)
    assert made.boundary_entries[0] == b"\0" * 64
    assert (tmp_path / "end").read_bytes() == pack(raw)
    assert made.root != done.root
