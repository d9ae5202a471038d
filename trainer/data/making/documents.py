"""The documents of a source, in pieces of a bounded size: plain files, columns of Parquet, datasets on disk.

However large a file is, one piece of it is in memory at a time.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from trainer.data.corpus import UnusableCorpus
from trainer.data.text import files_of

PIECE_BYTES = 2**16
"""Bytes of a piece at most, but for the rest of a character and of a line."""
_ROWS = 256
_ARROW = (".arrow",)
_DATASET = ("dataset_info.json", "state.json")
"""Files by which the folder of a dataset that was saved to disk is known."""


@dataclass(frozen=True)
class Piece:
    """A part of a document, in UTF-8; `ends` says whether the document ends with it."""

    text: bytes
    ends: bool


@dataclass(frozen=True)
class InputFile:
    """A file of a source: its name there, and its kind."""

    name: str
    path: Path
    kind: str

    def pieces(self, column: str) -> Iterator[Piece]:
        """Its documents, one after the other. Raises UnusableCorpus."""
        if self.kind == "text":
            yield from _of_file(self.path)
            return
        for document in _rows(self, column):
            yield from _of_text(document.encode("utf-8", "surrogatepass"))


def input_files(paths: Sequence[Path]) -> list[InputFile]:
    """The files below these paths, in order. Raises UnusableCorpus."""
    found = [InputFile(name, path, _kind(path)) for name, path in files_of(paths) if not _describes(path)]
    if not found:
        raise UnusableCorpus(f"no file lies in {', '.join(map(str, paths))}")
    return found


def _describes(path: Path) -> bool:
    """Whether a file says what others of a saved dataset hold."""
    return path.name in _DATASET and any(path.parent.glob("*.arrow"))


def _kind(path: Path) -> str:
    if path.suffix == ".parquet":
        return "parquet"
    return "arrow" if path.suffix in _ARROW else "text"


def _of_file(path: Path) -> Iterator[Piece]:
    """Whole lines, as long as they fit."""
    try:
        with path.open("rb") as file:
            piece = _next(file)
            while piece:
                following = _next(file)
                yield Piece(piece, not following)
                piece = following
    except OSError as error:
        raise UnusableCorpus(f"{path} cannot be read: {error.strerror}") from error


def _next(file: BinaryIO) -> bytes:
    piece = file.read(PIECE_BYTES)
    if len(piece) == PIECE_BYTES:
        piece += file.readline(PIECE_BYTES)
    return piece + file.read(_cut_off(piece))


def _of_text(text: bytes) -> Iterator[Piece]:
    start = 0
    while start < len(text):
        end = start + PIECE_BYTES
        end += _cut_off(text[start:end])
        yield Piece(text[start:end], end >= len(text))
        start = end


def _cut_off(piece: bytes) -> int:
    """Bytes that the last character of a piece lacks in UTF-8 (RFC 3629)."""
    for back, byte in enumerate(reversed(piece[-3:]), start=1):
        if byte & 0xC0 != 0x80:  # no continuation: it begins a character, whose length it says
            length = 4 if byte >= 0xF0 else 3 if byte >= 0xE0 else 2 if byte >= 0xC0 else 1
            return max(length - back, 0)
    return 0


def _rows(file: InputFile, column: str) -> Iterator[str]:
    """The texts of a column. Raises UnusableCorpus."""
    try:
        import pyarrow as arrow
    except ImportError as error:
        raise UnusableCorpus(f"{file.path} needs pyarrow: pip install 'commonweight[corpus]'") from error
    try:
        for batch in _parquet(file, column) if file.kind == "parquet" else _arrow(file):
            yield from _texts(batch, column, file)
    except (arrow.ArrowException, OSError) as error:
        raise UnusableCorpus(f"{file.path} cannot be read: {error}") from error


def _parquet(file: InputFile, column: str) -> Iterator[Any]:
    from pyarrow.parquet import ParquetFile

    table = ParquetFile(file.path)
    _require(column, table.schema_arrow, file)
    yield from table.iter_batches(batch_size=_ROWS, columns=[column])


def _arrow(file: InputFile) -> Iterator[Any]:
    """A dataset's file is a stream of record batches."""
    import pyarrow as arrow

    with arrow.memory_map(str(file.path)) as mapped, arrow.ipc.open_stream(mapped) as stream:
        for batch in stream:
            yield from (batch.slice(start, _ROWS) for start in range(0, batch.num_rows, _ROWS))


def _texts(batch: Any, column: str, file: InputFile) -> Iterator[str]:
    _require(column, batch.schema, file)
    yield from (text for text in batch.column(column).to_pylist() if text)


def _require(column: str, schema: Any, file: InputFile) -> None:
    """That a table has this column, of text. Raises UnusableCorpus."""
    import pyarrow as arrow

    names = list(schema.names)
    if column not in names:
        raise UnusableCorpus(f"{file.path} has no column {column!r}; it has {', '.join(names[:20])}")
    kind = schema.field(column).type
    if not (arrow.types.is_string(kind) or arrow.types.is_large_string(kind)):
        raise UnusableCorpus(f"the column {column!r} of {file.path} is {kind}, not text")
