"""How often fakes are caught, against the share that is faked and the sample size, measured by running the network.

    python -m benchmarks.detection [--rounds N] [--processes N]      writes benchmarks/results/detection.json

Nothing is simulated but the passing of blocks: a chain, a ledger and its API on loopback, nodes that train a tiny model
and commit to it, and `VerifierService`s that draw from beacon and hash chain, replay and vote, all in one process. In
each round every faking node leaves out the steps of c of the M segments, chosen anew for each proof, moves the step
count on and commits to what came of it. A proof is one trial: its draw comes from keccak(beacon, link, proof id), so
proofs of one round are independent. Counted are those that were voided. They must agree, within the 99.9 % binomial
interval, with (`AuditPlan.seen`)

    one verifier, s samples:   1 - C(M-c, s) / C(M, s)
    v verifiers:               1 - (M-c)/M * (C(M-1-c, s-1) / C(M-1, s-1))^v

The second is ours: one segment is common to all verifiers of a proof, the other s - 1 each draws by itself among the
rest, and one rejection makes all replay what is in dispute. For v = 1 both are the same. Besides, with no allowance:
a proof is voided if and only if somebody drew one of its fakes, and no honest proof is voided.

Keys of nodes and hash chains are fresh in each run of this program: no seed repeats it draw by draw.
"""

from __future__ import annotations

import argparse
import json
import secrets
import shutil
import socket
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
import uvicorn
from celery.result import AsyncResult
from eth_account import Account

from api.app import create_app
from api.settings import ServerSettings
from benchmarks.economics import Z_999
from benchmarks.record import progress, write_result
from commonweight.launch import RunRules, launch_run
from contracts.chain import connect_devnet, send
from contracts.deploy import GenesisParams, deploy_model
from contracts.devnet import Devnet
from contracts.devnet_http import DevnetServer
from contracts.draw import BEACON_DELAY
from contracts.errors import CommonweightError
from contracts.reasons import Reason
from contracts.run_config import RunConfig
from ledger import keeper
from ledger.blobs import BlobFolder
from ledger.chain import ModelChain
from ledger.service import Ledger
from ledger.store import Store
from trainer.batches import BatchSource
from trainer.cheats.commitments import Worked
from trainer.cheats.stepping import Step, honest_step, stepping
from trainer.client import ApiClient
from trainer.conduct import Conduct, Job
from trainer.inner_step import StepResult
from trainer.model import GPT
from trainer.node import Node, NodeSettings
from trainer.state import TrainState
from trainer.trajectory import Trajectory
from verifier import service, tasks
from verifier.audit_plan import AuditPlan
from verifier.audit_simulation import Detection
from verifier.draws import DrawChain
from verifier.queue import VerifierApp
from verifier.settings import VerifierSettings

DOCS = Path(__file__).parent.parent / "docs"
MODEL = {"layers": 1, "d_model": 16, "heads": 2, "context": 16, "batch": 2, "segment": 2}
PATIENCE_SECONDS, MOST_TURNS, BLOCK_SECONDS = 3600, 60, 3600.0
CHOICE = secrets.SystemRandom()


class MeasurementBroken(CommonweightError):
    """The network did something that is neither a detection nor a miss."""

    code = "measurement-broken"


@dataclass(frozen=True)
class Setting:
    """A run: M segments, s samples of each verifier, and how many nodes fake which number of segments."""

    segments: int
    samples: int
    verifiers: int
    nodes: dict[int, int]

    def exact(self, faked: int) -> float:
        """Probability that one of all verifiers draws one of `faked` segments."""
        plan = AuditPlan(
            Fraction(1), Fraction(0), self.segments, 1, self.samples, verifiers=self.verifiers, quorum=self.verifiers
        )
        return float(plan.seen(faked))

    def __str__(self) -> str:
        return f"M = {self.segments}, s = {self.samples}, {self.verifiers} verifier(s)"


NODES = {0: 1, 1: 4, 3: 4, 5: 4}
SETTINGS = (Setting(10, 2, 3, NODES), Setting(10, 2, 1, NODES), Setting(10, 1, 1, NODES))  # the longest first


@dataclass(frozen=True)
class Trial:
    """One decided proof: how many segments were faked, whether it was voided, whether a verifier drew a fake."""

    faked: int
    voided: bool
    drawn: bool


class InlineApp(VerifierApp):
    """A verifier's queue and its worker in one: the registered task has run when it is sent."""

    @classmethod
    def of(cls, settings: VerifierSettings) -> InlineApp:
        """On a store in memory."""
        app = cls("inline", broker=settings.broker_url, backend=settings.result_backend)
        app.settings = settings
        return app

    def send_task(self, name: str, args: Sequence[Any], task_id: str | None = None, **_: Any) -> AsyncResult:
        """Be this verifier's worker for one task."""
        tasks.settings = self.settings
        done = tasks.app.tasks[name].apply(args=tuple(args), task_id=task_id)
        self.backend.store_result(done.id, done.result, done.state, traceback=done.traceback)
        return AsyncResult(done.id, app=self)


class Faker(Node):
    """A node, driven turn by turn, that leaves out the steps of `faked` segments; with 0 it is honest."""

    def __init__(self, settings: NodeSettings, faked: int) -> None:
        super().__init__(settings, lambda _progress: None)
        self.faked, self.proof, self._fakes = faked, "", frozenset[int]()
        self._work: tuple[Job, Trajectory] | None = None

    def commit(self, current: dict[str, Any]) -> None:
        """Do a round's work, or what passes for it, and commit to it."""
        config, place = RunConfig.from_json(current["config"]), self._place(current)
        if place is None:
            raise MeasurementBroken(f"{self.client.address} is not on the round's list")
        self._fakes = frozenset(CHOICE.sample(range(config.segments), self.faked))
        self._conduct = Worked(stepping(leaving_out(self._fakes))) if self._fakes else Conduct()
        job = Job(self.client, current, config, self._corpus, self._start(config, current, place))
        made = self._conduct.run_inner(job, lambda _step, _result: None, None)
        self._work, self.proof = (job, made), self._commit(job, made)
        self._remember(made)

    def answer(self) -> None:
        """Open what is asked for, and the pledge."""
        if self._work is None:
            raise MeasurementBroken("nothing was committed")
        job, made = self._work
        status = self.client.get(f"/proofs/{self.proof}/status")
        for shown in self._conduct.openings(job, made, status["wanted"]):
            self._open(job, self.proof, shown)
        self._own_up(job, self.proof, status)

    def outcome(self) -> Trial:
        """What became of the newest proof. Raises MeasurementBroken where it is no trial."""
        view = self.client.get(f"/proofs/{self.proof}")
        state, reason = view["state"], view["reason"]
        if (state, reason) not in (("posted", None), ("voided", Reason.REPLAY_MISMATCH.slug)):
            raise MeasurementBroken(f"a proof with {self.faked} faked segments is {state}: {reason}")
        drawn = {segment for draw in view["challenges"] for segment in draw["segments"]}
        return Trial(self.faked, state == "voided", not self._fakes.isdisjoint(drawn))


def leaving_out(fakes: frozenset[int]) -> Step:
    """The honest step, but nothing is computed in these segments: only the step count moves on."""

    def step(config: RunConfig, model: GPT, state: TrainState, batches: BatchSource, number: int) -> StepResult:
        if number // config.segment not in fakes:
            return honest_step(config, model, state, batches, number)
        state.step += 1
        return StepResult(float(np.log(config.vocab)), 1.0)

    return step


class Network:
    """A run of one setting on a chain, ledger and server of its own; `play` gives one round's trials."""

    def __init__(self, setting: Setting, rounds: int, folder: Path) -> None:
        self._setting, self._rounds, self._folder = setting, rounds, folder
        self._text = (folder / "text",)  # a copy: an edit of the docs must not change what a verifier's worker reads
        shutil.copytree(DOCS, folder / "text", ignore=lambda _, names: {n for n in names if not n.endswith(".md")})
        self._creator, self._operator, *self._voters = (Account.create() for _ in range(2 + setting.verifiers))

    @contextmanager
    def up(self) -> Iterator[Network]:
        """Everything stands, and the first round is open."""
        self._chain = Devnet([account.address for account in (self._creator, self._operator, *self._voters)])
        self._ledger = self._deploy()
        with DevnetServer(self._chain, "127.0.0.1", 0, BLOCK_SECONDS) as rpc, _served(self._server(rpc.url)) as url:
            self._enter(url, rpc.url)
            yield self
        self._ledger.store.engine.dispose()

    def play(self) -> list[Trial]:
        """One round, from training to closed."""
        current = self._opened()
        place = f"/runs/{self._run}/rounds/{current['round']}"
        for node in self._nodes:
            node.commit(current)
        for _ in range(MOST_TURNS):
            self._pass_time()
            view = self._client.get(place)
            if view["phase"] == "closed":
                return [node.outcome() for node in self._nodes]
            self._turn(view["round"], {line["proof"] for line in view["proofs"] if line["state"] == "pending"})
        raise MeasurementBroken(f"round {current['round']} is not over after {MOST_TURNS} turns")

    def _opened(self) -> dict[str, Any]:
        """The round that takes proofs, as soon as there is one."""
        for _ in range(MOST_TURNS):
            run = self._client.get(f"/runs/{self._run}")
            if run["phase"] == "training":
                return dict(self._client.get(f"/runs/{self._run}/rounds/{run['round']}"))
            self._pass_time()
        raise MeasurementBroken(f"no round has opened after {MOST_TURNS} turns")

    def _pass_time(self) -> None:
        """Blocks come, and the keeper does what is due."""
        self._chain.mine(BEACON_DELAY)
        keeper.step(self._ledger)

    def _turn(self, number: int, pending: set[str]) -> None:
        """Verifiers draw or vote, nodes answer, verifiers replay."""
        self._verify(number)
        for node in self._nodes:
            if node.proof in pending:
                node.answer()
        self._verify(number)

    def _verify(self, number: int) -> None:
        for verifier in self._verifiers:
            verifier.step(number)  # stands for the log's size: faults and epochs are looked for once a round

    def check_verifiers(self) -> None:
        """They reveal what is left to reveal; none of them may be at fault, as all are honest."""
        for verifier in self._verifiers:
            verifier.step()
        self._pass_time()
        faults = self._client.get(f"/runs/{self._run}/faults")
        if faults:
            raise MeasurementBroken(f"honest verifiers are at fault: {faults}")

    def _deploy(self) -> Ledger:
        w3, verifiers = connect_devnet(self._chain), [voter.address for voter in self._voters]
        params = GenesisParams(threshold=self._setting.verifiers // 2 + 1)
        model = ModelChain(w3, deploy_model(w3, self._creator, "detection", "D", verifiers, params))
        for voter in self._voters:
            send(w3, voter, model.registry.stake(), value=params.min_stake)
        store = Store(f"sqlite:///{self._folder / 'ledger.db'}")
        return Ledger(store, BlobFolder(self._folder / "blobs"), model, self._operator)

    def _server(self, rpc_url: str) -> uvicorn.Server:
        blobs, deployment = self._folder / "blobs", self._folder / "deployment.json"
        url, key = f"sqlite:///{self._folder / 'ledger.db'}", self._operator.key.hex()
        settings = ServerSettings(rpc_url, deployment, key, url, blobs, keeper=False)
        return uvicorn.Server(uvicorn.Config(create_app(settings, self._ledger), log_level="error"))

    def _enter(self, url: str, rpc_url: str) -> None:
        setting, nodes = self._setting, sum(self._setting.nodes.values())
        model = {**MODEL, "steps": setting.segments * MODEL["segment"], "rounds": self._rounds + 1}
        rules = RunRules(1000, self._rounds + 1, nodes, setting.samples, 0, PATIENCE_SECONDS, PATIENCE_SECONDS, 1)
        self._client = ApiClient(url)
        self._run = launch_run(url, self._creator.key.hex(), model, rules, self._text)
        self._nodes = [self._node(url, faked) for faked, count in setting.nodes.items() for _ in range(count)]
        self._verifiers = [self._verifier(url, rpc_url, voter.key.hex()) for voter in self._voters]

    def _node(self, url: str, faked: int) -> Faker:
        account = Account.create()
        folder = self._folder / account.address
        settings = NodeSettings(url, self._run, account.key.hex(), account.address, folder, self._text)
        node = Faker(settings, faked)
        node.enrol()
        return node

    def _verifier(self, url: str, rpc_url: str, key: str) -> service.VerifierService:
        folder = self._folder / f"verifier-{secrets.token_hex(4)}"
        settings = VerifierSettings(url, rpc_url, self._run, key, folder, self._text, "memory://", "cache+memory://")
        chain = partial(DrawChain, length=self._rounds + 1)  # 10,000 hashes a round would cost more than all replays
        with patch.object(service, "make_app", InlineApp.of), patch.object(service, "DrawChain", chain):
            verifier = service.VerifierService(settings, _without_trouble)
        verifier.anchor()
        return verifier


@contextmanager
def _served(server: uvicorn.Server) -> Iterator[str]:
    """Serve in a thread on a free port of loopback; the URL."""
    # named as TCP: asyncio sends at once only there, else each answer waits 40 ms for an acknowledgement
    listening = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listening.bind(("127.0.0.1", 0))
    listening.listen()
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join(timeout=10)


def _without_trouble(said: service.Progress) -> None:
    if said.event in ("trouble", "disagrees") or said.detail.startswith("undecided"):
        raise MeasurementBroken(f"a verifier says: {said.event} {said.detail}")


def trials_of(setting: Setting, rounds: int) -> list[Trial]:
    """All decided proofs of that many rounds."""
    trials: list[Trial] = []
    with tempfile.TemporaryDirectory() as folder, Network(setting, rounds, Path(folder)).up() as network:
        for number in range(1, rounds + 1):
            trials += network.play()
            if number % 5 == 0:
                progress(f"{setting}: {number} of {rounds} rounds, {sum(t.voided for t in trials)} proofs voided")
        network.check_verifiers()
    return trials


def points(setting: Setting, trials: Sequence[Trial]) -> list[dict[str, Any]]:
    """One line for each number of faked segments, 0 left out."""
    found = []
    for faked in sorted(setting.nodes.keys() - {0}):
        proofs = [trial for trial in trials if trial.faked == faked]
        measured = Detection(faked, len(proofs), sum(trial.voided for trial in proofs), setting.exact(faked))
        found.append({
            "segments": setting.segments, "samples": setting.samples, "verifiers": setting.verifiers,
            "faked share": faked / setting.segments, "proofs": measured.audits, "voided": measured.hits,
            "measured": round(measured.hits / measured.audits, 4), "exact": round(measured.exact, 4),
            "interval 99.9 %": [round(bound, 4) for bound in measured.interval(Z_999)],
            "agrees": measured.agrees(Z_999),
        })  # fmt: skip
    return found


def summary(figure: Sequence[dict[str, Any]], trials: Sequence[Trial]) -> dict[str, Any]:
    """The numbers that decide, and `passed`."""
    honest = [trial for trial in trials if not trial.faked]
    agree, against = sum(line["agrees"] for line in figure), sum(t.voided != t.drawn for t in trials)
    wronged = sum(trial.voided for trial in honest)
    return {
        "points": len(figure), "points that agree": agree, "proofs": len(trials), "honest proofs": len(honest),
        "honest proofs voided": wronged, "proofs decided against their draw": against,
        "passed": agree == len(figure) and not wronged and not against,
    }  # fmt: skip


def main() -> None:
    """Play every setting, and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=40, help="rounds of each setting; each gives a point four trials")
    parser.add_argument("--processes", type=int, default=2, help="settings that are played at once")
    asked, begun = parser.parse_args(), time.perf_counter()
    with ProcessPoolExecutor(asked.processes, get_context("spawn")) as pool:
        played = list(pool.map(partial(trials_of, rounds=asked.rounds), SETTINGS))
    figure = [line for setting, trials in zip(SETTINGS, played, strict=True) for line in points(setting, trials)]
    found = summary(figure, [trial for trials in played for trial in trials])
    write_result(
        "detection",
        {"rounds": asked.rounds, "seconds": round(time.perf_counter() - begun), "summary": found, "points": figure},
    )
    print(json.dumps(found, indent=1))
    sys.exit(0 if found["passed"] else 1)


if __name__ == "__main__":
    main()
