"""Machines of one log beside each other: a run that is over is one object in all of them, as long as none changes it.

A copy of a machine costs what is open in it. A run that is over still takes a few facts (a node leaves, a verifier's
second verdict is late), each about that run alone: a machine makes the run its own before it enters one.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass, field
from typing import Any

from contracts.ids import NO_PROOF, RunId
from contracts.protocol.judge.entries import Derived
from contracts.protocol.judge.facts import Fact
from contracts.protocol.judge.state import State
from contracts.protocol.log.follower import Follower
from contracts.protocol.log.leaf import Entry


@dataclass
class Sharing(Follower):
    """A follower some of whose runs, named in `shared`, are other machines' as well: they are over."""

    shared: set[RunId] = field(init=False, default_factory=set)

    def copy(self) -> State:
        """The machine as it is, to be read, or to be followed on by `begin`: nothing that changes is in both."""
        self.shared |= {name for name, run in self.state.runs.items() if run.over}
        return copied(self.state)

    def begin(self, state: State) -> None:
        """Go on from a copy."""
        self.state, self.shared = state, {name for name, run in state.runs.items() if run.over}

    def own(self, fact: Entry) -> None:
        """Before a fact is entered: the run that it is about becomes this machine's alone."""
        name = run_of(self.state, fact)
        if name is not None and name in self.shared:
            self.shared.discard(name)
            self.state.runs[name] = copy.deepcopy(self.state.runs[name])

    def _enter(self, index: int, entry: Entry) -> None:
        self.own(entry)
        super()._enter(index, entry)

    def _enter_own(self, fact: Fact) -> list[Derived]:
        self.own(fact)
        return super()._enter_own(fact)


def copied(state: State) -> State:
    """A copy that shares nothing that changes, but for runs that are over."""
    memo: dict[int, Any] = {id(state.functions): state.functions}
    memo[id(state.nonces)], memo[id(state.credited)] = set(state.nonces), set(state.credited)
    runs = state.runs.items()
    memo[id(state.runs)] = {name: run if run.over else copy.deepcopy(run, memo) for name, run in runs}
    return copy.deepcopy(state, memo)


def run_of(state: State, fact: Fact | Entry) -> RunId | None:
    """The run of a fact: by its name, by the message that it awaits, or by its proof; None for rules and blocks."""
    awaited = getattr(fact, "awaited", None)
    if awaited is not None:
        return RunId(awaited.run)
    run = getattr(fact, "run", None)
    if run is not None:
        return RunId(run)
    proof = state.proofs.get(getattr(fact, "proof", NO_PROOF))
    return None if proof is None else proof.commitment.run
