"""One process' part of the steps of a round: all weights, its blocks of each batch, the moments of what it owns.

As in ZeRO's second stage (Rajbhandari et al. 2020) moments and summed gradients are divided. Here whole tensors are: so
norms and AdamW see each tensor as one process would, and no bit depends on the number of processes.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor

from contracts.protocol.run_config import RunConfig
from contracts.tensors.state_layout import STEP_NAME
from trainer.data.batches import Batch
from trainer.model.building import build_model
from trainer.model.device import moments_device_of
from trainer.model.layout import weight_shapes
from trainer.model.state import Tensors, TrainState
from trainer.ranks.exchange import Exchange
from trainer.steps.inner_step import StepResult, block_share, check_finite
from trainer.steps.profile import PORTABLE
from trainer.steps.updating import global_norm, tensor_norms, update


def owners_of(sizes: Mapping[str, int], processes: int) -> tuple[int, ...]:
    """The owner of each tensor, in their order: the largest first, to whom owns least."""
    owned = [0] * processes
    found: dict[str, int] = {}
    for name in sorted(sizes, key=lambda name: (-sizes[name], name)):
        found[name] = owned.index(min(owned))
        owned[found[name]] += sizes[name]
    return tuple(found[name] for name in sizes)


class ShardedSteps:
    """The steps of a round. Process 0 gives the start and the batches, and gets the states.

    Raises RankLost and StateMismatch.
    """

    def __init__(self, config: RunConfig, exchange: Exchange, start: Tensors | None = None) -> None:
        self._config = config
        self._exchange = exchange
        self._model = build_model(config)
        shapes = weight_shapes(config)
        self._names = tuple(shapes)
        self._owners = owners_of({name: int(np.prod(shape)) for name, shape in shapes.items()}, exchange.size)
        whole = TrainState.from_tensors(start, config) if start is not None else None
        device = exchange.device
        self._theta = {n: torch.empty(s, device=device) for n, s in shapes.items()} if whole is None else whole.theta
        exchange.spread(list(self._theta.values()), [0] * len(self._names))
        steps = torch.tensor([0 if whole is None else whole.step], device=device)
        exchange.spread([steps], [0])
        self._own = TrainState({name: self._theta[name] for name in self._mine()}, {}, {}, int(steps.item()))
        self._hand_out(self._own.m, None if whole is None else whole.m)
        self._hand_out(self._own.v, None if whole is None else whole.v)

    def step(self, batch: Batch | None = None) -> StepResult:
        """The next step; process 0 has the batch. Raises NonFiniteLoss everywhere at once, and RankLost."""
        config, exchange = self._config, self._exchange
        batch = self._shared(batch)
        each = config.ranks // exchange.size
        blocks = range(exchange.rank * each, (exchange.rank + 1) * each)
        shares = [block_share(config, self._model, self._theta, batch, block) for block in blocks]
        gradients = exchange.added([_contiguous(share.gradients) for share in shares], self._owners)
        loss = self._loss({block: share.loss for block, share in zip(blocks, shares, strict=True)})
        del shares
        norm = self._norm(gradients)
        check_finite(loss, norm, self._own.step)
        update(config, self._own, gradients, norm, batch.rate_share)
        exchange.spread(list(self._theta.values()), self._owners)
        return StepResult(loss, norm)

    def tensors(self) -> Tensors:
        """The full state, numpy, in process 0; the others have given their part, and get nothing."""
        found: Tensors = {STEP_NAME: np.array([self._own.step], dtype=np.int64)}
        is_first = self._exchange.rank == 0
        for prefix, group in (("theta", self._theta), ("m", self._own.m), ("v", self._own.v)):
            for name, owner in zip(self._names, self._owners, strict=True):
                value = group[name] if prefix == "theta" else self._collected(group, name, owner)
                if is_first:
                    found[f"{prefix}.{name}"] = value.detach().cpu().numpy().copy()
        return found if is_first else {}

    def _mine(self) -> list[str]:
        return [n for n, owner in zip(self._names, self._owners, strict=True) if owner == self._exchange.rank]

    def _hand_out(self, moments: dict[str, Tensor], given: Mapping[str, Tensor] | None) -> None:
        """Moments from process 0, which has all of them, to their owners."""
        rank = self._exchange.rank
        for name, owner in zip(self._names, self._owners, strict=True):
            if given is not None and owner != rank:
                self._exchange.send(given[name], owner)
            elif owner == rank:
                moments[name] = self._received(name, 0) if given is None else given[name]

    def _collected(self, group: Mapping[str, Tensor], name: str, owner: int) -> Tensor:
        """A moment in process 0, from its owner."""
        if owner == 0 or self._exchange.rank not in (0, owner):
            return group.get(name, self._theta[name])
        if self._exchange.rank == owner:
            self._exchange.send(group[name], 0)
            return group[name]
        return self._received(name, owner)

    def _received(self, name: str, source: int) -> Tensor:
        """A moment from another process, to where moments are kept."""
        value = torch.empty_like(self._theta[name])
        self._exchange.receive(value, source)
        return value.to(moments_device_of(self._config.profile))

    def _shared(self, batch: Batch | None) -> Batch:
        """Process 0's batch, everywhere."""
        config, exchange = self._config, self._exchange
        windows = torch.empty((2, config.batch, config.context), dtype=torch.int64)
        share = torch.empty(1, dtype=torch.float64)
        if batch is not None:
            windows[0], windows[1] = torch.from_numpy(batch.x), torch.from_numpy(batch.y)
            share[0] = batch.rate_share
        sent = [windows.to(exchange.device), share.to(exchange.device)]
        exchange.spread(sent, [0, 0])
        x, y = (side.cpu().numpy() for side in sent[0])
        return Batch(x, y, sent[1].item())

    def _loss(self, own: Mapping[int, float]) -> float:
        """The batch's mean loss, its blocks added in their order."""
        losses = torch.zeros(self._config.ranks, dtype=torch.float64)
        for block, loss in own.items():
            losses[block] = loss
        losses = losses.to(self._exchange.device)
        self._exchange.joined(losses)
        total = 0.0
        for loss in losses.tolist():
            total += loss
        return total

    def _norm(self, gradients: list[Tensor]) -> float:
        dtype = torch.float64 if self._config.profile == PORTABLE else torch.float32
        norms = torch.zeros(len(self._names), dtype=dtype, device=self._exchange.device)
        if gradients:
            mine = [index for index, owner in enumerate(self._owners) if owner == self._exchange.rank]
            norms[mine] = tensor_norms(self._config, gradients).to(norms.device)
        self._exchange.joined(norms)
        return global_norm(self._config, norms)


def _contiguous(tensors: list[Tensor]) -> list[Tensor]:
    """As they travel."""
    return [tensor.contiguous() for tensor in tensors]
