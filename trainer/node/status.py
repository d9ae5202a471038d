"""The status of a node in its run, by the covered log alone: after a restart, a kill or a sleep it goes on there.

    BEHIND ──► ABSENT ──► JOINING ──► WAITING ◄───────────────────────────┐
    the log is    no such     enrolment   │  ▲ the round began without it    │
    read up to    run yet     on its way  │  └── UNLISTED                    │
    where it                              ▼                                  │
    stood        LAPSED ◄── lease ──  TRAINING ──► COMMITTED ──► READ ──► DECIDED
                 return on   expired  commit       all commit,   opens    pledge opened,
                 its way ──► WAITING               then beacon   what     posted, void,
                 LEFT, OVER: nothing is due                      is drawn out, undecided

Nothing else is remembered: the loop of trainer/node/node.py does the duties of this status, with the files on the disk
(commitments, blobs, the states of a round), and a round that was done already is never begun anew.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from contracts.ids import Address
from contracts.protocol.judge.state import NodeState, Phase, ProofState, RoundState, RunState, Stage, State


class NodePhase(StrEnum):
    """Each has a sentence, in which {round} is the round's number."""

    BEHIND = "reads the log up to where it stood before"
    ABSENT = "the log has no such run: check --run, or wait until it is created"
    OVER = "the run is over"
    JOINING = "its enrolment is on the way to the log"
    LEFT = "has left the run"
    LAPSED = "its lease expired, since no heartbeat came in time; its return is on the way to the log"
    EARLY = "is enrolled from round {round} on"
    WAITING = "is enrolled, and waits for round {round} to open"
    UNLISTED = "is enrolled; round {round} began without it, and it takes part in the next one"
    TRAINING = "has round {round} to do: its commitment is awaited"
    COMMITTED = "has committed to round {round}, and waits for the others and the beacon"
    READ = "its proof of round {round} is being read by verifiers, and it opens what they draw"
    PLEDGE = "its proof of round {round} was read, and its pledge is due"
    DECIDED = "its proof of round {round} is decided, and it waits for the next round"


@dataclass(frozen=True)
class NodeStatus:
    """A state, and the number of the round that it is about."""

    status: NodePhase
    round: int = 0

    def __str__(self) -> str:
        return self.status.value.format(round=self.round)


_BY_STAGE = {
    Stage.COMMITTED: NodePhase.COMMITTED,
    Stage.READING: NodePhase.READ,
    Stage.SPOKEN: NodePhase.PLEDGE,
    Stage.VOID: NodePhase.PLEDGE,
}


def status_of(state: State, run: RunState | None, node: Address, current: bool) -> NodeStatus:
    """The status of a node in a run. `current`: whether the log is read up to where the node stood before."""
    if not current:
        return NodeStatus(NodePhase.BEHIND)
    if run is None:
        return NodeStatus(NodePhase.ABSENT)
    member = run.nodes.get(node)
    now = run.rounds.get(run.round)
    if now is not None and node in now.listed and now.phase is Phase.OPEN and node not in now.proofs:
        return _of_member(run, member) or NodeStatus(NodePhase.TRAINING, now.number)
    proof = _newest(state, run, node)
    if proof is not None and not proof.done:
        return NodeStatus(_BY_STAGE[proof.stage], proof.commitment.round)
    return _of_member(run, member) or _between(run, now, proof, member)


def _of_member(run: RunState, member: NodeState | None) -> NodeStatus | None:
    """The status that keeps a node out of any round; None without one."""
    if run.over:
        return NodeStatus(NodePhase.OVER)
    if member is None:
        return NodeStatus(NodePhase.JOINING)
    if member.left:
        return NodeStatus(NodePhase.LEFT)
    return NodeStatus(NodePhase.LAPSED) if member.away is not None else None


def _between(run: RunState, now: RoundState | None, proof: ProofState | None, member: NodeState | None) -> NodeStatus:
    """The status of a node that has no duty until a round opens."""
    following = run.round + 1
    if member is not None and member.enrolled.first_round > following:
        return NodeStatus(NodePhase.EARLY, member.enrolled.first_round)
    if proof is not None and proof.commitment.round == run.round:
        return NodeStatus(NodePhase.DECIDED, run.round)
    if now is not None and now.phase is Phase.OPEN:
        return NodeStatus(NodePhase.UNLISTED, run.round)
    return NodeStatus(NodePhase.WAITING, following)


def _newest(state: State, run: RunState, node: Address) -> ProofState | None:
    """The node's newest proof in the run, of those that the machine still holds."""
    proofs = (p for p in state.proofs.values() if p.commitment.node == node and p.commitment.run == run.created.run)
    return max(proofs, key=lambda proof: proof.commitment.round, default=None)
