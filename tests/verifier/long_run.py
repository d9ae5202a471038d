"""A run of many small rounds: a real node, real verifiers with their mirrors, and what lies in their folders."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from contracts.ids import RunId, to_hex
from contracts.protocol.judge import chain_events
from contracts.protocol.judge.state import Phase
from tests.contracts.protocol.log.signed_run import key
from tests.service.stage import InlineApp
from tests.verifier.real_run import Town
from trainer.node.node import LightNode
from trainer.node.settings import NodeSettings
from verifier.service import service
from verifier.service.service import VerifierProcess

NODE = key("the node")
LOG = {"node": ("log",), "verifier": ("mirror/copy.db", "mirror/log")}


class LongRun(Town):
    """One node trains, three verifiers judge, and every epoch is final on the chain as soon as two signed it.

    The machine keeps the last round of a run that is over: `rounds` are one more than are played.
    """

    def __init__(self, folder: Path, stack: ExitStack, rounds: int) -> None:
        super().__init__(folder, stack, nodes=0, rounds=rounds + 1, minNodes=1, leaseSeconds=59)
        self._stop, self.failed = threading.Event(), list[BaseException]()
        said: list[Any] = self.said.setdefault("node", [])
        self.light = LightNode(self._light(), said.append)
        self._thread = threading.Thread(target=self._take_part, name="node", daemon=True)
        self._thread.start()
        stack.callback(self._leave)

    def process(self, number: int) -> VerifierProcess:
        """A verifier whose jobs are done at once, and stand in its rows."""
        said = self.said.setdefault(self.run.verifiers[number].address, [])
        return self.stack.enter_context(VerifierProcess(self.settings(number), said.append, self.chain))

    def folder_of(self, who: str) -> Path:
        """Of the node, or of the first verifier."""
        return self.light.settings.folder if who == "node" else self.processes[0].settings.folder

    def turn(self) -> None:
        """One look of every verifier, and a block where one is due."""
        for process in self.processes:
            process.step()
        self._wait_for_couriers()
        with self.lock:
            state = self.run.state.runs[RunId(to_hex(self.run.run))]
            closed = bool(state.round) and self.run.round.phase is Phase.CLOSED
            if closed and len(self.run.round.seen) < 3:
                return  # a block would be a beacon that not everybody saw coming: nobody says `Seen` after it
            if not state.round or closed:
                self.block()
            for number, epoch in list(self.run.state.epochs.items()):
                if len([path for path, _ in self.signatures if path.endswith(f"/{number}/signatures")]) >= 2:
                    self.block(chain_events.EpochFinal(number, epoch.closed.attempt, epoch.closed.root))

    def play(self, rounds: int, on_round: Callable[[int], None], seconds: float = 600.0) -> None:
        """Until so many rounds were merged and paid. Raises what ended the node, and AssertionError for a round that
        takes longer than so many seconds."""
        done, end = 0, time.monotonic() + seconds
        while done < rounds:
            self.turn()
            if self.failed:
                raise self.failed[0]
            assert time.monotonic() < end, f"round {done + 1}: {[said[-2:] for said in self.said.values()]}"
            paid = self._paid()
            if paid > done:
                done, end = paid, time.monotonic() + seconds
                on_round(done)

    def _paid(self) -> int:
        """Rounds whose epoch is final: the machine holds them no longer."""
        with self.lock:
            run = self.run.state.runs[RunId(to_hex(self.run.run))]
            return min(run.rounds, default=run.round + 1) - 1

    def _light(self) -> NodeSettings:
        settings = self.settings(0)
        return NodeSettings(
            api_url=self.url,
            deployment=settings.deployment,
            rpc_url="",
            run=RunId(to_hex(self.run.run)),
            key=to_hex(NODE.key),
            payout=key("the node's wallet").address,
            folder=self.folder / "node",
            data=(self.text,),
            look_seconds=0.01,
        )

    def _take_part(self) -> None:
        try:
            self.light.take_part(self._stop)
        except BaseException as error:
            self.failed.append(error)

    def _leave(self) -> None:
        self._stop.set()
        self._thread.join(timeout=30)


@contextmanager
def long_run(folder: Path, rounds: int) -> Iterator[LongRun]:
    """At work."""
    before = service.make_app  # type: ignore[attr-defined]
    service.make_app = InlineApp.of  # type: ignore[attr-defined, assignment]
    with ExitStack() as stack:
        stack.callback(setattr, service, "make_app", before)
        yield LongRun(folder, stack, rounds)


def sizes(folder: Path) -> dict[str, int]:
    """Bytes of each file below a folder, by the name that it has there."""
    found = dict[str, int]()
    for path in folder.rglob("*"):
        try:
            if path.is_file():
                found[str(path.relative_to(folder))] = path.stat().st_size
        except FileNotFoundError:  # it was forgotten meanwhile
            continue
    return found
