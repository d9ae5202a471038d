"""Reorgs under load: an indexer and an outbox that lived through them against an indexer that saw only the end.

    python -m benchmarks.reorgs [--reorgs N]            writes benchmarks/results/reorgs.json

On an anvil whose finality is 8 blocks behind, claims leave through the outbox, holders pass tokens on and decisions are
taken, while a keeper runs beside. Again and again the newest 1 to 8 blocks are replaced; some transactions come again
in other blocks, some are dropped. At the end every claim must have been paid once, and events, decisions, transfers and
balances must be those of a ledger that reads the chain for the first time. Bar: 50 reorgs, no difference.
"""

from __future__ import annotations

import argparse
import random
import tempfile
import threading
import time
from collections import Counter
from pathlib import Path
from typing import Any, cast

from eth_account.signers.local import LocalAccount
from sqlmodel import SQLModel, func, select

from benchmarks.record import progress, write_result
from contracts.ids import to_hex
from contracts.wire.states import CallState
from ledger import crash_points
from ledger.books import journal
from ledger.chainread import indexer
from ledger.clock import keeper
from ledger.context import Ledger
from ledger.epochs import settlement
from ledger.relay import outbox
from ledger.relay_rules import RelayRules
from ledger.storage.tables import FINAL, Attempt, ChainEvent, Cursor, DecisionRow, Header, Transfer
from tests.anvil import Anvil
from tests.paid_epoch import PaidEpoch

DEEPEST = 8
CLAIMS_PER_REORG = 4
RULES = RelayRules(replace_seconds=2, resend_seconds=1, backoff_seconds=1)
PATIENCE = 120.0


class Load:
    """What happens on the chain beside the relayer: holders pass tokens on, the timelock decides."""

    def __init__(self, place: PaidEpoch, rng: random.Random) -> None:
        self._place, self._rng = place, rng
        self.raw: dict[str, str] = {}
        self._decided = 0
        place.anvil.rpc("anvil_impersonateAccount", place.deployment.timelock)
        place.anvil.rpc("anvil_setBalance", place.deployment.timelock, hex(10**22))

    def transfer(self) -> None:
        """A random holder sends a unit to another; nothing if it holds none."""
        giver, taker = self._rng.sample(self._place.payees, 2)
        token = self._place.model.token
        if token.balance_of(giver.address) > 0:
            self._sign(giver, token.transfer(taker.address, 1))

    def decide(self) -> None:
        """The timelock writes a decision, as after a vote."""
        self._decided += 1
        self._write(self._decided)

    def _write(self, number: int) -> None:
        models, place = self._place.model.models, self._place
        call = models.decide(place.model.model, number.to_bytes(32, "big"), "inner_lr", f"0.{number:04d}")
        place.anvil.rpc(
            "eth_sendTransaction",
            {"from": place.deployment.timelock, "to": call.address, "data": call._encode_transaction_data()},
        )

    def send_again(self) -> None:
        """Holders' wallets and the timelock send what a reorg dropped."""
        made = {decision.value for decision in self._place.model.models.decisions(self._place.model.model)}
        for number in range(1, self._decided + 1):
            if f"0.{number:04d}" not in made:
                self._write(number)
        for raw in self.raw.values():
            self._place.w3.provider.make_request(cast(Any, "eth_sendRawTransaction"), [raw])

    def _sign(self, holder: LocalAccount, call: Any) -> None:
        eth = self._place.w3.eth
        nonce = eth.get_transaction_count(holder.address, "pending")
        fields: Any = {
            "from": holder.address,
            "nonce": nonce,
            "gas": 300_000,
            "maxFeePerGas": 10**11,
            "maxPriorityFeePerGas": 10**9,
            "chainId": 31337,
        }
        signed = holder.sign_transaction(call.build_transaction(fields))
        self.raw[signed.hash.to_0x_hex()] = signed.raw_transaction.to_0x_hex()
        self._place.w3.provider.make_request(cast(Any, "eth_sendRawTransaction"), [signed.raw_transaction.to_0x_hex()])


class Trial:
    """One ledger that lives through reorgs, with its keeper in a thread."""

    def __init__(self, anvil: Anvil, folder: Path, reorgs: int, seed: int) -> None:
        self.anvil, self.folder, self.reorgs = anvil, folder, reorgs
        self.rng = random.Random(seed)  # noqa: S311 - not a secret
        self.place = PaidEpoch(anvil, reorgs * CLAIMS_PER_REORG)
        self.ledger = self.place.ledger(folder / "lived", relay=RULES)
        self.load = Load(self.place, self.rng)
        anvil.mine(2 * anvil.slots)  # a reorg must not take back what is set up here
        self.depths: list[int] = []
        self.rewound = 0

    def run(self) -> dict[str, Any]:
        """All reorgs, then calm until everything is final; what came of it."""
        stop = threading.Event()
        settled = threading.Thread(target=keeper.run, args=(self.ledger, stop, 0.01, ("settlement", "indexer")))
        settled.start()
        try:
            with crash_points.armed("indexer.rewound", self._count_rewind, nth=0):
                for number in range(self.reorgs):
                    self._busy(number)
                    self._reorg()
                self._calm()
        finally:
            stop.set()
            settled.join()
        return self._compare()

    def _count_rewind(self) -> None:
        self.rewound += 1

    def _busy(self, number: int) -> None:
        first = number * CLAIMS_PER_REORG
        for payee in self.place.payees[first : first + CLAIMS_PER_REORG]:
            settlement.claim(self.ledger, 1, payee.address)
            self.load.transfer()
            if self.rng.random() < 0.5:
                time.sleep(0.05)
                self.anvil.mine()
        if self.rng.random() < 0.5:
            self.load.decide()
        self._until("all claims are signed", lambda: not self._count(CallState.QUEUED))
        self.anvil.mine(self.rng.randint(1, 3))

    def _reorg(self) -> None:
        """Mostly once the indexer has seen what is taken back; now and then while it reads."""
        if self.rng.random() < 0.8:
            self._until("the tip is read", self._tip_is_read)
        depth = self.rng.randint(1, DEEPEST)
        head = int(self.place.w3.eth.block_number)
        self.anvil.reorg(depth, self._again(head - depth + 1, head, depth))
        if self.rng.random() < 0.8:
            self._until("the new tip is read", self._tip_is_read)
        self.load.send_again()
        self.depths.append(depth)

    def _again(self, first: int, last: int, depth: int) -> list[tuple[str, int]]:
        """A random part of what stood in these blocks, in its order, spread over other blocks."""
        sent = dict(self.load.raw)
        with self.ledger.store.read() as session:
            sent |= {row.hash: row.raw for row in session.exec(select(Attempt))}
        hashes = [
            entry.to_0x_hex()  # type: ignore[union-attr]
            for number in range(first, last + 1)
            for entry in self.place.w3.eth.get_block(number)["transactions"]
        ]
        raws = [sent[name] for name in hashes if name in sent]
        kept = raws[: self.rng.randint(0, len(raws))]
        return list(zip(kept, sorted(self.rng.randrange(depth) for _ in kept), strict=True))

    def _calm(self) -> None:
        """The chain goes on alone until every claim is final and the indexer has read what is."""
        end = time.monotonic() + PATIENCE
        while self._count(CallState.FINAL) < len(self.place.payees):
            if time.monotonic() > end:
                raise TimeoutError(f"not all claims are final: {self._states()}")
            self.anvil.mine()
            self._until("the tip is read", self._tip_is_read)
        self.anvil.mine(2 * self.anvil.slots)
        self._until("the final block is read", self._final_is_read)

    def _compare(self) -> dict[str, Any]:
        """Raises AssertionError at the first difference."""
        fresh = self.place.ledger(self.folder / "fresh")
        while not _cursor(fresh) or _cursor(fresh) < _cursor(self.ledger):
            indexer.follow(fresh)
        lived, seen = _state(self.ledger), _state(fresh)
        for name in lived:
            assert lived[name] == seen[name], f"{name} differ"
        minted = [e for e in lived["events"] if e["name"] == "Minted"]
        receipts = Counter(e["arguments"]["receipt"] for e in minted)
        assert sorted(receipts) == sorted(to_hex(line.leaf()) for line in self.place.lines)
        assert set(receipts.values()) == {1}
        supply = self.place.model.token.total_supply()
        assert supply == sum(int(e["arguments"]["amount"]) for e in minted) == self.place.total
        with self.ledger.store.read() as session:
            attempts = int(session.exec(select(func.count()).select_from(Attempt)).one())
        return {
            "reorgs": len(self.depths),
            "depths": dict(sorted(Counter(self.depths).items())),
            "rewound": self.rewound,
            "claims": len(minted),
            "events": len(lived["events"]),
            "decisions": len(lived["decisions"]),
            "signed": attempts,
            "states": self._states(),
            "supply": str(supply),
            "equal": True,
        }

    def _tip_is_read(self) -> bool:
        block = self.place.w3.eth.get_block("latest")
        return self._known(int(block["number"])) == block["hash"].to_0x_hex()

    def _final_is_read(self) -> bool:
        return _cursor(self.ledger) == int(self.place.w3.eth.get_block("finalized")["number"])

    def _known(self, number: int) -> str | None:
        with self.ledger.store.read() as session:
            row = session.get(Header, number)
        return None if row is None else row.hash

    def _count(self, state: CallState) -> int:
        return self._states().get(state, 0)

    def _states(self) -> dict[str, int]:
        with self.ledger.store.read() as session:
            return dict(Counter(row.state for row in outbox.listed(session)))

    @staticmethod
    def _until(what: str, ready: Any) -> None:
        end = time.monotonic() + PATIENCE
        while not ready():
            if time.monotonic() > end:
                raise TimeoutError(f"gave up waiting until {what}")
            time.sleep(0.01)


def _cursor(ledger: Ledger) -> int:
    with ledger.store.read() as session:
        row = session.get(Cursor, FINAL)
    return 0 if row is None else row.block


def _state(ledger: Ledger) -> dict[str, Any]:
    """What follows from the chain."""
    with ledger.store.read() as session:
        return {
            "events": _rows(session, ChainEvent, "block", "log_index"),
            "decisions": _rows(session, DecisionRow, "sequence"),
            "transfers": [{k: v for k, v in row.items() if k != "made"} for row in _rows(session, Transfer, "id")],
            "balances": journal.balances(session, "units"),
        }


def _rows(session: Any, table: type[SQLModel], *keys: str) -> list[dict[str, Any]]:
    return [row.model_dump() for row in session.exec(select(table).order_by(*(getattr(table, k) for k in keys)))]


def trial(reorgs: int, seed: int = 1) -> dict[str, Any]:
    """One run on a fresh anvil. Raises AssertionError where anything differs."""
    with tempfile.TemporaryDirectory() as folder, Anvil(slots=DEEPEST // 2) as anvil:
        return Trial(anvil, Path(folder), reorgs, seed).run()


def main() -> None:
    """Entry point."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--reorgs", type=int, default=50)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    started = time.monotonic()
    found = trial(options.reorgs, options.seed)
    progress(f"{found}")
    write_result("reorgs", found | {"seed": options.seed, "seconds": round(time.monotonic() - started, 1)})


if __name__ == "__main__":
    main()
