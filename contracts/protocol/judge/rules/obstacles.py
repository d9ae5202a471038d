"""Why a run opens no round now, as people read it: what is missing of what `rounds.due_opening` asks for."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from contracts.protocol.judge.rules.presence import listing, members, speakers
from contracts.protocol.judge.state import RunState, State


class Obstacle(StrEnum):
    """In the order in which they are looked at; {have} of {needed} where numbers belong to it."""

    OVER = "the run is over"
    LAST_ROUND = "all rounds of its configuration are done"
    ROUND_OPEN = "round {have} is not merged yet"
    DECISION = "a decision of the holders is being applied"
    NO_BLOCK = "the log has no whole block of the chain yet"
    NO_THRESHOLD = "the chain has not said how many verifiers decide"
    VERIFIERS = "verifiers with a stake and an anchor: {have} of {needed}"
    REACHABLE = "verifiers with a secret for the round that have not lapsed: {have} of {needed}"
    NODES = "nodes that take part, and whose profile enough verifiers judge: {have} of {needed}"


@dataclass(frozen=True)
class Missing:
    """One obstacle, with its numbers."""

    obstacle: Obstacle
    have: int = 0
    needed: int = 0

    def __str__(self) -> str:
        return self.obstacle.value.format(have=self.have, needed=self.needed)


def obstacles(state: State, run: RunState) -> list[Missing]:
    """All that keeps the next round from opening; empty where nothing does."""
    number = run.round + 1
    if run.over:
        return [Missing(Obstacle.OVER)]
    if run.merged != run.round:
        return [Missing(Obstacle.ROUND_OPEN, run.round)]
    if number > state.functions.rounds(run.config):
        return [Missing(Obstacle.LAST_ROUND)]
    if run.pending:
        return [Missing(Obstacle.DECISION)]
    if state.block is None or state.block.more:
        return [Missing(Obstacle.NO_BLOCK)]
    return _absent(state, run, number) if state.k else [Missing(Obstacle.NO_THRESHOLD)]


def _absent(state: State, run: RunState, number: int) -> list[Missing]:
    counted = members(state, run)
    reachable = [verifier for verifier in speakers(state, run, counted, number) if verifier not in run.away]
    awaited = sum(node.awaited for node in listing(state, run, number, counted))
    requirements = (
        Missing(Obstacle.VERIFIERS, len(counted), 2 * state.k - 1),
        Missing(Obstacle.REACHABLE, len(reachable), state.k),
        Missing(Obstacle.NODES, awaited, run.created.terms.min_nodes if number == 1 else 1),
    )
    return [missing for missing in requirements if missing.have < missing.needed]
