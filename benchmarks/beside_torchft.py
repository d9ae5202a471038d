"""Is our outer step that of torchft's DiLoCo? Two live replicas of it, and our merge over what they exchanged.

    make bench-beside-torchft
    PYTHONPATH=.compare-packages python -m benchmarks.beside_torchft [--rounds N]

Two threads train one llama under torchft 0.2.0: a lighthouse, a manager each, an allreduce by gloo, AdamW inside,
`torch.optim.SGD(nesterov=True)` outside. What each hands to the allreduce is a pseudo-gradient, and is recorded, as are
weights and momentum after each outer step. Our `merge` then goes from the same first weights along the same
pseudo-gradients. A difference has one cause: torch multiplies and adds in one rounding where the processor can. So the
same is computed a third time, in our order and with that one rounding, and must give torchft's bits.
"""

from __future__ import annotations

import argparse
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import timedelta
from threading import Barrier
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional as F

from benchmarks.record import progress, write_result
from contracts.protocol.run_config import RunConfig
from trainer.data.batches import BatchSource, batch_source
from trainer.data.corpus import Corpus
from trainer.data.draw import Share
from trainer.data.text import default_corpus
from trainer.model.llama import Llama
from trainer.model.state import initial_theta
from trainer.steps.averaging import Weights
from trainer.steps.outer import merge, zero_momentum

CONFIG = RunConfig(
    architecture="llama", layers=2, d_model=128, heads=4, kv_heads=2, context=64, steps=10, segment=10, batch=4
)
REPLICAS = 2
PATIENCE = timedelta(seconds=120)
HERE = "127.0.0.1"

Numbers = NDArray[np.float32]


class Settled(NamedTuple):
    """Weights and momentum after an outer step, `theta.*`."""

    theta: Mapping[str, NDArray[np.generic]]
    momentum: Mapping[str, NDArray[np.generic]]


@dataclass
class Replica:
    """What one replica handed to each allreduce, the mean that its outer optimizer took, and where that led it."""

    gradients: list[dict[str, Numbers]] = field(default_factory=list)
    means: list[dict[str, Numbers]] = field(default_factory=list)
    settled: list[Settled] = field(default_factory=list)


class NotAlike(Exception):
    """The replicas disagree, or stepped along something else than the mean of what they sent: nothing to compare."""


def live(config: RunConfig, rounds: int, corpus: Corpus) -> list[Replica]:
    """Both replicas of a run of torchft's DiLoCo. Raises NotAlike."""
    from torchft.coordination import LighthouseServer

    lighthouse = LighthouseServer(bind=f"{HERE}:0", min_replicas=REPLICAS, join_timeout_ms=60_000)
    together = Barrier(REPLICAS)
    try:
        with ThreadPoolExecutor(REPLICAS) as pool:
            running = [
                pool.submit(_replica, place, config, rounds, corpus, lighthouse.address(), together)
                for place in range(REPLICAS)
            ]
            found = [one.result() for one in running]
    finally:
        lighthouse.shutdown()
    _check_alike(found)
    return found


def _check_alike(replicas: Sequence[Replica]) -> None:
    """Raises NotAlike."""
    first, other = replicas
    for number, (here, there) in enumerate(zip(first.settled, other.settled, strict=True)):
        for name, value in here.theta.items():
            if not np.array_equal(value, there.theta[name]):
                raise NotAlike(f"the two replicas of torchft hold another {name} after exchange {number}")
            both = np.add(first.gradients[number][name], other.gradients[number][name])
            if not np.array_equal(first.means[number][name], both / np.float32(REPLICAS)):
                raise NotAlike(f"the exchange {number} of torchft gave no mean of {name}")


def _replica(place: int, config: RunConfig, rounds: int, corpus: Corpus, address: str, together: Barrier) -> Replica:
    """One thread: a store and a manager of its own, as each machine would have them."""
    from torch.distributed import TCPStore  # type: ignore[attr-defined]
    from torchft.local_sgd import DiLoCo
    from torchft.manager import Manager
    from torchft.process_group import ProcessGroupGloo

    found = Replica()
    model, names = first_model(config)
    inner = torch.optim.AdamW(model.parameters(), lr=config.rate("inner_lr"), weight_decay=config.rate("weight_decay"))
    outer = outer_optimizer(config, model)
    outer.register_step_pre_hook(lambda *_: found.means.append(_gradients(model)))
    store = TCPStore(HERE, 0, is_master=True, wait_for_workers=False)
    manager = Manager(
        pg=ProcessGroupGloo(timeout=PATIENCE),
        min_replica_size=REPLICAS,
        use_async_quorum=False,
        load_state_dict=lambda _state: None,
        state_dict=dict,
        replica_id=str(place),
        store_addr=HERE,
        store_port=store.port,
        rank=0,
        world_size=1,
        lighthouse_addr=address,
        hostname=HERE,
        init_sync=False,
        timeout=PATIENCE,
        quorum_timeout=PATIENCE,
        connect_timeout=PATIENCE,
    )
    sent = _recorded(manager)
    try:
        with DiLoCo(manager, [model], inner, outer, sync_every=config.steps):
            for number in range(1, rounds + 1):
                together.wait(PATIENCE.total_seconds())
                _round(config, model, inner, batch_source(corpus, config, bytes(32), number, Share(place, REPLICAS)))
                found.gradients.append(dict(zip(names, sent[-len(names) :], strict=True)))
                found.settled.append(settled(model, outer))
        together.wait(PATIENCE.total_seconds())
    finally:
        manager.shutdown(wait=False)
    return found


def first_model(config: RunConfig) -> tuple[Llama, list[str]]:
    """The run's first model with memory of its own, and its weights' names in the order of its parameters."""
    model = Llama(config)
    theta = {name.removeprefix("theta."): torch.from_numpy(value) for name, value in initial_theta(config).items()}
    model.load_state_dict(theta)
    return model, [f"theta.{name}" for name, _ in model.named_parameters()]


def outer_optimizer(config: RunConfig, model: Llama) -> torch.optim.SGD:
    """DiLoCo's, by the rates of the run."""
    rates = {"lr": config.rate("outer_lr"), "momentum": config.rate("outer_momentum")}
    return torch.optim.SGD(model.parameters(), nesterov=True, **rates)  # type: ignore[arg-type]


def _recorded(manager: Any) -> list[Numbers]:
    """What the manager is given to reduce from now on; it reduces in place, so these are copies."""
    sent: list[Numbers] = []
    reduce = manager.allreduce

    def allreduce(tensor: torch.Tensor, **options: Any) -> Any:
        sent.append(tensor.detach().numpy().copy())
        return reduce(tensor, **options)

    manager.allreduce = allreduce
    return sent


def _gradients(model: Llama) -> dict[str, Numbers]:
    found = {f"theta.{name}": value.grad for name, value in model.named_parameters()}
    return {name: value.numpy().copy() for name, value in found.items() if value is not None}


def _round(config: RunConfig, model: Llama, inner: torch.optim.Optimizer, batches: BatchSource) -> None:
    """H inner steps; after the last one torchft's hook exchanges and steps outside."""
    for step in range(config.steps):
        batch = batches(step)
        loss = F.cross_entropy(model(torch.from_numpy(batch.x)).flatten(0, 1), torch.from_numpy(batch.y).flatten())
        inner.zero_grad()
        torch.autograd.backward(loss)
        torch.nn.utils.clip_grad_norm_(model.parameters(), config.rate("clip"))
        inner.step()


def settled(model: Llama, outer: torch.optim.SGD) -> Settled:
    """Copies of where an outer step led."""
    theta = {f"theta.{name}": value.detach().numpy().copy() for name, value in model.named_parameters()}
    momentum = {
        f"theta.{name}": outer.state[value]["momentum_buffer"].numpy().copy()
        for name, value in model.named_parameters()
    }
    return Settled(theta, momentum)


def ours(config: RunConfig, theta: Weights, gradients: Sequence[Sequence[Weights]]) -> Iterator[Settled]:
    """Our outer step along these pseudo-gradients: by round, and in it by replica."""
    momentum = zero_momentum(theta)
    for exchanged in gradients:
        rates = config.rate("outer_lr"), config.rate("outer_momentum")
        theta, momentum = merge(theta, momentum, exchanged, *rates, config.merge)
        yield Settled(theta, momentum)


def in_one_rounding(config: RunConfig, theta: Weights, gradients: Sequence[Sequence[Weights]]) -> Iterator[Settled]:
    """The same, each product and the sum after it rounded once: float64 holds the product of two float32 exactly."""
    rate, decay = np.float32(config.rate("outer_lr")), np.float32(config.rate("outer_momentum"))
    momentum = zero_momentum(theta)
    for exchanged in gradients:
        # two values have one mean, in any order, and half of it is exact
        mean = {name: np.multiply(np.add(exchanged[0][name], exchanged[1][name]), np.float32(0.5)) for name in theta}
        momentum = {name: np.add(np.multiply(momentum[name], decay), value) for name, value in mean.items()}
        ahead = {name: _fused(momentum[name], decay, value) for name, value in mean.items()}
        theta = {name: _fused(ahead[name], -rate, value) for name, value in theta.items()}
        yield Settled(theta, momentum)


def _fused(value: NDArray[Any], factor: np.float32, added: NDArray[Any]) -> Numbers:
    return (value.astype(np.float64) * np.float64(factor) + added.astype(np.float64)).astype(np.float32)


def distance(one: Weights, other: Weights) -> dict[str, float]:
    """How many of all values differ, and by how much: at most, and of a tensor's largest value."""
    differing, largest, relative, values = 0, 0.0, 0.0, 0
    for name, value in one.items():
        gap = np.abs(np.subtract(value, other[name], dtype=np.float64))
        differing += int(np.count_nonzero(gap))
        values += gap.size
        largest = max(largest, float(gap.max()))
        relative = max(relative, float(gap.max() / (np.abs(value).max() or 1.0)))
    return {"values": values, "differing": differing, "largest": largest, "largest of the tensor's": relative}


def compared(config: RunConfig, replicas: Sequence[Replica]) -> dict[str, Any]:
    """Our trajectory and the one with a single rounding beside torchft's, round for round."""
    gradients = list(zip(*(one.gradients for one in replicas), strict=True))
    start = initial_theta(config)
    theirs = replicas[0].settled
    found: dict[str, Any] = {}
    for name, way in (("ours", ours), ("in one rounding", in_one_rounding)):
        pairs = list(zip(way(config, start, gradients), theirs, strict=True))
        found[name] = {
            "weights": [distance(mine.theta, their.theta) for mine, their in pairs],
            "momentum": [distance(mine.momentum, their.momentum) for mine, their in pairs],
        }
    return found


def main() -> None:
    """A live run, compared."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--rounds", type=int, default=20)
    rounds = parser.parse_args().rounds
    os.environ.setdefault("RUST_LOG", "error")
    torch.set_num_threads(1)
    replicas = live(CONFIG, rounds, default_corpus())
    found = compared(CONFIG, replicas)
    last = {name: {what: by_round[-1] for what, by_round in parts.items()} for name, parts in found.items()}
    progress(json.dumps(last, indent=1))
    write_result("beside_torchft", {"torchft": "0.2.0", "H": CONFIG.steps, "rounds": rounds, "last": last} | found)


if __name__ == "__main__":
    main()
