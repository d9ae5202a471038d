"""What a conduct sees: its own key, and, for those that live on others' work, what the covered log shows of it.

An honest conduct asks for its key alone. The views are those that trainer/cheats/ knows: runs, rounds, proofs.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from eth_account import Account
from eth_account.signers.local import LocalAccount

from contracts.ids import Address, RunId, to_hex
from contracts.messages.for_contracts import to_json
from contracts.messages.for_log import Commitment, StateOpening
from contracts.messages.signatures import Domain, digest
from contracts.protocol.judge.state import ProofState, RoundState, Stage, State
from contracts.protocol.log.codec import parse
from contracts.protocol.log.leaf import SIGNED
from contracts.protocol.log.signed import read_envelope
from trainer.conduct import NothingToCopy
from trainer.log_view.covered import CoveredLog

MOST_BYTES = 2**33
"""Of a blob of somebody else's."""
PATIENCE_SECONDS = 180.0
_SHOWN = {Stage.POSTED: "posted", Stage.ENDED: "void", Stage.OUT: "void", Stage.UNDECIDED: "void"}


class Published:
    """Commitments and openings as the covered log has them, for a conduct that copies."""

    def __init__(self, domain: Domain) -> None:
        self._domain = domain
        self.commitments: dict[str, dict[str, Any]] = {}
        self.openings: dict[str, dict[str, dict[str, Any]]] = {}

    def take(self, text: str) -> None:
        """Look at a covered entry."""
        if '"kind":"commitment"' not in text and '"kind":"state-opening"' not in text:
            return
        body = parse(text)
        kind = SIGNED.get(body.pop("kind"))
        if kind not in (Commitment, StateOpening):
            return
        envelope = read_envelope(kind, body)
        shown = envelope.message
        if isinstance(shown, Commitment):
            name = to_hex(digest(shown, self._domain))
            self.commitments[name] = {"proof": name, "message": to_json(shown), **envelope.beside}
        else:
            assert isinstance(shown, StateOpening), "it was read as one"
            opened = {"blob": shown.blob.hex(), "path": envelope.beside["path"]}
            self.openings.setdefault(to_hex(shown.proof), {})[str(shown.boundary)] = opened

    def proof(self, name: str) -> dict[str, Any] | None:
        """A commitment with what was opened of it."""
        known = self.commitments.get(name)
        return None if known is None else {**known, "openings": self.openings.get(name, {})}


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

    def get(self, path: str) -> Any:
        """A view. Raises NothingToCopy."""
        log = self._log()
        with log.lock:
            found = self._view(log.state, path.strip("/").split("/"))
        if found is None:
            raise NothingToCopy(f"nothing is known of {path}")
        return found

    def blob(self, name: str) -> bytes:
        """Bytes by their name, waited for. Raises NothingToCopy."""
        end = time.monotonic() + PATIENCE_SECONDS
        while (data := self._fetch(name, MOST_BYTES)) is None:
            if time.monotonic() > end:
                raise NothingToCopy(f"nobody gives the blob {name}")
            time.sleep(1.0)
        return data

    def _view(self, state: State, parts: list[str]) -> Any:
        match parts:
            case ["runs"]:
                return [{"run": name, "round": run.round} for name, run in state.runs.items()]
            case ["runs", run, "rounds", number] if run in state.runs:
                current = state.runs[RunId(run)].rounds.get(int(number))
                return None if current is None else self.round(state, current)
            case ["proofs", proof] if self._published is not None:
                return self._published.proof(proof)
        return None

    def round(self, state: State, current: RoundState) -> dict[str, Any]:
        """A round, as a Job has it. The caller holds the log's lock."""
        proofs = [state.proofs[name] for name in current.proofs.values() if name in state.proofs]
        blobs = self._log().gleaned.blobs.get(current.theta, [""])
        return {
            "run": current.run,
            "round": current.number,
            "data_seed": current.data_seed,
            "theta": {"digest": current.theta, "blob": blobs[0]},
            "nodes": [{"node": node} for node in current.listed],
            "proofs": [_line(proof) for proof in proofs],
        }


def _line(proof: ProofState) -> dict[str, str]:
    commitment = proof.commitment
    state = _SHOWN.get(proof.stage, "pending")
    return {"proof": commitment.proof, "node": commitment.node, "state": state}
