"""The shards of an index as arrays, mapped from their files."""

from __future__ import annotations

from contextlib import suppress
from functools import lru_cache
from pathlib import Path
from typing import Protocol

import numpy as np

from contracts.tensors.tensorfile import DTYPES, Layout, header_of, packed_size
from trainer.data.corpus import Corpus, CorpusUnreachable, Shard, Source, Tokens, WrongCorpus
from trainer.data.index import CorpusIndex, IndexedFile, IndexedShard

TENSOR = "tokens"
_OPEN_SHARDS = 64
"""Shards that are mapped at once."""
_TRIES = 10


class Files(Protocol):
    """The files of an index, by their names."""

    def path(self, file: IndexedFile) -> Path:
        """A file whose bytes have its name. Raises FileNotFoundError where it was removed in between."""

    def check(self, file: IndexedFile) -> None:
        """That a file which was given before has its bytes still."""


def indexed_corpus(index: CorpusIndex, files: Files, origin: str) -> Corpus:
    """The corpus of an index; no shard is fetched before it is read."""

    @lru_cache(maxsize=_OPEN_SHARDS)
    def opened(shard: IndexedShard) -> Tokens:
        return _opened(files, shard, index)

    def read(shard: IndexedShard) -> Tokens:
        files.check(shard)
        return opened(shard)

    def shard_of(shard: IndexedShard) -> Shard:
        return Shard(shard.blob, shard.tokens, lambda: read(shard))

    sources = tuple(Source(source.name, tuple(map(shard_of, source.shards))) for source in index.sources)
    return Corpus(index.digest(), sources, lambda: read(index.held_out), origin)


def _opened(files: Files, shard: IndexedShard, index: CorpusIndex) -> Tokens:
    """Once it is mapped a shard stays readable; before, another process that shares the folder may remove it."""
    for _ in range(_TRIES):
        with suppress(FileNotFoundError):
            return read_shard(files.path(shard), shard, index)
    raise CorpusUnreachable(
        f"the shard {shard.blob} was removed {_TRIES} times by other processes before it was read: corpus_limit is too "
        "small for as many workers"
    )


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
