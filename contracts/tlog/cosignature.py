"""Cosignatures (C2SP's tlog-cosignature, version 1): a witness or mirror signs somebody's checkpoint, with the time.

The signed message is a fixed line, a line with the time, and the checkpoint's text. It says: of all heads of this log
that I know to be consistent, this is the largest. A mirror's says besides that it keeps the entries and serves them
(tlog-mirror); that is a property of its key, known from elsewhere, and has no other form. The message does not name the
cosigner, so several of one owner need a key each.
"""

from __future__ import annotations

from contracts.tlog.checkpoint import parse_checkpoint
from contracts.tlog.keys import BadLogSignature, SignatureType, SigningKey, VerifierKey
from contracts.tlog.note import NoteNotSigned, NoteSignature, SignedNote, signatures_by
from contracts.tlog.text import MAX_SIZE, check_number

_TIME = 8


def cosigned_message(text: str, time: int) -> bytes:
    """The message that is signed over a checkpoint's text at a time in seconds since 1970."""
    return f"cosignature/v1\ntime {time}\n{text}".encode()


def cosign(text: str, name: str, key: SigningKey, time: int) -> NoteSignature:
    """A signature line of type 0x04. Raises InvalidCheckpoint for another text, BadLogSignature for another time."""
    parse_checkpoint(text)
    check_number(time, "the time", BadLogSignature)
    signature = key.sign(cosigned_message(text, time))
    key_id = key.verifier(name, SignatureType.COSIGNATURE).key_id
    return NoteSignature(name, key_id, time.to_bytes(_TIME, "big") + signature)


def verify_cosignature(note: SignedNote, key: VerifierKey) -> int:
    """The time at which this cosigner signed the checkpoint, in seconds since 1970; of several the last.

    Raises NoteNotSigned, BadLogSignature, InvalidCheckpoint.
    """
    if key.kind != SignatureType.COSIGNATURE:
        raise NoteNotSigned(f"{key.name} is a log's key, which cosigns nothing")
    signatures = signatures_by(note, key)
    parse_checkpoint(note.text)
    return max(_verified(signature, note.text, key) for signature in signatures)


def _verified(signature: bytes, text: str, key: VerifierKey) -> int:
    time = int.from_bytes(signature[:_TIME], "big")
    if time > MAX_SIZE:
        raise BadLogSignature(f"a cosignature by {key.name} has a time beyond {MAX_SIZE}")
    key.check(signature[_TIME:], cosigned_message(text, time))
    return time
