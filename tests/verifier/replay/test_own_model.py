"""A round of one's own model: node and verifier agree to the bit, and without its very package nobody says a word."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from contracts.ids import to_hex
from contracts.messages.for_log import Enrolment
from contracts.tensors.state_layout import boundary_entry
from contracts.tensors.tensorfile import pack
from tests.trainer.model.own.packages import example, forgotten
from tests.verifier.honest import NODE, TINY, Honest, changed
from trainer.model.own.errors import ModelPackageDiffers, ModelPackageMissing
from trainer.model.own.interface import named
from trainer.model.state import Tensors, theta_of
from trainer.node.answering import Answers
from trainer.steps.evaluate import held_out_loss
from verifier.duties.anchor import _check_start
from verifier.replay import tasks
from verifier.replay.combining import combine
from verifier.replay.holding import check_gradient
from verifier.replay.question import Done, Unable
from verifier.replay.replaying import FALSE, TRUE, Segment, judge_segment
from verifier.replay.sizes import state_size, weights_size

pytestmark = pytest.mark.unit


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    place = tmp_path_factory.mktemp("packages")
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(place))
        forgotten()
        yield example(place)
        forgotten()


@pytest.fixture(scope="module")
def own(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Honest:
    """Trained, in micro-batches too."""
    fields = {name: getattr(TINY, name) for name in ("rounds", "steps", "segment", "context")}
    config = named("own_model", {"width": 16}, batch=2, micro_batch=1, **fields)
    return Honest.train(tmp_path_factory.mktemp("text"), config)


@pytest.fixture(scope="module")
def asked(own: Honest) -> Segment:
    return own.segment(1)


@pytest.fixture
def other(folder: Path, own: Honest) -> Iterator[Path]:
    """The package with one byte changed, in a process that has just started."""
    kept = (folder / "mixer.py").read_bytes()
    (folder / "mixer.py").write_bytes(kept.replace(b"1e-5", b"1e-6"))
    forgotten()
    yield folder
    (folder / "mixer.py").write_bytes(kept)
    forgotten()


def test_every_segment_replays_to_the_bit(own: Honest) -> None:
    assert own.done.losses[-1] < own.done.losses[0]
    for number in range(own.config.segments):
        assert judge_segment(own.segment(number, common=number == 1), own.shelf(), own.corpus).word == TRUE


def test_a_false_segment_of_it_is_false(own: Honest) -> None:
    def nudge(tensors: Tensors) -> None:
        tensors["theta.layers.0.up"].reshape(-1)[0] += np.float32(0.5)

    shelf = own.shelf()
    claimed = changed(own.state(2), nudge)
    asked = replace(own.segment(1), end=to_hex(boundary_entry(claimed)), end_blob=shelf.put(pack(claimed)))
    assert judge_segment(asked, shelf, own.corpus).word == FALSE


def test_its_gradient_is_held_and_merged(own: Honest, tmp_path: Path) -> None:
    check_gradient(own.held(), own.shelf())
    step = combine(own.basis(), own.shelf(), own.corpus, tmp_path)
    before = held_out_loss(own.config, own.theta, own.corpus.held_out())
    assert 0 < step.loss < before * 10**9


def test_its_files_have_the_sizes_that_the_run_names(own: Honest) -> None:
    text = own.config.to_json()
    assert weights_size(text) == len(pack(theta_of(own.state(0))))
    assert state_size(text) == len(pack(own.state(0)))


def test_a_verifier_with_a_changed_byte_has_no_word(own: Honest, asked: Segment, other: Path) -> None:
    with pytest.raises(ModelPackageDiffers, match="install the version that the run names") as refused:
        judge_segment(asked, own.shelf(), own.corpus)
    with pytest.raises(ModelPackageDiffers):
        _check_start(SimpleNamespace(genesis=b""), own.config)  # type: ignore[arg-type]
    with pytest.raises(ModelPackageDiffers):
        check_gradient(own.held(), own.shelf())
    answer = tasks._reply(lambda: Done(judge_segment(asked, own.shelf(), own.corpus)))
    assert answer == Unable(refused.value.detail).to_json()


def test_a_verifier_without_the_package_has_none(own: Honest, asked: Segment, folder: Path) -> None:
    hidden = folder.with_name("elsewhere")
    shutil.move(folder, hidden)
    forgotten()
    weights_size.cache_clear()
    state_size.cache_clear()
    try:
        with pytest.raises(ModelPackageMissing, match=own.config.model_digest):
            judge_segment(asked, own.shelf(), own.corpus)
        text = own.config.to_json()
        assert weights_size(text) < state_size(text), "a mirror of it needs no package"
    finally:
        shutil.move(hidden, folder)


def test_a_node_with_a_changed_byte_enrols_nowhere(own: Honest, other: Path) -> None:
    node = Enrolling()
    with pytest.raises(ModelPackageDiffers, match="commonweight model digest own_model"):
        node.answers.take_place(node.run(own), leaving=False)
    assert node.signed == []
    shutil.copy(Path(__file__).parents[3] / "examples" / "own_model" / "own_model" / "mixer.py", other)
    node.answers.take_place(node.run(own), leaving=False)
    assert [type(message) for message in node.signed] == [Enrolment], "with the right one it does"


class Enrolling:
    """A node's answers, with nothing behind them but a run that waits for nodes."""

    def __init__(self) -> None:
        self.signed: list[object] = []
        choices = {"ranks": 1, "recompute": False, "offload": False, "numerics": ""}
        settings = SimpleNamespace(payout=NODE, from_round=1, unjudged=True, **choices)
        self.answers = Answers(
            settings,  # type: ignore[arg-type]
            SimpleNamespace(state=SimpleNamespace(size=3, verifiers={})),  # type: ignore[arg-type]
            SimpleNamespace(keep=lambda _, message: self.signed.append(message)),  # type: ignore[arg-type]
            SimpleNamespace(address=NODE),  # type: ignore[arg-type]
            SimpleNamespace(),  # type: ignore[arg-type]
            SimpleNamespace(of=lambda _: None),  # type: ignore[arg-type]
            lambda _: None,
        )

    def run(self, own: Honest) -> Any:
        """The run that it may join."""
        terms = SimpleNamespace(profiles=(), pairs=None, several=False)
        created = SimpleNamespace(run="0x" + "22" * 32, terms=terms)
        return SimpleNamespace(nodes={}, created=created, over=False, config=own.config.to_json(), anchors={})
