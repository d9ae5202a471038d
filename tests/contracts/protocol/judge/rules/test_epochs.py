"""Decisions, contributions, epochs (J16, J17, J19, J20)."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from contracts.ids import NO_PROOF, Address, ProofId, RunId, as_address
from contracts.protocol.judge import chain_events, facts
from contracts.protocol.judge.entries import (
    DecisionTaken,
    Derived,
    EpochClosed,
    EpochEnded,
    Line,
    RoundOpened,
    RunOver,
)
from contracts.protocol.judge.errors import AlreadySaid, NotBound, OutOfTime, RunEnded, UnknownSubject
from contracts.protocol.judge.protocol import Protocol
from contracts.protocol.judge.rules import epochs
from contracts.protocol.run_config import RunConfig
from tests.contracts.protocol.judge import court as court_of
from tests.contracts.protocol.judge.court import (
    CREATOR,
    MAINTAINER,
    N0,
    N1,
    RUN,
    STRANGER,
    TERMS,
    V0,
    V1,
    V2,
    V3,
    Court,
    Plain,
)
from tests.holds import Threat, holds

pytestmark = pytest.mark.unit


def finished(config: str = "rounds=1", **terms: Any) -> tuple[Court, EpochClosed]:
    """A run whose first round was all honest, and the epoch that it closed."""
    court = Court(config, **terms)
    for proof in court.read():
        court.post(proof)
    closed = next(entry for entry in court.merge() if isinstance(entry, EpochClosed))
    return court, closed


def test_an_epoch_pays_its_emission_by_verified_tokens() -> None:
    court, closed = finished()
    assert [(line.account, line.amount) for line in closed.lines] == [("wallet of n0", 500), ("wallet of n1", 500)]
    assert court.block(chain_events.EpochFinal(1, 0, closed.root)) == [
        EpochEnded(1, 0, closed.root, True, 0),
        RunOver(RUN),
    ]


class Paying(Plain):
    """What is paid and decided is the protocol's."""

    _protocol = Protocol(31337, as_address("0x" + "11" * 20), b"m" * 32, CREATOR)

    def rounds(self, config: str) -> int:
        return RunConfig.from_json(config).rounds

    def decide(self, config: str, key: str, value: str) -> str:
        return self._protocol.decide(config, key, value)

    def lines(
        self, epoch: int, config: str, contributed: dict[int, dict[Address, int]], total: int
    ) -> tuple[Line, ...]:
        return self._protocol.lines(epoch, config, contributed, total)


@pytest.mark.parametrize("after", [1, 2])
def test_a_vote_takes_nothing_of_what_an_epoch_has_earned(monkeypatch: pytest.MonkeyPatch, after: int) -> None:
    """Before, the last round's weights split the pay of all: one decision in time took the work of every round."""
    monkeypatch.setattr(court_of, "Plain", Paying)
    court = Court(replace(RunConfig(), rounds=6).to_json(), rounds_per_epoch=3)
    votes = [("compute_weight", "1"), ("code_weight", "1000000"), ("data_weight", "0")]
    for number in range(1, 7):
        if number == after:  # the next round opens with it
            court.block(*(chain_events.Decided(place, *vote) for place, vote in enumerate(votes, 1)), seconds=1)
        if number % 3 == 0:
            court.enter(facts.Credited(RUN, f"code {number}", 1, as_address("thief"), 1, (MAINTAINER,)))
        for proof in court.read():
            court.post(proof)
        court.merge()
    paid = [{line.account: line.amount for line in e.lines} for e in court.log if isinstance(e, EpochClosed)]
    assert paid[0] == {"wallet of n0": 412, "wallet of n1": 412, "thief": 176}, "by what it began with"
    assert paid[1] == {"thief": 1000}, "and the next one by the vote"
    court.audit()


def test_a_vote_takes_nothing_of_work_that_is_posted_late(monkeypatch: pytest.MonkeyPatch) -> None:
    """A liar and an absentee have n0's work wait until its epoch has closed. Before, the next epoch paid it by what a
    majority had decided meanwhile: nothing."""
    monkeypatch.setattr(court_of, "Plain", Paying)
    court = Court(replace(RunConfig(), rounds=6).to_json())
    court.block(*(chain_events.VerifierStands(name, True, 10) for name in (V3, as_address("v4"))), seconds=1)
    for name in (V3, as_address("v4")):
        court.enter(facts.Anchored(RUN, name, name, 10, "exact", 3))
    played(court, N0, N1)
    played(court, N0, N1)
    late, other = court.read()
    court.say(late, V0, s0="true", s1="false")
    court.say(late, V1)
    for _ in range(2):
        court.lapse(facts.What.WORDS, late, V2, by=[V0, V1])
    court.post(other)
    votes = [("compute_weight", "1"), ("code_weight", "1000000"), ("data_weight", "0")]
    court.block(*(chain_events.Decided(place, *vote) for place, vote in enumerate(votes, 1)), seconds=1)
    court.merge()
    court.say(late, V3, s1="true")
    court.pledge(late)
    for number in (4, 5):
        court.enter(facts.Credited(RUN, f"code {number}", 1, as_address("thief"), 1, (MAINTAINER,)))
        for node in (N0, N1):
            court.lapse(facts.What.COMMITMENT, NO_PROOF, node, by=(V0, V1))
        for node in (N0, N1) if number == 4 else ():
            court.enter(facts.Returned(RUN, node, court.state.size))
    paid = [{line.account: line.amount for line in e.lines} for e in court.log if isinstance(e, EpochClosed)]
    assert paid[2:] == [{"wallet of n1": 1000}, {"wallet of n0": 824, "thief": 176}, {"thief": 1000}]
    court.audit()


def test_an_epoch_above_the_limit_is_cut_and_the_rest_is_owed() -> None:
    """F24: no epoch is refused for ever, and none behind it."""
    court = Court("rounds=2")
    court.block(chain_events.EpochLimit(600), seconds=5)
    for proof in court.read():
        court.post(proof)
    closed = next(entry for entry in court.merge() if isinstance(entry, EpochClosed))
    assert (closed.due, closed.total) == (1000, 600)
    ended = court.block(chain_events.EpochFinal(1, 0, closed.root))
    assert ended == [EpochEnded(1, 0, closed.root, True, 400)]
    assert court.state.runs[RUN].owed == {(0, "wallet of n0"): 200, (0, "wallet of n1"): 200}


def test_a_limit_that_falls_below_a_root_cuts_it_again_at_once() -> None:
    """The contract takes it no more. Before, the epoch stood until its deadline, a month, and all runs behind it: a
    limit of a unit less, in the hour before a root was proposed, stopped all pay for longer than any pause may."""
    court, closed = finished("rounds=2")
    assert court.block(chain_events.EpochLimit(1000)) == [], "it still fits"
    found = anew(court, chain_events.EpochLimit(300))
    assert (found.epoch, found.attempt, found.total, found.deadline > closed.deadline) == (1, 0, 300, True)
    assert court.block(chain_events.EpochLimit(400)) == [], "until its deadline"
    assert court.block(chain_events.EpochFinal(1, 0, found.root)) == [EpochEnded(1, 0, found.root, True, 700)]
    court.audit()


def test_a_root_proposed_before_the_limit_fell_is_paid_in_full() -> None:
    court, closed = finished("rounds=2")
    assert anew(court, chain_events.EpochLimit(0)).total == 0
    assert court.block(chain_events.EpochFinal(1, 0, closed.root)) == [EpochEnded(1, 0, closed.root, True, 0)]
    assert court.state.runs[RUN].owed == {}
    court.audit()


def test_a_root_that_was_struck_down_pays_nothing_next() -> None:
    court, _ = finished("rounds=2")
    found = court.block(chain_events.EpochStruck(1, 0))
    assert isinstance(found[0], EpochClosed)
    assert (found[0].attempt, found[0].total, found[0].lines) == (1, 0, ())
    assert court.block(chain_events.EpochFinal(1, 1, found[0].root)) == [EpochEnded(1, 1, found[0].root, True, 0)]
    assert court.state.runs[RUN].owed == {}, "who strikes has nobody else paid"


def anew(court: Court, *events: chain_events.ChainEvent, seconds: int = 20) -> EpochClosed:
    """What closes anew after a block that says this, and nothing else follows."""
    (found,) = court.block(*events, seconds=seconds)
    assert isinstance(found, EpochClosed)
    return found


def test_a_lapsed_dispute_delays_pay_and_never_cancels_it() -> None:
    """A bond and an idle vote hold up an epoch, as often as somebody pays for it."""
    court, closed = finished("rounds=2")
    opened = court.state.runs[RUN].rounds[1].opened_at
    assert closed.settled_at == opened < closed.deadline - TERMS.root_seconds, "its own rounds are not final yet"
    for attempt in range(3):
        found = anew(court, chain_events.EpochLapsed(1, attempt))
        assert (found.attempt, found.due, found.total, found.lines) == (attempt + 1, 1000, 1000, closed.lines)
        assert (found.settled_at, found.deadline > closed.deadline) == (closed.settled_at, True)
    assert court.block(chain_events.EpochFinal(1, 3, found.root)) == [EpochEnded(1, 3, found.root, True, 0)]
    assert court.state.runs[RUN].earned == {}


def test_a_lapsed_epoch_is_paid_within_the_limit() -> None:
    """The rest is owed."""
    court, _ = finished("rounds=2")
    found = anew(court, chain_events.EpochLapsed(1, 0), chain_events.EpochLimit(300))
    assert (found.attempt, found.due, found.total) == (1, 1000, 300)
    again = anew(court, chain_events.EpochLimit(800), chain_events.EpochLapsed(1, 1))
    assert (again.attempt, again.due, again.total) == (2, 1000, 800)
    assert court.block(chain_events.EpochFinal(1, 2, again.root)) == [EpochEnded(1, 2, again.root, True, 200)]
    assert court.state.runs[RUN].owed == {(0, "wallet of n0"): 100, (0, "wallet of n1"): 100}


def test_a_later_attempt_whose_deadline_passed_closes_anew() -> None:
    court, _ = finished("rounds=2")
    anew(court, chain_events.EpochLapsed(1, 0), chain_events.EpochLimit(300))
    assert court.block(chain_events.EpochLimit(700)) == []
    found = anew(court, seconds=700)
    assert (found.attempt, found.total) == (1, 700)


def test_holders_strike_down_what_lapsed_before() -> None:
    court, _ = finished("rounds=2")
    anew(court, chain_events.EpochLapsed(1, 0))
    found = anew(court, chain_events.EpochStruck(1, 1))
    assert (found.attempt, found.due, found.total, found.lines) == (2, 1000, 0, ())
    assert court.block(chain_events.EpochFinal(1, 2, found.root)) == [EpochEnded(1, 2, found.root, True, 0)]


def test_a_lapse_after_a_strike_brings_no_pay_back() -> None:
    court, _ = finished("rounds=2")
    anew(court, chain_events.EpochStruck(1, 0))
    found = anew(court, chain_events.EpochLapsed(1, 1))
    assert (found.attempt, found.total, found.lines) == (2, 0, ())
    found = anew(court, seconds=700)
    assert (found.attempt, found.total, found.lines) == (2, 0, ())


def test_of_several_falls_in_one_block_the_last_counts() -> None:
    """k corrupt verifiers may sign a root before the block that asks for it is entered."""
    court, _ = finished("rounds=2")
    found = anew(court, chain_events.EpochLapsed(1, 0), chain_events.EpochLapsed(1, 1))
    assert (found.attempt, found.total) == (2, 1000)


def test_a_lapse_of_an_epoch_that_is_not_open_changes_nothing() -> None:
    court, closed = finished("rounds=2")
    assert court.block(chain_events.EpochLapsed(7, 0)) == []
    court.block(chain_events.EpochFinal(1, 0, closed.root))
    assert court.block(chain_events.EpochLapsed(1, 0)) == []


def test_another_root_that_the_chain_made_final_is_said() -> None:
    """J20: its claims are not ours."""
    court, _ = finished("rounds=2")
    assert court.block(chain_events.EpochFinal(1, 0, "another root")) == [EpochEnded(1, 0, "another root", False, 0)]


@pytest.mark.parametrize("ours", [True, False])
def test_a_root_final_before_its_epoch_closed_here_ends_it(ours: bool) -> None:
    """X1: a log that lost its end closes the same epoch again, and nobody waits for an event that was."""
    _, closed = finished("rounds=2")
    court, root = Court("rounds=2"), closed.root if ours else "another root"
    assert court.block(chain_events.EpochFinal(1, 0, root), seconds=5) == []
    for proof in court.read():
        court.post(proof)
    ended = [entry for entry in court.merge() if isinstance(entry, EpochEnded)]
    assert ended == [EpochEnded(1, 0, root, ours, 0)]
    assert (court.state.epochs, court.state.finals) == ({}, {})


@pytest.mark.parametrize(
    ("events", "attempt", "total"),
    [
        ((chain_events.EpochLapsed(1, 0),), 1, 1000),
        ((chain_events.EpochLapsed(1, 0), chain_events.EpochLapsed(1, 1)), 2, 1000),
        ((chain_events.EpochStruck(1, 0), chain_events.EpochLapsed(1, 1)), 2, 0),
    ],
)
def test_roots_that_fell_before_the_epoch_closed_are_counted(
    events: tuple[chain_events.ChainEvent, ...], attempt: int, total: int
) -> None:
    """k corrupt verifiers sign the next epoch's root in advance, and it falls. The contract waits for the next attempt;
    before, the log closed attempt 0 again and again, and no epoch was ever paid any more."""
    court = Court("rounds=2")
    court.block(*events, seconds=5)
    for proof in court.read():
        court.post(proof)
    closed = next(entry for entry in court.merge() if isinstance(entry, EpochClosed))
    assert (closed.attempt, closed.due, closed.total) == (attempt, 1000, total)
    assert court.state.falls == {}
    late = anew(court, seconds=700)
    assert (late.attempt, late.root) == (attempt, closed.root), "closed anew after its deadline"
    found = anew(court, chain_events.EpochLapsed(1, attempt))
    assert (found.attempt, found.total) == (attempt + 1, total)
    assert court.block(chain_events.EpochFinal(1, attempt + 1, found.root)) == [
        EpochEnded(1, attempt + 1, found.root, True, 0)
    ]
    court.audit()


def test_a_second_word_on_an_epoch_that_is_final_changes_nothing() -> None:
    court, closed = finished("rounds=2")
    court.block(chain_events.EpochFinal(1, 0, closed.root))
    assert court.block(chain_events.EpochFinal(1, 1, "another root")) == []
    assert court.state.finals == {}


def test_proofs_are_forgotten_when_their_epoch_is_final() -> None:
    court, closed = finished("rounds=2")
    court.block(chain_events.EpochFinal(1, 0, closed.root))
    assert court.state.proofs == {}
    assert list(court.state.runs[RUN].rounds) == [2]
    with pytest.raises(UnknownSubject):
        court.say(ProofId("proof of n0 in 1"), V0, s1="true")


def test_a_run_that_is_over_credits_nothing() -> None:
    """F20, F21: a contribution is the run's that it names, and only while it goes on."""
    court, closed = finished()
    court.block(chain_events.EpochFinal(1, 0, closed.root))
    with pytest.raises(RunEnded):
        court.enter(facts.Credited(RUN, "commit", 1, as_address("author"), 5, (MAINTAINER,)))


@holds(
    "A commit or data set is credited once in a model, by a quorum of maintainers",
    by="contracts/protocol/judge/rules/epochs.py:take_credit",
    against=Threat.WRONG_PAY,
)
def test_a_contribution_is_credited_once_under_a_quorum() -> None:
    court = Court()
    with pytest.raises(NotBound):
        court.enter(facts.Credited(RUN, "commit", 1, as_address("author"), 5, (STRANGER,)))
    court.enter(facts.Credited(RUN, "commit", 1, as_address("author"), 5, (MAINTAINER,)))
    with pytest.raises(AlreadySaid):
        court.enter(facts.Credited(RUN, "commit", 1, as_address("author"), 5, (MAINTAINER,)))


@holds(
    "No two runs have the same trajectory",
    by="contracts/protocol/judge/rules/presence.py:take_run",
    against=Threat.FALSE_WORK,
)
def test_a_creators_nonce_serves_one_run() -> None:
    """F12: no two runs ask for one trajectory."""
    court = Court()
    with pytest.raises(AlreadySaid):
        court.enter(facts.RunCreated(RunId("r2"), CREATOR, 1, TERMS, "rounds=1", "t", "m", "zero"))


def test_every_decision_is_applied_or_refused_with_its_reason() -> None:
    """F2, F5: the operator neither ignores nor repeats one, and none that does not fit stops a run."""
    court = Court("rounds=2")
    found = court.block(chain_events.Decided(1, "rounds", "3"), chain_events.Decided(2, "colour", "red"), seconds=5)
    assert found == [DecisionTaken(RUN, 1, True, ""), DecisionTaken(RUN, 2, False, "colour cannot be voted on")]
    assert court.state.runs[RUN].config == "rounds=3"
    assert court.round.config == "rounds=2"


def test_an_epoch_without_work_closes_and_pays_nobody() -> None:
    """Faults are signed under its root."""
    court = Court()
    court.lapse(facts.What.COMMITMENT, NO_PROOF, N0)
    closed = court.lapse(facts.What.COMMITMENT, NO_PROOF, N1)[-1]
    assert isinstance(closed, EpochClosed)
    assert (closed.due, closed.total) == (0, 0)


def test_a_vote_that_comes_before_the_end_prolongs_the_run() -> None:
    """A run is over when its last epoch is final on the chain, and not a moment earlier."""
    court, closed = finished()
    found = court.block(chain_events.Decided(1, "rounds", "2"))
    assert DecisionTaken(RUN, 1, True, "") in found
    assert isinstance(found[-1], RoundOpened)
    assert RunOver(RUN) not in court.block(chain_events.EpochFinal(1, 0, closed.root))


def played(court: Court, *nodes: Address) -> EpochClosed:
    """A round in which these nodes work and the others lapse, and the epoch that closes after it."""
    proofs = tuple(court.commit(node) for node in nodes)
    court.has(*proofs)
    for node in {N0, N1} - set(nodes):
        court.lapse(facts.What.COMMITMENT, NO_PROOF, node)
    court.seen()
    court.block()
    court.secret(V0, "1")
    court.secret(V1, "2")
    for proof in proofs:
        court.open(proof)
        court.post(proof)
    return next(entry for entry in court.merge() if isinstance(entry, EpochClosed))


def final(court: Court, closed: EpochClosed, *events: chain_events.ChainEvent) -> list[Derived]:
    """What follows when the chain has made a root final, in a block that says this, too."""
    return court.block(chain_events.EpochFinal(closed.epoch, closed.attempt, closed.root), *events)


def closing(entry: Derived) -> EpochClosed:
    """An entry that closes an epoch."""
    assert isinstance(entry, EpochClosed)
    return entry


def pays(entry: Derived) -> dict[tuple[str, int], int]:
    """Units by account and kind."""
    assert isinstance(entry, EpochClosed)
    assert len({(line.account, line.kind) for line in entry.lines}) == len(entry.lines)
    assert sum(line.amount for line in entry.lines) == entry.total <= entry.due
    return {(line.account, line.kind): line.amount for line in entry.lines}


WALLET0, WALLET1, THIEF = ("wallet of n0", 0), ("wallet of n1", 0), ("thief", 1)


def test_a_limit_of_nothing_takes_nobodys_pay() -> None:
    """Before, a majority had an epoch close under a limit of 0 and raised it: its emission went to the next earners."""
    court = Court("rounds=2")
    court.block(chain_events.EpochLimit(0), seconds=5)
    closed = played(court, N0, N1)
    assert (closed.due, closed.total, closed.lines) == (1000, 0, ())
    assert final(court, closed, chain_events.EpochLimit(10_000))[0] == EpochEnded(1, 0, closed.root, True, 1000)
    court.enter(facts.Credited(RUN, "code", 1, as_address("thief"), 10**6, (MAINTAINER,)))
    second = played(court, N1)
    assert (second.due, second.total) == (2000, 2000)
    assert pays(second) == {WALLET0: 500, WALLET1: 500, THIEF: 1000}
    court.audit()


def test_what_holders_struck_down_is_paid_to_nobody() -> None:
    """Before, it went to the run's next earners: a friend's challenge was worth an epoch to who voted for it."""
    court = Court("rounds=2")
    closed = played(court, N0, N1)
    struck = anew(court, chain_events.EpochStruck(1, 0))
    final(court, struck)
    court.enter(facts.Credited(RUN, "code", 1, as_address("thief"), 64, (MAINTAINER,)))
    second = played(court, N1)
    assert (second.due, pays(second)) == (1000, {WALLET1: 500, THIEF: 500})
    assert final(court, second)[-1] == RunOver(RUN)
    assert closed.due == struck.due == 1000


def test_what_the_limit_cut_from_false_work_is_struck_with_it() -> None:
    """An epoch that pays nothing is challenged by nobody: what is owed of it falls with the root that would pay it."""
    court = Court("rounds=2")
    court.block(chain_events.EpochLimit(0), seconds=5)
    final(court, played(court, N0, N1), chain_events.EpochLimit(500))
    second = played(court, N1)
    assert (second.due, pays(second)) == (2000, {WALLET0: 250, WALLET1: 250})
    struck = anew(court, chain_events.EpochStruck(2, 0))
    assert final(court, struck) == [EpochEnded(2, 1, struck.root, True, 0), RunOver(RUN)]


def test_what_is_owed_comes_before_what_is_earned() -> None:
    court = Court("rounds=3")
    court.block(chain_events.EpochLimit(400), seconds=5)
    final(court, played(court, N0), chain_events.EpochLimit(700))
    second = played(court, N1)
    assert (second.due, pays(second)) == (1600, {WALLET0: 600, WALLET1: 100})
    assert final(court, second)[0] == EpochEnded(2, 0, second.root, True, 900)
    assert court.state.runs[RUN].owed == {(0, "wallet of n1"): 900}


def test_less_than_is_owed_is_split_pro_rata_in_whole_units() -> None:
    court = Court("rounds=3")
    court.block(chain_events.EpochLimit(0), seconds=5)
    court.enter(facts.Credited(RUN, "code", 1, as_address("thief"), 64, (MAINTAINER,)))
    final(court, played(court, N0, N1), chain_events.EpochLimit(100))
    assert court.state.runs[RUN].owed == {(1, "thief"): 334, (0, "wallet of n0"): 333, (0, "wallet of n1"): 333}
    second = played(court, N1)
    assert pays(second) == {THIEF: 34, WALLET0: 33, WALLET1: 33}
    final(court, second)
    assert court.state.runs[RUN].owed == {(1, "thief"): 300, (0, "wallet of n0"): 300, (0, "wallet of n1"): 1300}
    court.audit()


def test_an_epoch_in_which_nobody_earned_pays_what_is_owed() -> None:
    """And emits nothing."""
    court = Court("rounds=2")
    court.block(chain_events.EpochLimit(600), seconds=5)
    final(court, played(court, N0, N1))
    court.lapse(facts.What.COMMITMENT, NO_PROOF, N0)
    closed = court.lapse(facts.What.COMMITMENT, NO_PROOF, N1)[-1]
    assert isinstance(closed, EpochClosed)
    assert (closed.due, pays(closed)) == (400, {WALLET0: 200, WALLET1: 200})
    assert final(court, closed)[-1] == RunOver(RUN)


def test_owed_pay_is_repeated_when_a_dispute_lapses() -> None:
    court = Court("rounds=2")
    court.block(chain_events.EpochLimit(600), seconds=5)
    final(court, played(court, N0, N1), chain_events.EpochLimit(10_000))
    second = played(court, N1)
    assert pays(second) == {WALLET0: 200, WALLET1: 1200}
    assert anew(court, chain_events.EpochLapsed(2, 0)).lines == second.lines
    fallen = anew(court, chain_events.EpochLapsed(2, 1), chain_events.EpochLimit(300))
    assert (fallen.due, pays(fallen)) == (1400, {WALLET0: 150, WALLET1: 150})
    late = anew(court, chain_events.EpochLimit(10_000), seconds=700)
    assert (late.attempt, late.lines) == (2, second.lines)


def test_after_the_last_epoch_another_pays_what_is_owed() -> None:
    """Before, it lapsed with the run."""
    court = Court()
    court.block(chain_events.EpochLimit(600), seconds=5)
    closed = played(court, N0, N1)
    ended, last = final(court, closed)
    further = closing(last)
    assert ended == EpochEnded(1, 0, closed.root, True, 400)
    assert (further.epoch, further.due, pays(further)) == (2, 400, {WALLET0: 200, WALLET1: 200})
    assert (further.first_round, further.last_round) == (1, 1)
    with pytest.raises(RunEnded):
        court.enter(facts.Credited(RUN, "code", 1, as_address("thief"), 5, (MAINTAINER,)))
    assert final(court, further) == [EpochEnded(2, 0, further.root, True, 0), RunOver(RUN)]
    court.audit()


def test_a_run_waits_for_the_limit_with_what_it_owes() -> None:
    """It takes no contribution, keeps no stake, and closes no epoch that would pay nothing."""
    court = Court()
    court.block(chain_events.EpochLimit(0), seconds=5)
    closed = played(court, N0, N1)
    assert final(court, closed) == [EpochEnded(1, 0, closed.root, True, 1000)]
    assert court.block(seconds=10_000_000) == []
    with pytest.raises(RunEnded):
        court.enter(facts.Credited(RUN, "code", 1, as_address("thief"), 5, (MAINTAINER,)))
    assert epochs._settled_at(court.state) == court.time
    further = anew(court, chain_events.EpochLimit(700))
    assert (pays(further), further.settled_at) == ({WALLET0: 350, WALLET1: 350}, court.time)
    last = closing(final(court, further)[-1])
    assert pays(last) == {WALLET0: 150, WALLET1: 150}
    assert final(court, last)[-1] == RunOver(RUN)
    court.audit()


def test_a_run_that_waits_can_be_prolonged() -> None:
    court = Court()
    court.block(chain_events.EpochLimit(0), seconds=5)
    final(court, played(court, N0, N1))
    found = court.block(chain_events.Decided(1, "rounds", "2"), chain_events.EpochLimit(10_000))
    assert [type(entry) for entry in found] == [DecisionTaken, RoundOpened]
    assert pays(played(court, N1)) == {WALLET0: 500, WALLET1: 1500}


def test_pay_of_an_epoch_with_another_root_is_not_paid_here() -> None:
    """Who was paid under that root nobody can tell from this log."""
    court = Court("rounds=2")
    court.block(chain_events.EpochLimit(600), seconds=5)
    final(court, played(court, N0, N1))
    second = played(court, N1)
    assert final(court, replace(second, root="another root")) == [
        EpochEnded(2, 0, "another root", False, 0),
        RunOver(RUN),
    ]


def test_late_work_of_a_shortened_run_gets_no_second_emission() -> None:
    court, closed = finished("rounds=2")
    court.block(chain_events.EpochFinal(1, 0, closed.root))
    run = court.state.runs[RUN]
    run.earned = {0: {as_address("wallet of n0"): 64}}
    del run.rounds[2]
    run.round = run.merged = run.paid = 1
    run.config = "rounds=1"
    assert court.block() == [RunOver(RUN)]


def test_the_last_short_epoch_pays_in_proportion() -> None:
    """Before, two rounds at the end paid as much as three."""
    court = Court("rounds=5", rounds_per_epoch=3)
    assert [entry.due for entry in all_closed(court)] == [1000, 666]
    court.audit()


@holds(
    "A vote that ends a run early does not change the pay of a round",
    by="contracts/protocol/judge/rules/epochs.py:_emission",
    against=Threat.WRONG_PAY,
)
def test_a_vote_that_ends_a_run_early_raises_nobodys_pay() -> None:
    """Before, who ended the run after the first round of an epoch had the pay of all its rounds."""
    court = Court("rounds=6", rounds_per_epoch=3)
    court.block(chain_events.Decided(1, "rounds", "1"), seconds=1)
    assert [entry.due for entry in all_closed(court)] == [333]
    court.audit()


def all_closed(court: Court) -> list[EpochClosed]:
    """What closes while all rounds of the run are played by everybody."""
    while court.state.functions.rounds(court.state.runs[RUN].config) > court.state.runs[RUN].merged:
        for proof in court.read():
            court.post(proof)
        court.merge()
    return [entry for entry in court.log if isinstance(entry, EpochClosed)]


@pytest.mark.parametrize(("kind", "weight"), [(0, 1), (2, 1), (7, 1), (1, 0), (1, 2**128)])
def test_a_contribution_is_code_or_data_and_weighs_something(kind: int, weight: int) -> None:
    """Maintainers mint no compute, and nothing that no payout follows from stands in the log."""
    court = Court()
    with pytest.raises(NotBound):
        court.enter(facts.Credited(RUN, "commit", kind, as_address("author"), weight, (MAINTAINER,)))


def test_an_epoch_without_earnings_emits_nothing() -> None:
    """Who keeps the others from working earns their emission neither now nor later."""
    court = Court("rounds=2", canaries=0)
    for proof in court.read(n0=3, n1=3):
        court.post(proof)
    closed = next(entry for entry in court.log if isinstance(entry, EpochClosed))
    assert (closed.due, closed.total, closed.lines) == (0, 0, ())
    assert court.block(chain_events.EpochFinal(1, 0, closed.root)) == [EpochEnded(1, 0, closed.root, True, 0)]


def test_rounds_in_which_nobody_worked_are_forgotten() -> None:
    court = Court("rounds=9", rounds_per_epoch=1)
    for _ in range(3):
        court.lapse(facts.What.COMMITMENT, NO_PROOF, N0)
        court.lapse(facts.What.COMMITMENT, NO_PROOF, N1)
        for node in (N0, N1):
            court.enter(facts.Returned(RUN, node, court.state.size)) if court.state.runs[RUN].nodes[node].away else None
    for number in (1, 2, 3):
        closed = next(e for e in court.log if isinstance(e, EpochClosed) and e.epoch == number)
        court.block(chain_events.EpochFinal(number, 0, closed.root), seconds=5)
    assert len(court.state.runs[RUN].rounds) <= 2


def test_an_epoch_credits_a_bounded_number_of_accounts() -> None:
    court = Court()
    for number in range(100):
        court.enter(facts.Credited(RUN, f"commit {number}", 1, as_address(f"author {number}"), 5, (MAINTAINER,)))
    with pytest.raises(OutOfTime):
        court.enter(facts.Credited(RUN, "one more", 1, as_address("another author"), 5, (MAINTAINER,)))
    court.enter(facts.Credited(RUN, "one more", 1, as_address("author 7"), 5, (MAINTAINER,)))


def test_a_run_that_is_over_holds_no_stake() -> None:
    """Its last round is remembered, as its end came after its last epoch's; nothing of it can cost anything."""
    court, closed = finished()
    opened = court.state.runs[RUN].rounds[1].opened_at
    assert closed.settled_at == opened
    court.block(chain_events.EpochFinal(1, 0, closed.root))
    court.block(seconds=10_000_000)
    assert court.state.runs[RUN].over
    assert epochs._settled_at(court.state) == court.time > opened
