"""Facts of the copy's entries beside the machine, covered or not: keys of cosignatures, blobs of weights, run terms.

Nothing here is believed: a key counts under its verifier's own signature, bytes count by their digest. Only where no
chain node is given, the verifier set is that of the log's blocks.
"""

from __future__ import annotations

from contracts.errors import CommonweightError
from contracts.ids import NO_ADDRESS, to_hex
from contracts.messages.for_log import Merge, RunTerms, VerifierAnchor
from contracts.messages.signatures import Domain, digest, recover
from contracts.protocol.judge.chain_events import Quorum, VerifierStands
from contracts.protocol.judge.facts import Block
from contracts.protocol.log.codec import parse
from contracts.protocol.log.leaf import SIGNED, read
from contracts.protocol.log.signed import Envelope, read_envelope

MOST_STATES = 64
"""Outer states whose blobs are remembered."""
_KINDS = ("verifier-anchor", "merge", "run-terms", "block")


class Gleaned:
    """Everything by name: `keys` of cosignatures (32 bytes) by verifier, `terms` by run, names of `blobs` (64 hex
    digits) by the digest of the weights in them."""

    def __init__(self, domain: Domain) -> None:
        self._domain = domain
        self.keys: dict[str, bytes] = {}
        self.terms: dict[str, RunTerms] = {}
        self.blobs: dict[str, list[str]] = {}
        self.admitted: set[str] = set()
        self.k = 0

    def take(self, entry: bytes) -> None:
        """Look at an entry; all other kinds, and entries that cannot be read, are passed over."""
        kind = next((kind for kind in _KINDS if f'"kind":"{kind}"'.encode() in entry), None)
        if kind is None:
            return
        try:
            self._block(entry.decode()) if kind == "block" else self._signed(entry.decode())
        except (CommonweightError, UnicodeDecodeError):
            return

    def _signed(self, text: str) -> None:
        body = parse(text)
        kind = SIGNED.get(body.pop("kind", None)) if isinstance(body, dict) else None
        if kind not in (VerifierAnchor, Merge, RunTerms):
            return
        envelope = read_envelope(kind, body)
        message = envelope.message
        if isinstance(message, VerifierAnchor) and self._author(envelope) == [message.verifier]:
            self.keys[message.verifier] = message.logKey
        elif isinstance(message, RunTerms):
            self.terms[to_hex(digest(message, self._domain))] = message
        elif isinstance(message, Merge):
            self._name(to_hex(message.theta), message.thetaBlob.hex())

    def _author(self, envelope: Envelope) -> list[str]:
        return [recover(envelope.message, self._domain, signature) for signature in envelope.signatures]

    def _name(self, state: str, blob: str) -> None:
        names = self.blobs.setdefault(state, [])
        if blob not in names:
            names.append(blob)
        if len(self.blobs) > MOST_STATES:
            del self.blobs[next(iter(self.blobs))]

    def _block(self, text: str) -> None:
        entry = read(text, self._domain, lambda _: NO_ADDRESS, checked=False)
        for event in entry.events if isinstance(entry, Block) else ():
            if isinstance(event, Quorum):
                self.k = event.k
            elif isinstance(event, VerifierStands) and event.admitted:
                self.admitted.add(event.verifier)
            elif isinstance(event, VerifierStands):
                self.admitted.discard(event.verifier)
