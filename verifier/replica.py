"""What this verifier's own copy of the log says about its run. The server's views are asked for bytes and news alone.

Everything here was signed, recomputed by the audit, and stands under a head that continues those seen before.
"""

from __future__ import annotations

from typing import Any

from eth_utils import to_checksum_address

from contracts.draw import draw_segments
from contracts.errors import BadField
from contracts.messages import to_json
from contracts.verifier_registry import VerifierSet
from verifier.audit import LogAudit
from verifier.audit_state import ProofState, run_of
from verifier.log_mirror import LogMirror


class Replica:
    """One run in the log as it was mirrored and audited. What fails in either raises AuditFailed."""

    def __init__(self, mirror: LogMirror, audit: LogAudit, run: str) -> None:
        self.mirror, self.audit = mirror, audit
        self._run = run

    def proof(self, proof: str) -> ProofState:
        """A proof of this run; the log is asked where the copy lacks it. Raises BadField."""
        if proof not in self.audit.books.proofs:
            self.mirror.sync()
        found = self.audit.proof(proof)
        if run_of(found) != self._run:
            raise BadField(f"proof must be of run {self._run}: {proof} is not")
        return found

    def newest(self, proof: str) -> ProofState:
        """The same, with all that the log has about it now."""
        self.mirror.sync()
        return self.proof(proof)

    def known(self, proof: str) -> tuple[ProofState, VerifierSet]:
        """A proof with all that the log has about it now, and whose word counts on it."""
        return self.newest(proof), self.audit.bench_of(proof)

    def draw(self, proof: str, beacon: bytes, link: bytes) -> tuple[int, ...]:
        """What a link draws for a proof, by the round's configuration and the samples of the manifest."""
        found = self.proof(proof)
        segments = self.audit.books.round_of(found).config.segments
        samples = self.audit.books.runs[self._run].manifest.samples
        return draw_segments(beacon, link, bytes.fromhex(proof[2:]), segments, samples)

    def facts(self, proof: str) -> dict[str, Any]:
        """What a worker has to know to check a proof, as JSON (verifier/checks.py:Case.asked)."""
        found = self.newest(proof)
        message, current = found.message, self.audit.books.round_of(found)
        named = {
            "proof": proof, "run": self._run, "round": message.round, "node": to_checksum_address(message.node),
            "message": to_json(message), "signature": found.signature, "beacon": "0x" + found.beacon.hex(),
            "first_path": _hexed(found.first_path), "last_path": _hexed(found.last_path),
        }  # fmt: skip
        start = {"config": current.config.to_json(), "data_seed": current.data_seed}
        openings = {str(boundary): signed for boundary, signed in found.openings.items()}
        return {
            "proof": named, "round": start, "theta": current.theta, "inner": "0x" + found.inner.hex(),
            "openings": openings,
        }  # fmt: skip

    def merge(self, number: int) -> dict[str, Any] | None:
        """What the outer step of a round is over, as JSON; None while a proof of it is undecided, or it is merged."""
        self.mirror.sync()
        books = self.audit.books
        run, current = books.runs[self._run], books.rounds.get((self._run, number))
        if current is None or number != run.merged + 1 or books.pending(self._run, number):
            return None
        posted = [
            [proof, "0x" + books.proofs[proof].message.pseudoGradient.hex()]
            for proof in books.posted(self._run, number)
        ]
        return {
            "config": current.config.to_json(), "theta": current.theta, "momentum": current.momentum, "posted": posted,
        }  # fmt: skip


def _hexed(path: tuple[bytes, ...]) -> list[str]:
    return ["0x" + node.hex() for node in path]
