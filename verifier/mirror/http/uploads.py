"""Uploads of heads and entries into a copy (C2SP's tlog-mirror: `add-checkpoint`, `add-entries`), by any sender.

No sender is trusted: a head bears the operator's signature and a proof that it follows on the newest one, and each
package of entries its proof that it lies under a head.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from dataclasses import dataclass

from contracts.merkle.positional_tree import SHA256_TREE
from contracts.tlog.mirror import (
    MAX_PACKAGES,
    EntryPackage,
    MirrorInfo,
    Package,
    Take,
    UploadHeader,
    read_header,
    read_packages,
)
from contracts.tlog.note import NoteSignature
from contracts.tlog.tiles import WIDTH
from contracts.tlog.witness import AddCheckpoint, InvalidMirrorMessage
from verifier.mirror.errors import CopyChanged, SizeConflict, UnknownLog, UploadConflict
from verifier.mirror.store.copy import LogCopy, SignedHead

_GZIP = 16 + zlib.MAX_WBITS
_STEP = 2**14


@dataclass(frozen=True)
class UploadResult:
    """The cosignature where all entries up to the head are here, else how far they have come."""

    signatures: tuple[NoteSignature, ...]
    info: MirrorInfo


def add_checkpoint(copy: LogCopy, request: AddCheckpoint) -> SignedHead:
    """Take a new pending head.

    Raises UnknownLog, CheckpointRefused, SizeConflict, HeadContradicts, InvalidTree and DiskFull.
    """
    head = copy.verified(request.note)
    with copy.turn():
        copy.check_head(head)
        newest = copy.pending()
        size = newest.checkpoint.size if newest else 0
        if request.old != size:
            raise SizeConflict(size)
        root = newest.checkpoint.root if newest else SHA256_TREE.root([])
        SHA256_TREE.check_consistency(size, head.checkpoint.size, root, head.checkpoint.root, request.proof)
        copy.add_pending(head)
    return head


def add_entries(copy: LogCopy, take: Take) -> UploadResult:
    """Take entries from a body as it comes in; each package is kept as soon as it is proven.

    Raises UnknownLog, UploadConflict, InvalidMirrorMessage where nothing was kept, InvalidTree, DiskFull, and the
    errors of the owner's machine over the log.
    """
    header = read_header(take)
    pending = _pending(copy, header)
    count = _keep(copy, pending, read_packages(take, header))
    if copy.size >= header.end:
        return UploadResult(copy.sign(pending), MirrorInfo(header.end, copy.size))
    if not count:
        raise InvalidMirrorMessage("the body has no whole package of entries")
    return UploadResult((), MirrorInfo(header.end, copy.size))


def gunzipped(take: Take) -> Take:
    """The bytes of a compressed body, never more of them in memory than are asked for. Raises InvalidMirrorMessage."""
    inflate = zlib.decompressobj(_GZIP)

    def both(count: int) -> bytes:
        data = b""
        while len(data) < count and not inflate.eof:
            packed = inflate.unconsumed_tail or take(_STEP)
            try:
                part = inflate.decompress(packed, count - len(data))
            except zlib.error as error:
                raise InvalidMirrorMessage(f"not gzip: {error}") from None
            if not packed and not part:
                break
            data += part
        return data

    return both


def _pending(copy: LogCopy, header: UploadHeader) -> SignedHead:
    """The head that an upload leads to. Raises UnknownLog and UploadConflict."""
    if header.origin != copy.log.name:
        raise UnknownLog("this mirror copies another log")
    pending = copy.pending_at(header.end)
    newest = copy.pending()
    served = copy.head()
    at_least = served.checkpoint.size if served else 0
    if pending is None or header.end < at_least:
        raise UploadConflict(MirrorInfo(newest.checkpoint.size if newest else 0, copy.size))
    if not copy.size - MAX_PACKAGES * WIDTH <= header.start <= copy.size:
        raise UploadConflict(MirrorInfo(header.end, copy.size))
    return pending


def _keep(copy: LogCopy, pending: SignedHead, packages: Iterator[tuple[Package, EntryPackage]]) -> int:
    """Number of packages that were kept. A body that ends within a package, or goes on after the last, ends there."""
    count = 0
    size = pending.checkpoint.size
    root = pending.checkpoint.root
    try:
        for package, content in packages:
            copy.advance()
            with copy.turn():
                if copy.pending_at(size) is None:
                    raise CopyChanged("the head that this upload leads to was given up meanwhile")
                content.check(package, copy.leaves(package.base, package.start), size, root)
                copy.keep(package.start, content.entries)
            copy.advance()
            count += 1
    except InvalidMirrorMessage:
        if not count:
            raise
    return count
