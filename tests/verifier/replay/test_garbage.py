"""A node may commit to any finite bytes. What a replay makes of them is the node's doing, no failure of a verifier."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from contracts.ids import to_hex
from contracts.protocol.judge.facts import AT_FAULT, Word
from contracts.protocol.log.signed import REASONS, WORDS
from contracts.tensors.state_layout import STEP_NAME, boundary_entry
from contracts.tensors.tensorfile import pack
from tests.holds import Threat, holds
from tests.verifier.honest import Honest, changed
from trainer.model.state import Tensors
from verifier.replay.replaying import judge_segment

pytestmark = pytest.mark.unit
Spoil = Callable[[Tensors], None]


def every(prefix: str, value: float) -> Spoil:
    def spoil(state: Tensors) -> None:
        for name, tensor in state.items():
            if name.startswith(prefix):
                tensor[...] = value

    return spoil


def count(steps: int) -> Spoil:
    def spoil(state: Tensors) -> None:
        state[STEP_NAME] = np.array([steps], np.int64)

    return spoil


GARBAGE: dict[str, Spoil] = {
    "weights that overflow": every("theta.", 1e38),
    "weights of one value": every("theta.", 0.0),
    "first moments that overflow": every("m.", 3e38),
    "negative second moments": every("v.", -1.0),
    "a negative count": count(-1),
    "a count before the first step": count(-2),
    "a count beyond any run": count(2**62),
    "another count": count(7),
}


@holds(
    "Garbage at a boundary is the node's fault",
    by="verifier/replay/replaying.py:judge_segment",
    against=Threat.FALSE_WORK,
)
@pytest.mark.parametrize("name", GARBAGE)
def test_garbage_at_a_boundary_is_false_and_costs_stake(work: Honest, name: str) -> None:
    """As the end of the segment before it, and as the start of its own."""
    state, shelf = changed(work.state(2), GARBAGE[name]), work.shelf()
    entry, blob = to_hex(boundary_entry(state)), shelf.put(pack(state))
    as_end = replace(work.segment(1), end=entry, end_blob=blob)
    as_start = replace(work.segment(2), start=entry, start_blob=blob)
    for asked in (as_end, as_start):
        said = judge_segment(asked, shelf, work.corpus)
        assert WORDS[said.word] is Word.FALSE
        assert REASONS[said.reason] in AT_FAULT
