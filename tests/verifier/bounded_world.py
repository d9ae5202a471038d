"""A bounded run whose table holds one pair of machines: the default way to compute, and two micro-batches."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from contracts.limits import METRICS, LimitTable, PairLimits, pair_key
from contracts.run_config import RunConfig
from tests.world import TINY, World
from trainer.profile import configure_determinism
from trainer.variants import Variant, choose

OTHER_WAY = Variant(micro_batches=2)


def limits_between(one: bytes, other: bytes) -> LimitTable:
    """Ten times what micro-batching was measured to differ by, and then some."""
    honest = dict.fromkeys(METRICS, ("0.0000001", "0.000001", "0.00001"))
    return LimitTable((PairLimits(pair_key(one, other), 1, 2, honest, dict.fromkeys(METRICS, "0.0001"), {}),))


@contextmanager
def bounded_world(folder: Path) -> Iterator[tuple[World, LimitTable]]:
    """The world and its table, which lies among the blobs; this process computes in the default way."""
    default = configure_determinism("bounded").digest()
    choose(OTHER_WAY)
    table = limits_between(default, configure_determinism("bounded").digest())
    choose(Variant())
    config: RunConfig = replace(TINY, profile="bounded", limits_digest=table.digest().hex())
    with World(folder, config=config) as made:
        made.blob(table.to_json().encode(), made.creator)
        yield made, table
