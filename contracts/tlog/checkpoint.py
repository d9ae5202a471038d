"""Checkpoints (C2SP's tlog-checkpoint): a log's head as the text of a signed note.

The first line is the log's origin, the second its size, the third the root over its entries (RFC 6962, SHA-256). Lines
after these are extensions; this project writes none and keeps those of others.
"""

from __future__ import annotations

from dataclasses import dataclass

from contracts.errors import CommonweightError
from contracts.merkle.positional_tree import SHA256_TREE
from contracts.tlog.keys import SigningKey, VerifierKey
from contracts.tlog.note import SignedNote, parse_note, sign_note, verify_note
from contracts.tlog.text import check_hash, check_line, check_number, parse_decimal, parse_hash, shown, to_base64


class InvalidCheckpoint(CommonweightError):
    """A text that is no head of a log, or the head of another log."""

    code = "invalid-checkpoint"
    status = 422


@dataclass(frozen=True)
class Checkpoint:
    """A log of `size` entries with a root of 32 bytes. Raises InvalidCheckpoint."""

    origin: str
    size: int
    root: bytes
    extensions: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        check_line(self.origin, "the origin", InvalidCheckpoint)
        check_number(self.size, "the size", InvalidCheckpoint)
        check_hash(self.root, "the root", InvalidCheckpoint)
        if self.size == 0 and self.root != SHA256_TREE.root([]):
            raise InvalidCheckpoint("the empty log has another root")
        for extension in self.extensions:
            check_line(extension, "an extension", InvalidCheckpoint)

    def text(self) -> str:
        """The lines that are signed: what parse_checkpoint reads."""
        lines = (self.origin, str(self.size), to_base64(self.root), *self.extensions)
        return "".join(f"{line}\n" for line in lines)


def parse_checkpoint(text: str) -> Checkpoint:
    """Raises InvalidCheckpoint for what Checkpoint.text does not write."""
    *lines, rest = text.split("\n")
    if rest or len(lines) < 3:
        raise InvalidCheckpoint(f"not three lines that end in a newline: {shown(text)}")
    origin, size, root, *extensions = lines
    return Checkpoint(
        origin, parse_decimal(size, InvalidCheckpoint), parse_hash(root, InvalidCheckpoint), tuple(extensions)
    )


def sign_checkpoint(checkpoint: Checkpoint, key: SigningKey) -> SignedNote:
    """As the log itself, whose key is named as the origin is. Raises InvalidLogKey for an origin that is no name."""
    return sign_note(checkpoint.text(), checkpoint.origin, key)


def verify_checkpoint(note: SignedNote, log: VerifierKey) -> Checkpoint:
    """The head that the log of this key signed; the key's name is the origin.

    Raises NoteNotSigned, BadLogSignature, InvalidCheckpoint.
    """
    verify_note(note, log)
    checkpoint = parse_checkpoint(note.text)
    if checkpoint.origin != log.name:
        raise InvalidCheckpoint(f"a head of {shown(checkpoint.origin)}, signed by the key of {shown(log.name)}")
    return checkpoint


def open_checkpoint(data: bytes, log: VerifierKey) -> Checkpoint:
    """From bytes: parse, then verify. Raises InvalidNote too."""
    return verify_checkpoint(parse_note(data), log)
