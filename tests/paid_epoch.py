"""A model on an anvil with one final epoch, and ledgers that know its lines: what claims can be made of."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from eth_account import Account
from eth_account.signers.local import LocalAccount
from eth_utils import keccak, to_checksum_address

from contracts.chain.connection import send
from contracts.chain.deployment import Deployment
from contracts.genesis.deploy import deploy_model
from contracts.genesis.params import GenesisParams
from contracts.ids import as_address
from contracts.merkle.payout_tree import Payout, PayoutTree
from contracts.messages.for_contracts import EpochRoot
from contracts.messages.signatures import sign
from contracts.protocol.log.operator import LogSigner
from contracts.protocol.log_audit import PayoutKind, epoch_payouts
from ledger.books import journal, payouts
from ledger.chain import ModelChain
from ledger.context import Ledger
from ledger.opening import open_ledger
from ledger.storage.blobs import BlobFolder
from ledger.storage.store import Store
from ledger.storage.tables import Epoch
from tests.anvil import Anvil

PARAMS = GenesisParams(
    challenge_window=20, voting_delay=10, voting_period=20, timelock_delay=2, late_quorum_extension=0, quorum_floor=1
)
CLOSED = 1_750_000_000
"""When the epoch closed; the chain must be past it, and before the deadline that follows from it."""
FAR = CLOSED + 10 * 365 * 86_400


def key_of(name: str) -> LocalAccount:
    """The account of that name."""
    made: LocalAccount = Account.from_key(keccak(text=f"commonweight paid epoch {name}"))
    return made


class PaidEpoch:
    """Epoch 1 of a fresh model is final and pays `payees` accounts 10 units and their place each."""

    def __init__(self, anvil: Anvil, payees: int) -> None:
        self.anvil, self.w3 = anvil, anvil.w3
        self.creator, self.operator = key_of("creator"), key_of("operator")
        self.verifiers = [key_of(f"verifier {n}") for n in range(2)]
        self.payees = [key_of(f"payee {n}") for n in range(payees)]
        for rich in (self.creator, self.operator, *self.verifiers, *self.payees):
            anvil.rpc("anvil_setBalance", rich.address, hex(10**22))
        anvil.automine(True)
        names: list[str] = [verifier.address for verifier in self.verifiers]
        log = LogSigner.of(bytes(self.operator.key)).public.vkey()
        self.deployment: Deployment = deploy_model(self.w3, self.creator, "m", "M", names, PARAMS, log=log)
        self.model = ModelChain(self.w3, self.deployment)
        self._lines()
        self._finalize()
        anvil.automine(False)

    def ledger(self, folder: Path, url: str = "", **options: Any) -> Ledger:
        """A ledger of this model that has the epoch's lines and debts; `options` as of `open_ledger`."""
        folder.mkdir(parents=True, exist_ok=True)
        store = Store(url or f"sqlite:///{folder / 'ledger.db'}")
        ledger = open_ledger(store, BlobFolder(folder / "blobs"), self.model, self.operator, **options)
        with store.write() as session:
            if session.get(Epoch, 1) is None:
                payouts.write(session, 1, self.lines)
                journal.record_new(session, [_debt(line) for line in self.lines])
                session.add(self._epoch())
        return ledger

    def _lines(self) -> None:
        work = {as_address(payee.address.lower()): 10 + place for place, payee in enumerate(self.payees)}
        place = self.deployment
        self.lines = epoch_payouts(
            {PayoutKind.COMPUTE: work},
            {PayoutKind.COMPUTE: 1},
            sum(work.values()),
            place.chain_id,
            place.distributor,
            1,
        )
        self.root = PayoutTree.of([line.leaf() for line in self.lines]).root
        self.total = sum(line.amount for line in self.lines)

    def _finalize(self) -> None:
        registry = self.model.registry
        message = EpochRoot(self.model.model, 1, 0, self.root, self.total, len(self.lines), 0, b"\1" * 32, CLOSED, FAR)
        for verifier in self.verifiers:
            send(self.w3, verifier, registry.stake(), value=PARAMS.min_stake)
        signed: dict[str, bytes] = {
            v.address: sign(message, self.model.epoch_domain, bytes(v.key)) for v in self.verifiers
        }
        send(self.w3, self.creator, registry.propose(message, signed))
        self.anvil.wait(PARAMS.challenge_window + 1)
        send(self.w3, self.creator, registry.finalize(1))

    def _epoch(self) -> Epoch:
        return Epoch(
            number=1,
            run="0x",
            state="final",
            first_round=1,
            last_round=1,
            root="0x" + self.root.hex(),
            total=self.total,
            count=len(self.lines),
            log_size=0,
            log_root="0x" + "01" * 32,
            settled_at=CLOSED,
            deadline=FAR,
            ours=True,
        )


def _debt(line: Payout) -> dict[str, Any]:
    return {
        "id": f"owed:0x{line.leaf().hex()}",
        "book": "units",
        "debit": "emission:1",
        "credit": f"owed:{to_checksum_address(line.account)}",
        "amount": line.amount,
        "pending": False,
        "made": CLOSED,
    }
