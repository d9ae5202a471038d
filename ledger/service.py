"""What every ledger operation needs: database, blobs, chain, clock and the operator's key."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from eth_account.signers.local import LocalAccount
from sqlmodel import Session, col, select

from contracts.errors import BadField
from contracts.messages import Message, field_types, to_json
from contracts.signing import Domain, digest, require_signer
from ledger.blobs import BlobFolder
from ledger.chain import ModelChain
from ledger.errors import MessageExpired, NotJudged
from ledger.leases import new_holder
from ledger.relay_rules import RelayRules
from ledger.store import Store
from ledger.tables import SignedMessage

if TYPE_CHECKING:
    from contracts.protocol.chain_reading import ChainReader
    from ledger.judgement.replica import Replica

MAX_AHEAD = 86_400
LARGEST = 2**63 - 1
"""The largest uint64 that a database column holds; no round, count or time comes near."""


def unix_now() -> int:
    """Unix seconds."""
    return int(time.time())


@dataclass(frozen=True)
class Ledger:
    """One deployment's ledger; `operator` signs tree heads and pays gas, and can do nothing else.

    `holder` is this process's name in leases. `replica` is its machine of rules, which a ledger of version 0.1 lacks;
    `reader` gives it what final blocks said; one is entered every `enter_every` seconds of chain time, or earlier.
    """

    store: Store
    blobs: BlobFolder
    chain: ModelChain
    operator: LocalAccount
    now: Callable[[], int] = field(default=unix_now)
    relay: RelayRules = field(default_factory=RelayRules)
    holder: str = field(default_factory=new_holder)
    replica: Replica | None = None
    reader: ChainReader | None = None
    enter_every: int = 30

    @property
    def judge(self) -> Replica:
        """The machine of rules. Raises NotJudged where this ledger has none."""
        if self.replica is None:
            raise NotJudged("this server runs by the rules of version 0.1, which has no such messages")
        return self.replica

    def check(
        self, message: Message, signature: bytes, signer: str, domain: Domain | None = None, ahead: int = MAX_AHEAD
    ) -> str:
        """The 0x-hex digest of a message by `signer` whose deadline is at most `ahead` seconds away.

        Raises BadSignature, BadField and MessageExpired.
        """
        require_signer(message, domain or self.chain.domain, signature, signer)
        _check_storable(message)
        deadline = int(getattr(message, "deadline", self.now()))
        if not self.now() <= deadline <= self.now() + ahead:
            raise MessageExpired(f"deadline {deadline} is past or over {ahead} s ahead of {self.now()}; sign anew")
        return "0x" + digest(message, domain or self.chain.domain).hex()

    def keep(self, session: Session, message: Message, signature: bytes, signer: str, key: str) -> None:
        """Store an accepted message under its digest `key`, once."""
        if session.get(SignedMessage, key) is not None:
            return
        body = to_json(message)
        kind, text = type(message).__name__, "0x" + signature.hex()
        session.add(SignedMessage(digest=key, kind=kind, body=body, signature=text, signer=signer, received=self.now()))


def _check_storable(message: Message) -> None:
    for name, solidity in field_types(type(message)).items():
        if solidity == "uint64" and getattr(message, name) > LARGEST:
            raise BadField(f"{name} must be at most {LARGEST}")


def envelopes(session: Session, keys: Iterable[str]) -> dict[str, dict[str, object]]:
    """The stored messages of these digests in their wire form, in one query."""
    rows = session.exec(select(SignedMessage).where(col(SignedMessage.digest).in_(list(keys))))
    return {row.digest: {"message": row.body, "signature": row.signature} for row in rows}
