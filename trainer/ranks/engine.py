"""The node's own process, which is process 0, with the others beside it for as long as a round takes."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import IO

import torch

from contracts.ids import to_hex
from contracts.process.spawner import ends_with_me
from contracts.protocol.run_config import RunConfig
from trainer.model.device import chosen_device, is_offloading
from trainer.model.recompute import is_recomputing
from trainer.model.state import Tensors
from trainer.ranks.errors import RankLost
from trainer.ranks.exchange import Exchange
from trainer.ranks.placing import place
from trainer.ranks.process import Order
from trainer.ranks.sharded import ShardedSteps
from trainer.steps.determinism import profile_of

STORE = "meeting"
"""The file by which processes find each other."""
_PROGRAM = (sys.executable, "-m", "trainer.ranks.process")
_DYING_SECONDS = 0.5


class Child:
    """One further process; what it complains of is in a file."""

    def __init__(self, order: Order, folder: Path) -> None:
        self.rank = order.rank
        self._errors = folder / f"rank-{order.rank}.log"
        with self._errors.open("wb") as errors:
            self.process = subprocess.Popen(
                _PROGRAM,
                env=os.environ | ends_with_me(signal.SIGKILL),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                start_new_session=True,
            )
        with suppress(BrokenPipeError):  # it ended at once: `require_ready` says why
            _pipe(self.process.stdin).write(json.dumps(order.to_json()).encode() + b"\n")
            _pipe(self.process.stdin).flush()

    def require_ready(self, profile: str) -> None:
        """Wait until it has started. Raises RankLost where it ended, or computes under another profile."""
        line = _pipe(self.process.stdout).readline()
        if not line:
            raise RankLost(f"process {self.rank} did not start{self.complaint()}")
        if json.loads(line)["profile"] != profile:
            raise RankLost(f"process {self.rank} computes under another numerics profile than process 0")

    def complaint(self) -> str:
        """The last line that it wrote, and how it ended, if it did."""
        lines = self._errors.read_text(errors="replace").split("\n")
        said = next((line.strip() for line in reversed(lines) if line.strip()), "")
        ended = self.process.poll()
        how = "" if ended is None else f", ended with {ended}"
        return f"{how}: {said[:300]}" if said else how

    def end(self) -> None:
        """It has nothing to lose: what it computed was sent."""
        self.process.kill()
        self.process.wait()
        for pipe in (self.process.stdin, self.process.stdout):
            with suppress(BrokenPipeError):
                _pipe(pipe).close()


@contextmanager
def ranked_steps(
    config: RunConfig, start: Tensors, processes: int, folder: Path | None = None
) -> Iterator[ShardedSteps]:
    """The steps of one round in so many processes, which meet in `folder`; they end with the block, and with this
    process.

    The thread that calls it has to live as long (contracts/process/spawner.py). Raises RankLost, StateMismatch,
    and within the block NonFiniteLoss.
    """
    threads = torch.get_num_threads()
    with ExitStack() as stack:
        if folder is not None:
            folder.mkdir(parents=True, exist_ok=True)
        meeting = Path(stack.enter_context(TemporaryDirectory(prefix="ranks-", dir=folder)))
        stack.callback(torch.set_num_threads, threads)
        share = max(1, threads // processes)
        device = place(config, chosen_device(), 0, share)
        profile = to_hex(profile_of(config).digest())
        children = list[Child]()
        stack.callback(_end, children)
        for rank in range(1, processes):
            children.append(Child(_order(config, rank, processes, meeting, share), meeting))
        for child in children:
            child.require_ready(profile)
        try:
            exchange = stack.enter_context(Exchange(0, processes, meeting / STORE, device, lambda: _watch(children)))
            yield ShardedSteps(config, exchange, start)
        except RankLost as error:
            raise RankLost(f"{error.detail}{_complaints(children)}") from error


def _order(config: RunConfig, rank: int, size: int, meeting: Path, threads: int) -> Order:
    store = str(meeting / STORE)
    own_choices = (is_recomputing(), is_offloading())
    return Order(config.to_json(), rank, size, store, chosen_device(), threads, *own_choices)


def _end(children: list[Child]) -> None:
    for child in children:
        child.end()


def _watch(children: list[Child]) -> None:
    """Raises RankLost where one has ended."""
    for child in children:
        if child.process.poll() is not None:
            raise RankLost("a process of this node ended before it met the others")


def _complaints(children: list[Child]) -> str:
    """Of those that ended: the first one's end is the cause of the others'."""
    _settle(children)
    found = [f"; process {c.rank}{c.complaint()}" for c in children if c.process.poll() is not None]
    return "".join(found[:3])


def _settle(children: list[Child]) -> None:
    """A process that is ending is given a moment, so that how it ended is known."""
    for child in children:
        with suppress(subprocess.TimeoutExpired):
            child.process.wait(_DYING_SECONDS)


def _pipe(pipe: IO[bytes] | None) -> IO[bytes]:
    assert pipe is not None, "it was asked for"
    return pipe
