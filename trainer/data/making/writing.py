"""A folder of shards and their index, made from sources of text in constant memory."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

import numpy as np

from contracts.files.blob_files import BlobFiles
from contracts.files.whole_file import replace_file
from contracts.protocol.mixture import SOURCE_NAME
from contracts.tensors.tensorfile import DTYPES, pack
from trainer.data.corpora import INDEX
from trainer.data.corpus import Tokens, UnusableCorpus
from trainer.data.index import TOKENIZER, CorpusIndex, IndexedFile, IndexedShard, IndexedSource, dtype_of
from trainer.data.making.documents import InputFile, Piece, input_files
from trainer.data.making.listing import listed, pack_listing
from trainer.data.making.tokenizing import CorpusTokenizer
from trainer.data.shards import TENSOR
from trainer.data.text import is_held_out

SHARD_TOKENS = 2**24
HELD_OUT_TOKENS = 2**20
"""Tokens that are held out at most, of all sources together: what is more is trained on."""
_SLICE = 16
"""Pieces that are encoded at once."""

Report = Callable[[str, int, int], None]
"""Takes a source's name, the bytes that are done, and the bytes of all its files."""


@dataclass(frozen=True)
class SourceSpec:
    """A source as its maker gives it; `column` has the text of tables."""

    name: str
    paths: tuple[Path, ...]
    licence: str = ""
    column: str = "text"

    def __post_init__(self) -> None:
        if SOURCE_NAME.fullmatch(self.name) is None:
            raise UnusableCorpus(f"{self.name!r} is no name of a source: small letters, digits, and . _ - between")


def make_corpus(
    folder: Path,
    sources: Sequence[SourceSpec],
    tokenizer: CorpusTokenizer,
    report: Report,
    shard_tokens: int = SHARD_TOKENS,
    held_out_tokens: int = HELD_OUT_TOKENS,
) -> CorpusIndex:
    """Write shards, tokenizer, lists of files and the index into a folder. Raises UnusableCorpus and DiskFull.

    The first piece is held out, and about one in twenty of the others, by its content, up to `held_out_tokens`.
    """
    blobs = BlobFiles(folder)
    blobs.start()
    names = [source.name for source in sources]
    if len(set(names)) != len(names):
        raise UnusableCorpus(f"sources have names of their own: {', '.join(names)}")
    made = _Making(blobs, tokenizer, shard_tokens, held_out_tokens)
    parts = [made.source(source, report) for source in sorted(sources, key=lambda source: source.name)]
    index = CorpusIndex(tokenizer=tokenizer.indexed(), sources=tuple(parts), held_out=made.held_out())
    if tokenizer.file:
        blobs.put(tokenizer.file)
        replace_file(folder / TOKENIZER, tokenizer.file)
    replace_file(folder / INDEX, index.to_bytes())
    return index


def sample(sources: Sequence[SourceSpec], size: int) -> Iterator[str]:
    """Pieces of all sources, evenly spread, of about `size` bytes together; for a tokenizer to be trained on."""
    files = [(file, source.column) for source in sources for file in input_files(source.paths)]
    total = sum(file.path.stat().st_size for file, _ in files)
    every = max(1, total // max(size, 1))
    pieces = (piece for file, column in files for piece in file.pieces(column))
    yield from (piece.text.decode("utf-8", "replace") for piece in islice(pieces, 0, None, every))


@dataclass
class _Shards:
    """Tokens on their way into files of one size."""

    blobs: BlobFiles
    most: int
    parts: list[Tokens] = field(default_factory=list)
    held: int = 0
    written: list[IndexedShard] = field(default_factory=list)

    def add(self, tokens: Tokens) -> None:
        while len(tokens):
            room = self.most - self.held
            self.parts.append(tokens[:room])
            self.held += len(tokens[:room])
            tokens = tokens[room:]
            if self.held == self.most:
                self.end()

    def end(self) -> None:
        """Write what there is."""
        if not self.held:
            return
        data = pack({TENSOR: np.concatenate(self.parts)})
        self.written.append(IndexedShard(blob=self.blobs.put(data), size=len(data), tokens=self.held))
        self.parts, self.held = [], 0


class _Making:
    """The state of a corpus in the making; what is held out is of all sources."""

    def __init__(self, blobs: BlobFiles, tokenizer: CorpusTokenizer, shard_tokens: int, held_out: int) -> None:
        self._blobs = blobs
        self._tokenizer = tokenizer
        self._shard_tokens = shard_tokens
        self._dtype = DTYPES[dtype_of(tokenizer.vocab)]
        self._room = held_out
        self._held_out = _Shards(blobs, held_out)

    def source(self, spec: SourceSpec, report: Report) -> IndexedSource:
        """All files of a source."""
        files = input_files(spec.paths)
        total, done = sum(file.path.stat().st_size for file in files), 0
        shards, rows, documents, text_bytes = _Shards(self._blobs, self._shard_tokens), [], 0, 0
        for file in files:
            rows.append(listed(file))
            for pieces in _slices(file, spec.column):
                documents += sum(piece.ends for piece in pieces)
                text_bytes += sum(len(piece.text) for piece in pieces)
                self._take(pieces, shards)
                report(spec.name, min(done + text_bytes, total), total)
            done = sum(row.size for row in rows) - text_bytes
        shards.end()
        if not shards.written:
            raise UnusableCorpus(f"the source {spec.name} has too little text: {text_bytes} bytes")
        return IndexedSource(
            name=spec.name,
            licence=spec.licence,
            documents=documents,
            text_bytes=text_bytes,
            tokens=sum(shard.tokens for shard in shards.written),
            listing=self._put(pack_listing(rows)),
            shards=tuple(shards.written),
        )

    def held_out(self) -> IndexedShard:
        """The shard that nobody trains on."""
        self._held_out.end()
        return self._held_out.written[0]

    def _take(self, pieces: list[Piece], shards: _Shards) -> None:
        for piece, tokens in zip(pieces, self._tokenizer.encode(pieces, self._dtype), strict=True):
            if (not self._held_out.held or is_held_out(piece.text)) and self._room:
                held, tokens = tokens[: self._room], tokens[self._room :]
                self._room -= len(held)
                self._held_out.add(held)
            shards.add(tokens)

    def _put(self, data: bytes) -> IndexedFile:
        return IndexedFile(blob=self._blobs.put(data), size=len(data))


def _slices(file: InputFile, column: str) -> Iterator[list[Piece]]:
    pieces = file.pieces(column)
    while batch := list(islice(pieces, _SLICE)):
        yield batch
