"""The node loop: enrol, train a round, commit, open what is asked for, and again."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from eth_utils import keccak

from contracts.messages import Heartbeat, NodeEnrolment, Opening, PledgeOpening
from contracts.run_config import RunConfig
from contracts.state_layout import inner_digest
from contracts.tensorfile import pack, unpack
from trainer import cheats
from trainer.canary import Canary
from trainer.client import ApiClient, ApiProblem, deadline, octets
from trainer.conduct import Disclosure, Job
from trainer.corpus import corpus_of
from trainer.inner_step import StepResult
from trainer.state import Tensors, inner_of, layout, start_tensors, theta_layout
from trainer.trajectory import OnStep, Trajectory

NEWS_SECONDS = 2.0
IN_MEMORY_BYTES = 2**30
TOO_SLOW = ("not-enrolled", "round-closed")
HEARTBEAT_SECONDS = 1.0


@dataclass(frozen=True)
class NodeSettings:
    """All settings of a node process. `cheat` names one of trainer.cheats, for tests and the demo; `canary_ppm` is the
    share of rounds, in parts per million, in which it keeps verifiers honest instead of being paid (trainer/canary.py).

    `calm_seconds` lie between two looks at a log that keeps growing: with n nodes, each entry wakes all n.
    """

    api_url: str
    run: str
    key: str = field(repr=False)
    payout: str
    folder: Path
    data: tuple[Path, ...] = ()
    from_round: int = 1
    cheat: str | None = None
    calm_seconds: float = 0.1
    canary_ppm: int = 0


@dataclass(frozen=True)
class Progress:
    """What a node says while it works."""

    event: str
    round: int
    step: int = 0
    loss: float | None = None
    detail: str = ""


Report = Callable[[Progress], None]


class Node:
    """One node of one run. Raises UnknownCheat, ApiProblem and ApiUnreachable."""

    def __init__(self, settings: NodeSettings, report: Report) -> None:
        self.settings, self._report = settings, report
        self._conduct = Canary(settings.canary_ppm) if settings.canary_ppm else cheats.conduct(settings.cheat)
        self.client = ApiClient(settings.api_url, settings.key)
        self._corpus = corpus_of(settings.data)
        self._step = 0
        self._owned_up: set[str] = set()
        settings.folder.mkdir(parents=True, exist_ok=True)

    def enrol(self) -> None:
        """Take part from `from_round` on; enrolling again renews a lapsed place."""
        s = self.settings
        message = NodeEnrolment(octets(s.run), self.client.address, s.payout, time.time_ns(), deadline())
        self.client.send(f"/runs/{s.run}/nodes", message, from_round=s.from_round)
        self._report(Progress("enrolled", s.from_round))

    def take_part(self, stop: threading.Event) -> None:
        """Train every round that lists this node, until told to stop.

        A node that was restarted after it had committed repeats its work, bit for bit, and opens what is asked for.
        """
        done, seen = 0, -1
        while not stop.is_set():
            seen = self._await_news(seen, stop)
            current = self._current()
            if current is None or current["round"] <= done:
                continue
            place, standing = self._place(current), self._standing(current)
            if standing is not None:
                self._own_up_again(current, str(standing["proof"]))
            if place is None or place["lapsed"] or not _is_due(current, standing):
                continue
            self._train(current, place, standing, stop)
            done = int(current["round"])

    def _train(
        self, current: dict[str, Any], place: dict[str, Any], standing: dict[str, Any] | None, stop: threading.Event
    ) -> None:
        config = RunConfig.from_json(current["config"])
        self._corpus.require(config.corpus_digest)
        job = Job(self.client, current, config, self._corpus, self._start(config, current, place))
        with self._heartbeats(job.number):
            self._report(Progress("training", job.number))
            folder = self._boundary_folder(job.config)
            trajectory = self._conduct.run_inner(job, self._on_step(job.number), folder)
            proof = self._commit(job, trajectory) if standing is None else str(standing["proof"])
        self._remember(trajectory)
        self._serve_openings(job, proof, trajectory, stop)

    def _boundary_folder(self, config: RunConfig) -> Path | None:
        """Where a round's boundary states are kept; None, memory, while they are small."""
        state = sum(4 * math.prod(shape) for _, shape in layout(config).values())
        small = state * (config.segments + 1) <= IN_MEMORY_BYTES
        return None if small else self.settings.folder / "boundaries"

    def _on_step(self, number: int) -> OnStep:
        def note(step: int, result: StepResult) -> None:
            self._step = step + 1
            self._report(Progress("step", number, step + 1, result.loss))

        return note

    def _commit(self, job: Job, trajectory: Trajectory) -> str:
        proof = ""
        for made in self._conduct.commitments(job, trajectory):
            blob = self.client.put_blob(job.run, made.gradient)
            answer = self.client.send(
                "/proofs", made.message, domain=made.domain, gradient_blob=blob,
                first_path=_hexed(made.first_path), last_path=_hexed(made.last_path),
            )  # fmt: skip
            proof = str(answer["proof"])
            self._report(Progress("committed", job.number, job.config.steps, detail=proof))
        return proof

    def _serve_openings(self, job: Job, proof: str, trajectory: Trajectory, stop: threading.Event) -> None:
        status: dict[str, Any] = {"state": "pending", "reason": None}
        seen = -1
        while status["state"] == "pending" and not stop.is_set():
            seen = self._await_news(seen, stop)
            status = self.client.get(f"/proofs/{proof}/status")
            for disclosure in self._conduct.openings(job, trajectory, status["wanted"]):
                self._open(job, proof, disclosure)
            self._own_up(job, proof, status)
        if status["state"] == "pending":
            return
        why = "" if status["reason"] is None else f": {status['reason']}"
        self._report(Progress("decided", job.number, detail=f"{status['state']}{why}"))

    def _open(self, job: Job, proof: str, shown: Disclosure) -> None:
        blob = self.client.put_blob(job.run, shown.packed)
        message = Opening(octets(proof), shown.boundary, keccak(shown.entry), bytes.fromhex(blob), deadline())
        self.client.send("/openings", message, path=_hexed(shown.path))

    def _own_up_again(self, current: dict[str, Any], proof: str) -> None:
        """What a restart must not make it forget: a pledge needs the key alone, and a silent canary loses its stake."""
        if proof not in self._owned_up:
            job = Job(self.client, current, RunConfig.from_json(current["config"]), self._corpus, {})
            self._own_up(job, proof, self.client.get(f"/proofs/{proof}/status"))

    def _own_up(self, job: Job, proof: str, status: dict[str, Any]) -> None:
        """Open the pledge where it is asked for, and that of a canary in any case once the proof is decided."""
        pledge, decided = self._conduct.pledge(job), status["state"] != "pending"
        if decided:
            self._owned_up.add(proof)
        if not status["pledge_wanted"] and not (decided and pledge.canary):
            return
        self.client.send("/pledges", PledgeOpening(octets(proof), pledge.salt, pledge.fake, deadline()))
        if pledge.canary:
            self._report(Progress("canary", job.number, detail=f"segment {pledge.fake} was bad on purpose"))

    def _await_news(self, seen: int, stop: threading.Event) -> int:
        stop.wait(self.settings.calm_seconds)
        return self.client.news(seen, NEWS_SECONDS)

    def _current(self) -> dict[str, Any] | None:
        run = self.client.get(f"/runs/{self.settings.run}")
        if run["round"] == 0:
            return None
        return dict(self.client.get(f"/runs/{self.settings.run}/rounds/{run['round']}"))

    def _place(self, current: dict[str, Any]) -> dict[str, Any] | None:
        return next((n for n in current["nodes"] if n["node"] == self.client.address), None)

    def _standing(self, current: dict[str, Any]) -> dict[str, Any] | None:
        """The proof that this node has in the round already, from before a restart."""
        return next((p for p in current["proofs"] if p["node"] == self.client.address), None)

    def _start(self, config: RunConfig, current: dict[str, Any], place: dict[str, Any]) -> Tensors:
        theta = unpack(self.client.blob(current["theta"]["blob"]), theta_layout(config))
        if place["inner"]["proof"] is None:
            return start_tensors(theta, None)
        kept = unpack(self._inner_path(place["inner"]["digest"]).read_bytes(), layout(config))
        return start_tensors(theta, inner_of(kept))

    def _remember(self, trajectory: Trajectory) -> None:
        digest = "0x" + inner_digest(trajectory.end_state).hex()
        self._inner_path(digest).write_bytes(pack(trajectory.end_state))

    def _inner_path(self, digest: str) -> Path:
        return self.settings.folder / f"inner-{digest[2:]}.safetensors"

    def _heartbeats(self, number: int) -> _Pulse:
        def beat() -> None:
            message = Heartbeat(octets(self.settings.run), number, self.client.address, self._step, deadline())
            self.client.send("/heartbeats", message)

        self._step = 0
        return _Pulse(beat)


class _Pulse:
    """Calls `beat` every second from a thread of its own, so that a long step does not cost the lease."""

    def __init__(self, beat: Callable[[], None]) -> None:
        self._beat, self._stop = beat, threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> None:
        self._thread.start()

    def __exit__(self, *_error: object) -> None:
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._stop.wait(HEARTBEAT_SECONDS):
            try:
                self._beat()
            except ApiProblem:
                return  # the lease is gone; committing will say so


def run_node(settings: NodeSettings, report: Report, stop: threading.Event) -> None:
    """Enrol and take part until `stop`; who was too slow for a round enrols again for the next.

    Raises ApiProblem, ApiUnreachable, WrongCorpus.
    """
    node = Node(settings, report)
    node.enrol()
    while not stop.is_set():
        try:
            node.take_part(stop)
        except ApiProblem as refusal:
            if refusal.code not in TOO_SLOW:
                raise
            report(Progress("missed", settings.from_round, detail=f"{refusal.code}: {refusal.detail}"))
            stop.wait(NEWS_SECONDS)
            node.enrol()


def _is_due(current: dict[str, Any], standing: dict[str, Any] | None) -> bool:
    """Whether the round still takes a proof of this node, or openings for the one that it has."""
    return bool(current["phase"] == "training" if standing is None else standing["state"] == "pending")


def _hexed(path: Sequence[bytes]) -> list[str]:
    return ["0x" + node.hex() for node in path]
