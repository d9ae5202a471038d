"""The outer step follows from exactly the gradients of the merge set, by their digests (J15)."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from blake3 import blake3

from contracts.ids import to_hex
from contracts.protocol.architecture import theta_layout
from contracts.tensors.tensorfile import pack, state_digest, unpack
from tests.holds import Threat, holds
from tests.verifier.honest import Honest, changed
from tests.verifier.replay.test_replaying import nudge
from trainer.steps.outer import merge, zero_momentum
from verifier.replay.combining import Basis, combine
from verifier.replay.files import BytesMissing

pytestmark = pytest.mark.unit


def test_the_outer_step_is_computed_and_left_to_be_served(work: Honest, tmp_path: Path) -> None:
    step = combine(work.basis(), work.shelf(), work.corpus, tmp_path)
    theta, momentum = merge(work.theta, zero_momentum(work.theta), [work.done.pseudo_gradient], 0.7, 0.9)
    assert (step.theta, step.momentum) == (to_hex(state_digest(theta)), to_hex(state_digest(momentum)))
    for name, digest in ((step.theta_blob, step.theta), (step.momentum_blob, step.momentum)):
        data = (tmp_path / name).read_bytes()
        assert blake3(data).hexdigest() == name
        assert to_hex(state_digest(unpack(data, theta_layout(work.config)))) == digest
    assert step.loss > 0
    assert Basis.from_json(work.basis().to_json()) == work.basis()


def test_the_next_round_begins_from_files_that_anybody_named(work: Honest, tmp_path: Path) -> None:
    shelf = work.shelf()
    first = combine(work.basis(), shelf, work.corpus, tmp_path)
    blobs = {shelf.put(path.read_bytes()) for path in tmp_path.iterdir()}
    names = ("f" * 64, *sorted(blobs))
    basis = replace(work.basis(), theta=first.theta, theta_blobs=names, momentum=first.momentum, momentum_blobs=names)
    second = combine(basis, shelf, work.corpus, tmp_path)
    assert second.theta not in (first.theta, basis.theta)


@holds(
    "A file that is not the gradient is never merged",
    by="verifier/replay/combining.py:combine",
    against=Threat.FALSE_WORK,
)
def test_a_file_that_is_not_the_gradient_is_never_merged(work: Honest, tmp_path: Path) -> None:
    """F16: verifiers merged the blobs that the server named, whatever they held."""
    shelf, basis = work.shelf(), work.basis()
    for data in (pack(changed(work.done.pseudo_gradient, nudge)), b"no tensors"):
        other = shelf.put(data)
        with pytest.raises(BytesMissing):
            combine(replace(basis, gradients=((basis.gradients[0][0], other),)), shelf, work.corpus, tmp_path)
    assert list(tmp_path.iterdir()) == []
