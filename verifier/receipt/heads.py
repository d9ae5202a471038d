"""One head under the signatures of k verifiers, put together from their mirrors' heads.

Each mirror signs the entries that its own machine applied, so that for a moment mirrors may stand at different sizes:
they are asked again until k have shown the same head. Of each mirror only the operator's signature and its own count.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import replace

from contracts.errors import CommonweightError
from contracts.mirrors.places import Place
from contracts.tlog.checkpoint import parse_checkpoint, verify_checkpoint
from contracts.tlog.cosignature import verify_cosignature
from contracts.tlog.keys import VerifierKey
from contracts.tlog.note import SignedNote, parse_note
from contracts.tlog.policy import Policy
from verifier.receipt.errors import HeadsApart

LOOK_SECONDS = 0.5


def cosigned_head(
    mirrors: Mapping[str, Place],
    policy: Policy,
    least: int,
    seconds: float,
    waits: Callable[[str], None] = lambda _: None,
) -> SignedNote:
    """A head of at least `least` entries that the policy accepts, within so many seconds; `waits` gets each mirror's
    newest answer. Raises HeadsApart."""
    notes: dict[str, SignedNote] = {}
    keys = {witness.name: witness.key for witness in policy.witnesses}
    end = time.monotonic() + seconds
    while True:
        reports = {name: _look(place, policy, keys[name], notes) for name, place in mirrors.items() if name in keys}
        for text in sorted(notes, key=_size, reverse=True):
            if _size(text) >= least and _is_accepted(policy, notes[text]):
                return notes[text]
        summary = ", ".join(f"{name}: {report}" for name, report in reports.items()) or "no mirror is known"
        if time.monotonic() > end:
            raise HeadsApart(f"no head of {least} entries or more is signed as {policy.quorum} asks for; {summary}")
        waits(summary)
        time.sleep(LOOK_SECONDS)


def _look(place: Place, policy: Policy, key: VerifierKey, notes: dict[str, SignedNote]) -> str:
    """Add the head that a mirror shows, under its signature; returns the mirror's answer for people."""
    try:
        note = _own(parse_note(place.checkpoint()), policy.logs[0].key, key)
    except CommonweightError as error:
        return error.detail
    existing = notes.get(note.text)
    notes[note.text] = existing.adding(*note.signatures) if existing is not None else note
    return f"{_size(note.text)} entries"


def _own(note: SignedNote, log: VerifierKey, key: VerifierKey) -> SignedNote:
    """The operator's signature and this verifier's, both verified. Raises NoteNotSigned, BadLogSignature."""
    names = {(log.name, log.key_id), (key.name, key.key_id)}
    own = replace(note, signatures=tuple(s for s in note.signatures if (s.name, s.key_id) in names))
    verify_checkpoint(own, log)
    verify_cosignature(own, key)
    return own


def _size(text: str) -> int:
    return parse_checkpoint(text).size


def _is_accepted(policy: Policy, note: SignedNote) -> bool:
    try:
        policy.check(note)
    except CommonweightError:
        return False
    return True
