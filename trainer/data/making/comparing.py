"""Text on this machine beside what a corpus was made of."""

from __future__ import annotations

from pathlib import Path

from trainer.data.cache import files_at
from trainer.data.corpus import WrongCorpus
from trainer.data.index import CorpusIndex
from trainer.data.making.documents import input_files
from trainer.data.making.listing import listed, read_listing, require_same
from trainer.data.making.writing import SourceSpec
from trainer.data.origins import Origin
from trainer.data.place import DEFAULT_LIMIT


def compare_source(index: CorpusIndex, origin: Origin, cache: Path, spec: SourceSpec) -> int:
    """That the files of a source here are those that the corpus was made of; how many they are.

    Raises WrongCorpus, which names the first difference, CorpusUnreachable and UnusableCorpus.
    """
    source = next((source for source in index.sources if source.name == spec.name), None)
    if source is None:
        raise WrongCorpus(f"the corpus has no source {spec.name}; it has {', '.join(s.name for s in index.sources)}")
    path = files_at(origin, cache, DEFAULT_LIMIT).path(source.listing)
    expected = read_listing(path.read_bytes(), path)
    require_same(spec.name, expected, map(listed, input_files(spec.paths)))
    return len(expected)
