"""The real service on loopback, real nodes in threads, and a real verifier whose tasks run where it sends them.

Two runs stand side by side. In the `crowd` run everybody is in the first round and there is time. In the `hasty` run
openings are due soon, so that a withheld one is seen, and a second round opens for what needs a round before it.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import uvicorn
from celery.result import AsyncResult

from api.app import create_app
from api.settings import ServerSettings
from commonweight.launch import RunRules, launch_run
from contracts.devnet_http import DevnetServer
from contracts.errors import CommonweightError
from ledger import journal, keeper
from ledger.blobs import BlobFolder
from ledger.service import Ledger
from ledger.store import Store
from tests.world import PARAMS, Place, key_of
from trainer.client import ApiClient
from trainer.node import Node, NodeSettings, Progress
from verifier import service, tasks
from verifier.draws import DrawChain
from verifier.queue import VerifierApp
from verifier.settings import VerifierSettings

TINY = {
    "layers": 1, "d_model": 16, "heads": 2, "context": 16, "steps": 8, "segment": 2, "batch": 4, "clip": "0.1",
}  # fmt: skip
HONEST = "honest"
RESTARTED = "honest, restarted once it had committed"
CANARY = "canary"
PATIENCE_SECONDS = 600.0
HASTE_SECONDS = 25
CALM_SECONDS, CROWD_CALM_SECONDS, STEP_SECONDS = 1.0, 5.0, 1.0


class InlineApp(VerifierApp):
    """The verifier's queue and its worker in one: a task is done when it is sent."""

    @classmethod
    def of(cls, settings: VerifierSettings) -> InlineApp:
        """On a store in memory."""
        app = cls("inline", broker=settings.broker_url, backend=settings.result_backend)
        app.settings = settings
        return app

    def send_task(self, name: str, args: Sequence[Any], task_id: str | None = None, **_: Any) -> AsyncResult[Any]:
        """Run the registered task and store its result."""
        done = tasks.app.tasks[name].apply(args=tuple(args), task_id=task_id)
        self.backend.store_result(done.id, done.result, done.state, traceback=done.traceback)
        return AsyncResult(done.id, app=self)


class Stay:
    """A node's report: after so many events it leaves, so that it asks nothing more."""

    def __init__(self, times: int, event: str = "decided") -> None:
        self._left, self._event, self.over = times, event, threading.Event()

    def __call__(self, progress: Progress) -> None:
        """Count the event."""
        self._left -= progress.event == self._event
        if self._left <= 0:
            self.over.set()


@dataclass
class Actor:
    """One node and what became of it; `refusal` is the code of the error that ended it."""

    name: str
    run: str
    node: Node
    payout: str
    stay: Stay
    refusal: str | None = None
    line: dict[str, Any] = field(default_factory=dict)

    @property
    def settled(self) -> bool:
        """Refused, or its newest proof decided."""
        return self.refusal is not None or self.line.get("state") in ("posted", "voided")


class Stage:
    """Service, verifier and cast."""

    def __init__(self, folder: Path, api_url: str, rpc_url: str, ledger: Ledger) -> None:
        self.folder, self.api_url, self.rpc_url, self.ledger = folder, api_url, rpc_url, ledger
        self.text = folder / "text.txt"
        self.text.write_text("".join(f"line {i}: the quick brown fox, {i * i} times\n" for i in range(500)))
        self.actors: dict[str, Actor] = {}
        self.said: list[service.Progress] = []
        self.stop = threading.Event()
        self._reader = ApiClient(api_url)
        self._threads: list[threading.Thread] = []

    def create_run(self, nonce: int, rounds: int, least: int, phase_seconds: int) -> str:
        """A run of which every segment is sampled."""
        rules = RunRules(1000, 1000, least, TINY["steps"] // TINY["segment"], 0, 300, phase_seconds, nonce)
        key = key_of("creator").key.hex()
        return launch_run(self.api_url, key, {**TINY, "rounds": rounds}, rules, (self.text,))

    def enrol(
        self,
        name: str,
        run: str,
        cheat: str | None,
        from_round: int = 1,
        rounds: int = 1,
        calm: float = CALM_SECONDS,
        canary_ppm: int = 0,
    ) -> None:
        """A node of that name, not yet at work."""
        key, payout = key_of(f"actor {name}"), key_of(f"wallet of {name}").address
        folder = self.folder / name
        settings = NodeSettings(
            self.api_url, run, key.key.hex(), payout, folder, (self.text,), from_round, cheat, calm, canary_ppm
        )
        stay = Stay(rounds)
        actor = Actor(name, run, Node(settings, stay), payout, stay)
        actor.node.enrol()
        self.actors[name] = actor

    def verify(self, run: str, monkeypatch: pytest.MonkeyPatch) -> None:
        """Start a verifier of the run. It is the only one that anchors; the threshold is 1."""
        key, folder = key_of("verifier 0").key.hex(), self.folder / f"verifier-{run[2:10]}"
        settings = VerifierSettings(
            self.api_url, self.rpc_url, run, key, folder, (self.text,), "memory://", "cache+memory://"
        )
        monkeypatch.setattr(service, "make_app", InlineApp.of)
        monkeypatch.setattr(service, "DrawChain", partial(DrawChain, length=8))
        monkeypatch.setattr(tasks, "settings", settings)
        verifier = service.VerifierService(settings, self.said.append)
        verifier.anchor()
        self._start(partial(self._step, verifier))

    def keep_time(self) -> None:
        """Start the keeper, at the pace of a crowded machine."""
        self._start(lambda: keeper.run(self.ledger, self.stop, STEP_SECONDS))

    def play(self, run: str) -> None:
        """Start all who enrolled in the run."""
        for actor in self.actors.values():
            if actor.run == run:
                self._start(lambda actor=actor: self._take_part(actor))

    def wait(self) -> None:
        """Until everybody's fate is known, or patience ends."""
        end = time.monotonic() + PATIENCE_SECONDS
        while time.monotonic() < end and not all(actor.settled for actor in self.actors.values()):
            time.sleep(2 * STEP_SECONDS)
            for run in {actor.run for actor in self.actors.values()}:
                self._look(run)

    def wait_for_round(self, run: str, number: int) -> None:
        """Until that round is open, or patience ends."""
        end = time.monotonic() + PATIENCE_SECONDS
        while time.monotonic() < end and self._reader.get(f"/runs/{run}")["round"] < number:
            time.sleep(0.3)

    def pledge(self, actor: Actor) -> Any:
        """The pledge that it opened, or None."""
        return self._reader.get(f"/proofs/{actor.line['proof']}")["pledge"]

    def credit(self, actor: Actor) -> int:
        """Verified work of its payout address."""
        with self.ledger.store.read() as session:
            return journal.balances(session, "work").get(actor.payout, 0)

    def told(self, actor: Actor) -> list[str]:
        """What the verifier said of its newest proof."""
        proof = actor.line.get("proof")
        return [f"{said.event}: {said.detail}" for said in self.said if said.proof and said.proof == proof]

    def close(self) -> None:
        """Send everybody home."""
        for event in (self.stop, *(actor.stay.over for actor in self.actors.values())):
            event.set()
        for thread in self._threads:
            thread.join(timeout=15)

    def _step(self, verifier: service.VerifierService) -> None:
        while not self.stop.wait(STEP_SECONDS):
            verifier.step()

    def _look(self, run: str) -> None:
        number = self._reader.get(f"/runs/{run}")["round"]
        lines = self._reader.get(f"/runs/{run}/rounds/{number}")["proofs"] if number else []
        by_node = {actor.node.client.address: actor for actor in self.actors.values() if actor.run == run}
        for line in lines:
            by_node[line["node"]].line = line

    def _take_part(self, actor: Actor) -> None:
        try:
            if actor.name == RESTARTED:
                committed = Stay(1, "committed")
                Node(actor.node.settings, committed).take_part(committed.over)
            actor.node.take_part(actor.stay.over)
        except CommonweightError as error:
            actor.refusal = error.code

    def _start(self, target: Any) -> None:
        thread = threading.Thread(target=target, daemon=True)
        self._threads.append(thread)
        thread.start()


@contextmanager
def served(folder: Path) -> Iterator[Stage]:
    """A chain and a server on loopback."""
    place = Place(replace(PARAMS, threshold=1))
    deployment = folder / "deployment.json"
    deployment.write_text(place.deployment.to_json())
    url, blobs = f"sqlite:///{folder / 'ledger.db'}", folder / "blobs"
    ledger = Ledger(Store(url), BlobFolder(blobs), place.model, place.operator)
    with ExitStack() as stack:
        chain = stack.enter_context(DevnetServer(place.chain, "127.0.0.1", 0, 0.5))
        settings = ServerSettings(chain.url, deployment, place.operator.key.hex(), url, blobs, keeper=False)
        server = uvicorn.Server(
            uvicorn.Config(create_app(settings, ledger), port=0, log_level="error", timeout_graceful_shutdown=3)
        )
        thread = threading.Thread(target=server.run, daemon=True)
        thread.start()
        stack.callback(_halt, server, thread)
        stage = Stage(folder, _address(server), chain.url, ledger)
        stage.keep_time()
        stack.callback(stage.close)
        yield stage


def perform(stage: Stage, cheats: Iterable[str], hasty: frozenset[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """All cheats against one honest node in each run, until everybody's fate is known."""
    crowd = [name for name in cheats if name not in hasty]
    honest = (HONEST, RESTARTED)
    late, now = stage.create_run(1, 2, 1, HASTE_SECONDS), stage.create_run(2, 1, len(crowd) + len(honest) + 1, 600)
    for name in sorted(hasty):
        stage.enrol(name, late, name, from_round=2)
    stage.enrol(f"{HONEST} in haste", late, None, rounds=2)
    stage.verify(late, monkeypatch)
    stage.play(late)
    stage.wait_for_round(late, 2)
    for name in (*crowd, *honest):
        stage.enrol(name, now, None if name in honest else name, calm=CROWD_CALM_SECONDS)
    stage.enrol(CANARY, now, None, calm=CROWD_CALM_SECONDS, canary_ppm=1_000_000)
    stage.verify(now, monkeypatch)
    stage.play(now)
    stage.wait()


def _address(server: uvicorn.Server) -> str:
    end = time.monotonic() + 20
    while not server.started and time.monotonic() < end:
        time.sleep(0.05)
    host, port = server.servers[0].sockets[0].getsockname()[:2]
    return f"http://{host}:{port}"


def _halt(server: uvicorn.Server, thread: threading.Thread) -> None:
    server.should_exit = True
    thread.join(timeout=10)
