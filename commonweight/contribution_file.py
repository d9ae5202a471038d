"""A contribution or an invoice on its way from maintainer to maintainer: a JSON file with the message and its
signatures."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from eth_account.signers.local import LocalAccount
from eth_utils import to_checksum_address

from contracts.errors import BadField
from contracts.files.whole_file import save_file
from contracts.ids import Address, RunId, as_address, from_hex, to_hex
from contracts.messages.for_contracts import from_json, to_json
from contracts.messages.for_log import Contribution, Invoice
from contracts.messages.signatures import recover, sign
from contracts.protocol.contribution import NotMaintainer, own_signers
from contracts.protocol.log.leaf import write
from contracts.protocol.log.signed import Envelope
from contracts.protocol.log_audit import PayoutKind
from contracts.protocol.maintainers import Maintainers
from contracts.protocol.run_config import RunConfig
from contracts.wire.fields import Object
from contracts.wire.log import Accepted
from contracts.wire.runs import Run
from trainer.client import ApiClient


@dataclass(frozen=True)
class Machine:
    """A rented machine: whole hours since 1970, from one on and before another, and micro-USD for all of them."""

    renter: Address
    account: Address
    provider: str
    machine: str
    nodes: tuple[Address, ...]
    from_hour: int
    to_hour: int
    amount: int


@dataclass(frozen=True)
class ContributionFile:
    """`signatures` are 0x-hex by signer."""

    message: Contribution | Invoice
    signatures: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def code(cls, run: RunId, repo: str, commit: str, licence: str, account: Address, weight: int) -> ContributionFile:
        """A commit. Raises BadField."""
        return cls(Contribution(from_hex(run), int(PayoutKind.CODE), repo, commit, licence, account, weight))

    @classmethod
    def data(
        cls, run: RunId, source: str, manifest: bytes, licence: str, account: Address, weight: int
    ) -> ContributionFile:
        """A data set by its manifest. Raises BadField."""
        digest = hashlib.sha256(manifest).hexdigest()
        return cls(
            Contribution(from_hex(run), int(PayoutKind.DATA), source, f"sha256:{digest}", licence, account, weight)
        )

    @classmethod
    def invoice(cls, run: RunId, machine: Machine, bill: bytes, payback: bool) -> ContributionFile:
        """The cost of a rented machine, by the provider's bill. Raises BadField."""
        nodes = tuple(sorted(as_address(to_checksum_address(node)) for node in machine.nodes))
        digest = hashlib.sha256(bill).digest()
        named = (machine.renter, machine.account, machine.provider, machine.machine, digest, nodes)
        return cls(Invoice(from_hex(run), *named, machine.from_hour, machine.to_hour, machine.amount, payback))

    @classmethod
    def load(cls, file: Path) -> ContributionFile:
        """Read a file that `save` wrote. Raises BadField."""
        try:
            body = json.loads(file.read_text("utf-8"))
            message = body["message"]
            signatures = {str(name): str(signature) for name, signature in body["signatures"].items()}
        except OSError as error:
            raise BadField(f"{file} cannot be read: {error.strerror}") from error
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            raise BadField(f"{file} is not a contribution file: it must be JSON with message and signatures") from error
        if isinstance(message, Mapping) and "renter" in message:
            return cls(from_json(Invoice, message), signatures)
        return cls(from_json(Contribution, message), signatures)

    def save(self, file: Path) -> None:
        """Write the file as JSON."""
        save_file(file, json.dumps(self.to_json(), indent=1) + "\n")

    def to_json(self) -> Object:
        """The content of a file."""
        return {"message": to_json(self.message), "signatures": dict(self.signatures)}

    def signed(self, client: ApiClient, account: LocalAccount) -> ContributionFile:
        """The file with the signature of `account`. Raises NotMaintainer for one that is none, nor an invoice's renter
        or payee."""
        maintainers = self.maintainers(client)
        if account.address not in {*maintainers.members, *self.own}:
            names = ", ".join(maintainers.members) or "none: the holders name maintainers by a decision"
            raise NotMaintainer(f"{account.address} is not a maintainer of the run; its maintainers are {names}")
        signature = sign(self.message, client.domain, bytes(account.key))
        return replace(self, signatures={**self.signatures, str(account.address): to_hex(signature)})

    def quorum(self, client: ApiClient) -> tuple[int, int]:
        """The number of the run's maintainers that have signed, and the quorum. Raises ApiProblem."""
        maintainers = self.maintainers(client)
        return len(set(self.signatures) & set(self.vouching(maintainers))), maintainers.quorum

    @property
    def own(self) -> tuple[Address, ...]:
        """Renter and payee of an invoice, who sign beside the maintainers; of a contribution nobody."""
        return own_signers(self.message)

    def vouching(self, maintainers: Maintainers) -> tuple[Address, ...]:
        """The maintainers whose word counts: of an invoice neither its renter nor its payee."""
        return tuple(name for name in maintainers.members if name not in self.own)

    def maintainers(self, client: ApiClient) -> Maintainers:
        """The run's maintainers, by the server's word: the log decides. Raises ApiProblem."""
        run = client.read(Run, f"/runs/{to_hex(self.message.run)}")
        return Maintainers.parse(RunConfig.from_json(run.config).maintainers)

    def submit(self, client: ApiClient) -> Accepted:
        """Hand the file in, its maintainers' signatures in the order of their signers; returns the server's answer.
        Signatures of others count for nothing, and are left out.

        Raises BadField for a signature that is not its signer's, NotMaintainer where too few have signed, ApiProblem
        and ApiUnreachable.
        """
        maintainers = self.maintainers(client)
        vouching = self.vouching(maintainers)
        signers = [name for name in sorted(self.signatures) if name in {*vouching, *self.own}]
        signatures = {name: from_hex(self.signatures[name]) for name in signers}
        for name, signature in signatures.items():
            if recover(self.message, client.domain, signature) != name:
                raise BadField(f"the signature of {name} is not valid: this signer has to sign again")
        for name in self.own:
            if name not in signatures:
                detail = "renter and account of an invoice sign it, too: `commonweight contribution sign`"
                raise NotMaintainer(f"{name} has not signed; {detail}")
        vouched = sum(name in signatures for name in vouching)
        if vouched < maintainers.quorum or not signatures:
            missing = ", ".join(name for name in vouching if name not in signatures)
            raise NotMaintainer(f"{vouched} of {maintainers.quorum} needed maintainers have signed: ask {missing}")
        return client.hand(write(Envelope(self.message, tuple(signatures.values()), {})))

    def describe(self) -> str:
        """The message, one line a field."""
        return "\n".join(f"{name:<10} {value}" for name, value in to_json(self.message).items())
