"""The text a run trains on: bytes, ordered and split the same way wherever the files are the same."""

from __future__ import annotations

import os
import platform
import sysconfig
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import numpy as np
from blake3 import blake3
from numpy.typing import NDArray

from contracts.errors import CommonweightError

DEFAULT_CAP_BYTES = 8_000_000
MINIMUM_BYTES = 4096
_EXCLUDED = {"site-packages", "dist-packages", "test", "tests", "idle_test", "__pycache__"}
_FIRST = "pydoc_data/topics.py"
_HELD_OUT_OF_256 = 13  # about 5 %


class WrongCorpus(CommonweightError):
    """The data on this machine is not the run's."""

    code = "wrong-corpus"


class UnusableCorpus(CommonweightError):
    """The data cannot be read, or is too small to train and evaluate on."""

    code = "unusable-corpus"


@dataclass(frozen=True)
class Corpus:
    """Training and held-out bytes (uint8, one dimension), and where they are from; `digest` names them."""

    train: NDArray[np.uint8]
    held_out: NDArray[np.uint8]
    source: str = "this text"

    @cached_property
    def digest(self) -> str:
        """BLAKE3 over the length of the training part and both parts, as 64 hex digits."""
        hasher = blake3(len(self.train).to_bytes(8, "little"))
        hasher.update(self.train.tobytes())
        hasher.update(self.held_out.tobytes())
        return hasher.hexdigest()

    def require(self, digest: str) -> None:
        """That this is the text of a run with this `corpus_digest`. Raises WrongCorpus."""
        if self.digest != digest:
            raise WrongCorpus(
                f"the run trains on the text {digest}, and {self.source} is {self.digest}: give the run's own text "
                "with --data, the same files in the same order, or without it use the run's release of Python"
            )


def corpus_of(paths: Sequence[Path]) -> Corpus:
    """The text of these files and folders; without any, the default one. Raises UnusableCorpus."""
    return load_corpus(paths) if paths else default_corpus()


def default_corpus(cap_bytes: int = DEFAULT_CAP_BYTES) -> Corpus:
    """Python's documentation topics and standard library sources: real text that every installation has."""
    root = Path(sysconfig.get_path("stdlib"))
    chosen = sorted(_sources(root), key=lambda name: (name != _FIRST, name))
    text = _split(_read(root / name for name in chosen), cap_bytes)
    return replace(text, source=f"the standard library of Python {platform.python_version()} in {root}")


def _sources(root: Path) -> Iterator[str]:
    """Names of the sources below `root`; excluded folders, far larger than the rest, are not even listed."""
    for folder, inside, files in os.walk(root):
        inside[:] = [name for name in inside if name not in _EXCLUDED]
        yield from (Path(folder, name).relative_to(root).as_posix() for name in files if name.endswith(".py"))


def load_corpus(paths: Sequence[Path], cap_bytes: int = DEFAULT_CAP_BYTES) -> Corpus:
    """Files, and all files in folders, in the order given, by name within a folder. Raises UnusableCorpus."""
    files: list[Path] = []
    for path in paths:
        if not path.exists():
            raise UnusableCorpus(f"{path} does not exist")
        inside = (p for p in path.rglob("*") if p.is_file() and not _is_hidden(p.relative_to(path)))
        files += sorted(inside, key=lambda p: p.relative_to(path).as_posix()) if path.is_dir() else [path]
    return replace(_split(_read(files), cap_bytes), source="what lies in " + ", ".join(str(path) for path in paths))


def _is_hidden(relative: Path) -> bool:
    return any(part.startswith(".") for part in relative.parts)


def _read(files: Iterable[Path]) -> Iterable[bytes]:
    for path in files:
        try:
            yield path.read_bytes()
        except OSError as error:
            raise UnusableCorpus(f"{path} cannot be read: {error.strerror}") from error


def _split(documents: Iterable[bytes], cap_bytes: int) -> Corpus:
    """Hold out whole documents by their content's hash; where that gives too little, the tail of the rest."""
    train = bytearray()
    held_out = bytearray()
    total = 0
    for document in documents:
        document = document[: cap_bytes - total]
        total += len(document)
        target = held_out if blake3(document).digest()[0] < _HELD_OUT_OF_256 else train
        target += document
        if total >= cap_bytes:
            break
    if total < MINIMUM_BYTES:
        raise UnusableCorpus(f"{total} bytes of text, at least {MINIMUM_BYTES} are needed")
    wanted = total * _HELD_OUT_OF_256 // 256
    if len(train) < total // 2 or len(held_out) < wanted // 2:
        everything = train + held_out
        train = everything[:-wanted]
        held_out = everything[-wanted:]
    return Corpus(np.frombuffer(bytes(train), np.uint8), np.frombuffer(bytes(held_out), np.uint8))
