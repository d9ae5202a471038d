"""The proof of one entry as a file that is checked without a network (C2SP's tlog-proof).

Its lines: a fixed one, extra bytes where there are any, the entry's index, the hashes from the leaf's sibling up, an
empty line, and the signed checkpoint as it is. Its checker has the entry and a policy. Nobody signs the extra bytes.
"""

from __future__ import annotations

from dataclasses import dataclass

from contracts.errors import CommonweightError
from contracts.merkle.positional_tree import SHA256_TREE
from contracts.merkle.stored_tree import StoredTree
from contracts.tlog.checkpoint import parse_checkpoint
from contracts.tlog.note import MAX_NOTE, SignedNote, parse_note
from contracts.tlog.policy import Accepted, Policy
from contracts.tlog.text import check_hash, check_number, parse_base64, parse_decimal, parse_hash, parse_utf8, to_base64

HEADER = "c2sp.org/tlog-proof@v1"
MAX_HASHES = 63
MAX_EXTRA = 2**16
MAX_PROOF = MAX_NOTE + 2 * MAX_EXTRA
"""Bytes of a whole proof."""

_EXTRA = "extra "
_INDEX = "index "


class InvalidLogProof(CommonweightError):
    """A file that is no proof of a log's entry."""

    code = "invalid-log-proof"
    status = 422


@dataclass(frozen=True)
class LogProof:
    """The entry at `index` lies under the note's checkpoint, by hashes of 32 bytes. Raises InvalidLogProof."""

    index: int
    hashes: tuple[bytes, ...]
    note: SignedNote
    extra: bytes = b""

    def __post_init__(self) -> None:
        check_number(self.index, "the index", InvalidLogProof)
        if len(self.hashes) > MAX_HASHES or len(self.extra) > MAX_EXTRA:
            raise InvalidLogProof(f"more than {MAX_HASHES} hashes or {MAX_EXTRA} extra bytes")
        for part in self.hashes:
            check_hash(part, "a hash", InvalidLogProof)

    def format(self) -> bytes:
        """The file: what parse_proof reads."""
        extra = [_EXTRA + to_base64(self.extra)] if self.extra else []
        lines = [HEADER, *extra, f"{_INDEX}{self.index}", *map(to_base64, self.hashes), "", ""]
        return "\n".join(lines).encode() + self.note.format()

    def check(self, entry: bytes, policy: Policy) -> Accepted:
        """The checkpoint under which the entry stands at the proof's index.

        Raises PolicyNotMet, BadLogSignature, InvalidCheckpoint, InvalidTree.
        """
        accepted = policy.check(self.note)
        head = accepted.checkpoint
        SHA256_TREE.check_inclusion(entry, self.index, head.size, self.hashes, head.root)
        return accepted


def prove(tree: StoredTree, index: int, note: SignedNote, extra: bytes = b"") -> LogProof:
    """The proof of a stored log's entry, under a checkpoint of it. Raises InvalidTree, InvalidCheckpoint."""
    size = parse_checkpoint(note.text).size
    return LogProof(index, tuple(tree.inclusion_proof(index, size)), note, extra)


def parse_proof(data: bytes) -> LogProof:
    """Raises InvalidLogProof or InvalidNote for what LogProof.format does not write. Verifies nothing."""
    if len(data) > MAX_PROOF:
        raise InvalidLogProof(f"a proof must have at most {MAX_PROOF} bytes")
    head, gap, note = data.partition(b"\n\n")
    header, *lines = parse_utf8(head, InvalidLogProof).split("\n")
    if not gap or header != HEADER:
        raise InvalidLogProof(f"not {HEADER}, lines, and an empty line before the checkpoint")
    extra = lines.pop(0).removeprefix(_EXTRA) if lines and lines[0].startswith(_EXTRA) else None
    if not lines or not lines[0].startswith(_INDEX) or extra == "":
        raise InvalidLogProof("no index line, or an extra line that is empty")
    index = parse_decimal(lines[0].removeprefix(_INDEX), InvalidLogProof)
    hashes = tuple(parse_hash(line, InvalidLogProof) for line in lines[1:])
    return LogProof(index, hashes, parse_note(note), parse_base64(extra or "", InvalidLogProof))
