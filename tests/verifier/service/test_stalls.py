"""An operator that enters no block is named, after some periods of the chain's own time, while a run goes on."""

from __future__ import annotations

from pathlib import Path

import pytest

from contracts.protocol.judge.facts import Block
from tests.contracts.protocol.log.signed_run import SignedRun
from tests.verifier.town import make_party
from verifier.service.stalls import PERIODS, stalled

pytestmark = pytest.mark.unit


def test_silence_is_reported_after_periods_of_a_run_that_goes_on(tmp_path: Path) -> None:
    made = SignedRun(nodes=1)
    party = make_party(tmp_path, made)
    log = party.world.replica.collected
    (terms,) = log.terms.values()
    with party.world.replica.reading() as state:
        assert isinstance(state.block, Block) or state.block is not None
        last = state.block.time + PERIODS * terms.periodSeconds
        assert stalled(state, log, last) == ""
        assert "no block" in stalled(state, log, last + 1)
        for run in state.runs.values():
            run.over = True
        assert stalled(state, log, last + 1) == "", "nothing waits for it"
