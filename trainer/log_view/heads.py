"""Cosigned heads: the size of the log under the heads of k verifiers. A node acts on nothing else (J2)."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from contracts.ids import Address, as_address
from contracts.tlog.checkpoint import Checkpoint, open_checkpoint
from contracts.tlog.cosignature import verify_cosignature
from contracts.tlog.keys import SignatureType, VerifierKey
from contracts.tlog.note import parse_note
from trainer.log_view.view import LogView, TwoLogs


def read_head(note: bytes, log: VerifierKey, verifier: Address, key: bytes) -> Checkpoint:
    """A head under the operator's signature and this verifier's cosignature.

    Raises InvalidNote, InvalidCheckpoint, InvalidLogKey, NoteNotSigned and BadLogSignature.
    """
    verify_cosignature(parse_note(note), VerifierKey(verifier, SignatureType.COSIGNATURE, key))
    return open_checkpoint(note, log)


@dataclass(frozen=True)
class Contradiction:
    """A verifier (or the server, under no name) shows a head that is of another log than this copy."""

    shown_by: str
    size: int
    root: bytes


def size_of_k(sizes: Mapping[str, int], k: int, verifiers: Collection[str]) -> int:
    """The largest size that k of these verifiers reach; 0 for none."""
    descending = sorted((sizes.get(verifier, 0) for verifier in set(verifiers)), reverse=True)
    return descending[k - 1] if 0 < k <= len(descending) else 0


class Heads:
    """The newest head of each verifier, and the size up to which each one's heads are of this copy."""

    def __init__(self) -> None:
        self._newest: dict[str, Checkpoint] = {}
        self._agreed: dict[str, int] = {}

    def take(self, verifier: Address, head: Checkpoint) -> None:
        """A head that `read_head` verified; a smaller one than the newest changes nothing."""
        newest = self._newest.get(verifier)
        if newest is None or newest.size <= head.size:
            self._newest[verifier] = head

    def follows(self, verifier: Address, size: int) -> None:
        """The first `size` entries of this copy lie under a head of this verifier, by the head's own tiles."""
        self._agreed[verifier] = max(size, self._agreed.get(verifier, 0))

    def compare(self, view: LogView) -> tuple[Contradiction, ...]:
        """Count the heads whose entries are in the copy; returns heads of another log, which count for nothing."""
        contradictions = []
        for verifier, head in self._newest.items():
            try:
                view.check(head)
            except TwoLogs:
                contradictions.append(Contradiction(verifier, head.size, head.root))
                continue
            if head.size <= view.size:
                self.follows(as_address(verifier), head.size)
        return tuple(contradictions)

    def retreat(self, size: int) -> None:
        """The copy dropped all beyond `size`: a head is compared again when its entries are back."""
        self._agreed = {verifier: min(size, agreed) for verifier, agreed in self._agreed.items()}

    def covered(self, k: int, verifiers: Collection[str]) -> int:
        """The largest size that lies under heads of k of these verifiers; 0 for none."""
        return size_of_k(self._agreed, k, verifiers)

    @property
    def agreed(self) -> Mapping[str, int]:
        """By verifier, the size up to which its heads are of this copy."""
        return self._agreed
