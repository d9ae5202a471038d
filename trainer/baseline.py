"""What DiLoCo is compared with: one node alone, and all nodes with their gradients averaged at every step."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from contracts.run_config import RunConfig
from trainer.batches import Batch, BatchSource, batch_source
from trainer.corpus import Corpus
from trainer.evaluate import held_out_loss
from trainer.inner_step import inner_step
from trainer.model import build_model
from trainer.profile import configure_determinism
from trainer.state import Tensors, TrainState


def solo(
    configs: Sequence[RunConfig], corpus: Corpus, theta: Tensors, data_seeds: Sequence[bytes], node: str
) -> Iterator[float]:
    """Held-out loss, nats per byte, after each round of `node` training alone, as many steps as one node.

    `configs` and `data_seeds` (32 bytes each) have one entry per round, from round 1; `theta` is the run's start.
    """
    return data_parallel(configs, corpus, theta, data_seeds, [[node]] * len(configs))


def data_parallel(
    configs: Sequence[RunConfig],
    corpus: Corpus,
    theta: Tensors,
    data_seeds: Sequence[bytes],
    nodes: Sequence[Sequence[str]],
) -> Iterator[float]:
    """Held-out loss after each round of synchronous training on the very bytes that DiLoCo's nodes see.

    A step's batch is the concatenation of the batches of that round's `nodes`: equal tokens, more exchanges.
    A round without nodes trains nothing.
    """
    if not configs:
        return
    configure_determinism(configs[0].profile)
    model, state = build_model(configs[0]), TrainState.joiner(theta)
    for number, (config, seed, present) in enumerate(zip(configs, data_seeds, nodes, strict=True), start=1):
        sources = [batch_source(corpus.train, config, seed, number, node) for node in present]
        for step in range(config.steps if sources else 0):
            inner_step(config, model, state, _joined(sources, step))
        yield held_out_loss(config, state.to_tensors(), corpus.held_out)


def _joined(sources: Sequence[BatchSource], step: int) -> Batch:
    parts = [source(step) for source in sources]
    return np.concatenate([x for x, _ in parts]), np.concatenate([y for _, y in parts])
