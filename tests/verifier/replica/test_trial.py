"""What a mirror takes is what the machine would enter, and asking changes nothing."""

from __future__ import annotations

from contextlib import suppress
from copy import deepcopy
from dataclasses import replace
from functools import cache
from typing import Any

import pytest

from contracts.errors import CommonweightError
from contracts.ids import NO_PROOF, Address, ProofId, RunId, to_hex
from contracts.messages import for_log as messages
from contracts.protocol.judge import facts
from contracts.protocol.judge.errors import Differs, Refused, UnknownSubject
from contracts.protocol.judge.facts import Fact, Rules
from contracts.protocol.judge.machine import apply, due
from contracts.protocol.judge.state import Phase, State
from contracts.protocol.log.leaf import read
from tests.contracts.protocol.log.signed_run import DOMAIN, SignedRun, key
from verifier.replica import trial
from verifier.replica.trial import check_entry, check_part, check_renewal

pytestmark = pytest.mark.unit

STRANGER = key("stranger").address


@cache
def entries() -> tuple[list[Any], SignedRun]:
    made = SignedRun(rounds=2)
    made.play(2)
    authors: dict[ProofId, Address] = {}
    found = []
    for leaf in made.leaves:
        entry = read(leaf, DOMAIN, lambda proof: authors[proof], checked=False)
        if isinstance(entry, facts.Committed):
            authors[entry.proof] = entry.node
        found.append(entry)
    return found, made


def said(state: State) -> str:
    """Everything that a state remembers."""
    return repr(state)


def refused(state: State, fact: Fact) -> bool:
    try:
        check_entry(state, fact)
    except CommonweightError:
        return True
    return False


def test_every_message_is_welcome_when_it_is_due_and_never_twice() -> None:
    """Before it is entered, and not again after it; and the state is what it was before it was asked."""
    found, made = entries()
    state = State(made.functions)
    seen = set()
    for entry in [entry for entry in found if isinstance(entry, Fact)]:
        message = not isinstance(entry, (Rules, facts.Block))
        if message:
            before = said(state)
            check_entry(state, entry)
            assert said(state) == before, f"{type(entry).__name__} left a trace"
            seen.add(type(entry))
        apply(state, entry)
        due(state)
        if message:
            assert refused(state, entry), f"{type(entry).__name__} twice"
    assert len(seen) == 12


@cache
def open_round() -> SignedRun:
    made = SignedRun(rounds=2)
    made.commit_all()
    return made


def test_what_the_machine_refuses_is_not_welcome() -> None:
    """For every kind: the machine's own refusal, and it is Refused and nothing else."""
    made = SignedRun(rounds=2)
    state, run = made.state, RunId(to_hex(made.run))
    node, verifier = made.nodes[0].address, made.verifiers[0].address
    wrong: list[Fact] = [
        facts.Has(run, 1, STRANGER, (ProofId("0x01"),)),
        facts.Has(run, 1, verifier, (ProofId("0x01"),)),
        facts.Has(run, 9, verifier, (ProofId("0x01"),)),
        facts.Seen(run, 1, verifier, 3, "0x"),
        facts.Secret(run, 1, verifier, "0x00"),
        facts.MergeSigned(run, 1, verifier, "0x", "0x"),
        facts.Opened(ProofId("0x05"), 1, "0x", "0x"),
        facts.Words(ProofId("0x05"), verifier, ()),
        facts.PledgeOpened(ProofId("0x05"), "0x", None),
        facts.TraceShown(ProofId("0x05"), verifier, "0x"),
        facts.Lapse(verifier, facts.Awaited(facts.What.SECRET, run, 1, NO_PROOF, verifier), 3),
        facts.Lapse(STRANGER, facts.Awaited(facts.What.COMMITMENT, run, 1, NO_PROOF, node), 3),
        facts.Returned(run, node, 5),
        facts.Left(run, STRANGER, 1),
        facts.Left(RunId("0x09"), node, 1),
        facts.Enrolled(run, STRANGER, STRANGER, 1, "0x77", 1),
        facts.Enrolled(run, node, node, 1, to_hex(b"\6" * 32), 1),
        facts.Anchored(run, STRANGER, "0x", 5, "0x", 9),
        facts.Anchored(run, verifier, "0x", 5, to_hex(b"\6" * 32), 1),
        facts.Credited(run, "k", 2, node, 1, (STRANGER,)),
        replace(state.runs[run].created),
    ]
    before = said(state)
    for fact in wrong:
        with pytest.raises(Refused):
            check_entry(state, fact)
    assert said(state) == before


def read_by_two(rounds: int) -> tuple[SignedRun, list[Fact]]:
    """A run whose third verifier said nothing, and its late word on who holds the proof."""
    made = SignedRun(rounds=rounds, nodes=1)
    proof = made.commit(made.nodes[0])
    for verifier in made.verifiers[:2]:
        made.send(messages.Has(made.run, 1, verifier.address, (proof,)), verifier)
    assert made.round.phase is Phase.CLOSED
    late: list[Fact] = [facts.Has(RunId(to_hex(made.run)), 1, made.verifiers[2].address, (ProofId(to_hex(proof)),))]
    made.see()
    made.verifiers = made.verifiers[:2]
    made.read_all()
    return made, late


def decided_by_two() -> tuple[SignedRun, list[Fact]]:
    """The first run in which these two drew all that has to be read."""
    for rounds in range(2, 40):
        with suppress(Differs):
            return read_by_two(rounds)
    raise AssertionError("two verifiers never draw all")


def test_late_messages_are_welcome_where_the_machine_enters_them() -> None:
    """J1: the server must enter them, without effect, before an epoch is signed."""
    made, late = decided_by_two()
    last = SignedRun(rounds=2, nodes=1).verifiers[2].address
    state, run = made.state, RunId(to_hex(made.run))
    closed = made.round.closed_at
    late += [facts.Seen(run, 1, last, closed, state.roots[closed])] if last not in made.round.seen else []
    for fact in late:
        before = said(state)
        check_entry(state, fact)
        assert said(state) == before


def test_a_heartbeat_is_welcome_while_its_node_is_awaited() -> None:
    made = SignedRun(rounds=2)
    state, run = made.state, made.run
    node = made.nodes[0].address
    check_renewal(state, messages.LeaseRenewal(run, 1, node, 3))
    for other in (
        messages.LeaseRenewal(run, 2, node, 3),
        messages.LeaseRenewal(b"\0" * 32, 1, node, 3),
        messages.LeaseRenewal(run, 1, STRANGER, 3),
    ):
        with pytest.raises(Refused):
            check_renewal(state, other)
    made.commit(made.nodes[0])
    with pytest.raises(Refused):
        check_renewal(made.state, messages.LeaseRenewal(run, 1, node, 4))


def test_a_message_of_unknown_subjects_is_refused_before_a_copy(monkeypatch: pytest.MonkeyPatch) -> None:
    """One proof nine hundred times took five seconds of the machine's turn."""
    made = SignedRun(nodes=2)
    proof = ProofId(to_hex(made.commit(made.nodes[0])))
    made.block()
    copied: list[object] = []
    monkeypatch.setattr(trial, "deepcopy", lambda value: copied.append(value) or deepcopy(value))  # type: ignore[func-returns-value]
    many = facts.Has(RunId(to_hex(made.run)), 1, made.verifiers[0].address, (proof,) * 900)
    with pytest.raises(UnknownSubject):
        check_entry(made.state, many)
    assert copied == []
    check_part(made.state, replace(many, proofs=(proof,)))
    assert copied == []
    with pytest.raises(Refused):
        check_part(made.state, replace(many, proofs=(proof,), verifier=STRANGER))


def test_a_refused_opening_copies_no_proof(monkeypatch: pytest.MonkeyPatch) -> None:
    """A signed opening of another state, again and again, held the machine for 200 ms each in a run of many samples."""
    made = SignedRun(nodes=1, panel=0)
    made.commit_all()
    made.see()
    for verifier in made.verifiers:
        made.show_secret(verifier)
    (proof,) = made.round.closed
    boundary = min(made.state.proofs[proof].segments)
    copied: list[object] = []
    monkeypatch.setattr(trial, "deepcopy", lambda value: copied.append(value) or deepcopy(value))  # type: ignore[func-returns-value]
    with pytest.raises(Refused):
        check_entry(made.state, facts.Opened(proof, boundary, "0x" + "11" * 64, "0x" + "22" * 32, ()))
    assert copied == []
