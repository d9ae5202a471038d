"""What a node tells of itself: each thing once, when the covered log shows it, also over restarts.

Where it stands is told whenever that changes, so that nobody has to guess why nothing happens.
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

_ENDS = {Stage.POSTED: "posted", Stage.OUT: "out", Stage.UNDECIDED: "undecided"}
REMEMBERED = 4096
MIRROR_SECONDS = 60.0
"""For which a mirror's refusal is not told."""


class Story:
    """Reports of one node. `path` is where it remembers what it told; without it, or spoilt, it tells all again."""

    def __init__(self, node: Address, report: Report, path: Path, clock: Callable[[], float] = time.monotonic) -> None:
        self._node = node
        self._report = report
        self._path = path
        self._clock = clock
        self._heard: dict[tuple[str, str, str], float] = {}
        self._told = _read(path)
        self._status: NodeStatus | None = None

    def stands(self, status: NodeStatus) -> None:
        """Where it is now."""
        if status != self._status:
            self._status = status
            self._report(NodeProgress("status", status.round, detail=str(status)))

    def tell(self, state: State, run: RunState) -> None:
        """What is new at the end of the covered log."""
        told = len(self._told)
        self._tell(state, run)
        if len(self._told) != told:
            replace_file(self._path, json.dumps([list(key) for key in self._told]).encode())

    def _tell(self, state: State, run: RunState) -> None:
        member = run.nodes.get(self._node)
        if member is not None:
            event = "left" if member.left else "enrolled"
            first = max(member.enrolled.first_round, run.round + 1)
            first = run.round if run.round in run.rounds and self._node in run.rounds[run.round].listed else first
            self._once(f"{event} {member.sequence}", "", NodeProgress(event, first))
        for proof in list(state.proofs.values()):
            if proof.commitment.node == self._node and proof.commitment.run == run.created.run:
                self._of_proof(state, proof)
        current = run.rounds.get(run.round)
        closed = current is not None and current.phase is not Phase.OPEN
        if current is not None and closed and self._node in current.listed and self._node not in current.proofs:
            self._once("missed", str(current.number), NodeProgress("missed", current.number, detail="the round closed"))

    def refused(self, refusal: ParcelRefusal, server: str) -> None:
        """A refusal with its code; of the mirrors only what the server did not say, and what they say for long: one
        whose copy is a moment behind takes it the next time, and nobody has anything to do."""
        now = self._clock()
        since = self._heard.setdefault((refusal.target, refusal.code, refusal.parcel), now)
        if len(self._heard) > REMEMBERED:
            del self._heard[next(iter(self._heard))]
        if refusal.target != server and now - since < MIRROR_SECONDS:
            return
        detail = f"{refusal.code}: {refusal.detail}"
        who = "the server" if refusal.target == server else refusal.target
        self._once(f"refused {refusal.code}", refusal.parcel, NodeProgress("refused", 0, detail=f"{who} says {detail}"))

    def _of_proof(self, state: State, proof: ProofState) -> None:
        name = proof.commitment.proof
        number = proof.commitment.round
        steps = RunConfig.from_json(state.round_of(proof).config).steps
        self._once("committed", name, NodeProgress("committed", number, steps, detail=name))
        if proof.done:
            self._once("decided", name, NodeProgress("decided", number, detail=_end(proof)))

    def _once(self, what: str, about: str, progress: NodeProgress) -> None:
        if (what, about) in self._told:
            return
        self._told[what, about] = None
        if len(self._told) > REMEMBERED:
            del self._told[next(iter(self._told))]
        self._report(progress)


def _read(path: Path) -> dict[tuple[str, str], None]:
    try:
        return {(str(what), str(about)): None for what, about in json.loads(path.read_bytes())}
    except (OSError, ValueError, TypeError, RecursionError):
        return {}


def _end(proof: ProofState) -> str:
    if proof.stage in _ENDS:
        return _ENDS[proof.stage]
    reason, segment = proof.void or (Reason.UNDECIDED, None)
    fake = proof.pledge.fake if proof.pledge is not None else None
    return f"void: {Reason.CANARY if fake is not None and fake == segment else reason}"
