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
class World:
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
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def test_a_lapse_is_due_after_one_whole_period(world: World) -> None:
    world.look()
    for _ in range(2):
        world.look()
        assert world.watch.due() == []
    world.look()
    assert world.watch.due() == [WORDS]


def test_the_look_that_first_sees_it_adds_nothing(world: World) -> None:
    world.look(missing=OPENINGS)
    world.watch.look({WORDS: Observation(Allowed(9.0))})
    assert world.watch.passed(WORDS) == 0


@pytest.mark.parametrize(("chain", "own"), [(1.0, 3.0), (3.0, 1.0)], ids=["slow chain", "slow clock"])
def test_the_lesser_of_both_clocks_is_added(world: World, chain: float, own: float) -> None:
    for _ in range(4):
        world.look(chain=chain, own=own)
    assert world.watch.passed(WORDS) == 3.0


def test_a_look_adds_one_looks_length_at_most(world: World) -> None:
    """Asleep for an hour, and awake again: an outage counts for nothing."""
    world.look()
    world.look(chain=3600, own=3600)
    assert world.watch.passed(WORDS) == LONGEST


def test_a_look_that_does_not_count_adds_nothing(world: World) -> None:
    world.look()
    for _ in range(100):
        world.look(counts=False)
    assert world.watch.passed(WORDS) == 0
    world.look()
    assert world.watch.passed(WORDS) == LONGEST


def test_a_chain_that_moves_in_blocks_loses_no_time(world: World) -> None:
    world.look()
    for number in range(1, 25):
        world.look(Observation(Allowed(120.0)), chain=12.0 if number % 4 == 0 else 0.0)
    assert world.watch.passed(WORDS) > 20 * LONGEST * 0.9


@pytest.mark.parametrize("counts", [True, False], ids=["in looks that count", "in looks that do not"])
@pytest.mark.parametrize("period", [9.0, 60.0, 10**6])
def test_the_chain_is_ahead_by_a_part_of_the_shortest_period(world: World, period: float, counts: bool) -> None:
    sight = Observation(Allowed(period))
    world.look(sight)
    for _ in range(3):
        world.look(sight, chain=10**6, counts=counts)
    before = world.watch.passed(WORDS)
    for _ in range(100):
        world.look(sight, chain=0.0)
    most = min(LOOKS_AHEAD * LONGEST, PART_AHEAD * period)
    assert world.watch.passed(WORDS) - before == most < period / 2


def test_clocks_that_go_back_add_nothing(world: World) -> None:
    world.look()
    world.look(chain=-50.0)
    world.look(own=-50.0)
    assert world.watch.passed(WORDS) == 0


def test_a_stopped_chain_stops_time(world: World) -> None:
    for _ in range(50):
        world.look(chain=0.0)
    assert world.watch.due() == []


def test_what_a_mirror_showed_is_not_missing(world: World) -> None:
    for _ in range(3):
        world.look()
    for _ in range(50):
        world.look(Observation(Allowed(9.0), shown=True))
    assert world.watch.due() == []
    assert world.watch.passed(WORDS) == 2 * LONGEST


def test_what_is_shown_at_last_is_not_signed(world: World) -> None:
    for _ in range(5):
        world.look()
    world.look(Observation(Allowed(9.0), shown=True))
    assert world.watch.due() == []
    assert not world.watch.release(WORDS)


def test_a_period_never_gets_shorter(world: World) -> None:
    world.look(Observation(Allowed(30.0)))
    for _ in range(9):
        world.look(Observation(Allowed(3.0)))
    assert world.watch.due() == []
    world.look(Observation(Allowed(3.0)))
    assert world.watch.due() == [WORDS]


def test_a_period_grows_with_what_is_asked_for(world: World) -> None:
    world.look(Observation(Allowed(opening_seconds(3.0, 0, 1000))))
    world.look(Observation(Allowed(opening_seconds(3.0, 6000, 1000))))
    assert world.watch.due() == []
    world.look()
    world.look()
    assert world.watch.due() == [WORDS]


def test_a_new_entry_begins_anew(world: World) -> None:
    """The second period of the same thing is another one."""
    for _ in range(5):
        world.look()
    second = Absence(WORDS.awaited, 20)
    world.look(missing=second)
    assert world.watch.due() == []
    assert world.watch.passed(WORDS) == 0
    for _ in range(3):
        world.look(missing=second)
    assert world.watch.due() == [second]


def test_a_node_lapses_after_a_silent_lease(world: World) -> None:
    silent = Observation(Allowed(None, 6.0), sign="beat 1")
    for _ in range(2):
        world.look(silent, COMMITMENT)
    world.look(Observation(Allowed(None, 6.0), sign="beat 2"), COMMITMENT)
    world.look(Observation(Allowed(None, 6.0), sign="beat 2"), COMMITMENT)
    assert world.watch.due() == []
    world.look(Observation(Allowed(None, 6.0), sign="beat 2"), COMMITMENT)
    assert world.watch.due() == [COMMITMENT]


def test_a_duty_runs_on_ones_clock_in_looks_that_reached_others(world: World) -> None:
    """Whether they count or not, whatever the chain says, and though it was shown; all the time that passed."""
    world.look()
    world.look(chain=0.0, own=10.0, counts=False)
    world.look(Observation(Allowed(9.0), shown=True), chain=10**6, own=5.0)
    assert world.watch.asked(WORDS) == 15
    world.look(Observation(Allowed(9.0), reached=False), own=1000.0)
    assert world.watch.asked(WORDS) == 15
    assert world.watch.asked(OPENINGS) == 0


def test_a_restart_does_not_move_what_one_owes(world: World) -> None:
    """Another boot's clock says another thing: the first look after it adds nothing."""
    world.look()
    world.look()
    for own in (10.0**6, 0.0):
        world.restart()
        world.own = own
        world.look()
        assert world.watch.asked(WORDS) == 3
    world.look()
    assert world.watch.asked(WORDS) == 6


def test_a_nodes_time_is_at_least_that_of_the_chain(world: World) -> None:
    """Since its round opened, though no look counted, or this verifier came late: 3,600 seconds, of which it measured
    three."""
    opened = world.chain
    world.look(missing=COMMITMENT)
    world.look(missing=COMMITMENT)
    world.look(missing=COMMITMENT, chain=3_000.0, counts=False)
    world.restart()
    world.chain = opened + 3_600
    came = [Came(RUN, 1, as_address("node"), opened), Came(RUN, 1, as_address("unseen"), opened)]
    world.watch.look({}, came)
    assert world.watch.took(RUN) == {"node": 3_600, "unseen": 3_600}
    world.chain += 500
    world.watch.look({}, came)
    assert world.watch.took(RUN)["node"] == 3_600, "noted once a round"
    world.watch.look({}, [Came(RUN, 2, as_address("node"), world.chain - 7)])
    assert world.watch.took(RUN) == {"node": 7, "unseen": 3_600}
    assert world.watch.took(RunId("another")) == {}


def test_what_a_node_took_is_no_less_than_was_measured(world: World) -> None:
    for _ in range(5):
        world.look(missing=COMMITMENT)
    world.watch.look({}, [Came(RUN, 1, as_address("node"), world.chain)])
    assert world.watch.took(RUN) == {"node": 4 * LONGEST}


def test_what_ended_without_a_commitment_is_no_measure(world: World) -> None:
    for _ in range(5):
        world.look(missing=COMMITMENT)
    world.watch.look({})
    assert world.watch.took(RUN) == {}


def test_without_a_bound_nothing_is_due(world: World) -> None:
    for _ in range(50):
        world.look(Observation(Allowed(None)))
    assert world.watch.due() == []


def test_a_lapse_is_released_once(world: World) -> None:
    for _ in range(5):
        world.look()
    assert world.watch.release(WORDS)
    assert not world.watch.release(WORDS)
    assert world.watch.due() == []
    world.restart()
    world.look()
    assert not world.watch.release(WORDS)
    assert world.watch.released() == [WORDS]


def test_what_was_released_is_known_until_it_is_final(world: World) -> None:
    for _ in range(5):
        world.look()
    world.watch.release(WORDS)
    world.watch.look({})
    for _ in range(9):
        world.look()
    assert not world.watch.release(WORDS)
    world.watch.forget(RUN, 1)
    assert world.watch.released() == []


def test_what_is_not_due_is_not_released(world: World) -> None:
    world.look()
    assert not world.watch.release(WORDS)
    assert not world.watch.release(OPENINGS)


def test_a_restart_signs_nothing_early(world: World) -> None:
    """However often it restarts: the first look after each adds nothing, though another boot's clock may say more."""
    world.look()
    for _ in range(20):
        world.restart()
        world.own = 10**6
        world.look()
    assert world.watch.passed(WORDS) == 0


def test_a_restart_keeps_what_has_passed(world: World) -> None:
    for _ in range(3):
        world.look()
    world.restart()
    world.look()
    assert world.watch.passed(WORDS) == 2 * LONGEST
    world.look()
    assert world.watch.due() == [WORDS]


@holds(
    "A verifier reports silence only after a whole period by its own clock",
    by="verifier/mirror/store/stopwatch.py:Stopwatch",
    against=Threat.BAD_VERIFIER,
)
@pytest.mark.parametrize("seed", range(5))
def test_no_history_lapses_before_its_time(tmp_path: Path, seed: int) -> None:
    """Looks that fail, clocks that jump, restarts: what has passed is never more than went by on either clock."""
    world, chance = World(tmp_path), random.Random(seed)
    world.look(Observation(Allowed(60.0)))
    chain, own, counted = world.chain, 0.0, 0
    for _ in range(60):
        if chance.random() < 0.1:
            world.restart()
        step, counts = chance.choice([0.5, 3.0, 3.0, 40.0]), chance.random() < 0.8
        world.look(Observation(Allowed(60.0)), chain=chance.choice([0.0, step, 2 * step]), own=step, counts=counts)
        own += step
        counted += counts
        limit = min(own, world.chain - chain, counted * LONGEST)
        assert world.watch.passed(WORDS) <= limit
        assert bool(world.watch.due()) == (world.watch.passed(WORDS) >= 60.0)


@alone
def test_a_kill_at_any_line_releases_once_at_most(tmp_path: Path) -> None:
    """What the killed process said is known to the next one; what it did not say may still be said, alike."""
    start = World(tmp_path / "start")
    for _ in range(5):
        start.look()
    start.watch.close()
    for line in count():
        folder = tmp_path / str(line)
        shutil.copytree(tmp_path / "start", folder)

        def prepare(folder: Path = folder) -> Callable[[], None]:
            return partial(_release, World(folder), folder)

        killed = killed_at(line, prepare, ("store/stopwatch.py", "store/database.py"))
        again = World(folder).watch
        assert not (folder / "said").exists() or again.released() == [WORDS]
        assert again.released() == [WORDS] or again.release(WORDS)
        if not killed:
            break
    assert line > 5, "the lines of a release were tried"


def _release(world: World, folder: Path) -> None:
    if world.watch.release(WORDS):
        (folder / "said").touch()
