"""The shards of an index as arrays, mapped from their files."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Protocol

import numpy as np

from contracts.tensors.tensorfile import DTYPES, Layout, header_of, packed_size
from trainer.data.corpus import Corpus, Shard, Source, Tokens, WrongCorpus
from trainer.data.index import CorpusIndex, IndexedFile, IndexedShard

TENSOR = "tokens"
_OPEN_SHARDS = 64
"""Shards that are mapped at once."""


class Files(Protocol):
    """The files of an index, by their names."""

    def path(self, file: IndexedFile) -> Path:
        """A file whose bytes have its name."""


def indexed_corpus(index: CorpusIndex, files: Files, origin: str) -> Corpus:
    """The corpus of an index; no shard is fetched before it is read."""

    @lru_cache(maxsize=_OPEN_SHARDS)
    def opened(shard: IndexedShard) -> Tokens:
        return read_shard(files.path(shard), shard, index)

    def shard_of(shard: IndexedShard) -> Shard:
        return Shard(shard.blob, shard.tokens, lambda: opened(shard))

    sources = tuple(Source(source.name, tuple(map(shard_of, source.shards))) for source in index.sources)
    return Corpus(index.digest(), sources, lambda: opened(index.held_out), origin)


def read_shard(path: Path, shard: IndexedShard, index: CorpusIndex) -> Tokens:
    """The tokens of a shard's file. Raises WrongCorpus for another form, and for tokens that the vocabulary has not."""
    layout = shard_layout(index.dtype, shard.tokens)
    header = header_of(layout)
    with path.open("rb") as file:
        right = file.read(len(header)) == header and path.stat().st_size == packed_size(layout) == shard.size
    if not right:
        raise WrongCorpus(f"{path} is no shard of {shard.tokens} tokens of {index.dtype}")
    tokens: Tokens = np.memmap(path, dtype=DTYPES[index.dtype], mode="r", offset=len(header), shape=(shard.tokens,))
    if (largest := int(tokens.max())) >= index.vocab:
        raise WrongCorpus(f"{path} has the token {largest}, and the vocabulary has {index.vocab}")
    return tokens


def shard_layout(dtype: str, tokens: int) -> Layout:
    """The layout of a shard's file."""
    return {TENSOR: (dtype, (tokens,))}
