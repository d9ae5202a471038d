"""The stopwatch of time-outs: what adds time, what does not, and that nothing is signed early or twice."""

from __future__ import annotations

import random
import shutil
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from itertools import count
from pathlib import Path

import pytest

from contracts.ids import NO_PROOF, ProofId, RunId, as_address
from contracts.protocol.judge.facts import Awaited, What
from tests.alone import alone
from tests.holds import Threat, holds
from tests.verifier.mirror.killing import killed_at
from verifier.mirror.store.stopwatch import (
    LOOKS_AHEAD,
    PART_AHEAD,
    Absence,
    Allowed,
    Came,
    Observation,
    Stopwatch,
    opening_seconds,
)

pytestmark = pytest.mark.unit
RUN = RunId("run")

WORDS = Absence(Awaited(What.WORDS, RUN, 1, ProofId("proof"), "verifier"), 7)
OPENINGS = Absence(Awaited(What.OPENINGS, RUN, 1, ProofId("proof"), "node"), 8)
COMMITMENT = Absence(Awaited(What.COMMITMENT, RUN, 1, NO_PROOF, "node"), 3)
LONGEST = 3.0


@dataclass
class Clocks:
    """A stopwatch and the two clocks that it reads, in seconds."""

    folder: Path
    chain: float = 1000.0
    own: float = 5.0

    def __post_init__(self) -> None:
        self.watch = self.open()

    def open(self) -> Stopwatch:
        return Stopwatch(self.folder / "presence.db", lambda: self.chain, lambda: self.own, LONGEST)

    def restart(self) -> None:
        self.watch.close()
        self.watch = self.open()

    def look(
        self,
        sight: Observation | None = None,
        missing: Absence = WORDS,
        chain: float = 3.0,
        own: float = 3.0,
        counts: bool = True,
    ) -> None:
        self.chain += chain
        self.own += own
        self.watch.look({missing: replace(sight or Observation(Allowed(9.0)), counts=counts)})


@pytest.fixture
def clocks(tmp_path: Path) -> Clocks:
    return Clocks(tmp_path)


def test_a_lapse_is_due_after_one_whole_period(clocks: Clocks) -> None:
    clocks.look()
    for _ in range(2):
        clocks.look()
        assert clocks.watch.due() == []
    clocks.look()
    assert clocks.watch.due() == [WORDS]


def test_the_look_that_first_sees_it_adds_nothing(clocks: Clocks) -> None:
    clocks.look(missing=OPENINGS)
    clocks.watch.look({WORDS: Observation(Allowed(9.0))})
    assert clocks.watch.passed(WORDS) == 0


@pytest.mark.parametrize(("chain", "own"), [(1.0, 3.0), (3.0, 1.0)], ids=["slow chain", "slow clock"])
def test_the_lesser_of_both_clocks_is_added(clocks: Clocks, chain: float, own: float) -> None:
    for _ in range(4):
        clocks.look(chain=chain, own=own)
    assert clocks.watch.passed(WORDS) == 3.0


def test_a_look_adds_one_looks_length_at_most(clocks: Clocks) -> None:
    """Asleep for an hour, and awake again: an outage counts for nothing."""
    clocks.look()
    clocks.look(chain=3600, own=3600)
    assert clocks.watch.passed(WORDS) == LONGEST


def test_a_look_that_does_not_count_adds_nothing(clocks: Clocks) -> None:
    clocks.look()
    for _ in range(100):
        clocks.look(counts=False)
    assert clocks.watch.passed(WORDS) == 0
    clocks.look()
    assert clocks.watch.passed(WORDS) == LONGEST


def test_a_chain_that_moves_in_blocks_loses_no_time(clocks: Clocks) -> None:
    clocks.look()
    for number in range(1, 25):
        clocks.look(Observation(Allowed(120.0)), chain=12.0 if number % 4 == 0 else 0.0)
    assert clocks.watch.passed(WORDS) > 20 * LONGEST * 0.9


@pytest.mark.parametrize("counts", [True, False], ids=["in looks that count", "in looks that do not"])
@pytest.mark.parametrize("period", [9.0, 60.0, 10**6])
def test_the_chain_is_ahead_by_a_part_of_the_shortest_period(clocks: Clocks, period: float, counts: bool) -> None:
    sight = Observation(Allowed(period))
    clocks.look(sight)
    for _ in range(3):
        clocks.look(sight, chain=10**6, counts=counts)
    before = clocks.watch.passed(WORDS)
    for _ in range(100):
        clocks.look(sight, chain=0.0)
    most = min(LOOKS_AHEAD * LONGEST, PART_AHEAD * period)
    assert clocks.watch.passed(WORDS) - before == most < period / 2


def test_clocks_that_go_back_add_nothing(clocks: Clocks) -> None:
    clocks.look()
    clocks.look(chain=-50.0)
    clocks.look(own=-50.0)
    assert clocks.watch.passed(WORDS) == 0


def test_a_stopped_chain_stops_time(clocks: Clocks) -> None:
    for _ in range(50):
        clocks.look(chain=0.0)
    assert clocks.watch.due() == []


def test_what_a_mirror_showed_is_not_missing(clocks: Clocks) -> None:
    for _ in range(3):
        clocks.look()
    for _ in range(50):
        clocks.look(Observation(Allowed(9.0), shown=True))
    assert clocks.watch.due() == []
    assert clocks.watch.passed(WORDS) == 2 * LONGEST


def test_what_is_shown_at_last_is_not_signed(clocks: Clocks) -> None:
    for _ in range(5):
        clocks.look()
    clocks.look(Observation(Allowed(9.0), shown=True))
    assert clocks.watch.due() == []
    assert not clocks.watch.release(WORDS)


def test_a_period_never_gets_shorter(clocks: Clocks) -> None:
    clocks.look(Observation(Allowed(30.0)))
    for _ in range(9):
        clocks.look(Observation(Allowed(3.0)))
    assert clocks.watch.due() == []
    clocks.look(Observation(Allowed(3.0)))
    assert clocks.watch.due() == [WORDS]


def test_a_period_grows_with_what_is_asked_for(clocks: Clocks) -> None:
    clocks.look(Observation(Allowed(opening_seconds(3.0, 0, 1000))))
    clocks.look(Observation(Allowed(opening_seconds(3.0, 6000, 1000))))
    assert clocks.watch.due() == []
    clocks.look()
    clocks.look()
    assert clocks.watch.due() == [WORDS]


def test_a_new_entry_begins_anew(clocks: Clocks) -> None:
    """The second period of the same thing is another one."""
    for _ in range(5):
        clocks.look()
    second = Absence(WORDS.awaited, 20)
    clocks.look(missing=second)
    assert clocks.watch.due() == []
    assert clocks.watch.passed(WORDS) == 0
    for _ in range(3):
        clocks.look(missing=second)
    assert clocks.watch.due() == [second]


def test_a_node_lapses_after_a_silent_lease(clocks: Clocks) -> None:
    silent = Observation(Allowed(None, 6.0), sign="beat 1")
    for _ in range(2):
        clocks.look(silent, COMMITMENT)
    clocks.look(Observation(Allowed(None, 6.0), sign="beat 2"), COMMITMENT)
    clocks.look(Observation(Allowed(None, 6.0), sign="beat 2"), COMMITMENT)
    assert clocks.watch.due() == []
    clocks.look(Observation(Allowed(None, 6.0), sign="beat 2"), COMMITMENT)
    assert clocks.watch.due() == [COMMITMENT]


def test_a_duty_runs_on_ones_clock_in_looks_that_reached_others(clocks: Clocks) -> None:
    """Whether they count or not, whatever the chain says, and though it was shown; all the time that passed."""
    clocks.look()
    clocks.look(chain=0.0, own=10.0, counts=False)
    clocks.look(Observation(Allowed(9.0), shown=True), chain=10**6, own=5.0)
    assert clocks.watch.asked(WORDS) == 15
    clocks.look(Observation(Allowed(9.0), reached=False), own=1000.0)
    assert clocks.watch.asked(WORDS) == 15
    assert clocks.watch.asked(OPENINGS) == 0


def test_a_restart_does_not_move_what_one_owes(clocks: Clocks) -> None:
    """Another boot's clock says another thing: the first look after it adds nothing."""
    clocks.look()
    clocks.look()
    for own in (10.0**6, 0.0):
        clocks.restart()
        clocks.own = own
        clocks.look()
        assert clocks.watch.asked(WORDS) == 3
    clocks.look()
    assert clocks.watch.asked(WORDS) == 6


def test_a_nodes_time_is_at_least_that_of_the_chain(clocks: Clocks) -> None:
    """Since its round opened, though no look counted, or this verifier came late: 3,600 seconds, of which it measured
    three."""
    opened = clocks.chain
    clocks.look(missing=COMMITMENT)
    clocks.look(missing=COMMITMENT)
    clocks.look(missing=COMMITMENT, chain=3_000.0, counts=False)
    clocks.restart()
    clocks.chain = opened + 3_600
    came = [Came(RUN, 1, as_address("node"), opened), Came(RUN, 1, as_address("unseen"), opened)]
    clocks.watch.look({}, came)
    assert clocks.watch.took(RUN) == {"node": 3_600, "unseen": 3_600}
    clocks.chain += 500
    clocks.watch.look({}, came)
    assert clocks.watch.took(RUN)["node"] == 3_600, "noted once a round"
    clocks.watch.look({}, [Came(RUN, 2, as_address("node"), clocks.chain - 7)])
    assert clocks.watch.took(RUN) == {"node": 7, "unseen": 3_600}
    assert clocks.watch.took(RunId("another")) == {}


def test_what_a_node_took_is_no_less_than_was_measured(clocks: Clocks) -> None:
    for _ in range(5):
        clocks.look(missing=COMMITMENT)
    clocks.watch.look({}, [Came(RUN, 1, as_address("node"), clocks.chain)])
    assert clocks.watch.took(RUN) == {"node": 4 * LONGEST}


def test_what_ended_without_a_commitment_is_no_measure(clocks: Clocks) -> None:
    for _ in range(5):
        clocks.look(missing=COMMITMENT)
    clocks.watch.look({})
    assert clocks.watch.took(RUN) == {}


def test_without_a_bound_nothing_is_due(clocks: Clocks) -> None:
    for _ in range(50):
        clocks.look(Observation(Allowed(None)))
    assert clocks.watch.due() == []


def test_a_lapse_is_released_once(clocks: Clocks) -> None:
    for _ in range(5):
        clocks.look()
    assert clocks.watch.release(WORDS)
    assert not clocks.watch.release(WORDS)
    assert clocks.watch.due() == []
    clocks.restart()
    clocks.look()
    assert not clocks.watch.release(WORDS)
    assert clocks.watch.released() == [WORDS]


def test_what_was_released_is_known_until_it_is_final(clocks: Clocks) -> None:
    for _ in range(5):
        clocks.look()
    clocks.watch.release(WORDS)
    clocks.watch.look({})
    for _ in range(9):
        clocks.look()
    assert not clocks.watch.release(WORDS)
    clocks.watch.forget(RUN, 1)
    assert clocks.watch.released() == []


def test_what_is_not_due_is_not_released(clocks: Clocks) -> None:
    clocks.look()
    assert not clocks.watch.release(WORDS)
    assert not clocks.watch.release(OPENINGS)


def test_a_restart_signs_nothing_early(clocks: Clocks) -> None:
    """However often it restarts: the first look after each adds nothing, though another boot's clock may say more."""
    clocks.look()
    for _ in range(20):
        clocks.restart()
        clocks.own = 10**6
        clocks.look()
    assert clocks.watch.passed(WORDS) == 0


def test_a_restart_keeps_what_has_passed(clocks: Clocks) -> None:
    for _ in range(3):
        clocks.look()
    clocks.restart()
    clocks.look()
    assert clocks.watch.passed(WORDS) == 2 * LONGEST
    clocks.look()
    assert clocks.watch.due() == [WORDS]


@holds(
    "A verifier reports silence only after a whole period by its own clock",
    by="verifier/mirror/store/stopwatch.py:Stopwatch",
    against=Threat.BAD_VERIFIER,
)
@pytest.mark.parametrize("seed", range(5))
def test_no_history_lapses_before_its_time(tmp_path: Path, seed: int) -> None:
    """Looks that fail, clocks that jump, restarts: what has passed is never more than went by on either clock."""
    clocks, chance = Clocks(tmp_path), random.Random(seed)
    clocks.look(Observation(Allowed(60.0)))
    chain, own, counted = clocks.chain, 0.0, 0
    for _ in range(60):
        if chance.random() < 0.1:
            clocks.restart()
        step, counts = chance.choice([0.5, 3.0, 3.0, 40.0]), chance.random() < 0.8
        clocks.look(Observation(Allowed(60.0)), chain=chance.choice([0.0, step, 2 * step]), own=step, counts=counts)
        own += step
        counted += counts
        limit = min(own, clocks.chain - chain, counted * LONGEST)
        assert clocks.watch.passed(WORDS) <= limit
        assert bool(clocks.watch.due()) == (clocks.watch.passed(WORDS) >= 60.0)


@alone
def test_a_kill_at_any_line_releases_once_at_most(tmp_path: Path) -> None:
    """What the killed process said is known to the next one; what it did not say may still be said, alike."""
    start = Clocks(tmp_path / "start")
    for _ in range(5):
        start.look()
    start.watch.close()
    for line in count():
        folder = tmp_path / str(line)
        shutil.copytree(tmp_path / "start", folder)

        def prepare(folder: Path = folder) -> Callable[[], None]:
            return partial(_release, Clocks(folder), folder)

        killed = killed_at(line, prepare, ("store/stopwatch.py", "store/database.py"))
        again = Clocks(folder).watch
        assert not (folder / "said").exists() or again.released() == [WORDS]
        assert again.released() == [WORDS] or again.release(WORDS)
        if not killed:
            break
    assert line > 5, "the lines of a release were tried"


def _release(clocks: Clocks, folder: Path) -> None:
    if clocks.watch.release(WORDS):
        (folder / "said").touch()
