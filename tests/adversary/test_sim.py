"""The simulator itself: the same seed, the same history; honest ones end well; no strategy ends in an exception."""

from __future__ import annotations

import pytest

from contracts.protocol.judge.entries import EpochEnded, FaultDerived, Posted, RunOver, VerifierFault, Voided
from contracts.protocol.judge.facts import Words
from contracts.protocol.judge.machine import replay
from tests.adversary.history import History
from tests.adversary.invariants import check_all
from tests.adversary.sim import STRATEGIES, make, play, simulate, smaller, story
from tests.adversary.sim.functions import Cheap
from tests.adversary.sim.noise import NOISE

pytestmark = pytest.mark.unit

SEEDS = range(20)
ALTERING = ("operator-omits-entry", "operator-adds-entry", "operator-swaps-entries", "operator-changes-entry")
DEPARTING = (*ALTERING, "operator-never-enters", "operator-false-block", "fork")


def count(history: History, kind: type) -> int:
    return sum(isinstance(entry, kind) for entry in history.entries)


@pytest.mark.parametrize("strategy", [None, "two-words", "operator-delays", "away"])
def test_the_same_seed_makes_the_same_history(strategy: str | None) -> None:
    for seed in range(5):
        first, second = simulate(seed, strategy), simulate(seed, strategy)
        assert first == second


def test_other_seeds_make_other_histories() -> None:
    assert len({repr(simulate(seed).entries) for seed in SEEDS}) == len(SEEDS)


def test_honest_histories_end_with_everything_posted_and_paid() -> None:
    for seed in SEEDS:
        history, plan = simulate(seed, "honest"), make(seed, "honest")
        assert history.complete
        assert history.premise
        assert not history.refused
        assert count(history, Posted) == len(history.work) == plan.runs * plan.rounds * len(plan.nodes)
        assert count(history, RunOver) == plan.runs
        assert count(history, EpochEnded) == plan.runs * -(-plan.rounds // plan.rounds_per_epoch)
        assert not count(history, Voided) + count(history, VerifierFault)
        assert all(work.honest for work in history.work.values())


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_no_strategy_ends_in_an_exception(strategy: str) -> None:
    for seed in SEEDS:
        history = simulate(seed, strategy)
        assert len(history.ticks) == len(history.entries)
        assert history.ticks == sorted(history.ticks)


@pytest.mark.parametrize("strategy", sorted(set(STRATEGIES) - set(DEPARTING)))
def test_a_log_that_nobody_altered_replays(strategy: str) -> None:
    for seed in range(5):
        history = simulate(seed, strategy)
        assert replay(history.entries, Cheap()).size == len(history.entries)


@pytest.mark.parametrize("strategy", DEPARTING)
def test_an_operator_that_departs_is_noted(strategy: str) -> None:
    histories = [simulate(seed, strategy) for seed in SEEDS]
    assert any(history.deviations for history in histories)


def test_a_cheat_that_is_read_is_void_at_fault() -> None:
    histories = [simulate(seed, "skip") for seed in SEEDS]
    assert any(count(history, FaultDerived) for history in histories)


def test_every_kind_of_noise_is_sent_and_changes_nothing() -> None:
    refused: set[str] = set()
    sent: set[str] = set()
    for seed in range(60):
        sent |= {noise.kind for noise in make(seed, "strangers").noise}
        refused |= set(simulate(seed, "strangers").refused)
    assert sent == set(NOISE)
    assert {"unknown-subject", "not-asked", "not-bound", "already-said", "out-of-time"} <= refused


def test_a_plan_is_made_smaller_while_it_breaks() -> None:
    def breaks(history: History) -> bool:
        return count(history, Voided) > 0

    seed = next(seed for seed in range(100) if breaks(simulate(seed)))
    plan = smaller(seed, breaks)
    assert breaks(play(plan))
    assert len(plan.nodes) == plan.rounds == plan.runs == 1
    assert len(play(plan).entries) <= len(simulate(seed).entries)


def test_a_story_has_one_line_for_each_entry() -> None:
    plan = make(3, "liar-on-true")
    history = play(plan)
    told = story(plan, history).splitlines()
    assert len(told) >= len(history.entries)
    assert sum("Words: " in line for line in told) == count(history, Words)
    assert told[0].startswith("seed 3 liar-on-true")


def test_a_root_that_closed_before_a_departure_may_become_final() -> None:
    """Seed 30000460: its deadline passes after the departure, and it closes anew as it was signed."""
    check_all(simulate(30000460))


def test_two_that_see_other_logs_need_no_third_to_find_it() -> None:
    """Seed 40003399: a third one went away at that very tick. Seed 50002989: a false block follows on the fork.
    Seed 90013515: in the look at which a time-out is said the other head is there already."""
    check_all(simulate(40003399))
    check_all(simulate(50002989))
    check_all(simulate(90013515))


def test_a_message_that_the_operator_drops_is_on_the_mirrors() -> None:
    """Seed 70042451: it stopped with a node's openings in its hands."""
    check_all(simulate(70042451))


def test_a_verifier_later_than_a_period_is_not_counted_present() -> None:
    """Seed 10015541: a seat that is three looks behind lapses before its secret is on a mirror, and is not read."""
    history = simulate(10015541)
    assert not history.premise
    check_all(history)


def test_a_verifier_looks_for_bytes_while_the_server_is_away() -> None:
    """Seeds 100346492 and 100771298: it gave up after four periods, in which the server stood, and was overruled."""
    for seed in (100346492, 100771298):
        check_all(simulate(seed))


def test_a_fork_before_a_verifier_that_leaves_may_stay_unfound() -> None:
    """Seed 100589054: it had no look any more at which it showed its head."""
    check_all(simulate(100589054))


def test_time_stands_while_the_server_does_not_answer() -> None:
    """Seed 100843088: nothing waited to be entered, and no look counted, for fifteen ticks."""
    check_all(simulate(100843088))


def test_a_seat_that_its_verifier_left_empty_stays_free() -> None:
    """Seed 7000002642: its verifier came back, and the checker counted it among those who sit."""
    check_all(simulate(7000002642))


def test_bytes_that_come_late_may_leave_a_proof_undecided() -> None:
    """Seed 8000399484: one had them in time, and another one's word stands behind the lapse."""
    check_all(simulate(8000399484))


def test_silence_is_a_fault_only_where_k_others_read_in_time() -> None:
    """Seeds 3000016646, 5000024164, 6000076331 and 7000428263: others were as late, replaced an `unserved`, drew it
    later, or were called late by messages that stand behind their words, since the server stood.
    Seed 4000004539: openings were withheld, and one verifier was silent."""
    for seed in (3000016646, 4000004539, 5000024164, 6000076331, 7000428263):
        check_all(simulate(seed))
