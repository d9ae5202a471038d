"""The invariants: they hold on small histories made by hand, and each condition is needed to see its own breaks."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace

import pytest

from contracts.ids import ProofId
from contracts.protocol.judge.entries import EpochClosed, Fault, RoundClosed, VerifierFault, Voided
from contracts.protocol.judge.facts import Reason, Word
from tests.adversary import play
from tests.adversary.history import Deviation, History
from tests.adversary.invariants import INVARIANTS, Broken, Earnings, Invariant, Reading, check_all, nodes, quiet
from tests.adversary.invariants.core import Condition
from tests.adversary.invariants.earnings import LEAST_HISTORIES, nodes_gain, verifiers_gain
from tests.adversary.invariants.ends import bound_of_a_round
from tests.adversary.invariants.examples import (
    broken_invoices,
    broken_money,
    broken_paid,
    broken_people,
    broken_proofs,
    broken_rounds,
    broken_settling,
)
from tests.adversary.invariants.examples.edit import Case, append, at, change, drop, listed
from tests.adversary.invariants.examples.play import RUN, V1, V2, V3, Play
from tests.adversary.invariants.examples.stories import calm_round, finish, honest, read_and_post, undecided
from tests.adversary.invariants.examples.stories_of_money import STORIES

pytestmark = pytest.mark.unit

BREAKS = (broken_paid, broken_people, broken_money, broken_invoices, broken_rounds, broken_settling, broken_proofs)
CASES: tuple[Case, ...] = tuple(case for module in BREAKS for case in module.CASES)
OWNER: dict[Condition, Invariant] = {
    condition: invariant for invariant in INVARIANTS for condition in invariant.conditions
}
BROKEN_CHECKERS: dict[str, Invariant] = {
    f"{invariant.name} without {condition.__name__}": invariant.without(condition)
    for condition, invariant in OWNER.items()
}
"""Each checker with one condition removed."""


def case_name(case: Case) -> str:
    return f"{OWNER[case.condition].name}-{case.condition.__name__}-{case.story.__name__}"


def broken(case: Case) -> History:
    history = case.story()
    case.change(history)
    return history


@pytest.mark.parametrize("story", STORIES, ids=lambda story: story.__name__)
def test_all_invariants_hold_on_a_correct_history(story: Callable[[], History]) -> None:
    check_all(story())


@pytest.mark.parametrize("case", CASES, ids=case_name)
def test_a_broken_history_is_named_by_its_invariant(case: Case) -> None:
    invariant = OWNER[case.condition]
    with pytest.raises(Broken) as caught:
        invariant.check(broken(case))
    assert (caught.value.invariant, caught.value.seed) == (invariant.name, 1)
    assert f"entry {caught.value.index}: " in str(caught.value)


@pytest.mark.parametrize("case", CASES, ids=case_name)
def test_without_its_condition_a_checker_passes_a_break(case: Case) -> None:
    """Each condition is needed: the rest of its invariant does not see what it sees."""
    checker = BROKEN_CHECKERS[f"{OWNER[case.condition].name} without {case.condition.__name__}"]
    checker.check(broken(case))


def test_every_condition_has_a_break() -> None:
    assert {case.condition for case in CASES} == set(OWNER)


@pytest.mark.parametrize("invariant", INVARIANTS, ids=lambda invariant: invariant.name)
def test_every_invariant_is_broken_in_two_ways_at_least(invariant: Invariant) -> None:
    assert sum(OWNER[case.condition] is invariant for case in CASES) >= 2


def test_nothing_is_read_after_a_deviation_in_the_log() -> None:
    """From a departure in a derived entry on the log binds nobody: only I4 looks at what follows."""
    history = honest()
    append(history, Voided(ProofId("run/1/0xa"), Reason.REPLAY, 1))
    history.deviations.append(Deviation("extra", len(history.entries) - 1, found=True))
    check_all(history)
    assert Reading(history).proofs["run/1/0xa"].voided is None


def test_a_root_that_the_rules_derive_may_become_final() -> None:
    """Seed 1041296: each replica had derived and signed the root before the operator left its entry out,
    where the log departs."""
    history = honest()
    place = at(history, EpochClosed, -1)
    closed = history.entries[place]
    assert isinstance(closed, EpochClosed)
    history.deviations.append(Deviation("omitted", place, found=True))
    with pytest.raises(Broken, match="is final although the log departs"):
        check_all(history)
    history.deviations = [Deviation("omitted", place, found=True, due=(closed,))]
    check_all(history)


def test_without_the_premise_liveness_is_not_promised() -> None:
    history = undecided()
    history.complete = False
    drop(history, *range(at(history, type(history.entries[-1])), len(history.entries)))
    assert not history.premise
    check_all(history)


def test_a_history_without_its_ticks_is_refused() -> None:
    history = honest()
    history.ticks.pop()
    with pytest.raises(ValueError, match="one tick for each entry"):
        Reading(history)


def test_bounds_as_they_are_written_down() -> None:
    assert bound_of_a_round(2) == 2 * (4 * 2 + 14)
    assert quiet.messages_of_a_round(n=3, seats=2, samples=1, proofs=2) == 3 * 3 + 2 * (2 + 3 + 2 * (2 * 1 + 4))
    assert quiet.messages_of_a_run(n=3, nodes=2) == 5


def test_a_history_is_checked_in_milliseconds() -> None:
    """About 1 ms for 100 entries; processor time of this thread, so what else runs here does not count."""
    history = honest()
    start = time.thread_time()
    for _ in range(100):
        check_all(history)
    assert time.thread_time() - start < 0.4


def faked(strategy: str, seed: int) -> History:
    """Both seats are in it: what node B did not compute is posted."""
    play = Play(strategy)
    play.history.seed = seed
    play.begin()
    first, second = calm_round(play)
    play.history.work[second].false = frozenset({1, 2})
    for proof in (first, second):
        read_and_post(play, proof)
    return finish(play)


def lied(seed: int, *faults: VerifierFault) -> History:
    """The corrupt v3 calls a true segment false."""
    history = replace(honest(), strategy="lies", seed=seed, honest=frozenset({V1, V2}))
    history.present = history.honest
    writer = Play("lies")
    writer.history = history
    writer.words(ProofId("run/1/0xa"), V3, s1=Word.FALSE)
    append(history, *faults)
    return history


def earned(histories: list[History], earnings: Earnings | None = None) -> Earnings:
    earnings = earnings or Earnings()
    for history in histories:
        earnings.add(history)
    return earnings


def test_i7_is_broken_where_fakes_are_paid() -> None:
    earnings = earned([faked("fakes", seed) for seed in range(40)])
    with pytest.raises(Broken, match=r"I7 .* fakes earns 2\.000 segments") as caught:
        earnings.check()
    assert caught.value.invariant == "I7"


def test_i7_is_broken_where_lies_cost_nothing() -> None:
    with pytest.raises(Broken, match=r"I7 .* lies earns"):
        earned([lied(seed) for seed in range(40)]).check()


def test_i7_holds_where_fakes_and_lies_cost_their_stake() -> None:
    cheats = [story for story in STORIES if story.__name__ in ("cheat", "unserved", "canary", "withheld")]
    fault = VerifierFault(RUN, 1, ProofId("run/1/0xa"), V3, Fault.FALSE_WORD)
    earnings = earned([story() for story in cheats for _ in range(40)] + [lied(seed, fault) for seed in range(40)])
    earnings.check()
    assert all(account.mean < 0 for account in earnings.strategies.values())


def test_i7_counts_no_honest_history_and_none_without_premise() -> None:
    history = faked("fakes", 1)
    history.present = frozenset()
    assert not earned([honest(), history]).strategies


BROKEN_EARNINGS: dict[str, tuple[tuple[Callable[[Reading], float], ...], Callable[[int], History]]] = {
    "I7 without nodes_gain": ((verifiers_gain,), lambda seed: faked("fakes", seed)),
    "I7 without verifiers_gain": ((nodes_gain,), lambda seed: lied(seed)),
}
"""I7 with one part removed, and the histories that it then lets pass."""


@pytest.mark.parametrize("name", BROKEN_EARNINGS)
def test_without_one_part_i7_passes_a_break(name: str) -> None:
    parts, make = BROKEN_EARNINGS[name]
    earned([make(seed) for seed in range(40)], Earnings(parts=parts)).check()


def test_i7_needs_many_histories() -> None:
    earned([faked("fakes", seed) for seed in range(LEAST_HISTORIES - 1)]).check()


def test_a_node_that_is_not_awaited_may_come_too_late() -> None:
    history = honest()
    listed(history, 2, "0xB", awaited=False)
    change(history, at(history, RoundClosed, 1), proofs=("run/2/0xa",))
    nodes.check(history)


def test_check_all_counts_for_i7_too() -> None:
    earnings = Earnings()
    check_all(STORIES[1](), earnings)
    assert earnings.strategies["cheat"].histories == 1


def test_a_strategy_that_seems_to_pay_is_played_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """A pair of which no lost stake has been seen yet; and one that pays from fresh seeds, too."""
    monkeypatch.setattr(play, "AGAIN", 300)
    lucky, paid = play.Played(), play.Played()
    for seed in range(LEAST_HISTORIES):
        lucky.earnings.strategies["skip+operator-repeats"].add(seed, 0.3 + seed / 1_000)
        paid.earnings.add(faked("fakes", seed))
    lucky.check_earnings()
    assert not lucky.broken
    monkeypatch.setattr(play, "play_one", lambda again, seed, strategy: again.earnings.add(faked(strategy, seed)))
    paid.check_earnings()
    assert [found.invariant for found in paid.broken] == ["I7"]
