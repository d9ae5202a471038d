"""What the processes of a node send each other, in orders that the run fixes and no library chooses.

An all-reduce adds in an order of its library's choice, which changes with the number of processes, with sizes and
versions. Here whole tensors go to one owner, who adds the blocks in rank order, and its results go to everybody.
The backend is torch.distributed's gloo on a CPU, NCCL on GPUs; they meet by a file, and talk over the loopback.
"""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from types import TracebackType

import torch
import torch.distributed as dist
from torch import Tensor
from torch._C._distributed_c10d import FileStore  # torch.distributed has it, and does not say so to a type checker
from torch.distributed.distributed_c10d import _set_pg_timeout

from trainer.ranks.errors import RankLost

TIMEOUT = timedelta(minutes=30)
"""Of one message: longer than any process computes between two of them."""
MEETING = timedelta(minutes=2)
"""Of the first connections: one that ends just then is not told from one that is slow."""
_LOOK_SECONDS = 0.02
_INTERFACE = "GLOO_SOCKET_IFNAME"
_LOOPBACKS = ("lo", "lo0")


def _nobody() -> None:
    """A further process watches nobody: it ends with process 0."""


class Exchange:
    """Process `rank` of `size`, from 0, which meets the others at the file `store`. Use as a context.

    Every process makes the same calls in the same order. All of them raise RankLost. `watch` raises it where a process
    has ended: it is asked while process 0 waits for the others to come. Later their connections tell.
    """

    def __init__(
        self, rank: int, size: int, store: Path, device: torch.device, watch: Callable[[], None] = _nobody
    ) -> None:
        self.rank = rank
        self.size = size
        self.device = device
        self._store = store
        self._watch = watch

    def __enter__(self) -> Exchange:
        _stay_on_loopback()
        with _as_lost():
            backend = "nccl" if self.device.type == "cuda" else "gloo"
            store = FileStore(str(self._store), self.size)
            self._meet(store)
            dist.init_process_group(backend, store=store, rank=self.rank, world_size=self.size, timeout=MEETING)
            _set_pg_timeout(TIMEOUT)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        dist.destroy_process_group()

    def _meet(self, store: FileStore) -> None:
        """Nobody connects before process 0 has seen all of them alive: a connection to one that is gone is tried for as
        long as MEETING."""
        store.set(f"come-{self.rank}", "1")
        if self.rank:
            store.wait(["go"], TIMEOUT)
            return
        while not store.check([f"come-{rank}" for rank in range(self.size)]):
            self._watch()
            time.sleep(_LOOK_SECONDS)
        self._watch()
        store.set("go", "1")

    def spread(self, tensors: Sequence[Tensor], sources: Sequence[int]) -> None:
        """Everybody gets each tensor as its source has it, in place."""
        with _as_lost():
            for tensor, source in zip(tensors, sources, strict=True):
                dist.broadcast(tensor, source)

    def joined(self, values: Tensor) -> None:
        """A vector of which each process has other entries, and zero for the rest, gets all of them, in place."""
        with _as_lost():
            dist.all_reduce(values)

    def added(self, blocks: Sequence[Sequence[Tensor]], owners: Sequence[int]) -> list[Tensor]:
        """The sum of all processes' blocks, of the tensors that this one owns.

        `blocks` are this process' ones, each with one tensor for each owner. They are added one by one, those of
        process 0 first, into the first one's memory. An owner has room for one tensor that comes from elsewhere.
        """
        with _as_lost():
            sums = [self._passed(blocks, index, owner) for index, owner in enumerate(owners)]
        return [total for total in sums if total is not None]

    def _passed(self, blocks: Sequence[Sequence[Tensor]], index: int, owner: int) -> Tensor | None:
        """The sum of one tensor, for its owner. Sends and receipts are in one order for all: nobody waits in a circle,
        not even where a backend takes one at a time."""
        if owner == self.rank:
            return self._sum(blocks, index)
        for block in blocks:
            dist.send(block[index], owner)
        return None

    def _sum(self, blocks: Sequence[Sequence[Tensor]], index: int) -> Tensor:
        total: Tensor | None = None
        for source in range(self.size):
            for block in blocks:
                part = block[index]
                if source != self.rank:
                    part = torch.empty_like(part)
                    dist.recv(part, source)
                total = part if total is None else total.add_(part)
        assert total is not None, "a process has a block"
        return total

    def send(self, tensor: Tensor, target: int) -> None:
        """To one process, which calls `receive`."""
        with _as_lost():
            dist.send(tensor.to(self.device).contiguous(), target)

    def receive(self, tensor: Tensor, source: int) -> None:
        """In place."""
        with _as_lost():
            dist.recv(tensor, source)


@contextmanager
def _as_lost() -> Iterator[None]:
    """torch.distributed says RuntimeError, or a child of it, whatever happened to the others."""
    try:
        yield
    except RuntimeError as error:
        raise RankLost(f"a process of this node is gone or silent: {str(error).splitlines()[0][:200]}") from error


def _stay_on_loopback() -> None:
    """gloo listens at the address of the machine's name otherwise, for anybody."""
    for _, name in socket.if_nameindex():
        if name in _LOOPBACKS:
            os.environ.setdefault(_INTERFACE, name)
