"""The messages of a log and a witness or mirror about a new checkpoint (C2SP's tlog-witness, `add-checkpoint`).

The request is the size of the last head that the witness knows, a consistency proof from it, an empty line and the
signed checkpoint. The answer is signature lines, or the size that the witness knows instead.
"""

from __future__ import annotations

from dataclasses import dataclass

from contracts.errors import CommonweightError
from contracts.tlog.checkpoint import Checkpoint, parse_checkpoint
from contracts.tlog.note import MAX_NOTE, SignedNote, parse_note
from contracts.tlog.text import check_hash, check_number, parse_decimal, parse_hash, parse_utf8, shown, to_base64

MAX_HASHES = 63
MAX_REQUEST = MAX_NOTE + 4096
"""Bytes of an add-checkpoint request."""

SIZE_TYPE = "text/x.tlog.size"
"""Content type of the answer with a size, under status 409."""

_OLD = "old "


class InvalidMirrorMessage(CommonweightError):
    """A request or answer of the mirrors' protocol that does not have its form."""

    code = "invalid-mirror-message"
    status = 400


@dataclass(frozen=True)
class AddCheckpoint:
    """A head, and hashes of 32 bytes that lead to it from the head of `old` entries. Raises InvalidMirrorMessage.

    The proof is carried, not checked; the note's signatures neither.
    """

    old: int
    proof: tuple[bytes, ...]
    note: SignedNote

    def __post_init__(self) -> None:
        check_number(self.old, "the old size", InvalidMirrorMessage)
        check_proof(self.proof)
        if self.old == 0 and self.proof:
            raise InvalidMirrorMessage("from an empty log no proof is needed")
        if self.old > self.checkpoint.size:
            raise InvalidMirrorMessage(f"a log cannot shrink from {self.old} to {self.checkpoint.size}")

    @property
    def checkpoint(self) -> Checkpoint:
        """The note's checkpoint; verify the note before this is used. Raises InvalidCheckpoint."""
        return parse_checkpoint(self.note.text)

    def format(self) -> bytes:
        """The request's body: what parse_add_checkpoint reads."""
        lines = [f"{_OLD}{self.old}", *map(to_base64, self.proof), "", ""]
        return "\n".join(lines).encode() + self.note.format()


def parse_add_checkpoint(data: bytes) -> AddCheckpoint:
    """Raises InvalidMirrorMessage, InvalidNote, InvalidCheckpoint."""
    if len(data) > MAX_REQUEST:
        raise InvalidMirrorMessage(f"a request must have at most {MAX_REQUEST} bytes")
    head, gap, note = data.partition(b"\n\n")
    if not gap:
        raise InvalidMirrorMessage("no empty line before the checkpoint")
    old, *hashes = parse_utf8(head, InvalidMirrorMessage).split("\n")
    if not old.startswith(_OLD) or len(hashes) > MAX_HASHES:
        raise InvalidMirrorMessage(f"not an old size and at most {MAX_HASHES} hashes: {shown(old)}")
    size = parse_decimal(old.removeprefix(_OLD), InvalidMirrorMessage)
    proof = tuple(parse_hash(line, InvalidMirrorMessage) for line in hashes)
    return AddCheckpoint(size, proof, parse_note(note))


def format_size(size: int) -> bytes:
    """The answer of a witness that knows a head of another size than `old`. Raises InvalidMirrorMessage."""
    check_number(size, "the size", InvalidMirrorMessage)
    return f"{size}\n".encode()


def parse_size(data: bytes) -> int:
    """Raises InvalidMirrorMessage for what format_size does not write."""
    text = parse_utf8(data[:64], InvalidMirrorMessage)
    if not text.endswith("\n"):
        raise InvalidMirrorMessage(f"not one line with a size: {shown(text)}")
    return parse_decimal(text[:-1], InvalidMirrorMessage)


def check_proof(proof: tuple[bytes, ...]) -> None:
    """At most 63 hashes of 32 bytes."""
    if len(proof) > MAX_HASHES:
        raise InvalidMirrorMessage(f"a proof has at most {MAX_HASHES} hashes, not {len(proof)}")
    for part in proof:
        check_hash(part, "a proof's hash", InvalidMirrorMessage)
