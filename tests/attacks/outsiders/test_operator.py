"""An operator that drops, invents, leaves out or knows too early: an audit finds it, and nobody honest is harmed.

Where the operator departs, its own machine is another one for as long as the server works (`departs`); the audit that
reads its log is the one that everybody has.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from contracts.ids import NO_PROOF, RunId, to_hex
from contracts.messages import for_log as messages
from contracts.protocol.judge.entries import BenchCalled, EpochClosed, Lapsed, Line, Posted
from contracts.protocol.judge.errors import Differs
from contracts.protocol.judge.facts import Awaited, What, Word
from contracts.protocol.judge.protocol import Protocol
from contracts.protocol.judge.rules import epochs, full_bench, lapses, presence, rounds, verdicts
from contracts.protocol.judge.state import Phase, ProofState, Stage
from tests.attacks.outsiders.script import Script, script
from tests.attacks.outsiders.served import key
from tests.contracts.protocol.log.signed_run import PROFILE
from tests.deployed import PARAMS

pytestmark = pytest.mark.integration
HOUR = 3_600
EVERYTHING: dict[str, Any] = {"panel": 0, "samples": 4}


@pytest.fixture
def run(tmp_path: Path) -> Iterator[Script]:
    with script(tmp_path, nodes=2, **EVERYTHING) as made:
        yield made


def found_at(run: Script, act: Callable[[], object]) -> str:
    """What the audit says against the log after this, and that it names the entry."""
    with pytest.raises(Differs) as differs:
        act()
    assert differs.value.index < run.view.size
    return differs.value.detail


def opened(run: Script) -> list[ProofState]:
    """Proofs that are drawn and open, unread."""
    proofs = run.begin()
    run.draw()
    for proof in proofs:
        run.open_all(proof)
    return proofs


# -- what is written --------------------------------------------------------------------------------------------------


def test_a_harmless_segment_on_the_bench_is_found(run: Script) -> None:
    """F3: the fake is questioned, and the operator calls the bench to another segment."""
    proof = opened(run)[0]
    run.false[proof.commitment.node] = {2}
    call = full_bench.due_call

    def harmless(proof: ProofState, current: Any) -> BenchCalled | None:
        found = None if proof.segments[0].called else call(proof, current)
        return replace(found, segment=0) if found is not None else None

    run.departs = [(full_bench, "due_call", harmless)]
    found_at(run, lambda: run.speak(proof, run.verifiers[0]))


def test_a_fake_that_is_posted_all_the_same_is_found(run: Script) -> None:
    """F3: the operator passes over all words, and posts."""
    proof = opened(run)[0]
    run.false[proof.commitment.node] = {2}
    end = verdicts.due_end

    def posted(proof: ProofState, current: Any) -> Any:
        commitment = proof.commitment
        if proof.stage is Stage.READING and proof.segments[2].words:
            return Posted(commitment.proof, current.listed[commitment.node].payout, commitment.tokens)
        return end(proof, current)

    run.departs = [(verdicts, "due_end", posted), (full_bench, "due_call", lambda *_: None)]
    found_at(run, lambda: run.speak(proof, run.verifiers[0]))


def test_a_node_that_is_left_out_is_found(tmp_path: Path) -> None:
    """F29: an enrolled node is not on the list, and the friend would get all."""
    with script(tmp_path, nodes=1, minNodes=2) as run:
        friend, listing = run.nodes[0].address, presence.listing

        def alone(*about: Any) -> Any:
            return tuple(node for node in listing(*about) if node.node == friend)

        other, run.departs = key("node 1"), [(rounds, "due_opening", _opening_with(alone))]
        message = messages.Enrolment(run.run, other.address, other.address, 1, PROFILE, 1)
        found_at(run, lambda: run.send(message, other))


def _opening_with(listing: Any) -> Any:
    """The round's opening, its list changed."""
    opening = rounds.due_opening

    def changed(state: Any, name: RunId, run: Any) -> Any:
        found = opening(state, name, run)
        counted = presence.members(state, run)
        return found and replace(found, nodes=listing(state, run, found.round, counted))

    return changed


def test_a_lapse_by_the_operators_word_is_found(run: Script) -> None:
    """F29: the node is at work; k verifiers did not miss it, and the log says that it is late."""
    friend, other = run.nodes
    due = lapses.due_lapse

    def early(scope: Any, k: int) -> Lapsed | None:
        for awaited, known in scope.awaits.items():
            if awaited.what is What.COMMITMENT and awaited.party == other.address:
                return Lapsed(awaited, known.since, known.period)
        return due(scope, k)

    run.departs = [(lapses, "due_lapse", early)]
    name = run.commit(friend)
    said = messages.Has(run.run, 1, run.verifiers[0].address, (name,))
    found_at(run, lambda: run.send(said, run.verifiers[0]))


@pytest.mark.parametrize("whose", ["another round", "a friend"])
def test_an_epoch_that_pays_otherwise_is_found(run: Script, whose: str) -> None:
    """F31: work is left for an epoch that is closed already, or somebody else is paid for it."""
    for proof in opened(run):
        run.read_through(proof)
        run.finish(proof)
    close, lines = epochs._close, Protocol.lines

    def dated_back(state: Any, name: RunId, about: Any) -> EpochClosed:
        about.earned = {0: dict(list(about.earned[0].items())[:1])}
        return close(state, name, about)

    def to_a_friend(self: Protocol, *about: Any) -> tuple[Line, ...]:
        return tuple(replace(line, account=key("friend").address) for line in lines(self, *about))

    changed = (epochs, "_close", dated_back) if whose == "another round" else (Protocol, "lines", to_a_friend)
    run.departs = [changed]
    found_at(run, run.merge)


def test_what_is_decided_late_is_paid_when_it_is_decided(tmp_path: Path) -> None:
    """F20 and F31: the round is merged without it, its epoch closes, and the next one pays the work."""
    with script(tmp_path, nodes=2, rounds=2, **EVERYTHING) as run:
        slow, quick = run.begin()
        run.honest_end(quick)
        run.open_all(slow)
        liar, honest, away = run.verifiers
        run.speak(slow, liar, dict.fromkeys(run.owed(slow, liar), Word.FALSE))
        run.speak(slow, honest)
        run.lapse(run.awaited(slow, What.WORDS, away.address), liar, honest)
        assert run.state.runs[RunId(to_hex(run.run))].rounds[1].merge_set is None, (
            "the round waits while somebody may speak"
        )
        run.speak(slow, away)
        run.finish(slow)
        run.merge()
        run.make_final()
        assert run.paid(run.node_of(slow)) == run.paid(run.node_of(quick)) > 0


# -- what is dropped --------------------------------------------------------------------------------------------------


def test_dropped_words_void_nothing(run: Script) -> None:
    """F9: two of three are thanked for and entered nowhere. It waits; mirrors hand the words on, and it is posted."""
    honest, other = opened(run)
    silenced = {verifier.address for verifier in run.verifiers[1:]}
    run.dropped = lambda said: isinstance(said, messages.Verdict) and said.verifier in silenced
    for proof in (honest, other):
        run.read_through(proof)
    friend = run.verifiers[0]
    for verifier in run.verifiers[1:]:
        run.lapse(run.awaited(honest, What.WORDS, verifier.address), friend)
    assert honest.stage is Stage.READING, "one verifier's word makes nothing lapse"
    assert len(run.thanked) >= 4
    run.hand_on()
    for proof in (honest, other):
        run.finish(proof)
    run.merge()
    run.make_final()
    assert [run.paid(node) for node in run.nodes] == [5 * 10**20] * 2
    run.slash()
    assert run.stakes_of_verifiers() == [PARAMS.min_stake] * 3


def test_a_dropped_trace_takes_no_stake(run: Script) -> None:
    """F9: it read, bound itself, and showed its trace to a server that entered it nowhere."""
    robbed = run.verifiers[0]
    run.dropped = lambda said: isinstance(said, messages.TraceReveal) and said.verifier == robbed.address
    for proof in opened(run):
        run.read_through(proof)
        run.finish(proof)
        missed = run.awaited(proof, What.TRACE, robbed.address)
        run.lapse(missed, run.verifiers[1])
    run.merge()
    assert run.thanked
    assert not run.state.epochs, "the last epoch closes when nothing is awaited any more"
    run.hand_on()
    run.make_final()
    run.slash()
    assert run.stakes_of_verifiers() == [PARAMS.min_stake] * 3


def test_a_dropped_reject_posts_nothing(run: Script) -> None:
    """F19: of those who drew the fake one is not entered; the proof waits for its word, and is never posted."""
    proof = opened(run)[0]
    run.false[proof.commitment.node] = {2}
    run.dropped = lambda said: isinstance(said, messages.Verdict) and any(word.word == 2 for word in said.words)
    corrupt = run.verifiers[0]
    run.speak(proof, corrupt, {2: Word.TRUE})
    for verifier in run.verifiers[1:]:
        run.speak(proof, verifier)
        run.lapse(run.awaited(proof, What.WORDS, verifier.address), corrupt)
    assert (proof.stage, len(run.thanked)) == (Stage.READING, 2)
    run.hand_on()
    run.finish(proof)
    assert (run.view_of(proof)["reason"], run.view_of(proof)["at_fault"]) == ("replay-mismatch", True)


# -- what is known too early ------------------------------------------------------------------------------------------


def test_a_beacon_that_was_known_draws_nothing_alone(run: Script) -> None:
    """F18: the closing entry was shown when its beacon was there. Nobody says `Seen`; a later block draws, for all."""
    run.commit_all()
    run.block()
    assert run.round.phase is Phase.CLOSED
    assert run.round.beacon is not None
    missed = Awaited(What.SEEN, RunId(to_hex(run.run)), 1, NO_PROOF, "")
    first = run.round.beacon.hash
    run.lapse(missed)
    assert run.round.missed
    run.see()
    proofs = [run.state.proofs[name] for name in run.round.closed]
    assert all(proof.beacon not in ("", first) for proof in proofs)
    assert all(proof.audited and len(proof.seats) == len(run.verifiers) for proof in proofs)


def test_no_panel_is_drawn_without_k_who_saw(run: Script) -> None:
    """F18: the operator and one verifier say that they saw it in time."""
    run.commit_all()
    friend = run.verifiers[0]
    closed = run.round.closed_at
    run.send(messages.Seen(run.run, 1, friend.address, closed, run.root_at(closed)), friend)
    run.block()
    assert run.round.phase is Phase.CLOSED
    assert not any(proof.seats for proof in run.state.proofs.values())


# -- whose clock ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("hours", [-1, 1])
def test_a_servers_clock_decides_nothing(tmp_path: Path, hours: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """F13: it is an hour off, and a whole run is posted and paid all the same."""
    with script(tmp_path, nodes=1, **EVERYTHING) as run:
        now = run.service.ledger.now
        object.__setattr__(run.service.ledger, "now", lambda: now() + hours * HOUR)
        run.play()
        assert run.paid(run.nodes[0]) == 10**21
