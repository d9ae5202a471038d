"""An operator that enters no block any more: reported loudly, since a run waits for a block, and no remedy is at hand.

Silence is no proof, so heads go on being signed and no operator is convicted of it.
"""

from __future__ import annotations

from contracts.protocol.judge.state import State
from verifier.replica.envelopes import Collected

PERIODS = 3
"""Multiple of the longest period of the open runs, in which at least one block has to come."""
SAY_SECONDS = 60.0
"""Seconds between two reports of it."""


def stalled(state: State, log: Collected, now: int) -> str:
    """The report at a time of the own chain (seconds since 1970); empty while nothing is wrong."""
    periods = [log.terms[name].periodSeconds for name, run in state.runs.items() if not run.over and name in log.terms]
    if state.block is None or not periods:
        return ""
    old = now - state.block.time
    if old <= PERIODS * max(periods):
        return ""
    return f"the operator has entered no block for {old} s of the chain's time, and {len(periods)} run(s) wait for one"
