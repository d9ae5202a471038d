"""The truth about work: which segments of a proof are false, what an honest replay says, and what a pledge names."""

from __future__ import annotations

from contracts.protocol.judge.facts import Reason, SegmentWord, Word
from tests.adversary.history import Work
from tests.adversary.sim.plan import NodePlan, Plan

_REASONS = (*[Reason.REPLAY] * 5, Reason.NOT_FINITE)


def is_bad(node: NodePlan, number: int) -> bool:
    """Whether a node departs in that round."""
    if node.in_rounds == "last":
        return number > 8
    return node.in_rounds == "all" or (node.in_rounds == "first") == (number == 1)


def skipped(plan: Plan, node: NodePlan, number: int, proof: str) -> frozenset[int]:
    """Segments that the node does not compute."""
    count = plan.segments
    one = plan.roll(count, "skip", proof)
    return frozenset(
        {
            "nothing": (),
            "one": (one,),
            "first": (0,),
            "last": (count - 1,),
            "half": (s for s in range(count) if (s + one) % 2),
            "most": (s for s in range(count) if s != one),
            "all": range(count),
        }[node.skips if is_bad(node, number) else "nothing"]
    )


def fake_of(plan: Plan, node: NodePlan, number: int, proof: str, false: frozenset[int]) -> int | None:
    """The segment that the pledge names."""
    if node.fake == "none" or not is_bad(node, number):
        return None
    done = [segment for segment in range(plan.segments) if segment not in false]
    among = sorted(false) if node.fake == "skipped" else done
    return among[plan.roll(len(among), "fake", proof)] if among else None


def drifting(plan: Plan, node: NodePlan, number: int, proof: str, false: frozenset[int]) -> frozenset[int]:
    """Segments that are done and yet beyond a limit; in bounded runs only."""
    if node.drifts == "none" or plan.exact or not is_bad(node, number):
        return frozenset()
    return frozenset(s for s in range(plan.segments) if s not in false and plan.roll(2, "drift", proof, s))


def heavy(plan: Plan, node: NodePlan, number: int, proof: str) -> frozenset[int]:
    """Segments that no honest verifier gets through in time."""
    if node.heavy == "none" or not is_bad(node, number):
        return frozenset()
    one = plan.roll(plan.segments, "heavy", proof)
    every = range(plan.segments)
    return frozenset(s for s in every if node.heavy == "all" or s == one or (node.heavy == "some" and plan.roll(2, s)))


def _is_beyond(plan: Plan, work: Work, segment: int, verifier: str) -> bool:
    """Whether a segment is beyond that verifier's limit."""
    if segment not in work.drifts:
        return False
    how = next(node.drifts for node in plan.nodes if node.name == work.node)
    return how == "all" or plan.roll(2, "limit", work.proof, segment, verifier) == 0


def replayed(plan: Plan, work: Work, segment: int, verifier: str) -> SegmentWord:
    """What that verifier finds when it replays a segment."""
    if _is_beyond(plan, work, segment, verifier):
        return SegmentWord(segment, Word.DRIFT, None, 2, 1)
    if segment not in work.false:
        return SegmentWord(segment, Word.TRUE)
    return SegmentWord(segment, Word.FALSE, _REASONS[plan.roll(6, "reason", work.proof, segment)], 5, 1)


def trace_of(proof: str) -> str:
    """The trace of the common segment that a replay gives."""
    return f"trace-{proof}"
