"""The order of a node's rounds: first those whose openings are asked for, then the open one, then those not decided."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from contracts.ids import from_hex, to_hex
from contracts.messages.for_log import Commitment
from contracts.protocol.judge.rules.duties import Commit, NodeDuty, Open
from contracts.protocol.judge.state import ProofState, RunState, Stage, State
from contracts.protocol.run_config import RunConfig
from trainer.conduct import NothingToCopy
from trainer.log_view.covered import CoveredLog
from trainer.node.boundaries import Key
from trainer.node.pen import Pen
from trainer.node.settings import NodeProgress, Report
from trainer.node.states import StateLost, States
from trainer.node.surroundings import Around
from trainer.node.work import Task, TaskResult, Workshop, key_of
from trainer.ranks.errors import RankLost


class Rounds:
    """One node's work, round by round. `works` are done, and not decided yet."""

    def __init__(
        self,
        log: CoveredLog,
        around: Around,
        shop: Workshop,
        states: States,
        pen: Pen,
        report: Report,
        warn: Callable[[str, str], None],
    ) -> None:
        self._log = log
        self._around = around
        self._shop = shop
        self._states = states
        self._pen = pen
        self._report = report
        self._warn = warn
        self.works: dict[Key, TaskResult] = {}
        self._made: TaskResult | None = None
        """Done work whose commitment is not on the disk yet: a full disk did not take it."""
        self._hopeless: set[Key] = set()
        self._working: Key = ("", 0)

    def collect(self, proofs: Sequence[ProofState]) -> None:
        """Take work that is done: its commitments are on the disk before they are sent. Raises DiskFull and OSError,
        then all of it is tried again at the next call."""
        try:
            work = self._made = self._made or self._shop.finished()
        except RankLost as error:
            self._report(NodeProgress("lost", self._working[1], detail=f"{error.detail}; the round is done again"))
            return
        except (StateLost, NothingToCopy) as error:
            self._report(NodeProgress("lost", self._working[1], detail=error.detail))
            self._hopeless.add(self._working)
            return
        if work is None:
            return
        proof = next((proof for proof in proofs if key_of(proof) == work.key), None)
        if proof is None:
            self._commit(work)
        elif proof.commitment.root != to_hex(work.trajectory.root):
            self._warn("other-work", f"round {work.job.number}, done again, gives another root than was committed to")
        self.works[work.key], self._made = work, None

    def go_on(self, state: State, run: RunState, proofs: Sequence[ProofState], duties: Sequence[NodeDuty]) -> None:
        """Begin the most urgent round of those whose work is missing."""
        keys = list(dict.fromkeys(_wanted(proofs, duties)))
        if self._shop.busy is not None and self._shop.busy not in keys:
            self._shop.abandon()
        live = {key_of(proof) for proof in proofs if not proof.done} | set(keys)
        self.works = {key: work for key, work in self.works.items() if key in live}
        missing = [key for key in keys if key not in self.works and key not in self._hopeless]
        if self._shop.busy is None and missing:
            self._forget(run, proofs, live)
            self._working = missing[0]
            self._shop.begin(self._task(state, run, missing[0][1], proofs))

    def _commit(self, work: TaskResult) -> None:
        run, number = work.key
        for index, commitment in enumerate(work.made):
            if not self._pen.keep_commitment(f"commitment-{run[2:18]}-{number}-{index}", commitment):
                self._warn("other-work", f"round {number}, done again, gives another commitment")

    def _task(self, state: State, run: RunState, number: int, proofs: Sequence[ProofState]) -> Task:
        current = run.rounds[number]
        roots = (from_hex(proof.commitment.root) for proof in proofs if proof.commitment.round == number)
        view = self._around.view(state, current)
        listed = current.listed[self._around.address]
        config = RunConfig.from_json(current.config).under(listed.profile)
        genesis = current.theta == run.created.theta
        inner = listed.inner
        theta = current.theta
        root = next(roots, None)
        return Task(view, config, theta, inner, genesis, lambda: list(self._log.gleaned.blobs.get(theta, ())), root)

    def _forget(self, run: RunState, proofs: Sequence[ProofState], live: set[Key]) -> None:
        """Remove old files of weights, moments and boundaries."""
        node = self._around.address
        rounds = list(run.rounds.values())
        messages = [record.message for record in self._pen.store]
        inner = {end for proof in proofs for end in (proof.commitment.inner, proof.commitment.inner_end)}
        inner |= {to_hex(message.innerEnd) for message in messages if isinstance(message, Commitment)}
        inner |= {run.nodes[node].inner} if node in run.nodes else set()
        inner |= {current.listed[node].inner for current in rounds if node in current.listed}
        self._states.forget_but(inner, {current.theta for current in rounds})
        self._shop.forget_but(live)


def _wanted(proofs: Sequence[ProofState], duties: Sequence[NodeDuty]) -> Iterator[Key]:
    open_proofs = [proof for proof in proofs if proof.stage in (Stage.READING, Stage.COMMITTED)]
    opening_ids = {duty.proof for duty in duties if isinstance(duty, Open)}
    yield from (key_of(proof) for proof in open_proofs if proof.commitment.proof in opening_ids)
    yield from ((duty.run, duty.round) for duty in duties if isinstance(duty, Commit))
    yield from (key_of(proof) for proof in open_proofs)
