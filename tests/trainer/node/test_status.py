"""Where a node stands follows from the log alone, and each place has a sentence."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from contracts.ids import as_address
from contracts.protocol.judge.state import NodeState, Phase, Stage
from trainer.exchange.handing import ParcelRefusal
from trainer.node.settings import NodeProgress
from trainer.node.status import NodePhase, NodeStatus, status_of
from trainer.node.story import MIRROR_SECONDS, Story

pytestmark = pytest.mark.unit
NODE, RUN = as_address("0xNode"), "0x" + "11" * 32


def proof(stage: Stage, number: int, node: str = NODE, run: str = RUN) -> Any:
    commitment = SimpleNamespace(node=node, run=run, round=number, proof=f"proof {number}")
    done = stage in (Stage.OUT, Stage.POSTED, Stage.ENDED, Stage.UNDECIDED)
    return SimpleNamespace(commitment=commitment, stage=stage, done=done)


def a_run(
    member: bool = True,
    phase: Phase | None = None,
    listed: bool = True,
    proofs: tuple[Any, ...] = (),
    over: bool = False,
    first: int = 1,
    **of_member: Any,
) -> tuple[Any, Any]:
    """State and run: round 3 is the newest, in `phase`, or no round was opened yet."""
    enrolled = SimpleNamespace(first_round=first, sequence=1)
    nodes = {NODE: replace(NodeState(enrolled, 1, "", 1), **of_member)} if member else {}  # type: ignore[arg-type]
    mine = {p.commitment.node: p.commitment.proof for p in proofs if p.commitment.round == 3}
    now = SimpleNamespace(number=3, phase=phase, listed={NODE: 1} if listed else {}, proofs=mine)
    rounds = {} if phase is None else {3: now}
    created = SimpleNamespace(run=RUN)
    run = SimpleNamespace(created=created, nodes=nodes, rounds=rounds, round=3 if rounds else 0, over=over)
    return SimpleNamespace(proofs={p.commitment.proof: p for p in proofs}, runs={RUN: run}), run


OPEN, READING, MERGED = Phase.OPEN, Phase.READING, Phase.MERGED
CASES: list[tuple[NodePhase, int, tuple[Any, Any]]] = [
    (NodePhase.OVER, 0, a_run(over=True)),
    (NodePhase.JOINING, 0, a_run(member=False)),
    (NodePhase.JOINING, 0, a_run(member=False, phase=OPEN, listed=False)),
    (NodePhase.LEFT, 0, a_run(left=True, phase=MERGED)),
    (NodePhase.LAPSED, 0, a_run(away=7, phase=MERGED)),
    (NodePhase.LAPSED, 0, a_run(away=7, phase=OPEN)),
    (NodePhase.EARLY, 9, a_run(first=9, phase=OPEN, listed=False)),
    (NodePhase.WAITING, 1, a_run()),
    (NodePhase.WAITING, 4, a_run(phase=READING, listed=False)),
    (NodePhase.UNLISTED, 3, a_run(phase=OPEN, listed=False)),
    (NodePhase.TRAINING, 3, a_run(phase=OPEN)),
    (NodePhase.TRAINING, 3, a_run(phase=OPEN, proofs=(proof(Stage.READING, 2),))),
    (NodePhase.COMMITTED, 3, a_run(phase=OPEN, proofs=(proof(Stage.COMMITTED, 3),))),
    (NodePhase.COMMITTED, 3, a_run(phase=Phase.CLOSED, proofs=(proof(Stage.COMMITTED, 3),))),
    (NodePhase.READ, 3, a_run(phase=READING, proofs=(proof(Stage.READING, 3),))),
    (NodePhase.READ, 3, a_run(phase=READING, proofs=(proof(Stage.READING, 3),), left=True)),
    (NodePhase.PLEDGE, 3, a_run(phase=READING, proofs=(proof(Stage.SPOKEN, 3),))),
    (NodePhase.PLEDGE, 3, a_run(phase=READING, proofs=(proof(Stage.VOID, 3),))),
    (NodePhase.DECIDED, 3, a_run(phase=MERGED, proofs=(proof(Stage.POSTED, 3),))),
    (NodePhase.DECIDED, 3, a_run(phase=Phase.MERGING, proofs=(proof(Stage.OUT, 3),))),
    (NodePhase.WAITING, 4, a_run(phase=MERGED, proofs=(proof(Stage.POSTED, 3, node="0xOther"),))),
    (NodePhase.WAITING, 4, a_run(phase=MERGED, proofs=(proof(Stage.READING, 3, run="0xother"),))),
]


@pytest.mark.parametrize(("expected", "number", "made"), CASES, ids=lambda value: getattr(value, "name", ""))
def test_each_status_follows_from_the_log(expected: NodePhase, number: int, made: tuple[Any, Any]) -> None:
    found = status_of(*made, NODE, current=True)
    assert found == NodeStatus(expected, number)
    assert "{" not in str(found)


def test_no_status_is_left_out() -> None:
    state, _ = a_run()
    assert status_of(state, None, NODE, current=True).status is NodePhase.ABSENT
    assert status_of(*a_run(), NODE, current=False).status is NodePhase.BEHIND
    assert {case[0] for case in CASES} | {NodePhase.ABSENT, NodePhase.BEHIND} == set(NodePhase)


@pytest.mark.parametrize("stage", Stage)
@pytest.mark.parametrize("phase", Phase)
def test_every_stage_in_every_phase_has_a_status(stage: Stage, phase: Phase) -> None:
    assert str(status_of(*a_run(phase=phase, proofs=(proof(stage, 3),)), NODE, current=True))


@pytest.fixture
def story(tmp_path: Path) -> tuple[Callable[[], Story], list[NodeProgress]]:
    said: list[NodeProgress] = []
    return lambda: Story(NODE, said.append, tmp_path / "told.json"), said


def test_a_status_is_told_when_it_changes(story: tuple[Callable[[], Story], list[NodeProgress]]) -> None:
    teller, said = story[0](), story[1]
    for status in (NodePhase.TRAINING, NodePhase.TRAINING, NodePhase.COMMITTED):
        teller.stands(NodeStatus(status, 3))
    assert [progress.detail.split()[0] for progress in said] == ["has", "has"]
    assert {progress.round for progress in said} == {3}


@pytest.mark.parametrize(
    ("made", "number"),
    [(a_run(), 1), (a_run(phase=OPEN), 3), (a_run(phase=OPEN, listed=False), 4), (a_run(first=9, phase=OPEN), 3)],
)
def test_the_round_that_it_enrols_for_is_said(
    story: tuple[Callable[[], Story], list[NodeProgress]], made: tuple[Any, Any], number: int
) -> None:
    """Not the first one of the settings, which is 1 whenever the node was started."""
    story[0]().tell(*made)
    assert [(progress.event, progress.round) for progress in story[1]] == [("enrolled", number)]


def test_what_was_told_is_not_told_again_after_a_restart(
    story: tuple[Callable[[], Story], list[NodeProgress]], tmp_path: Path
) -> None:
    make, said = story
    make().tell(*a_run(phase=OPEN))
    make().tell(*a_run(phase=OPEN))
    assert len(said) == 1
    (tmp_path / "told.json").write_bytes(b"[")
    make().tell(*a_run(phase=OPEN))
    assert len(said) == 2


def test_a_mirrors_refusal_is_told_only_when_it_lasts(tmp_path: Path) -> None:
    """Before, each mirror that was a moment behind had its refusal on the screen, with nothing to be done about it."""
    said, now = list[NodeProgress](), [0.0]
    made = Story(NODE, said.append, tmp_path / "told.json", lambda: now[0])
    behind = ParcelRefusal("0xMirror", "message 1", "not-welcome", "no place for it")
    for now[0] in (0.0, MIRROR_SECONDS - 1):
        made.refused(behind, "server")
    assert said == []
    now[0] = MIRROR_SECONDS
    made.refused(behind, "server")
    made.refused(ParcelRefusal("server", "message 2", "not-bound", "another round"), "server")
    assert [one.detail for one in said] == [
        "0xMirror says not-welcome: no place for it",
        "the server says not-bound: another round",
    ]
