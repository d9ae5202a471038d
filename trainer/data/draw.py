"""The windows of a round: which part of which shard each node trains on at each step.

Every window of a source is drawn once before any is drawn again, over all nodes that were listed when the round opened.
A node draws from few shards: its part of a source is a run of windows in an order of shards that changes every round,
and inside a shard windows are mixed. So a machine that joins fetches what its next round needs, and no more.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from blake3 import blake3
from numpy.typing import NDArray

from contracts.errors import CommonweightError
from contracts.ids import Address
from contracts.protocol.mixture import parse_mixture, shares, weights_of
from contracts.protocol.run_config import RunConfig
from trainer.data.corpus import Corpus, Shard, Source
from trainer.data.permutation import Permutation

_CONTEXT = b"commonweight batch v2"
_SEED_BYTES = 32
Ints = NDArray[np.int64]


class InvalidBatchRequest(CommonweightError):
    """A batch was asked for with a seed, node, step or corpus that cannot name one."""

    code = "invalid-batch-request"


class Share(NamedTuple):
    """A node's part of a round: its position among the listed nodes, from 0, and how many these are."""

    position: int
    of: int


ALONE = Share(0, 1)


def share_of(node: Address, nodes: Sequence[Address]) -> Share:
    """The part of a listed node. Raises InvalidBatchRequest."""
    if node not in nodes:
        raise InvalidBatchRequest(f"{node} is not among the round's {len(nodes)} nodes")
    return Share(nodes.index(node), len(nodes))


class Windows(NamedTuple):
    """Windows of one shard: their places in what was asked for, and the tokens that they start at."""

    shard: Shard
    places: Ints
    starts: Ints


class RoundDraw:
    """The windows of one node in one round. Raises InvalidBatchRequest."""

    def __init__(self, corpus: Corpus, config: RunConfig, data_seed: bytes, round_number: int, share: Share) -> None:
        if len(data_seed) != _SEED_BYTES or round_number < 0 or not 0 <= share.position < share.of:
            raise InvalidBatchRequest(
                f"a seed of {len(data_seed)} bytes, round {round_number}, node {share.position} of {share.of}"
            )
        self._key = _CONTEXT + data_seed + round_number.to_bytes(8, "little")
        phase = int.from_bytes(blake3(self._key + b"phase").digest(length=8), "little") % config.context
        self._sources = [
            _Drawn(source, self._key + _text(source.name), config.context, phase) for source in corpus.sources
        ]
        tokens = {drawn.source.name: drawn.source.tokens if drawn.count else 0 for drawn in self._sources}
        if not any(tokens.values()):
            raise InvalidBatchRequest(f"no shard has a window of {config.context} tokens")
        mixture = parse_mixture(config.mixture)
        weights = weights_of({name: weight for name, weight in mixture.items() if tokens.get(name)}, tokens)
        self._counts = shares(weights, config.steps * config.batch)
        self._ends = np.cumsum(np.asarray(self._counts, dtype=np.int64))
        self._order = Permutation(self._key + b"order", config.steps * config.batch)
        self._share = share

    def windows(self, slots: Ints) -> Iterator[Windows]:
        """The windows of these slots of the round, `step * batch` and on; by shard."""
        order = self._order(slots)
        chosen = np.searchsorted(self._ends, order, side="right")
        for number in np.unique(chosen):
            places = np.flatnonzero(chosen == number)
            first = int(self._ends[number]) - self._counts[number]
            own = order[places] - first + self._share.position * self._counts[number]
            for found in self._sources[number].windows(own):
                yield found._replace(places=places[found.places])

    def shards_of(self, slots: Ints) -> list[Shard]:
        """The shards that these slots read."""
        return list({found.shard.name: found.shard for found in self.windows(slots)}.values())

    def shards(self) -> list[Shard]:
        """The shards that this node reads in this round."""
        needed: dict[str, Shard] = {}
        for drawn, count in zip(self._sources, self._counts, strict=True):
            first = self._share.position * count
            needed |= {shard.name: shard for shard in drawn.shards(first, first + count)}
        return list(needed.values())


@dataclass(frozen=True)
class _Pass:
    """One time through a source: its shards in their order of this time, and where the windows of each end."""

    shards: Ints
    ends: Ints


class _Drawn:
    """All windows of a source in one round, over all nodes, by their number: pass after pass."""

    def __init__(self, source: Source, key: bytes, context: int, phase: int) -> None:
        self.source = source
        self._key, self._context, self._phase = key, context, phase
        room = np.asarray([shard.tokens - 1 - phase for shard in source.shards], dtype=np.int64)
        self._windows = np.maximum(room, 0) // context
        self.count = int(self._windows.sum())
        self._pass = lru_cache(maxsize=8)(self._new_pass)
        self._inside = lru_cache(maxsize=64)(self._new_inside)

    def windows(self, numbers: Ints) -> Iterator[Windows]:
        """The windows of these numbers, by shard."""
        times = numbers // self.count
        for time in np.unique(times):
            order = self._pass(int(time))
            within = numbers % self.count
            at = np.searchsorted(order.ends, within, side="right")
            at[times != time] = -1
            for place in np.unique(at[at >= 0]):
                yield self._of_shard(int(time), order, int(place), np.flatnonzero(at == place), within)

    def shards(self, first: int, last: int) -> Iterator[Shard]:
        """The shards of the windows with these numbers, `last` not among them. Of three passes or more the second has
        all of them: a small source that is drawn a million times takes no longer."""
        start = first // self.count
        for time in range(start, min(start + 2, -(-last // self.count))) if last > first else ():
            order = self._pass(time)
            begin = max(first - time * self.count, 0)
            end = min(last - time * self.count, self.count)
            for place in range(*_between(order.ends, begin, end)):
                if self._windows[order.shards[place]]:
                    yield self.source.shards[order.shards[place]]

    def _of_shard(self, time: int, order: _Pass, place: int, places: Ints, within: Ints) -> Windows:
        shard = int(order.shards[place])
        first = int(order.ends[place]) - int(self._windows[shard])
        inside = self._inside(time, shard)(within[places] - first)
        return Windows(self.source.shards[shard], places, self._phase + inside * self._context)

    def _new_pass(self, time: int) -> _Pass:
        count = len(self.source.shards)
        shards = Permutation(self._key + b"shards" + _number(time), count)(np.arange(count, dtype=np.int64))
        return _Pass(shards, np.cumsum(self._windows[shards]))

    def _new_inside(self, time: int, shard: int) -> Permutation:
        return Permutation(self._key + b"windows" + _number(time) + _number(shard), int(self._windows[shard]))


def _between(ends: Ints, start: int, end: int) -> tuple[int, int]:
    """The places whose windows overlap those from `start` to before `end`."""
    first = int(np.searchsorted(ends, start, side="right"))
    return first, int(np.searchsorted(ends, end, side="left")) + 1


def _number(value: int) -> bytes:
    return value.to_bytes(8, "little")


def _text(name: str) -> bytes:
    return len(name).to_bytes(1, "little") + name.encode()
