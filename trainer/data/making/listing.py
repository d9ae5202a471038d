"""The files that a source was made of, so that another machine's text can be told from it by its first difference."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from blake3 import blake3

from contracts.process.record import Record
from trainer.data.corpus import UnusableCorpus, WrongCorpus
from trainer.data.making.documents import InputFile

_CHUNK = 2**20


@dataclass(frozen=True)
class ListedFile(Record):
    """A file: its bytes, their BLAKE3, and that of the same text with line ends of LF."""

    name: str
    size: int
    digest: str
    unix: str


def listed(file: InputFile) -> ListedFile:
    """A file of this machine. Raises UnusableCorpus."""
    plain, unix, size = blake3(), blake3(), 0
    held = b""
    try:
        with file.path.open("rb") as opened:
            while chunk := opened.read(_CHUNK):
                size += len(chunk)
                plain.update(chunk)
                text = held + chunk
                held = b"\r" if text.endswith(b"\r") else b""
                unix.update(text.removesuffix(held).replace(b"\r\n", b"\n"))
    except OSError as error:
        raise UnusableCorpus(f"{file.path} cannot be read: {error.strerror}") from error
    unix.update(held)
    return ListedFile(file.name, size, plain.hexdigest(), unix.hexdigest())


def pack_listing(files: Iterable[ListedFile]) -> bytes:
    """A line of JSON a file."""
    return "".join(json.dumps(file.to_json(), separators=(",", ":")) + "\n" for file in files).encode()


def read_listing(data: bytes, path: Path) -> list[ListedFile]:
    """What `pack_listing` gave. Raises WrongCorpus."""
    try:
        return [ListedFile.from_json(json.loads(line)) for line in data.splitlines()]
    except (ValueError, RecursionError) as error:
        raise WrongCorpus(f"{path} is no list of a source's files") from error


def require_same(source: str, expected: list[ListedFile], found: Iterable[ListedFile]) -> None:
    """That a machine's files are those of a source. Raises WrongCorpus, which names the first difference."""
    files = iter(found)
    for wanted in expected:
        here = next(files, None)
        if here is None:
            raise WrongCorpus(f"{source} has {wanted.name}, and here it is missing")
        if here != wanted:
            raise WrongCorpus(f"{source}: {_difference(wanted, here)}")
    more = next(files, None)
    if more is not None:
        raise WrongCorpus(f"{more.name} is here, and {source} does not have it")


def _difference(wanted: ListedFile, here: ListedFile) -> str:
    if here.name != wanted.name:
        return f"{wanted.name} comes next, and here it is {here.name}"
    if here.unix == wanted.unix:
        return f"{wanted.name} has other line ends here"
    if here.size != wanted.size:
        return f"{wanted.name} has {wanted.size:,} bytes, and {here.size:,} here"
    return f"{wanted.name} has as many bytes here, and others"
