"""The log beneath the machine: a root for each entry, and the one that a message names."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from contracts.protocol.judge import facts
from contracts.protocol.judge.facts import Fact
from contracts.protocol.judge.state import State

if TYPE_CHECKING:
    from tests.adversary.sim.world import World


def root_at(index: int) -> str:
    """The root of the log up to and with an entry."""
    return f"root-{index}"


def lies_beneath(state: State, first: int) -> None:
    """The entries from `first` on lie in the log."""
    state.leaves = state.size
    state.roots |= {index: root_at(index) for index in range(first, state.size)}


def grounded(world: World, fact: Fact) -> Fact:
    """The message, as said of this log by whoever named none."""
    if isinstance(fact, facts.Words) and not fact.root:
        return replace(fact, root=root_at(world.panel_at.get(fact.proof, 0)))
    if isinstance(fact, facts.MergeSigned) and not fact.root:
        return replace(fact, root=root_at(world.merge_at.get((fact.run, fact.round), 0)))
    if isinstance(fact, facts.Lapse) and not fact.root:
        return replace(fact, root=root_at(fact.since))
    return fact
