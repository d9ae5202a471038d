"""The whole service on loopback: a chain, a server, verifiers that mirror and judge, nodes that train. All of it real.

Every actor has its thread and its folder; what a verifier's workers would do is done where it is asked for.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import uvicorn
from celery.result import AsyncResult
from starlette.types import ASGIApp

from api.app import create_app
from api.settings import ServerSettings
from commonweight.model.terms import RunRules, RunText, open_run
from commonweight.terminal.options import database_address
from contracts.chain.deployment import Deployment
from contracts.devnet.http import DevnetServer
from contracts.genesis.params import GenesisParams
from contracts.ids import NO_RUN, Address, RunId, as_address
from ledger.chain import ModelChain
from ledger.clock import keeper
from ledger.context import Ledger
from ledger.opening import open_ledger
from ledger.storage.blobs import BlobFolder
from ledger.storage.store import Store
from tests.chains import twin
from tests.deployed import PARAMS, deployed, key_of, verifier_keys
from tests.lock_order import watched_locks
from trainer.client import ApiClient
from trainer.conduct import Conduct
from trainer.data.corpora import Corpora
from trainer.node.node import LightNode
from trainer.node.settings import NodeSettings
from verifier.jobs.queue import VerifierApp
from verifier.replay import tasks
from verifier.service import service
from verifier.service.service import VerifierProcess
from verifier.settings import VerifierSettings

TINY = {
    "layers": 1,
    "d_model": 16,
    "heads": 2,
    "context": 16,
    "steps": 8,
    "segment": 2,
    "batch": 4,
    "clip": "0.1",
}
LOOK_SECONDS = 0.3
GENESIS = replace(PARAMS, challenge_window=3)
_WORKING = threading.Lock()


class InlineApp(VerifierApp):
    """A verifier's queue and its worker in one: a task is done when it is sent."""

    corpora: Corpora

    @classmethod
    def of(cls, settings: VerifierSettings) -> InlineApp:
        """On a store in memory."""
        app = cls("inline", broker="memory://", backend="cache+memory://")
        app.settings, app.corpora = settings, Corpora(settings.text())
        return app

    def send_task(self, name: str, args: Sequence[Any], task_id: str | None = None, **_: Any) -> AsyncResult[Any]:
        """Run the registered task in this verifier's folder and store its result."""
        with _WORKING:
            tasks.settings, tasks.corpora = self.settings, self.corpora
            done = tasks.app.tasks[name].apply(args=tuple(args), task_id=task_id)
        self.backend.store_result(done.id, done.result, done.state, traceback=done.traceback)
        return AsyncResult(done.id, app=self)


class Stage:
    """Chain and server, and whoever was sent there. Use `staged`."""

    def __init__(self, folder: Path, api: str, rpc: str, ledger: Ledger, app: ASGIApp) -> None:
        self.folder, self.api, self.rpc, self.ledger, self.app = folder, api, rpc, ledger, app
        self.text = folder / "text.txt"
        self.text.write_text("".join(f"line {i}: the quick brown fox, {i * i} times\n" for i in range(500)))
        self.client = ApiClient(api)
        self.said: dict[str, list[Any]] = {}
        self.run = NO_RUN
        self._stops: dict[str, threading.Event] = {}
        self._threads: list[threading.Thread] = []

    @property
    def deployment(self) -> Deployment:
        """With the log's key."""
        return self.ledger.chain.deployment

    def open_run(self, rounds: int = 1, nodes: int = 1, architecture: str = "gpt", **rules: Any) -> RunId:
        """A run of the creator's; its periods are short."""
        quick = {
            "rounds_per_epoch": 1,
            "beacon_span": 8,
            "period_seconds": 240,
            "lease_seconds": 30,
            "min_nodes": nodes,
        }
        config = {**TINY, "rounds": rounds, "architecture": architecture}
        key = key_of("creator").key.hex()
        self.run = open_run(self.api, key, config, RunRules(10**21, **{**quick, **rules}), RunText((self.text,)))
        return self.run

    def verifier(self, number: int, api: str = "", **options: Any) -> VerifierProcess:
        """Verifier `number`, not yet at work, with another address of the server where one is given."""
        name = f"verifier {number}"
        settings = VerifierSettings(
            api_url=api or self.api,
            rpc_url=self.rpc,
            deployment=self.deployment,
            run=self.run,
            key=verifier_keys()[number].key.hex(),
            folder=self.folder / name,
            **{"data": (self.text,), "look_seconds": LOOK_SECONDS, "backoff_seconds": 0.1, **options},
        )
        return VerifierProcess(settings, self.said.setdefault(name, []).append)

    def node(self, name: str, api: str = "", conduct: Conduct | None = None, **options: Any) -> LightNode:
        """A node of that name, not yet at work, with another address of the server where one is given."""
        settings = NodeSettings(
            api_url=api or self.api,
            deployment=self.deployment,
            rpc_url=self.rpc,
            run=self.run,
            key=key_of(name).key.hex(),
            payout=wallet(name),
            folder=self.folder / name,
            **{"data": (self.text,), "look_seconds": LOOK_SECONDS, **options},
        )
        return LightNode(settings, self.said.setdefault(name, []).append, conduct=conduct)

    def start(self, name: str, work: Callable[[threading.Event], None]) -> None:
        """A thread that ends with `stop`."""
        stop = self._stops[name] = threading.Event()
        thread = threading.Thread(target=work, args=(stop,), name=name, daemon=True)
        self._threads.append(thread)
        thread.start()

    def stop(self, name: str) -> None:
        """One actor leaves at its next look."""
        self._stops[name].set()

    def wait(self, what: str, ready: Callable[[], Any], seconds: float = 120.0) -> Any:
        """Until something is there; fails with what everybody said last."""
        end = time.monotonic() + seconds
        while not (found := ready()):
            if time.monotonic() > end:
                last = "\n".join(f"{name}: {said[-3:]}" for name, said in self.said.items())
                raise AssertionError(f"gave up waiting for {what}; {self.shown()}\n{last}")
            time.sleep(0.2)
        return found

    def shown(self) -> str:
        """Where the run stands, for a failure."""
        with self.ledger.store.read() as session:
            from ledger.books import log

            size = log.size(session)
            kinds = [entry.body[:400] for entry in log.bodies(session, max(0, size - 12), 12)]
        return f"the log's last of {size} entries:\n" + "\n".join(kinds)

    def close(self) -> None:
        """Send everybody home."""
        for stop in self._stops.values():
            stop.set()
        for thread in self._threads:
            thread.join(timeout=20)


def wallet(name: str) -> Address:
    """Where a node is paid."""
    return as_address(str(key_of(f"wallet of {name}").address))


@contextmanager
def staged(folder: Path, params: GenesisParams = GENESIS) -> Iterator[Stage]:
    """Chain and server on loopback; its keeper runs."""
    before = service.make_app  # type: ignore[attr-defined]
    service.make_app = InlineApp.of  # type: ignore[attr-defined, assignment]
    chain, deployment = deployed(params, _devnet())
    operator = key_of("operator")
    file = folder / "deployment.json"
    file.write_text(deployment.to_json())
    url, blobs = database_address(folder, ""), folder / "blobs"
    with ExitStack() as stack:
        stack.enter_context(watched_locks())
        stack.callback(setattr, service, "make_app", before)
        served = stack.enter_context(DevnetServer(twin(chain), "127.0.0.1", 0, 0.5))
        settings = ServerSettings(
            rpc_url=served.url,
            deployment=file,
            operator_key=operator.key.hex(),
            database_url=url,
            blobs=blobs,
            keeper=False,
        )
        ledger = _ledger(settings, deployment)
        app = create_app(settings, ledger)
        server = uvicorn.Server(uvicorn.Config(app, port=0, log_level="error", timeout_graceful_shutdown=3))
        thread = threading.Thread(target=server.run, daemon=True)
        thread.start()
        stack.callback(halt, server, thread)
        stage = Stage(folder, address_of(server), served.url, ledger, app)
        stack.callback(stage.close)
        stage.start("keeper", lambda stop: keeper.run(ledger, stop, 0.2))
        yield stage


def _devnet() -> Any:
    from contracts.devnet.chain import Devnet

    return Devnet


def _ledger(settings: ServerSettings, deployment: Deployment) -> Ledger:
    from contracts.chain.connection import connect

    chain = ModelChain(connect(settings.rpc_url), deployment)
    store, blobs = Store(settings.database_url), BlobFolder(settings.blobs)
    return open_ledger(store, blobs, chain, key_of("operator"), enter_every=5)


def address_of(server: uvicorn.Server) -> str:
    """The url of a server that is about to listen."""
    end = time.monotonic() + 20
    while not server.started and time.monotonic() < end:
        time.sleep(0.05)
    host, port = server.servers[0].sockets[0].getsockname()[:2]
    return f"http://{host}:{port}"


def halt(server: uvicorn.Server, thread: threading.Thread) -> None:
    """End a server and its thread."""
    server.should_exit = True
    thread.join(timeout=10)
