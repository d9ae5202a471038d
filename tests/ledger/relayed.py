"""Claims of a paid epoch that leave through the outbox to an anvil, with a clock that stands still."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from sqlmodel import col, select

from ledger.context import Ledger
from ledger.epochs import settlement
from ledger.relay import outbox
from ledger.relay_rules import RelayRules
from ledger.storage.tables import Attempt, Outgoing
from tests.anvil import spend_nonce
from tests.databases import fresh_file
from tests.paid_epoch import PaidEpoch

RULES = RelayRules(replace_seconds=60, attempts=3, backoff_seconds=10, resend_seconds=15, lease_seconds=10)


class Relay:
    """A ledger of `place`, whose clock is `now`; `other` are more processes on the same database."""

    def __init__(self, place: PaidEpoch, folder: Path, database: str = "", rules: RelayRules = RULES) -> None:
        folder.mkdir()
        self.place, self.anvil, self.folder, self.rules = place, place.anvil, folder, rules
        self.database = database or fresh_file(folder)
        self.now = int(place.w3.eth.get_block("latest")["timestamp"])
        self.ledger = self.process("one")

    def process(self, holder: str, **options: Any) -> Ledger:
        """A ledger of another process on the same database."""
        rules = options.pop("relay", self.rules)
        return self.place.ledger(
            self.folder, self.database, now=lambda: self.now, holder=holder, relay=rules, **options
        )

    def claim(self, *payees: int) -> None:
        """Queue the claims of these payees, by their place."""
        for payee in payees:
            settlement.claim(self.ledger, 1, self.place.payees[payee].address)

    def flush(self, times: int = 1) -> None:
        """What the keeper does."""
        for _ in range(times):
            outbox.flush(self.ledger)

    def mine(self, blocks: int = 1) -> None:
        """Blocks, and a look at them."""
        self.anvil.mine(blocks)
        self.flush()

    def finish(self) -> None:
        """Until what is mined now is final."""
        self.anvil.mine(2 * self.anvil.slots)
        self.flush()

    @property
    def rows(self) -> list[Outgoing]:
        """All calls."""
        with self.ledger.store.read() as session:
            return outbox.listed(session)

    @property
    def row(self) -> Outgoing:
        """The only call."""
        (found,) = self.rows
        return found

    @property
    def attempts(self) -> list[Attempt]:
        """All that was signed, in order."""
        with self.ledger.store.read() as session:
            return list(session.exec(select(Attempt).order_by(col(Attempt.nonce), col(Attempt.max_fee))))

    @property
    def pool(self) -> set[str]:
        """Hashes that wait in anvil's pool."""
        content = self.anvil.rpc("txpool_content")
        return {
            transaction["hash"]
            for part in ("pending", "queued")
            for by_nonce in content[part].values()
            for transaction in by_nonce.values()
        }

    def send_raw(self, raw: str) -> None:
        """Hand bytes to the node past the outbox; must be taken."""
        self.anvil.rpc("eth_sendRawTransaction", raw)

    def external(self, nonce: int, tip: int = 10**11) -> str:
        """Somebody else uses the relayer's key: a transfer of nothing with that nonce. Returns its hash."""
        return spend_nonce(self.anvil, self.place.operator, nonce, tip)

    def mint_past_us(self, payee: int, tip: int = 10**12) -> None:
        """The creator sends the same claim, for a better price."""
        creator, eth = self.place.creator, self.place.w3.eth
        with self.ledger.store.read() as session:
            row = session.exec(select(Outgoing).order_by(col(Outgoing.order))).all()[payee]
        fields: Any = {
            "to": row.to,
            "data": row.data,
            "value": 0,
            "gas": 500_000,
            "chainId": 31337,
            "type": 2,
            "nonce": eth.get_transaction_count(creator.address),
            "maxFeePerGas": 2 * tip,
            "maxPriorityFeePerGas": tip,
        }
        self.send_raw(creator.sign_transaction(fields).raw_transaction.to_0x_hex())

    @property
    def supply(self) -> int:
        """Units in existence."""
        return self.place.model.token.total_supply()

    def owed(self, *payees: int) -> int:
        """What these payees' claims mint."""
        names = {self.place.payees[n].address.lower() for n in payees}
        return sum(line.amount for line in self.place.lines if line.account.lower() in names)

    def count(self) -> int:
        """Nonces of the relayer that are used."""
        return int(self.place.w3.eth.get_transaction_count(self.place.operator.address))


def at_once(*work: Callable[[], object]) -> list[BaseException]:
    """Do all in threads; what they raised."""
    failed: list[BaseException] = []
    barrier = threading.Barrier(len(work))

    def run(do: Callable[[], object]) -> None:
        barrier.wait()
        try:
            do()
        except Exception as error:
            failed.append(error)

    threads = [threading.Thread(target=run, args=(do,)) for do in work]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return failed
