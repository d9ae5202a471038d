"""How entries reach a mirror (C2SP's tlog-mirror, `add-entries`): a header, then packages of up to 256 entries.

Header: the origin after its length in two bytes, first and end index of the upload in eight bytes each, and a ticket
after its length in two bytes; high bytes first. Which entries a package holds follows from the header alone: packages
end at multiples of 256, as entry bundles do. Each brings a proof that its part of the log, from the last such multiple
on, lies under the head of the upload's end (contracts/tlog/subtree.py), so a mirror can keep it at once.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from contracts.merkle.positional_tree import SHA256_TREE
from contracts.tlog.bundles import format_entry
from contracts.tlog.subtree import check_subtree, subtree_root
from contracts.tlog.text import HASH, check_line, check_number, parse_base64, parse_decimal, parse_utf8, to_base64
from contracts.tlog.tiles import WIDTH
from contracts.tlog.witness import InvalidMirrorMessage, check_proof

MAX_PACKAGES = 32
"""Packages in one request: a client sends no more, and a mirror reads no more."""

MAX_FIELD = 2**16 - 1
"""Bytes of an origin or a ticket."""

INFO_TYPE = "text/x.tlog.mirror-info"
"""Content type of MirrorInfo, under status 409 or 202."""

Take = Callable[[int], bytes]
"""The next bytes of a body, at most so many, fewer only at its end: the read of a file."""


@dataclass(frozen=True)
class UploadHeader:
    """Entries from `start` up to, not including, `end` of the log of this origin. Raises InvalidMirrorMessage."""

    origin: str
    start: int
    end: int
    ticket: bytes = b""

    def __post_init__(self) -> None:
        check_line(self.origin, "the origin", InvalidMirrorMessage)
        check_number(self.start, "the start", InvalidMirrorMessage)
        check_number(self.end, "the end", InvalidMirrorMessage)
        if self.start > self.end:
            raise InvalidMirrorMessage(f"an upload from {self.start} to {self.end}")
        if max(len(self.origin.encode()), len(self.ticket)) > MAX_FIELD:
            raise InvalidMirrorMessage(f"origin and ticket must have at most {MAX_FIELD} bytes")

    def format(self) -> bytes:
        """The start of the body: what read_header reads."""
        span = self.start.to_bytes(8, "big") + self.end.to_bytes(8, "big")
        return _sized(self.origin.encode()) + span + _sized(self.ticket)

    def packages(self) -> Iterator[Package]:
        """The packages of the upload, in order; as many as the header says, so take no more than you need."""
        if self.start == self.end:
            return
        for base in range(self.start - self.start % WIDTH, self.end, WIDTH):
            yield Package(base, max(self.start, base), min(self.end, base + WIDTH))


@dataclass(frozen=True)
class Package:
    """A package's entries: from `start` up to `end`; its proof is of the part from `base` up to `end`."""

    base: int
    start: int
    end: int


@dataclass(frozen=True)
class EntryPackage:
    """Entries of at most 65,535 bytes, and a proof of at most 63 hashes. Raises InvalidMirrorMessage."""

    entries: tuple[bytes, ...]
    proof: tuple[bytes, ...]

    def __post_init__(self) -> None:
        check_proof(self.proof)
        if not 1 <= len(self.entries) <= WIDTH:
            raise InvalidMirrorMessage(f"a package has 1 to {WIDTH} entries, not {len(self.entries)}")

    def format(self) -> bytes:
        """The package as read_packages reads it. Raises EntryTooLarge."""
        entries = b"".join(format_entry(entry) for entry in self.entries)
        return entries + bytes([len(self.proof)]) + b"".join(self.proof)

    def check(self, package: Package, hashes: Sequence[bytes], size: int, root: bytes) -> None:
        """Raises InvalidTree unless the entries lie where `package` says, in the log of `size` entries with this root.

        `hashes` are the leaf hashes from the package's base up to its start, which the mirror has.
        """
        if len(hashes) != package.start - package.base or len(self.entries) != package.end - package.start:
            raise InvalidMirrorMessage(f"other entries than from {package.start} to {package.end}")
        leaves = [*hashes, *map(SHA256_TREE.leaf_hash, self.entries)]
        check_subtree(package.base, package.end, subtree_root(leaves), size, root, self.proof)


def format_upload(header: UploadHeader, packages: Sequence[EntryPackage]) -> bytes:
    """A whole body of the first packages of an upload, at most MAX_PACKAGES. Raises InvalidMirrorMessage."""
    if len(packages) > MAX_PACKAGES:
        raise InvalidMirrorMessage(f"a request has at most {MAX_PACKAGES} packages, not {len(packages)}")
    spans = header.packages()
    for package in packages:
        span = next(spans, None)
        if span is None or len(package.entries) != span.end - span.start:
            raise InvalidMirrorMessage(f"not the packages from {header.start} to {header.end}")
    return header.format() + b"".join(package.format() for package in packages)


def read_header(take: Take) -> UploadHeader:
    """The header of a body that is still coming in. Raises InvalidMirrorMessage."""
    origin = parse_utf8(_exactly(take, _number(take, 2)), InvalidMirrorMessage)
    return UploadHeader(origin, _number(take, 8), _number(take, 8), _exactly(take, _number(take, 2)))


def read_packages(take: Take, header: UploadHeader) -> Iterator[tuple[Package, EntryPackage]]:
    """The packages that follow, each as soon as it is there, until the body ends or MAX_PACKAGES were read.

    Raises InvalidMirrorMessage for a body that ends within a package, and for bytes after the last of the upload;
    packages that were yielded before stay valid.
    """
    for count, package in enumerate(header.packages()):
        first = take(1) if count < MAX_PACKAGES else b""
        if not first:
            return
        yield package, _read_package(_after(first, take), package.end - package.start)
    if take(1):
        raise InvalidMirrorMessage("bytes after the last package of the upload")


@dataclass(frozen=True)
class MirrorInfo:
    """The answer of a mirror that does not sign: a size to upload to, its next entry, and a ticket to bring along."""

    size: int
    next_entry: int
    ticket: bytes = b""

    def __post_init__(self) -> None:
        check_number(self.size, "the size", InvalidMirrorMessage)
        check_number(self.next_entry, "the next entry", InvalidMirrorMessage)
        if len(self.ticket) > MAX_FIELD:
            raise InvalidMirrorMessage(f"a ticket must have at most {MAX_FIELD} bytes")

    def format(self) -> bytes:
        """Three lines: what parse_mirror_info reads."""
        return f"{self.size}\n{self.next_entry}\n{to_base64(self.ticket)}\n".encode()


def parse_mirror_info(data: bytes) -> MirrorInfo:
    """Raises InvalidMirrorMessage for what MirrorInfo.format does not write."""
    lines = parse_utf8(data[: 2 * MAX_FIELD], InvalidMirrorMessage).split("\n")
    if len(lines) != 4 or lines[3]:
        raise InvalidMirrorMessage("not three lines that end in a newline")
    size, next_entry = (parse_decimal(line, InvalidMirrorMessage) for line in lines[:2])
    return MirrorInfo(size, next_entry, parse_base64(lines[2], InvalidMirrorMessage))


def origin_hash(origin: str) -> str:
    """The part of a mirror's path under which its copy of a log stands: SHA-256 of the origin, 64 hex digits."""
    return hashlib.sha256(origin.encode()).hexdigest()


def _read_package(take: Take, count: int) -> EntryPackage:
    entries = tuple(_exactly(take, _number(take, 2)) for _ in range(count))
    hashes = _number(take, 1)
    return EntryPackage(entries, tuple(_exactly(take, HASH) for _ in range(hashes)))


def _number(take: Take, width: int) -> int:
    return int.from_bytes(_exactly(take, width), "big")


def _exactly(take: Take, count: int) -> bytes:
    data = take(count) if count else b""
    if len(data) != count:
        raise InvalidMirrorMessage(f"the body ends {count - len(data)} bytes early")
    return data


def _after(first: bytes, take: Take) -> Take:
    """As take, with one byte put back before the rest."""
    waiting = [first]

    def both(count: int) -> bytes:
        start = waiting.pop() if waiting else b""
        return start + take(count - len(start)) if count > len(start) else start

    return both


def _sized(data: bytes) -> bytes:
    return len(data).to_bytes(2, "big") + data
