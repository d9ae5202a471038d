"""A run as people read it: every state has its words, and a view that goes on tells what changed."""

from __future__ import annotations

import json
import re
import threading
from typing import Any

import pytest

from commonweight.model import runs
from commonweight.model.runs import is_over, lines_of, run_lines
from commonweight.terminal.watching import Look, WatchedState, watch
from contracts.protocol.judge.facts import What
from contracts.wire.states import RunPhase
from tests.sources import ROOT

pytestmark = pytest.mark.unit
RUN, NODE, VERIFIER, PROOF = "0x" + "11" * 32, "0xNode", "0xVerifier", "0x" + "22" * 32


def found(phase: str = "training", current: dict[str, Any] | None = None, **waits: Any) -> dict[str, Any]:
    node = {"node": NODE, "active": True, "from_round": 1, "payout": "0xWallet", "profile": "0x33"}
    verifier = {"verifier": VERIFIER, "first_round": 1, "rounds": 64, "profile": "0x33"}
    counts = {"nodes": 1, "active_nodes": 1}
    run = {"run": RUN, "creator": "0xCreator", "phase": phase, "round": 3, "verifiers": [verifier], "counts": counts}
    waiting = {"obstacles": [], "awaited": [], "count": 0, "now": 1_000, **waits}
    profiles = [profile_line()]
    return {"run": run, "nodes": [node], "profiles": profiles, "waiting": waiting, "round": current}


def profile_line(**changes: Any) -> dict[str, Any]:
    line = {"profile": "0x33", "name": "exact", "verifiers": [VERIFIER], "needed": 1, "is_read": True}
    return {**line, "nodes": [NODE], "count": 1, **changes}


def a_round(phase: str, *proofs: dict[str, Any], lapsed: bool = False) -> dict[str, Any]:
    return {"round": 3, "phase": phase, "nodes": [{"node": NODE, "lapsed": lapsed}], "proofs": list(proofs)}


def a_proof(stage: str, state: str = "pending", reason: str | None = None) -> dict[str, Any]:
    return {"proof": PROOF, "node": NODE, "stage": stage, "state": state, "reason": reason}


def awaited(what: str, **changes: Any) -> dict[str, Any]:
    line = {"what": what, "party": NODE, "round": 3, "proof": PROOF, "since": 880, "since_entry": 7, "period": 1}
    return {**line, "late": [], **changes}


def literals(module: str, key: str) -> set[str]:
    """Values that the views give a field."""
    text = (ROOT / module).read_text()
    return set(re.findall(rf'"{key}"\]?[^\n]*?[:=][^\n]*?"([a-z-]+)"', text))


def test_every_phase_and_stage_of_the_views_has_words() -> None:
    rounds, proofs = "ledger/views/rounds.py", "ledger/views/proofs.py"
    shown = literals(rounds, "phase")
    assert shown <= set(runs.PHASES) | set(runs.ROUND_PHASES)
    assert set(runs.PHASES) == {"enrolling", "training", "between-rounds", "over"}
    assert set(runs.ROUND_PHASES) == {"training", "verifying", "merging", "closed"}
    assert {"committed", "spared", "bench", "spoken", "void", "ended", "posted"} <= set(runs.PROOF_STAGES)
    assert literals(proofs, "stage") - {"pending", "voided", "undecided"} <= set(runs.PROOF_STAGES)
    assert set(runs.WHATS) == {str(what) for what in What}


@pytest.mark.parametrize("phase", runs.PHASES)
def test_every_phase_of_a_run_is_a_line(phase: RunPhase) -> None:
    lines = list(lines_of(found(phase)))
    assert lines[1] == f"the run {runs.PHASES[phase]}"
    assert lines[-1].strip().split(": ")[-1].startswith("commonweight ")
    assert is_over(found(phase)) is (phase == "over")


@pytest.mark.parametrize("stage", runs.PROOF_STAGES)
@pytest.mark.parametrize("state", ["pending", "voided", "posted", "out", "undecided"])
def test_every_state_of_a_proof_is_a_line(stage: str, state: str) -> None:
    text = "\n".join(lines_of(found(current=a_round("verifying", a_proof(stage, state, "replay-mismatch")))))
    assert f"  proof {PROOF} of {NODE}: " in text


@pytest.mark.parametrize("what", runs.WHATS)
def test_whom_a_run_waits_for_is_named_whole(what: str) -> None:
    line = awaited(what, period=2, late=[VERIFIER])
    text = "\n".join(lines_of(found(awaited=[line], count=1)))
    assert PROOF in text
    assert NODE in text
    assert "for 2 min 0 s of chain time (entry 7), in its second period; 1 verifiers signed that it is late" in text


def test_who_did_not_commit_is_named() -> None:
    training = "\n".join(lines_of(found(current=a_round("training"))))
    assert f"node {NODE} trains" in training
    assert f"node {NODE} lapsed" in "\n".join(lines_of(found(current=a_round("verifying", lapsed=True))))
    assert f"node {NODE} did not commit" in "\n".join(lines_of(found(current=a_round("verifying"))))


def test_why_a_run_still_enrols_is_said() -> None:
    lines = list(lines_of(found("enrolling", obstacles=[{"obstacle": "nodes", "text": "nodes: 1 of 2"}])))
    assert "round 4 does not open yet: nodes: 1 of 2" in lines


def test_no_run_is_a_line_as_well() -> None:
    assert list(run_lines([])) == ["the model has no run yet; `commonweight model train` opens one"]


def test_a_watched_view_prints_what_changed(capsys: pytest.CaptureFixture[str]) -> None:
    watch(looks("ab", "ac", "acd"), threading.Event(), seconds=0.001)
    assert capsys.readouterr().out.split() == ["a", "b", "c", "d"]


def test_a_watched_view_is_an_object_whenever_it_changes(capsys: pytest.CaptureFixture[str], spoken: None) -> None:
    watch(looks("ab", "ab", "ac"), threading.Event(), seconds=0.001)
    assert [json.loads(line) for line in capsys.readouterr().out.splitlines()] == [{"seen": "ab"}, {"seen": "ac"}]


def looks(*seen: str) -> Look:
    """One after the other, the last is the end."""
    rest = iter(seen)
    return lambda: WatchedState({"seen": (one := next(rest))}, list(one), one == seen[-1] and one != seen[0])


def test_who_reads_and_who_uses_each_profile_is_said() -> None:
    known = found()
    unread = profile_line(profile="0x44", name="portable", verifiers=[], needed=3, is_read=False, nodes=[], count=7)
    known["profiles"].append(unread)
    lines = list(lines_of(known))
    start = lines.index("profiles that the run admits: 2")
    assert lines[start + 1 : start + 6] == [
        "  exact 0x33 is read; 1 verifiers of 1",
        f"    read by {VERIFIER}",
        f"    used by {NODE}",
        "  portable 0x44 is not read by enough: its nodes take part in no round; 0 verifiers of 3",
        "    and by 7 more nodes",
    ]


def test_a_run_with_more_nodes_than_a_page_says_how_many() -> None:
    known = found()
    known["run"]["counts"] = {"nodes": 10_000, "active_nodes": 9_000}
    lines = list(lines_of(known))
    assert "nodes: 9000 enrolled, 1000 left" in lines
    assert "  9999 more nodes are on further pages" in lines
