"""Reports of a node about itself: each event once, when the covered log shows it, also over restarts.

The node's status is reported when it changes, so that nobody has to guess why nothing happens.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path

from contracts.files.whole_file import replace_file
from contracts.ids import Address
from contracts.protocol.judge.facts import Reason
from contracts.protocol.judge.state import Phase, ProofState, RunState, Stage, State
from contracts.protocol.run_config import RunConfig
from trainer.exchange.handing import ParcelRefusal
from trainer.node.settings import NodeProgress, Report
from trainer.node.status import NodeStatus

_ENDS = frozenset({Stage.POSTED, Stage.OUT, Stage.UNDECIDED})
REMEMBERED = 4096
MIRROR_SECONDS = 60.0
"""For which a mirror's refusal is not reported."""


class Story:
    """Reports of one node. The file at `path` lists the events that were told; without it, or spoilt, all are told
    again."""

    def __init__(self, node: Address, report: Report, path: Path, clock: Callable[[], float] = time.monotonic) -> None:
        self._node = node
        self._report = report
        self._path = path
        self._clock = clock
        self._heard: dict[tuple[str, str, str], float] = {}
        self._told = _read(path)
        self._status: NodeStatus | None = None

    def stands(self, status: NodeStatus) -> None:
        """Report a status, if it is new."""
        if status != self._status:
            self._status = status
            self._report(NodeProgress("status", status.round, detail=str(status)))

    def tell(self, state: State, run: RunState) -> None:
        """Report the new events at the end of the covered log."""
        count = len(self._told)
        self._tell(state, run)
        if len(self._told) != count:
            replace_file(self._path, json.dumps([list(key) for key in self._told]).encode())

    def _tell(self, state: State, run: RunState) -> None:
        member = run.nodes.get(self._node)
        if member is not None:
            event = "left" if member.left else "enrolled"
            number = max(member.enrolled.first_round, run.round + 1)
            number = run.round if run.round in run.rounds and self._node in run.rounds[run.round].listed else number
            self._once(f"{event} {member.sequence}", "", NodeProgress(event, number))
        for proof in list(state.proofs.values()):
            if proof.commitment.node == self._node and proof.commitment.run == run.created.run:
                self._of_proof(state, proof)
        current = run.rounds.get(run.round)
        closed = current is not None and current.phase is not Phase.OPEN
        if current is not None and closed and self._node in current.listed and self._node not in current.proofs:
            self._once("missed", str(current.number), NodeProgress("missed", current.number, detail="the round closed"))

    def refused(self, refusal: ParcelRefusal, server: str) -> None:
        """Report a refusal with its code; a mirror's only if it lasts: a mirror whose copy is a moment behind takes the
        parcel the next time, and nobody has anything to do."""
        now = self._clock()
        since = self._heard.setdefault((refusal.target, refusal.code, refusal.parcel), now)
        if len(self._heard) > REMEMBERED:
            del self._heard[next(iter(self._heard))]
        if refusal.target != server and now - since < MIRROR_SECONDS:
            return
        detail = f"{refusal.code}: {refusal.detail}"
        name = "the server" if refusal.target == server else refusal.target
        self._once(
            f"refused {refusal.code}", refusal.parcel, NodeProgress("refused", 0, detail=f"{name} says {detail}")
        )

    def _of_proof(self, state: State, proof: ProofState) -> None:
        name = proof.commitment.proof
        number = proof.commitment.round
        steps = RunConfig.from_json(state.round_of(proof).config).steps
        self._once("committed", name, NodeProgress("committed", number, steps, detail=name))
        if proof.done:
            self._once("decided", name, NodeProgress("decided", number, detail=_end(proof)))

    def _once(self, event: str, subject: str, progress: NodeProgress) -> None:
        if (event, subject) in self._told:
            return
        self._told[event, subject] = None
        if len(self._told) > REMEMBERED:
            del self._told[next(iter(self._told))]
        self._report(progress)


def _read(path: Path) -> dict[tuple[str, str], None]:
    try:
        return {(str(event), str(subject)): None for event, subject in json.loads(path.read_bytes())}
    except (OSError, ValueError, TypeError, RecursionError):
        return {}


def _end(proof: ProofState) -> str:
    if proof.stage in _ENDS:
        return str(proof.stage)
    reason, segment = proof.void or (Reason.UNDECIDED, None)
    fake = proof.pledge.fake if proof.pledge is not None else None
    return f"void: {Reason.CANARY if fake is not None and fake == segment else reason}"
