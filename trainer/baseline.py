"""The baselines of DiLoCo: one node alone, and all nodes with their gradients averaged at every step."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

import numpy as np

from contracts.ids import Address, as_address
from contracts.protocol.run_config import RunConfig
from trainer.data.batches import Batch, BatchSource, batch_source
from trainer.data.corpus import Corpus
from trainer.data.draw import share_of
from trainer.model.building import build_model
from trainer.model.state import Tensors, TrainState
from trainer.steps.determinism import configure_determinism
from trainer.steps.evaluate import held_out_loss
from trainer.steps.inner_step import inner_step


class PublicRound(NamedTuple):
    """One round for a baseline: configuration, 32-byte data seed, the nodes that were listed when it opened, and those
    of them whose batches it trains on."""

    config: RunConfig
    data_seed: bytes
    listed: Sequence[Address]
    nodes: Sequence[str]


def solo(rounds: Iterable[PublicRound], corpus: Corpus, theta: Tensors, node: Address) -> Iterator[float]:
    """Held-out loss, nats per byte, after each round of `node` training alone, as many steps as one node."""
    return data_parallel((_only(node, public) for public in rounds), corpus, theta)


def data_parallel(rounds: Iterable[PublicRound], corpus: Corpus, theta: Tensors) -> Iterator[float]:
    """Held-out loss after each round of synchronous training on the very bytes that DiLoCo's nodes see.

    A step's batch is the concatenation of the batches of that round's nodes: equal tokens, more exchanges. A round
    without nodes trains nothing. `rounds` starts at round 1 and is read one at a time; `theta` is the run's start.
    """
    state = TrainState.joiner(theta)
    for number, (agreed, seed, listed, present) in enumerate(rounds, start=1):
        config = agreed.leading
        configure_determinism(config.profile)
        model = build_model(config)
        shares = [share_of(as_address(node), listed) for node in present]
        sources = [batch_source(corpus, config, seed, number, share) for share in shares]
        for step in range(config.steps if sources else 0):
            inner_step(config, model, state, _joined(sources, step))
        yield held_out_loss(config, state.to_tensors(), corpus.held_out())


def _only(node: Address, public: PublicRound) -> PublicRound:
    """A round of this node alone; one that it was not listed in has a part for it at the end."""
    listed = public.listed if node in public.listed else [*public.listed, node]
    return public._replace(listed=listed, nodes=[node])


def _joined(sources: Sequence[BatchSource], step: int) -> Batch:
    parts = [source(step) for source in sources]
    return Batch(np.concatenate([p.x for p in parts]), np.concatenate([p.y for p in parts]), parts[0].rate_share)
