"""A contribution on its way from maintainer to maintainer: a JSON file with the message and its signatures."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from eth_account.signers.local import LocalAccount

from contracts.contribution import CONTRIBUTIONS, Contribution
from contracts.errors import BadField
from contracts.messages import CodeContribution, DataContribution, from_json, to_json
from contracts.signing import sign
from ledger.service import MAX_AHEAD, unix_now
from trainer.client import ApiClient, octets


@dataclass(frozen=True)
class ContributionFile:
    """`signatures` are 0x-hex by signer."""

    message: Contribution
    signatures: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def code(cls, api: str, repo: str, commit: str, author: str, weight: int) -> ContributionFile:
        """A commit. Raises BadField."""
        return cls(CodeContribution(_model(api), repo, commit, author, weight, _deadline()))

    @classmethod
    def data(cls, api: str, manifest: bytes, licence: str, author: str, weight: int) -> ContributionFile:
        """A data set by its manifest. Raises BadField."""
        digest = hashlib.sha256(manifest).digest()
        return cls(DataContribution(_model(api), digest, licence, author, weight, _deadline()))

    @classmethod
    def load(cls, file: Path) -> ContributionFile:
        """Read what `save` wrote. Raises BadField."""
        try:
            body = json.loads(file.read_text())
            kind, message, signatures = CONTRIBUTIONS[body["contribution"]], body["message"], dict(body["signatures"])
        except (ValueError, KeyError, TypeError) as error:
            raise BadField(f"{file} is no contribution file: {error!r}") from error
        return cls(from_json(kind, message), signatures)

    def save(self, file: Path) -> None:
        """As JSON."""
        file.write_text(json.dumps(self._body(), indent=1) + "\n")

    def signed(self, api: str, account: LocalAccount) -> ContributionFile:
        """With the signature of `account`."""
        signature = sign(self.message, ApiClient(api).domain, bytes(account.key))
        return replace(self, signatures={**self.signatures, str(account.address): "0x" + signature.hex()})

    def submit(self, api: str, run: str) -> str:
        """Hand it in; returns the contribution's id. Raises ApiProblem."""
        return str(ApiClient(api).post(f"/runs/{run}/contributions", self._body())["contribution"])

    def describe(self) -> str:
        """One line a field."""
        return "\n".join(f"{name:<10} {value}" for name, value in to_json(self.message).items())

    def _body(self) -> dict[str, object]:
        kind = type(self.message).__name__
        return {"contribution": kind, "message": to_json(self.message), "signatures": dict(self.signatures)}


def _model(api: str) -> bytes:
    return octets(ApiClient(api).network["deployment"]["model"])


def _deadline() -> int:
    return unix_now() + MAX_AHEAD - 60
