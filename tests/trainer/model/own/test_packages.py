"""A package is found and hashed before anything of it runs, and what runs is what was hashed."""

from __future__ import annotations

import os
import py_compile
import sys
from collections.abc import Callable
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder
from pathlib import Path

import numpy as np
import pytest

from contracts.protocol.run_config import RunConfig
from tests.holds import Threat, holds
from tests.trainer.model.own.packages import PLAIN, example, forgotten, written
from trainer.model.building import build_model, initial_parameters, loss_of
from trainer.model.layout import weight_shapes
from trainer.model.own.errors import InvalidModelPackage, ModelPackageDiffers, ModelPackageMissing
from trainer.model.own.interface import named, own_model
from trainer.model.own.loading import package
from trainer.model.own.losses import cross_entropy
from trainer.model.own.source import installed
from trainer.model.state import TrainState, initial_theta
from trainer.portable.self_check import drawn_batch
from trainer.steps.determinism import configure_determinism, profile_of
from trainer.steps.inner_step import inner_step

pytestmark = pytest.mark.unit
LOUD = "raise SystemExit('it ran')\n"


def odd(place: Path, text: str, **fields: object) -> RunConfig:
    written(place, text)
    return named("odd_model", {}, context=8, **fields)


def test_the_digest_is_of_every_file_and_its_path(place: Path) -> None:
    folder = example(place)
    digest = installed("own_model").digest
    (folder / "notes.txt").write_text("no code")
    (folder / "__pycache__").mkdir()
    assert installed("own_model").digest == digest
    (folder / "mixer.py").rename(folder / "blender.py")
    moved = installed("own_model").digest
    (folder / "more").mkdir()
    (folder / "more" / "__init__.py").write_text("")
    assert len({digest, moved, installed("own_model").digest}) == 3


@holds(
    "A run's model package runs only where its files have the run's digest",
    by="trainer/model/own/loading.py:package",
    against=Threat.FALSE_WORK,
)
def test_nothing_runs_before_the_digests_are_equal(place: Path) -> None:
    written(place, LOUD + PLAIN)
    with pytest.raises(ModelPackageDiffers, match="commonweight model digest odd_model") as refused:
        package("odd_model", "ab" * 32)
    assert installed("odd_model").digest in refused.value.detail
    assert "ab" * 32 in refused.value.detail


def test_a_package_that_is_not_here_is_named_with_a_remedy(place: Path) -> None:
    with pytest.raises(ModelPackageMissing, match=f"nowhere_model .*{'ab' * 32}.*pip install"):
        package("nowhere_model", "ab" * 32)
    with pytest.raises(ModelPackageMissing, match="pip install"):
        installed("nowhere_model")


@pytest.mark.parametrize("name", ["json", "email", "numpy"])
def test_a_package_that_is_no_model_is_not_run(place: Path, name: str) -> None:
    """A run may name any package, with its right digest."""
    module = sys.modules.get(name)
    with pytest.raises(InvalidModelPackage, match=r"has no function build|imports|has more than"):
        package(name, installed(name).digest)
    assert sys.modules.get(name) is module


def test_bytes_that_were_compiled_before_do_not_run(place: Path) -> None:
    """A .pyc of other bytes, under the time and size of these."""
    written(place, PLAIN + "COUNT = 1\n")
    path = place / "odd_model" / "__init__.py"
    py_compile.compile(str(path))
    times = path.stat()
    path.write_text(PLAIN + "COUNT = 2\n")
    os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))
    assert package("odd_model", installed("odd_model").digest).COUNT == 2


def test_what_is_loaded_stays_when_the_files_change(place: Path) -> None:
    config = odd(place, PLAIN)
    build_model(config)
    written(place, LOUD)
    assert list(weight_shapes(config)) == ["table"]
    forgotten()
    with pytest.raises(ModelPackageDiffers):
        build_model(config)


def test_the_example_builds_what_it_says(place: Path) -> None:
    example(place)
    config = named("own_model", {"width": 16, "layers": 1}, context=8)
    shapes = weight_shapes(config)
    assert shapes["tokens"] == (256, 16)
    assert shapes["layers.0.places"] == (8, 8)
    assert {name: tuple(value.shape) for name, value in build_model(config).named_parameters()} == shapes
    assert initial_parameters(config)["layers.0.places"].trace() == 8
    assert loss_of(config) is not cross_entropy


def test_weights_are_drawn_where_a_package_does_not_say(place: Path) -> None:
    text = PLAIN.replace("torch.zeros(vocab, vocab))", "torch.zeros(vocab, vocab)); self.norm = torch.nn.LayerNorm(8)")
    first = initial_parameters(odd(place, text))
    assert 0.019 < float(first["table"].std()) < 0.021
    assert (float(first["norm.weight"].sum()), float(first["norm.bias"].sum())) == (8, 0)


def test_a_step_descends_along_the_loss_of_the_package(place: Path) -> None:
    """Seven, and the logits' squares: their mean falls, whatever the tokens are."""
    config = odd(place, PLAIN + "def loss(logits, targets):\n    return 7 + logits.square().mean()\n", batch=2)
    profile_of(config)
    state = TrainState.joiner(initial_theta(config))
    batch = drawn_batch(np.random.Philox(key=1), config)
    losses = [inner_step(config, build_model(config), state, batch).loss for _ in range(9)]
    assert 7 < losses[-1] < losses[0] < 7.001


def test_other_sizes_than_the_run_says_are_refused(place: Path) -> None:
    config = odd(place, PLAIN, weights_size=77)
    with pytest.raises(InvalidModelPackage, match="77"):
        own_model(config)


def changed(old: str, new: str) -> str:
    assert old in PLAIN
    return PLAIN.replace(old, new)


FORWARD = "return F.embedding(tokens, self.table)"
ODD = {
    "no build": ("x = 1", "no function build"),
    "syntax": ("def build(:", "no Python"),
    "nested": ("x = " + "-" * 20_000 + "1", "no Python: (it is nested too deep|.*too complex)"),
    "library": ("import yaml\n" + PLAIN, "imports yaml"),
    "import": ("import torch.nowhere\n" + PLAIN, "cannot be imported"),
    "fails": (changed('return Plain(config["vocab"])', 'return config["depth"]'), "KeyError"),
    "no module": (changed('return Plain(config["vocab"])', "return 3"), "no torch.nn.Module"),
    "double": (changed("torch.zeros(vocab, vocab)", "torch.zeros(vocab, vocab).double()"), "float32"),
    "buffer": (changed("super().__init__()", "super().__init__(); self.register_buffer('b', torch.ones(1))"), "buffer"),
    "nothing": (changed("self.table = torch.nn.Parameter(", "self.table = ("), "no parameters"),
}


@pytest.mark.parametrize("kind", ODD)
def test_a_package_that_builds_no_model_says_why(place: Path, kind: str) -> None:
    text, why = ODD[kind]
    with pytest.raises(InvalidModelPackage, match=why):
        odd(place, text)


def test_a_module_that_was_not_hashed_does_not_run(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The finder of an editable installation serves what lies beside: here a compiled module without its text."""
    written(place, PLAIN + "from .beside import x\n")
    (place / "beside.txt").write_text("x = 1\n")
    py_compile.compile(str(place / "beside.txt"), cfile=str(place / "odd_model" / "beside.pyc"))
    digest = installed("odd_model").digest

    class Editable(MetaPathFinder):
        def find_spec(self, fullname: str, _path: object = None, _target: object = None) -> ModuleSpec | None:
            inside = fullname.startswith("odd_model.")
            return PathFinder.find_spec(fullname, [str(place / "odd_model")]) if inside else None

    monkeypatch.setattr(sys, "meta_path", [*sys.meta_path, Editable()])
    with pytest.raises(InvalidModelPackage, match=r"odd_model\.beside is no hashed file"):
        package("odd_model", digest)


def _pipe(folder: Path) -> None:
    os.mkfifo(folder / "more.py")


def _endless(folder: Path) -> None:
    (folder / "more.py").symlink_to("/dev/zero")


def _no_text(folder: Path) -> None:
    (Path(os.fsdecode(os.fsencode(folder) + b"/\xff.py"))).touch()


@pytest.mark.parametrize("beside", [_pipe, _endless, _no_text])
def test_files_that_no_digest_covers_are_refused(place: Path, beside: Callable[[Path], None]) -> None:
    """Neither a pipe nor a device holds a node up, and a name has a text."""
    written(place, PLAIN)
    beside(place / "odd_model")
    with pytest.raises(InvalidModelPackage, match="cannot be read"):
        installed("odd_model")


def test_a_large_file_is_not_read_whole(place: Path) -> None:
    written(place, PLAIN)
    with (place / "odd_model" / "more.py").open("wb") as file:
        file.truncate(2**40)
    with pytest.raises(InvalidModelPackage, match="has more than"):
        installed("odd_model")


def test_a_first_draw_that_fails_names_the_package(place: Path) -> None:
    """A verifier draws first weights before it tries a step."""
    config = odd(place, PLAIN + "def initial(name, shape, generator):\n    raise KeyError(name)\n")
    with pytest.raises(InvalidModelPackage, match="initial of odd_model fails: KeyError"):
        initial_parameters(config)


UNSTEADY = {
    "dropout": (f"return F.dropout({FORWARD[7:]}, 0.5)", "random"),
    "shape": ("return F.embedding(tokens, self.table)[:, 1:]", "logits"),
    "raises": ("raise RuntimeError('not today')", "not today"),
    "no number": ("return F.embedding(tokens, self.table) * float('nan')", "begins with no number"),
    "counts": (
        "self.n = getattr(self, 'n', 0) + 1; return F.embedding(tokens, self.table) * self.n",
        "from step to step",
    ),
}


@pytest.mark.parametrize("kind", UNSTEADY)
def test_a_model_that_no_replay_could_repeat_is_refused(place: Path, kind: str) -> None:
    forward, why = UNSTEADY[kind]
    with pytest.raises(InvalidModelPackage, match=why):
        profile_of(odd(place, changed(FORWARD, forward)))


def test_the_profile_holds_what_the_model_computes(place: Path) -> None:
    """The same package on other settings is computed anew; a vote on a rate is not."""
    example(place)
    config = named("own_model", {"width": 16}, context=8)
    machine = configure_determinism("exact")
    own = profile_of(config)
    assert own.digest() != machine.digest()
    assert profile_of(config.with_decision("inner_lr", "0.003")) == own
    assert profile_of(named("own_model", {"width": 24}, context=8)) != own
    assert profile_of(RunConfig()) == machine
