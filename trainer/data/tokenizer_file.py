"""The tokenizer of a run's corpus, for whoever takes its weights home."""

from __future__ import annotations

import tempfile
from pathlib import Path

from trainer.data.cache import files_at
from trainer.data.corpora import index_bytes
from trainer.data.corpus import WrongCorpus
from trainer.data.index import read_index
from trainer.data.origins import origin_of
from trainer.data.place import DEFAULT_LIMIT


def tokenizer_of(place: str, digest: str) -> bytes | None:
    """The file that the `tokenizers` library reads, from the corpus of this digest (64 hex digits) in a folder or at an
    address; None where a byte is a token.

    Raises CorpusUnreachable, WrongCorpus, also for another corpus than the run's, and DiskFull.
    """
    origin = origin_of(place)
    index = read_index(index_bytes(origin), str(origin))
    if index.digest() != digest:
        raise WrongCorpus(f"{origin} is the corpus {index.digest()}, and the run's is {digest}: name the run's")
    if index.tokenizer is None:
        return None
    with tempfile.TemporaryDirectory(prefix="commonweight-tokenizer-") as cache:
        return files_at(origin, Path(cache), DEFAULT_LIMIT).path(index.tokenizer).read_bytes()
