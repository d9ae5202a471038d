"""The surroundings of a conduct: its own key, and, for cheats that copy, views of other nodes' work in the covered log.

An honest conduct reads its key alone; the views are for trainer/cheats/.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace

from eth_account import Account
from eth_account.signers.local import LocalAccount

from contracts.ids import Address, BlobName, ProofId, RunId, from_hex, to_hex
from contracts.messages.for_log import Commitment, StateOpening
from contracts.messages.signatures import Domain, digest
from contracts.protocol.judge.state import ProofState, RoundState, State
from contracts.protocol.log.codec import parse
from contracts.protocol.log.leaf import SIGNED
from contracts.protocol.log.signed import Envelope, read_envelope
from trainer.conduct import NothingToCopy
from trainer.log_view.covered import CoveredLog
from trainer.log_view.shown import CoveredProof, CoveredProofLine, CoveredRound, CoveredRun, OpeningView

MOST_BYTES = 2**33
"""Of another node's blob."""
PATIENCE_SECONDS = 180.0


class Published:
    """Commitments and openings as the covered log has them, for a conduct that copies."""

    def __init__(self, domain: Domain) -> None:
        self._domain = domain
        self.commitments: dict[ProofId, CoveredProof] = {}
        self.openings: dict[ProofId, dict[int, OpeningView]] = {}

    def take(self, text: str) -> None:
        """Look at a covered entry."""
        if '"kind":"commitment"' not in text and '"kind":"state-opening"' not in text:
            return
        body = parse(text)
        kind = SIGNED.get(body.pop("kind"))
        if kind not in (Commitment, StateOpening):
            return
        envelope = read_envelope(kind, body)
        message = envelope.message
        if isinstance(message, Commitment):
            name = ProofId(to_hex(digest(message, self._domain)))
            self.commitments[name] = CoveredProof(
                name, message, _path(envelope, "first_path"), _path(envelope, "last_path")
            )
        else:
            assert isinstance(message, StateOpening), "it was read as one"
            opening = OpeningView(BlobName(message.blob.hex()), _path(envelope, "path"))
            self.openings.setdefault(ProofId(to_hex(message.proof)), {})[message.boundary] = opening

    def proof(self, name: ProofId) -> CoveredProof | None:
        """A commitment with its openings."""
        view = self.commitments.get(name)
        return None if view is None else replace(view, openings=dict(self.openings.get(name, {})))


class Around:
    """The node's key and views of a covered log. `fetch` gives blobs; threads may share it."""

    def __init__(
        self,
        key: str,
        domain: Domain,
        log: Callable[[], CoveredLog],
        published: Published | None,
        fetch: Callable[[str, int], bytes | None],
    ) -> None:
        self.domain = domain
        self._account: LocalAccount = Account.from_key(key)
        self._log = log
        self._published = published
        self._fetch = fetch

    @property
    def account(self) -> LocalAccount:
        """The signing key."""
        return self._account

    @property
    def address(self) -> Address:
        """Checksum address of the key."""
        return self._account.address

    def runs(self) -> tuple[CoveredRun, ...]:
        """All runs."""
        log = self._log()
        with log.lock:
            return tuple(CoveredRun(name, run.round) for name, run in log.state.runs.items())

    def round(self, run: RunId, number: int) -> CoveredRound:
        """A round that the machine still holds. Raises NothingToCopy."""
        log = self._log()
        with log.lock:
            run_state = log.state.runs.get(run)
            current = run_state.rounds.get(number) if run_state is not None else None
            if current is None:
                raise NothingToCopy(f"nothing is known of /runs/{run}/rounds/{number}")
            return self.view(log.state, current)

    def proof(self, name: ProofId) -> CoveredProof:
        """A commitment with its openings. Raises NothingToCopy."""
        with self._log().lock:
            view = self._published.proof(name) if self._published is not None else None
        if view is None:
            raise NothingToCopy(f"nothing is known of /proofs/{name}")
        return view

    def blob(self, name: str) -> bytes:
        """Bytes by their name, waited for. Raises NothingToCopy."""
        end = time.monotonic() + PATIENCE_SECONDS
        while (data := self._fetch(name, MOST_BYTES)) is None:
            if time.monotonic() > end:
                raise NothingToCopy(f"nobody gives the blob {name}")
            time.sleep(1.0)
        return data

    def view(self, state: State, current: RoundState) -> CoveredRound:
        """A round, as a RoundTask has it. The caller holds the log's lock."""
        proofs = [state.proofs[name] for name in current.proofs.values() if name in state.proofs]
        blobs = self._log().gleaned.blobs.get(current.theta, [""])
        return CoveredRound(
            run=current.run,
            number=current.number,
            config=state.functions.digest(current.config),
            data_seed=current.data_seed,
            theta=current.theta,
            theta_blob=BlobName(blobs[0]),
            nodes=tuple(current.listed),
            proofs=tuple(_line(proof) for proof in proofs),
        )


def _line(proof: ProofState) -> CoveredProofLine:
    return CoveredProofLine(proof.commitment.proof, proof.commitment.node, proof.stage)


def _path(envelope: Envelope, name: str) -> tuple[bytes, ...]:
    return tuple(from_hex(node) for node in envelope.beside[name])
