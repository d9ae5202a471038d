"""The same inner step as other machines compute it: threads, instruction set, attention kernel, AdamW kernel, batching.

None of these is a cheat, and in float32 none gives the same bits. They stand for the machines that meet in a bounded
run, so that limits can be calibrated, and false rejections counted, on one machine.
"""

from __future__ import annotations

import json
import math
import os
import platform
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from itertools import pairwise

import numpy as np
import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn import functional as F
from torch.nn.attention import SDPBackend, sdpa_kernel

from contracts.errors import CommonweightError
from contracts.protocol.run_config import RunConfig
from trainer.data.batches import Batch, BatchSource
from trainer.model.binding import bind
from trainer.model.building import build_model
from trainer.model.objective import loss_shares
from trainer.model.state import Tensors, TrainState
from trainer.steps.profile import NumericsProfile

CAPABILITY_VARIABLE = "ATEN_CPU_CAPABILITY"

_Loss = tuple[Sequence[Tensor], Callable[[slice], Tensor]]


class UnknownVariant(CommonweightError):
    """A variant of the step names a kernel that this trainer does not have."""

    code = "unknown-variant"


@dataclass(frozen=True)
class Variant:
    """One way to compute; `capability` is fixed when a process starts (default, avx2, avx512, or empty: the best)."""

    threads: int = 1
    capability: str = ""
    attention: str = "flash"
    adamw: str = "foreach"
    micro_batches: int = 1

    def __post_init__(self) -> None:
        if self.attention not in ("flash", "math") or self.adamw not in ("foreach", "loop", "fused"):
            raise UnknownVariant(f"attention {self.attention} or adamw {self.adamw} is not one of the kernels")

    def environment(self) -> dict[str, str]:
        """For the process that computes in this way."""
        named = {CAPABILITY_VARIABLE: self.capability} if self.capability else {}
        kept = {name: value for name, value in os.environ.items() if name != CAPABILITY_VARIABLE}
        return kept | named | {"OMP_NUM_THREADS": str(self.threads), "MKL_NUM_THREADS": str(self.threads)}

    def profile(self, computed: str) -> NumericsProfile:
        """The numerics profile of this process under the variant, by what it computed (`self_test.variant_digest`)."""
        kernels = f"float32 {self.attention} {self.adamw} x{self.micro_batches}"
        found = NumericsProfile.current(computed)
        return replace(found, dtype=kernels, machine=platform.machine(), threads=self.threads)

    def to_json(self) -> str:
        """For a command line."""
        return json.dumps(asdict(self))


@contextmanager
def computing(variant: Variant) -> Iterator[None]:
    """This process in the variant's way, then as it was."""
    threads = torch.get_num_threads()
    torch.set_num_threads(variant.threads)
    backends = [SDPBackend.MATH] if variant.attention == "math" else [SDPBackend.FLASH_ATTENTION, SDPBackend.MATH]
    try:
        with sdpa_kernel(backends):
            yield
    finally:
        torch.set_num_threads(threads)


_chosen = Variant()


def choose(variant: Variant) -> None:
    """How this process computes in bounded runs, from now on."""
    global _chosen
    _chosen = variant


def chosen() -> Variant:
    """How this process computes in bounded runs; the default variant until `choose`."""
    return _chosen


def segment_end(config: RunConfig, start: Tensors, segment: int, batches: BatchSource, variant: Variant) -> Tensors:
    """The full state at the end of a segment as the variant computes it."""
    model = build_model(config)
    state = TrainState.from_tensors(start, config)
    with computing(variant):
        for step in range(segment * config.segment, (segment + 1) * config.segment):
            step_as(variant, config, model, state, batches(step))
    return state.to_tensors()


def step_as(
    variant: Variant, config: RunConfig, model: nn.Module, state: TrainState, batch: Batch
) -> tuple[float, float]:
    """One inner step in the variant's way, within `computing`; loss and gradient norm before clipping.

    Where one of them is not finite, `state` is left as it was.
    """
    loss, gradients = _gradients(config, model, state.theta, batch, variant.micro_batches)
    norm = torch.linalg.vector_norm(torch.stack([torch.linalg.vector_norm(g) for g in gradients])).item()
    if not (math.isfinite(loss) and math.isfinite(norm)):
        return loss, norm
    if norm > config.rate("clip"):
        gradients = [g * (config.rate("clip") / norm) for g in gradients]
    _optimizer_step(config, state, gradients, variant.adamw, batch.rate_share)
    return loss, norm


def _gradients(
    config: RunConfig, model: nn.Module, theta: dict[str, Tensor], batch: Batch, parts: int
) -> tuple[float, list[Tensor]]:
    weights, share = (_of_own if config.architecture == "own" else _of_ours)(config, model, theta, batch)
    total: list[Tensor] = []
    mean = 0.0
    ends = np.cumsum([0, *(len(part) for part in np.array_split(batch.y, parts))]).tolist()
    for first, end in pairwise(ends):
        loss = share(slice(first, end))
        found = torch.autograd.grad(loss, weights)
        total = [a + b for a, b in zip(total, found, strict=True)] if total else list(found)
        mean += loss.item()
    return mean, total


def _of_ours(config: RunConfig, model: nn.Module, theta: dict[str, Tensor], batch: Batch) -> _Loss:  # noqa: ARG001
    """Fresh leaves, and the loss of some rows as a share of the batch's mean loss."""
    weights = {name: value.detach().requires_grad_() for name, value in theta.items()}

    def share(rows: slice) -> Tensor:
        logits: Tensor = functional_call(model, weights, (torch.from_numpy(batch.x[rows]),))
        targets = torch.from_numpy(batch.y[rows]).flatten()
        return F.cross_entropy(logits.flatten(0, 1), targets, reduction="sum") / batch.y.size

    return list(weights.values()), share


def _of_own(config: RunConfig, model: nn.Module, theta: dict[str, Tensor], batch: Batch) -> _Loss:
    """The same of one's own model, whose package says what a step descends along."""
    of_rows = loss_shares(config, torch.from_numpy(batch.x), torch.from_numpy(batch.y))
    return bind(model, theta), lambda rows: of_rows(model, rows)


def _optimizer_step(
    config: RunConfig, state: TrainState, gradients: list[Tensor], kernel: str, rate_share: float
) -> None:
    """torch's own AdamW on our state: decay on matrices only, as in trainer/steps/inner_step.py."""
    parameters = [torch.nn.Parameter(value) for value in state.theta.values()]
    for parameter, gradient in zip(parameters, gradients, strict=True):
        parameter.grad = gradient
    decay = config.rate("weight_decay")
    groups = [
        {"params": [p for p in parameters if p.dim() > 1], "weight_decay": decay},
        {"params": [p for p in parameters if p.dim() <= 1], "weight_decay": 0.0},
    ]
    optimizer = torch.optim.AdamW(
        groups,
        lr=config.rate("inner_lr") * rate_share,
        betas=(config.rate("beta1"), config.rate("beta2")),
        eps=config.rate("eps"),
        foreach=kernel == "foreach",
        fused=kernel == "fused",
    )
    moments = zip(parameters, state.m.values(), state.v.values(), strict=True)
    for parameter, first, second in moments:
        optimizer.state[parameter] = {"step": torch.tensor(float(state.step)), "exp_avg": first, "exp_avg_sq": second}
    optimizer.step()
    state.theta = {name: p.detach() for name, p in zip(state.theta, parameters, strict=True)}
    state.step += 1
