"""What people are told of a round that does not open is what the machine looks at."""

from __future__ import annotations

import pytest

from contracts.ids import RunId
from contracts.protocol.judge.entries import RoundOpened
from contracts.protocol.judge.rules import rounds
from contracts.protocol.judge.rules.obstacles import Missing, Obstacle, obstacles
from contracts.protocol.judge.state import RunState, State
from tests.adversary.sim import simulate
from tests.contracts.protocol.judge.court import RUN, V1, V2, Court

pytestmark = pytest.mark.unit


def test_a_round_opens_exactly_where_nothing_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    """In every state of histories with hostile parties."""
    opened, seen = rounds.due_opening, set[Obstacle]()

    def compared(state: State, name: RunId, run: RunState) -> RoundOpened | None:
        found, missing = opened(state, name, run), obstacles(state, run)
        assert (found is None) == bool(missing), missing
        seen.update(one.obstacle for one in missing)
        return found

    monkeypatch.setattr(rounds, "due_opening", compared)
    for seed in range(60):
        simulate(seed)
    assert {Obstacle.ROUND_OPEN, Obstacle.VERIFIERS, Obstacle.NODES} <= seen


def missing(court: Court) -> list[str]:
    return [str(found) for found in obstacles(court.state, court.state.runs[RUN])]


def test_what_is_missing_is_counted() -> None:
    assert missing(Court(min_nodes=3)) == ["nodes that take part, and whose profile enough verifiers judge: 2 of 3"]
    assert missing(Court()) == ["round 1 is not merged yet"]


def test_a_run_that_ended_says_so() -> None:
    court = Court("rounds=1")
    for proof in court.read():
        court.post(proof)
    court.merge()
    assert missing(court) in (["the run is over"], ["all rounds of its configuration are done"])


def test_a_missing_verifier_is_counted() -> None:
    court = Court(min_nodes=3)
    run = court.state.runs[RUN]
    run.away.update({V1: 5, V2: 5})
    assert Missing(Obstacle.REACHABLE, 1, 2) in obstacles(court.state, run)
    del run.anchors[V2], run.anchors[V1]
    found = obstacles(court.state, run)
    assert Missing(Obstacle.VERIFIERS, 1, 3) in found


@pytest.mark.parametrize("obstacle", Obstacle)
def test_every_obstacle_is_a_sentence_without_gaps(obstacle: Obstacle) -> None:
    assert "{" not in str(Missing(obstacle, 1, 2))
