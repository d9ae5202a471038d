"""A run that is over is one object in every machine of a process: what comes late about it changes one of them."""

from __future__ import annotations

from dataclasses import fields
from typing import Any, cast

import pytest

from contracts.ids import RunId, to_hex
from contracts.messages import for_log as messages
from contracts.protocol.judge import facts
from contracts.protocol.judge.snapshot import dump
from contracts.protocol.log.leaf import kinds
from ledger.machine.sharing import Sharing
from tests.contracts.protocol.log.signed_run import DOMAIN, SignedRun, hashed
from tests.holds import Threat, holds

ABOUT = {"run", "awaited", "proof"}


@pytest.mark.unit
def test_every_fact_is_about_one_run_or_none() -> None:
    about_a_run = [kind for kind in kinds(facts, facts.Fact).values() if kind not in (facts.Rules, facts.Block)]
    assert len(about_a_run) > 12
    assert [kind for kind in about_a_run if not ABOUT & {field.name for field in fields(cast(Any, kind))}] == []


def following(run: SignedRun, leaves: list[str]) -> Sharing:
    made = Sharing(run.functions, DOMAIN, checked=False)
    for leaf in leaves:
        made.take(leaf)
    return made


@holds(
    "A late fact about a finished run is applied to one machine only",
    by="ledger/machine/sharing.py:Sharing",
    against=Threat.FLOOD,
)
@pytest.mark.integration
def test_late_messages_change_one_machine_alone() -> None:
    run = SignedRun(rounds=1)
    run.play()
    name, over = RunId(to_hex(run.run)), len(run.leaves)
    committed = following(run, run.leaves)
    assert committed.state.runs[name].over
    writing = following(run, [])
    writing.begin(committed.copy())
    assert writing.state.runs[name] is committed.state.runs[name]
    node = run.nodes[0]
    run.send(messages.Leave(run.run, node.address, 10**6), node)
    late, theta, momentum = run.verifiers[-1], hashed("theta", 1), hashed("momentum", 1)
    run.send(messages.Merge(run.run, 1, late.address, run.merge_root, theta, momentum, theta, momentum, 5), late)
    before, own = dump(committed.state), committed.state.runs[name]
    for leaf in run.leaves[over:]:
        writing.take(leaf)
    assert dump(writing.state) == dump(run.state) != before
    assert (dump(committed.state), committed.state.runs[name]) == (before, own)
    for leaf in run.leaves[over:]:
        committed.take(leaf)
    assert dump(committed.state) == dump(writing.state)
    assert writing.state.runs[name] is not committed.state.runs[name]


@pytest.mark.integration
def test_a_run_that_goes_on_is_shared_with_nobody() -> None:
    run = SignedRun(rounds=2)
    committed = following(run, run.leaves)
    copied, before = committed.copy(), dump(committed.state)
    assert dump(copied) == before
    state = copied.runs[RunId(to_hex(run.run))]
    assert state is not committed.state.runs[RunId(to_hex(run.run))]
    state.nodes.clear()
    copied.nonces.clear()
    assert dump(committed.state) == before
