"""The node loop: enrol, train a round, commit, open what is asked for, and again."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from eth_utils import keccak

from contracts.errors import CommonweightError
from contracts.messages import Heartbeat, NodeEnrolment, Opening, StepProof
from contracts.positional_tree import KECCAK_TREE
from contracts.run_config import RunConfig
from contracts.state_layout import inner_digest, theta_digest
from contracts.tensorfile import pack, unpack
from trainer import cheats
from trainer.batches import batch_source
from trainer.client import ApiClient, ApiProblem, deadline, octets
from trainer.corpus import Corpus, default_corpus, load_corpus
from trainer.inner_step import StepResult
from trainer.profile import configure_determinism
from trainer.state import Tensors, inner_of, layout, start_tensors, theta_layout
from trainer.trajectory import Trajectory

NEWS_SECONDS = 2.0
HEARTBEAT_SECONDS = 1.0


class WrongCorpus(CommonweightError):
    """The data on this machine is not the run's."""

    code = "wrong-corpus"


@dataclass(frozen=True)
class NodeSettings:
    """All settings of a node process. `cheat` names one of trainer.cheats, for tests and the demo."""

    api_url: str
    run: str
    key: str = field(repr=False)
    payout: str
    folder: Path
    data: tuple[Path, ...] = ()
    from_round: int = 1
    cheat: str | None = None


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
    """One node of one run."""

    def __init__(self, settings: NodeSettings, report: Report) -> None:
        self.settings, self._report = settings, report
        self.client = ApiClient(settings.api_url, settings.key)
        self._corpus = load_corpus(settings.data) if settings.data else default_corpus()
        self._step = 0
        settings.folder.mkdir(parents=True, exist_ok=True)

    def enrol(self) -> None:
        """Take part from `from_round` on; enrolling again renews a lapsed place."""
        s = self.settings
        message = NodeEnrolment(octets(s.run), self.client.address, s.payout, time.time_ns(), deadline())
        self.client.send(f"/runs/{s.run}/nodes", message, from_round=s.from_round)
        self._report(Progress("enrolled", s.from_round))

    def take_part(self, stop: threading.Event) -> None:
        """Train every round that lists this node, until told to stop."""
        done, seen = 0, -1
        while not stop.is_set():
            seen = self.client.news(seen, NEWS_SECONDS)
            current = self._current()
            if current is None or current["round"] <= done or current["phase"] != "training":
                continue
            place = self._place(current)
            if place is None or place["lapsed"]:
                continue
            self._train(current, place, stop)
            done = int(current["round"])

    def _train(self, current: dict[str, Any], place: dict[str, Any], stop: threading.Event) -> None:
        config = RunConfig.from_json(current["config"])
        _check_corpus(config, self._corpus)
        start = self._start(config, current, place)
        with self._heartbeats(int(current["round"])):
            trajectory = self._run_inner(config, current, start)
            proof = self._commit(config, current, start, trajectory)
        self._serve_openings(proof, trajectory, int(current["round"]), stop)
        self._remember(trajectory)

    def _run_inner(self, config: RunConfig, current: dict[str, Any], start: Tensors) -> Trajectory:
        number = int(current["round"])
        batches = batch_source(self._corpus.train, config, octets(current["data_seed"]), number, self.client.address)
        self._report(Progress("training", number))
        folder = self.settings.folder / "boundaries"
        return cheats.runner(self.settings.cheat)(config, start, batches, self._on_step(number), folder)

    def _on_step(self, number: int) -> Callable[[int, StepResult], None]:
        def note(step: int, result: StepResult) -> None:
            self._step = step + 1
            self._report(Progress("step", number, step + 1, result.loss))

        return note

    def _commit(self, config: RunConfig, current: dict[str, Any], start: Tensors, trajectory: Trajectory) -> bytes:
        entries = list(trajectory.boundary_entries)
        last = len(entries) - 1
        blob = self.client.put_blob(self.settings.run, pack(trajectory.pseudo_gradient))
        message = StepProof(
            run=octets(self.settings.run), round=int(current["round"]), node=self.client.address,
            startState=theta_digest(start), innerState=inner_digest(start), commitment=trajectory.root,
            boundaries=len(entries), endState=theta_digest(trajectory.end_state),
            innerEnd=inner_digest(trajectory.end_state), pseudoGradient=trajectory.pseudo_gradient_digest,
            dataSeed=octets(current["data_seed"]), config=config.digest(),
            profile=configure_determinism(config.profile).digest(), steps=config.steps,
            tokens=config.tokens_per_round, deadline=deadline(),
        )  # fmt: skip
        answer = self.client.send(
            "/proofs", message, gradient_blob=blob,
            first_path=_hexed(KECCAK_TREE.inclusion_proof(entries, 0)),
            last_path=_hexed(KECCAK_TREE.inclusion_proof(entries, last)),
        )  # fmt: skip
        self._report(Progress("committed", int(current["round"]), config.steps, detail=answer["proof"]))
        return octets(answer["proof"])

    def _serve_openings(self, proof: bytes, trajectory: Trajectory, number: int, stop: threading.Event) -> None:
        status: dict[str, Any] = {"state": "pending", "reason": None}
        seen = -1
        while status["state"] == "pending" and not stop.is_set():
            seen = self.client.news(seen, NEWS_SECONDS)
            status = self.client.get(f"/proofs/0x{proof.hex()}/status")
            for boundary in status["wanted"]:
                self._open(proof, trajectory, int(boundary))
        why = "" if status["reason"] is None else f": {status['reason']}"
        self._report(Progress("decided", number, detail=f"{status['state']}{why}"))

    def _open(self, proof: bytes, trajectory: Trajectory, boundary: int) -> None:
        opening = trajectory.opening(boundary)
        blob = self.client.put_blob(self.settings.run, opening.packed)
        digest = keccak(trajectory.boundary_entries[boundary])
        message = Opening(proof, boundary, digest, bytes.fromhex(blob), deadline())
        self.client.send("/openings", message, path=_hexed(opening.proof))

    def _current(self) -> dict[str, Any] | None:
        run = self.client.get(f"/runs/{self.settings.run}")
        if run["round"] == 0:
            return None
        return dict(self.client.get(f"/runs/{self.settings.run}/rounds/{run['round']}"))

    def _place(self, current: dict[str, Any]) -> dict[str, Any] | None:
        return next((n for n in current["nodes"] if n["node"] == self.client.address), None)

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
    """Enrol and take part until `stop`. Raises ApiProblem, ApiUnreachable, WrongCorpus."""
    node = Node(settings, report)
    node.enrol()
    node.take_part(stop)


def _check_corpus(config: RunConfig, corpus: Corpus) -> None:
    if corpus.digest != config.corpus_digest:
        raise WrongCorpus(f"the run trains on {config.corpus_digest[:16]}…, this data is {corpus.digest[:16]}…")


def _hexed(path: list[bytes] | tuple[bytes, ...]) -> list[str]:
    return ["0x" + node.hex() for node in path]
