"""Signed notes (C2SP's signed-note): a text, an empty line, and one line for each signature.

A signature line is an em dash, a space, the key's name, a space, and the base64 of the key's id (4 bytes) and the
signature. Nothing in a note's text may be used before the signature of a known key was verified. Signatures by unknown
keys are ignored; a known key's signature that does not verify condemns the whole note.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from contracts.errors import CommonweightError
from contracts.tlog.keys import KEY_ID, SIGNATURE, BadLogSignature, SignatureType, SigningKey, VerifierKey
from contracts.tlog.text import check_characters, check_name, parse_base64, parse_utf8, shown, to_base64

MAX_NOTE = 2**19
"""Bytes of a whole note: a hundred signatures of the largest kind that others use fit in."""

MAX_SIGNATURES = 100
DASH = "\u2014 "


class InvalidNote(CommonweightError):
    """Bytes that are no signed note."""

    code = "invalid-note"
    status = 422


class NoteNotSigned(CommonweightError):
    """A note without a signature by the key that it needs."""

    code = "note-not-signed"
    status = 401


@dataclass(frozen=True)
class NoteSignature:
    """One signature line. Raises InvalidNote."""

    name: str
    key_id: bytes
    signature: bytes

    def __post_init__(self) -> None:
        check_name(self.name, InvalidNote)
        if len(self.key_id) != KEY_ID or not self.signature:
            raise InvalidNote(f"a signature needs {KEY_ID} bytes of key id, and more: {shown(self.name)}")

    def line(self) -> str:
        """The line, with its newline."""
        return f"{DASH}{self.name} {to_base64(self.key_id + self.signature)}\n"


@dataclass(frozen=True)
class SignedNote:
    """A text that ends in a newline, and 1 to MAX_SIGNATURES signatures, no two alike. Raises InvalidNote."""

    text: str
    signatures: tuple[NoteSignature, ...]

    def __post_init__(self) -> None:
        if not self.text.endswith("\n"):
            raise InvalidNote("the text of a note must end in a newline")
        check_characters(self.text, InvalidNote)
        _check_signatures(self.signatures)
        if len(self.format()) > MAX_NOTE:
            raise InvalidNote(f"a note must have at most {MAX_NOTE} bytes")

    def format(self) -> bytes:
        """The note as bytes: what parse_note reads."""
        return f"{self.text}\n".encode() + format_signatures(self.signatures)

    def adding(self, *signatures: NoteSignature) -> SignedNote:
        """The note with further signatures; those that it has already are left out. Raises InvalidNote."""
        return replace(self, signatures=tuple(dict.fromkeys(self.signatures + signatures)))


def parse_note(data: bytes) -> SignedNote:
    """Raises InvalidNote for what SignedNote.format does not write. Verifies nothing."""
    if len(data) > MAX_NOTE:
        raise InvalidNote(f"a note must have at most {MAX_NOTE} bytes")
    text, gap, lines = parse_utf8(data, InvalidNote).rpartition("\n\n")
    if not gap:
        raise InvalidNote("no empty line before the signatures")
    return SignedNote(text + "\n", _parse_lines(lines))


def format_signatures(signatures: tuple[NoteSignature, ...]) -> bytes:
    """Signature lines alone: a witness's answer."""
    return "".join(signature.line() for signature in signatures).encode()


def parse_signatures(data: bytes) -> tuple[NoteSignature, ...]:
    """Signature lines alone, 1 to MAX_SIGNATURES. Raises InvalidNote."""
    if len(data) > MAX_NOTE:
        raise InvalidNote(f"signature lines must have at most {MAX_NOTE} bytes")
    signatures = _parse_lines(parse_utf8(data, InvalidNote))
    _check_signatures(signatures)
    return signatures


def sign_note(text: str, name: str, key: SigningKey) -> SignedNote:
    """A note with one signature of type 0x01: Ed25519 over the text itself. Raises InvalidNote, InvalidLogKey."""
    verifier = key.verifier(name, SignatureType.NOTE)
    return SignedNote(text, (NoteSignature(name, verifier.key_id, key.sign(text.encode())),))


def verify_note(note: SignedNote, key: VerifierKey) -> None:
    """Raises NoteNotSigned or BadLogSignature unless this key of type 0x01 signed the text."""
    if key.kind != SignatureType.NOTE:
        raise NoteNotSigned(f"{key.name} is a cosigner's key, which signs no text itself")
    for signature in signatures_by(note, key):
        key.check(signature, note.text.encode())


def signatures_by(note: SignedNote, key: VerifierKey) -> tuple[bytes, ...]:
    """The signatures under this key's name and id, in the length of its type. Raises NoteNotSigned, BadLogSignature."""
    length = SIGNATURE if key.kind == SignatureType.NOTE else 8 + SIGNATURE
    signatures = tuple(s.signature for s in note.signatures if (s.name, s.key_id) == (key.name, key.key_id))
    if not signatures:
        raise NoteNotSigned(f"no signature by {key.name}+{key.key_id.hex()}")
    if any(len(signature) != length for signature in signatures):
        raise BadLogSignature(f"a signature by {key.name} must have {length} bytes")
    return signatures


def _parse_lines(lines: str) -> tuple[NoteSignature, ...]:
    *entries, rest = lines.split("\n")
    if rest or not 1 <= len(entries) <= MAX_SIGNATURES:
        raise InvalidNote(f"not 1 to {MAX_SIGNATURES} signature lines that end in a newline")
    return tuple(_parse_line(line) for line in entries)


def _parse_line(line: str) -> NoteSignature:
    name, blank, encoded = line.removeprefix(DASH).partition(" ")
    if not line.startswith(DASH) or not blank:
        raise InvalidNote(f"not a signature line: {shown(line)}")
    data = parse_base64(encoded, InvalidNote)
    return NoteSignature(name, data[:KEY_ID], data[KEY_ID:])


def _check_signatures(signatures: tuple[NoteSignature, ...]) -> None:
    if not 1 <= len(signatures) <= MAX_SIGNATURES:
        raise InvalidNote(f"a note must have 1 to {MAX_SIGNATURES} signatures, not {len(signatures)}")
    if len(set(signatures)) != len(signatures):
        raise InvalidNote("a signature line stands there twice")
