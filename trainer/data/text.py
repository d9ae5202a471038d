"""Plain text as a corpus of bytes, ordered and split the same way wherever the files are the same.

It is read into memory whole. What is larger, or needs a tokenizer, becomes shards first (trainer/data/making/).
"""

from __future__ import annotations

import os
import platform
import sysconfig
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from unicodedata import normalize

import numpy as np
from blake3 import blake3

from trainer.data.corpus import Corpus, Shard, Source, Tokens, UnusableCorpus

DEFAULT_CAP_BYTES = 8_000_000
"""Of the default text: enough for the demo, and the same on every installation of a release of Python."""
MOST_BYTES = 256_000_000
"""Of a text that is read into memory."""
MINIMUM_BYTES = 4096
_EXCLUDED = {"site-packages", "dist-packages", "test", "tests", "idle_test", "__pycache__"}
_FIRST = "pydoc_data/topics.py"
_HELD_OUT_OF_256 = 13  # about 5 %


def text_corpus(train: Tokens, held_out: Tokens, origin: str = "this text") -> Corpus:
    """A text that is here, as one source of one shard; a byte is a token.

    Its digest is BLAKE3 over the length of the training part and both parts.
    """
    hasher = blake3(len(train).to_bytes(8, "little"))
    hasher.update(train.tobytes())
    hasher.update(held_out.tobytes())
    source = Source("text", (Shard("text", len(train), lambda: train),))
    return Corpus(hasher.hexdigest(), (source,), lambda: held_out, origin)


def corpus_of(paths: Sequence[Path]) -> Corpus:
    """The text of these files and folders; without any, the default one. Raises UnusableCorpus."""
    return load_corpus(paths) if paths else default_corpus()


def default_corpus(cap_bytes: int = DEFAULT_CAP_BYTES) -> Corpus:
    """The first bytes of Python's documentation topics and standard library sources: real text that every installation
    has."""
    root = Path(sysconfig.get_path("stdlib"))
    chosen = sorted(_sources(root), key=lambda name: (name != _FIRST, name))
    where = f"the first {cap_bytes:,} bytes of the standard library of Python {platform.python_version()} in {root}"
    return _split(_first(_read(root / name for name in chosen), cap_bytes), where)


def _sources(root: Path) -> Iterator[str]:
    """Names of the sources below `root`; excluded folders, far larger than the rest, are not even listed."""
    for folder, inside, files in os.walk(root):
        inside[:] = [name for name in inside if name not in _EXCLUDED]
        yield from (Path(folder, name).relative_to(root).as_posix() for name in files if name.endswith(".py"))


def load_corpus(paths: Sequence[Path], most_bytes: int = MOST_BYTES) -> Corpus:
    """The whole of these files and folders. Raises UnusableCorpus, also for more than `most_bytes`."""
    files = [path for _, path in files_of(paths)]
    size = sum(path.stat().st_size for path in files)
    if size > most_bytes:
        raise UnusableCorpus(
            f"{size:,} bytes of text, and at most {most_bytes:,} are read into memory: make shards of it "
            "(commonweight corpus make), and name them with --corpus"
        )
    where = ", ".join(str(path) for path in paths)
    return _split(_read(files), f"what lies in {where} ({len(files):,} files, {size:,} bytes)")


def files_of(paths: Sequence[Path]) -> list[tuple[str, Path]]:
    """Files, and all files in folders, in the order given; within a folder by name, one spelling for every system's
    (NFC). Hidden ones are left out. Raises UnusableCorpus."""
    return [found for path in paths for found in sorted(_below(path), key=lambda pair: pair[0])]


def _below(path: Path) -> Iterator[tuple[str, Path]]:
    if not path.exists():
        raise UnusableCorpus(f"{path} does not exist")
    if not path.is_dir():
        yield normalize("NFC", path.name), path
        return
    for inside in path.rglob("*"):
        relative = inside.relative_to(path)
        if inside.is_file() and not any(part.startswith(".") for part in relative.parts):
            yield normalize("NFC", relative.as_posix()), inside


def is_held_out(document: bytes) -> bool:
    """Whether nobody trains on a document: about one in twenty, by its content."""
    return blake3(document).digest()[0] < _HELD_OUT_OF_256


def _read(files: Iterable[Path]) -> Iterator[bytes]:
    for path in files:
        try:
            yield path.read_bytes()
        except OSError as error:
            raise UnusableCorpus(f"{path} cannot be read: {error.strerror}") from error


def _first(documents: Iterable[bytes], cap_bytes: int) -> Iterator[bytes]:
    """The first bytes of all documents together."""
    for document in documents:
        yield document[:cap_bytes]
        cap_bytes -= len(document)
        if cap_bytes <= 0:
            return


def _split(documents: Iterable[bytes], where: str) -> Corpus:
    """Hold out whole documents; where that gives too little, the tail of the rest."""
    train = bytearray()
    held_out = bytearray()
    for document in documents:
        target = held_out if is_held_out(document) else train
        target += document
    total = len(train) + len(held_out)
    if total < MINIMUM_BYTES:
        raise UnusableCorpus(f"{total} bytes of text, at least {MINIMUM_BYTES} are needed")
    wanted = total * _HELD_OUT_OF_256 // 256
    if len(train) < total // 2 or len(held_out) < wanted // 2:
        everything = train + held_out
        train = everything[:-wanted]
        held_out = everything[-wanted:]
    return text_corpus(np.frombuffer(bytes(train), np.uint8), np.frombuffer(bytes(held_out), np.uint8), where)
