"""Sizes follow from the layout: they are those of the files that are really written."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from contracts.protocol.architecture import theta_layout
from contracts.tensors.tensorfile import DTYPES, pack, packed_size
from tests.verifier.honest import TINY
from trainer.model.state import layout
from verifier.replay.sizes import outer_sizes, state_size, weights_size

pytestmark = pytest.mark.unit


@pytest.mark.parametrize("config", [TINY, replace(TINY, layers=3, d_model=64, heads=4)])
def test_sizes_are_those_of_the_files(config: object) -> None:
    for tensors in (layout(config), theta_layout(config)):  # type: ignore[arg-type]
        zeros = {name: np.zeros(shape, DTYPES[kind]) for name, (kind, shape) in tensors.items()}
        assert packed_size(tensors) == len(pack(zeros))


def test_a_merge_names_two_files_of_weights() -> None:
    text = TINY.to_json()
    assert outer_sizes(text).weights == outer_sizes(text).momentum == weights_size(text)
    assert state_size(text) > 3 * weights_size(text) - 2000
