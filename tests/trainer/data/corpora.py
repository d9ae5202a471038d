"""Small corpora: of arrays, and in a folder."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from trainer.data.corpus import Corpus, Shard, Source
from trainer.data.index import CorpusIndex
from trainer.data.making.tokenizing import CorpusTokenizer
from trainer.data.making.writing import SourceSpec, make_corpus


def shard(name: str, tokens: int) -> Shard:
    """Tokens that say where they stand in their shard."""
    return Shard(name, tokens, lambda: np.arange(tokens, dtype=np.uint32))


def corpus(**sources: tuple[int, ...]) -> Corpus:
    """Sources by name, with the sizes of their shards."""
    parts = [
        Source(name, tuple(shard(f"{name}-{place}", size) for place, size in enumerate(sizes)))
        for name, sizes in sources.items()
    ]
    return Corpus("ab" * 32, tuple(parts), lambda: np.arange(9, dtype=np.uint32))


def written(folder: Path, lines: int = 3000) -> Path:
    """A folder of two texts, of some kinds of words."""
    folder.mkdir(parents=True)
    for name in ("one", "two"):
        text = "".join(f"{name}: line {line} has {line * line} words, or {line % 7} of them\n" for line in range(lines))
        (folder / f"{name}.txt").write_text(text)
    return folder


def made(folder: Path, text: Path, tokenizer: CorpusTokenizer | None = None, shard_tokens: int = 20_000) -> CorpusIndex:
    """A corpus of one source, `prose`."""
    spec = SourceSpec("prose", (text,), "CC0-1.0")
    return make_corpus(folder, [spec], tokenizer or CorpusTokenizer(), lambda *_: None, shard_tokens, 5000)
