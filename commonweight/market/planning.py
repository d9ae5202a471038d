"""Which runs fit a card or this machine, by the memory that a node asks for before it enrols, and an estimate of speed.

Speed is no promise. On a card a step is two terms: the time in which its kernels are started, for each layer and pass,
and its operations at an assumed share of the published float32 throughput, since portable products are float32 there.
Both come from one row of docs/benchmarks.md: four models on an H100, 0.1 to 86 M, are met within 15 % by 10.5 ms a
layer and a share of 0.5. On a CPU the steps of a small model are timed, and every size is assumed to be as fast.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from typing import Any

from commonweight.market.cards import Card
from contracts.protocol.architecture import parameter_count
from contracts.protocol.run_config import RunConfig
from trainer.model.flops import passes, token_flops
from trainer.model.memory import Bytes, Way, lack, needs

DEFAULT_SHARE = 0.4
"""Of the published throughput (model FLOPs utilisation); 0.5 was measured once."""
LAYER_SECONDS = 0.0105
"""To start the kernels of a layer, there and back, in a portable step."""
_PORTABLE = "portable"


@dataclass(frozen=True)
class Device:
    """A card, or without one this machine's CPU; `room` in bytes, `flops` a second of the CPU where they are known. A
    node has so many `processes` there, each on a card of its own."""

    card: Card | None
    room: Bytes
    profile: str
    processes: int = 1
    flops: float | None = None

    @property
    def title(self) -> str:
        """As a row is called."""
        return self.card.title if self.card else f"cpu, {self.profile}"


@dataclass(frozen=True)
class Fit:
    """The first way that fits, in a run whose batch is cut into `config.ranks` blocks, and tokens a second (None where
    nothing was measured)."""

    config: RunConfig
    way: Way
    tokens: float | None

    @property
    def words(self) -> str:
        """The options of the node, and the run's field where it is not that of the size."""
        options = [f"--ranks {self.way.processes}"] if self.way.processes > 1 else []
        options += ["--recompute"] if self.way.recompute else []
        options += ["--offload"] if self.way.offload else []
        of_run = [f"in a run of ranks {self.config.ranks}"] if self.config.ranks > 1 else []
        return " ".join(["fits", *of_run, *(["with", " ".join(options)] if options else [])])


def device_of_card(card: Card, host: int | None, processes: int = 1) -> Device:
    """A card, or as many as there are processes. Its memory is counted in 10^9 bytes: what it has above them its driver
    and CUDA take."""
    return Device(card, Bytes(host, card.memory * 10**9), _PORTABLE, processes)


def fit(config: RunConfig, device: Device, share: float = DEFAULT_SHARE) -> Fit | None:
    """The first way that has room; None without one."""
    for changed, way in _ways(replace(config, profile=device.profile), device):
        if not lack(changed, way, device.room):
            return Fit(changed, way, _tokens(changed, way, device, share))
    return None


def _ways(config: RunConfig, device: Device) -> Iterator[tuple[RunConfig, Way]]:
    """What changes least comes first: options of the node, then the run's ranks."""
    plain = _plain(device)
    for changed in _cut(config, device.processes):
        yield changed, plain
        if device.card:
            yield changed, replace(plain, offload=True)
        elif config.profile != _PORTABLE:  # its steps keep what they keep
            yield changed, replace(plain, recompute=True)


def _plain(device: Device) -> Way:
    return Way(device.processes, cards=device.processes if device.card else 0)


def _cut(config: RunConfig, processes: int) -> Iterator[RunConfig]:
    """The run with its batch in so many blocks at least, and twice as many, down to one sequence each. Blocks of a
    portable run wait one after another, and take less; more processes divide moments only."""
    ranks = max(config.ranks, processes)
    while config.batch % ranks == 0:
        block = config.batch // ranks
        yield replace(config, ranks=ranks, micro_batch=min(config.micro_batch, block))
        ranks *= 2


def _tokens(config: RunConfig, way: Way, device: Device, share: float) -> float | None:
    step = config.batch * config.context
    operations = token_flops(config, way.recompute)
    if device.card is None:
        return None if device.flops is None else device.flops * way.processes / operations
    starting = passes(config) * config.layers * LAYER_SECONDS
    seconds = starting + step * operations / (device.card.float32 * 1e12 * share)
    return step * way.processes / seconds


def _least(config: RunConfig, device: Device) -> Bytes:
    """The least memory of any way: on the card, or without one on the host."""
    found = [needs(*way) for way in _ways(replace(config, profile=device.profile), device)]
    return min(found, key=lambda need: (need.card or 0, need.host or 0))


def document(size: str, config: RunConfig, device: Device, found: Fit | None) -> dict[str, Any]:
    """A row for scripts; memory in bytes, of the way that fits or else of the one that takes least."""
    need = needs(found.config, found.way) if found else _least(config, device)
    return {
        "device": device.title,
        "card": None if device.card is None else asdict(device.card),
        "size": size,
        "parameters": parameter_count(config),
        "profile": device.profile,
        "fits": found is not None,
        "words": found.words if found else "does not fit",
        "way": None if found is None else {**asdict(found.way), "run_ranks": found.config.ranks},
        "host_bytes": need.host,
        "card_bytes": need.card,
        "tokens_per_second": None if found is None or found.tokens is None else round(found.tokens),
    }
