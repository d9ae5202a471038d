"""A whole round in several processes has the bits of one process that takes block after block."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np
import pytest
import torch
import torch.distributed as dist
from torch import Tensor

from contracts.protocol.run_config import RunConfig
from contracts.tensors.state_layout import boundary_entry
from tests.holds import Threat, holds
from trainer.data.batches import BatchSource, batch_source
from trainer.data.text import text_corpus
from trainer.model.state import Tensors, initial_theta, start_tensors
from trainer.ranks import engine
from trainer.ranks.engine import Child
from trainer.ranks.errors import RankLost
from trainer.ranks.exchange import Exchange
from trainer.ranks.running import choose_ranks, run_ranked
from trainer.steps.trajectory import Trajectory, replay_segment, run_inner

pytestmark = pytest.mark.integration
TINY = RunConfig(layers=1, d_model=32, heads=2, context=16, batch=8, steps=2, segment=1)
LLAMA = {"architecture": "llama", "kv_heads": 1, "tied": False}


@pytest.fixture(autouse=True)
def _alone_again() -> Iterator[None]:
    yield
    choose_ranks(1)


def batches_of(config: RunConfig) -> BatchSource:
    text = (np.random.Philox(key=1).random_raw(9000) >> 57).astype(np.uint8)
    return batch_source(text_corpus(text, text), config, bytes(32), 1)


def start_of(config: RunConfig) -> Tensors:
    """With moments that are not zero, so that each reaches its owner."""
    start = start_tensors(initial_theta(config), None)
    moved = {name: np.abs(value) * np.float32(0.01) for name, value in start.items() if name[:2] in ("m.", "v.")}
    random = np.random.default_rng(7)
    return {**start, **{name: random.random(v.shape, np.float32) * np.float32(1e-3) for name, v in moved.items()}}


def alone_and_in(processes: int, config: RunConfig) -> tuple[Trajectory, Trajectory]:
    start, batches = start_of(config), batches_of(config)
    choose_ranks(processes)
    return run_inner(config, start, batches), run_ranked(config, start, batches)


@holds(
    "A node of several processes has the bits of one",
    by="trainer/ranks/exchange.py:Exchange",
    also="tests/trainer/steps/test_ranks.py:test_a_step_adds_its_blocks_in_rank_order",
    against=Threat.UNLIKE_MACHINES,
)
@pytest.mark.parametrize(
    ("processes", "config"),
    [
        (2, replace(TINY, ranks=4, micro_batch=1)),
        (4, replace(TINY, ranks=4, **LLAMA)),  # type: ignore[arg-type]
        (2, replace(TINY, ranks=2, profile="portable", micro_batch=2)),
    ],
    ids=["gpt, 4 blocks in 2", "llama in 4", "portable in 2"],
)
def test_processes_have_the_bits_of_one(processes: int, config: RunConfig) -> None:
    alone, together = alone_and_in(processes, config)
    assert together.boundary_entries == alone.boundary_entries
    assert together.root == alone.root
    assert together.pseudo_gradient_digest == alone.pseudo_gradient_digest
    assert together.losses == alone.losses
    assert len(set(alone.boundary_entries)) == config.segments + 1


def test_a_wrong_order_of_blocks_is_another_root(monkeypatch: pytest.MonkeyPatch) -> None:
    """Process 0 adds what it owns backwards: a verifier's replay would end elsewhere."""

    def backwards(self: Exchange, blocks: Sequence[Sequence[Tensor]], index: int) -> Tensor:
        total = torch.zeros_like(blocks[0][index])
        for source in reversed(range(self.size)):
            for block in blocks:
                part = block[index]
                if source != self.rank:
                    part = torch.empty_like(part)
                    dist.recv(part, source)
                total = total + part
        return total

    monkeypatch.setattr(Exchange, "_sum", backwards)
    alone, together = alone_and_in(2, replace(TINY, ranks=4, segment=2))
    assert together.boundary_entries[0] == alone.boundary_entries[0]
    assert together.boundary_entries[-1] != alone.boundary_entries[-1]


def test_a_process_that_is_killed_is_an_error_and_all_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """The error says which one it was; the round is then done again, with the same bits."""
    children = list[Child]()
    ready = Child.require_ready
    monkeypatch.setattr(Child, "require_ready", lambda child, profile: (children.append(child), ready(child, profile)))  # type: ignore[func-returns-value]
    config = replace(TINY, ranks=2, steps=4)
    choose_ranks(2)

    def kill(step: int, _: object) -> None:
        if step == 1:
            os.kill(children[0].process.pid, signal.SIGKILL)

    with pytest.raises(RankLost, match="process 1, ended with -9"):
        run_ranked(config, start_of(config), batches_of(config), kill)
    assert children[0].process.poll() == -signal.SIGKILL
    alone, again = alone_and_in(2, config)
    assert again.root == alone.root
    entries = [boundary_entry(replay_segment(config, again.kept[n], n, batches_of(config))) for n in (0, 2)]  # type: ignore[arg-type]
    assert entries == [again.boundary_entries[1], again.boundary_entries[3]]


def test_a_round_that_is_left_ends_its_processes(monkeypatch: pytest.MonkeyPatch) -> None:
    children = list[Child]()
    ready = Child.require_ready
    monkeypatch.setattr(Child, "require_ready", lambda child, profile: (children.append(child), ready(child, profile)))  # type: ignore[func-returns-value]
    config = replace(TINY, ranks=2, profile="portable")
    choose_ranks(2)

    def leave(_: int, __: object) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_ranked(config, start_of(config), batches_of(config), leave)
    assert children[0].process.poll() is not None


PARENT = """
import sys, time
from tests.trainer.ranks.test_ranked_round import TINY, batches_of, start_of
from dataclasses import replace
from trainer.ranks import engine
from trainer.ranks.running import choose_ranks, run_ranked

choose_ranks(2)
config = replace(TINY, ranks=2, profile="portable")
ready = engine.Child.require_ready
def told(child, profile):
    ready(child, profile)
    print(child.process.pid, flush=True)
engine.Child.require_ready = told
run_ranked(config, start_of(config), batches_of(config), lambda *_: time.sleep(600))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="the kernel ends children with their parent on Linux alone")
def test_processes_end_with_the_node() -> None:
    with subprocess.Popen([sys.executable, "-c", PARENT], stdout=subprocess.PIPE, text=True) as node:
        assert node.stdout is not None
        child = int(node.stdout.readline())
        os.kill(child, 0)
        node.kill()
    for _ in range(300):
        if not _is_running(child):
            return
        time.sleep(0.1)
    pytest.fail("the child outlived its node")


def _is_running(process: int) -> bool:
    try:
        with open(f"/proc/{process}/stat") as stat:
            return stat.read().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_a_child_that_does_not_start_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine, "_PROGRAM", (sys.executable, "-c", "raise SystemExit('no memory')"))
    config = replace(TINY, ranks=2)
    choose_ranks(2)
    with pytest.raises(RankLost, match=r"process 1 did not start.*no memory"):
        run_ranked(config, start_of(config), batches_of(config))
