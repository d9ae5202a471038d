"""Hostile nodes, verifiers and operators on a world, and what a test of a way that is still open says about them.

A test of an open way is marked `still_open`. It plays the attack, tells with `happened` that the attack took place, and
says with `must_be` what is right. Only the last may fail: whatever else goes wrong turns the test red, and so does the
end of the way.
"""

from __future__ import annotations

import itertools
import json
import re
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial
from types import SimpleNamespace
from typing import Any
from unittest.mock import patch

import pytest
from celery.result import AsyncResult
from eth_account.signers.local import LocalAccount
from eth_utils import keccak

import verifier.panel
from contracts.devnet import Devnet
from contracts.draw import draw_segments
from contracts.errors import CommonweightError
from contracts.messages import Message
from contracts.run_config import RunConfig
from tests.chains import twin
from tests.world import CHAIN_LENGTH, TINY, World, octets
from trainer import client as http
from trainer.trajectory import InnerRunner, run_inner
from verifier import service, tasks
from verifier.audit import LogAudit
from verifier.chain_authority import authority_of
from verifier.draws import DrawChain
from verifier.queue import VerifierApp
from verifier.settings import VerifierSettings

FOUR = RunConfig(**{**vars(TINY), "steps": 8})
"""Four segments of two steps."""
PHASE = 200
"""Seconds of a phase in a world's manifest."""
MANY_BEACONS = 400
STEADY = itertools.count()
"""Tens of seconds of a clock that nobody sets."""


# -- what a test says -------------------------------------------------------------------------------------------------


class StillOpen(AssertionError):
    """The attack has its gain."""


def still_open(reason: str) -> pytest.MarkDecorator:
    """Marks a way by its id and the rule that will close it: `F1: rule J3, J7`."""
    return pytest.mark.xfail(strict=True, raises=StillOpen, reason=reason)


def must_be(found: object, right: object) -> None:
    """What should be so when the way is closed. Raises StillOpen."""
    if found != right:
        raise StillOpen(f"{found!r} should be {right!r}")


def happened(condition: object, otherwise: object = "") -> None:
    """The attack was played as it is described. Raises RuntimeError, which no mark excuses."""
    if not condition:
        raise RuntimeError(f"the attack did not take place: {otherwise}")


def findings(world: World) -> list[str]:
    """What an audit of the whole log says against it, by the chain."""
    audit = LogAudit(authority_of(world.place.w3, world.place.deployment))
    try:
        for index, entry in enumerate(world.log()):
            audit.take(index, json.dumps(entry))
    except CommonweightError as error:
        return [error.detail]
    return []


def paid(world: World, account: str) -> int:
    """Units that all epochs together pay an account."""
    lines = [line for epoch in world.get("/epochs") for line in world.payouts(int(epoch["epoch"]))]
    return sum(int(line["amount"]) for line in lines if line["account"] == account)


def credited(world: World, account: str) -> int:
    """Verified work in the books of an account."""
    return int(world.get("/balances/work").get(account, 0))


def state_of(world: World, proof: str) -> tuple[str, str | None]:
    """State and reason of a proof."""
    view = world.get(f"/proofs/{proof}/status")
    return view["state"], view["reason"]


# -- nodes ------------------------------------------------------------------------------------------------------------


def false_in(*segments: int) -> InnerRunner:
    """A node that computes these segments on other data than it should."""

    def run(config: RunConfig, start: Any, batches: Any, on_step: Any = None, folder: Any = None) -> Any:
        def elsewhere(step: int) -> Any:
            return batches(step + config.steps if step // config.segment in segments else step)

        return run_inner(config, start, elsewhere, on_step, folder)

    return run


def open_only(world: World, proof: str, node: LocalAccount, runner: InnerRunner, wanted: Sequence[int]) -> None:
    """Open some boundaries of a proof that was computed by `runner`."""
    work = world.train(node, runner)
    for boundary in wanted:
        world.open_boundary(proof, work, boundary)


def serve(world: World, proof: str, node: LocalAccount, runner: InnerRunner = run_inner) -> None:
    """Open all that is wanted."""
    open_only(world, proof, node, runner, world.get(f"/proofs/{proof}/status")["wanted"])


@contextmanager
def clock_of(world: World) -> Iterator[None]:
    """Nodes and verifiers go by the world's clock; who looks twice need not wait for it."""
    clock = SimpleNamespace(
        time=world.clock, monotonic=lambda: 10.0 * next(STEADY), monotonic_ns=time.monotonic_ns, sleep=time.sleep
    )
    with patch.object(http, "time", clock), patch.object(verifier.panel, "time", clock):
        yield


# -- verifiers as they are --------------------------------------------------------------------------------------------


class Inline(VerifierApp):
    """A verifier's queue whose worker is at hand: a task is done when it is sent."""

    reader: Reader

    def send_task(self, name: str, args: Sequence[Any], task_id: str | None = None, **_: Any) -> AsyncResult[Any]:
        """Run the registered task for this verifier and store its result."""
        with patch.object(tasks, "settings", self.settings), patch.object(tasks, "client", lambda: self.reader.client):
            done = tasks.app.tasks[name].apply(args=tuple(args), task_id=task_id)
        self.backend.store_result(done.id, done.result, done.state, traceback=done.traceback)
        return AsyncResult(done.id, app=self)


class Reader:
    """The verifier's own service on a world; `between` stands between it and the server."""

    def __init__(self, world: World, key: LocalAccount, between: Callable[[Any], Any] = lambda client: client) -> None:
        self.world, self.key, self.said = world, key, list[service.Progress]()
        folder = world.folder / f"reader-{key.address[2:10]}-{world.run[2:8]}"
        folder.mkdir()
        (folder / f"draw-{world.run[2:18]}.secret").write_bytes(keccak(b"draws" + bytes(key.key)))
        text = (world.folder / "text.txt",)
        settings = VerifierSettings(
            "http://world", "http://chain", world.run, key.key.hex(), folder, text, "memory://", "cache+memory://", 1
        )
        with self._as_here(between):
            self.service = service.VerifierService(settings, self.said.append)
        self.client = self.service.client

    def step(self) -> None:
        """Do what is due."""
        with clock_of(self.world):
            self.service.step()

    def read(self) -> None:
        """Examine proofs and merge, and leave all else for later."""
        with patch.object(self.service, "_look", lambda: False):
            self.step()

    def told(self, event: str) -> list[str]:
        """Details of what it said under a word."""
        return [line.detail for line in self.said if line.event == event]

    @contextmanager
    def _as_here(self, between: Callable[[Any], Any]) -> Iterator[None]:
        def connected(_url: str, _key: str, cache: Any) -> Any:
            return between(self.world.api_client(self.key, cache))

        with ExitStack() as stack:
            for name, other in (
                ("ApiClient", connected), ("connect", lambda _url: self.world.place.w3), ("make_app", self._app),
                ("DrawChain", partial(DrawChain, length=CHAIN_LENGTH)),
            ):  # fmt: skip
                stack.enter_context(patch.object(service, name, other))
            yield

    def _app(self, settings: VerifierSettings) -> Inline:
        app = Inline("inline", broker=settings.broker_url, backend=settings.result_backend)
        app.settings, app.reader = settings, self
        return app


def readers(world: World) -> list[Reader]:
    """All verifiers of a world, in order of their addresses."""
    return [Reader(world, key) for key in world.verifiers]


def told(everybody: Sequence[Reader]) -> str:
    """All that they said, a line each, for who looks for the reason of a failure."""
    return "\n".join(f"{r.key.address[:6]} {line.event}: {line.detail}" for r in everybody for line in r.said)


def step_all(everybody: Sequence[Reader], times: int = 1) -> None:
    """Everybody does what is due."""
    for _ in range(times):
        for reader in everybody:
            reader.step()


def read_all(everybody: Sequence[Reader], times: int = 1) -> None:
    """Everybody examines what there is."""
    for _ in range(times):
        for reader in everybody:
            reader.read()


def read_by(world: World, proof: str, everybody: Sequence[Reader], answer: Callable[[], None]) -> None:
    """Draw, have the node answer the draws, and judge: the checks are sent in one look, and collected in the next."""
    seat(world, proof)
    read_all(everybody)
    answer()
    read_all(everybody, 2)


def seat(world: World, proof: str) -> None:
    """Let the beacon come and draw the panel."""
    missing = int(world.get(f"/proofs/{proof}")["beacon_block"]) - world.ledger.chain.head()
    world.mine(max(0, missing))
    world.step()


# -- a server between -------------------------------------------------------------------------------------------------


class Between:
    """A server's answers on their way: some are changed, some messages never arrive though their sender is thanked."""

    def __init__(self, client: Any) -> None:
        self._client, self.kept = client, list[Message]()
        self.lies: dict[str, Callable[[Any], Any]] = {}
        self.drops: dict[str, Callable[[Any], bool]] = {}
        self.blob_refused: Callable[[str], bool] = lambda _name: False

    def __getattr__(self, name: str) -> Any:
        return getattr(self._client, name)

    def get(self, path: str, **query: Any) -> Any:
        """The answer, or what is made of it."""
        answer = self._client.get(path, **query)
        for pattern, change in self.lies.items():
            if re.fullmatch(pattern, path):
                answer = change(answer)
        return answer

    def send(self, path: str, message: Message, /, **beside: Any) -> Any:
        """Hand on, or keep."""
        if path in self.drops and self.drops[path](message):
            self.kept.append(message)
            return {}
        return self._client.send(path, message, **beside)

    def blob(self, name: str) -> bytes:
        """The bytes, or none within any worker's patience."""
        if self.blob_refused(name):
            raise TimeoutError("the bytes come one a minute")
        return bytes(self._client.blob(name))


# -- an operator's means ----------------------------------------------------------------------------------------------


def drawn(world: World, verifier: LocalAccount, proof: str, beacon: bytes) -> tuple[int, ...]:
    """What a verifier draws for a proof under a beacon."""
    view = world.get(f"/proofs/{proof}")
    link = world.link(verifier, int(view["round"]))
    return draw_segments(beacon, link, octets(proof), int(view["segments"]), int(view["samples"]))


def wait_for_luck(world: World, proof: str, wanted: Callable[[bytes], bool]) -> None:
    """The chain comes to a beacon such as an attacker waits for, round after round."""
    missing = int(world.get(f"/proofs/{proof}")["beacon_block"]) - world.ledger.chain.head()
    world.mine(missing - 1)
    for _ in range(MANY_BEACONS):
        trial = twin(world.place.chain)
        trial.mine(1)
        if wanted(octets(trial._blocks[-1]["hash"])):
            _become(world.place.chain, trial)
            world.step()
            return
    raise RuntimeError("no beacon of the kind came")


def _become(chain: Devnet, other: Devnet) -> None:
    """What came on a twin has come on the chain itself."""
    vars(chain).update({name: value for name, value in vars(other).items() if name not in ("_lock", "_methods")})
