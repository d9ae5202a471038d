"""A vote of ten thousand holders on a real chain: what crediting, weighing and reading it asks of the chain's node.

python -m benchmarks.tally [--voters N]     writes benchmarks/results/tally.json
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from eth_utils.crypto import keccak
from web3 import Web3

from benchmarks.record import progress, write_result
from contracts.chain.connection import contract_at
from ledger.chainread import indexer
from ledger.context import Ledger
from ledger.governance import shown, votes
from ledger.storage.tables import FINAL, Cursor, Proposal
from tests.anvil import Anvil
from tests.paid_epoch import PARAMS, PaidEpoch

GAS, PER_BLOCK = 400_000, 2_000
"""Of one transaction, and how many are in a block: a vote on this chain lasts for twenty blocks."""
SHOWN = 1_000
FOR, AGAINST = 1, 0


class Electorate:
    """Voters of one unit each and one proposal, on a chain that signs for everybody."""

    def __init__(self, anvil: Anvil, voters: int) -> None:
        self.place, self.anvil = PaidEpoch(anvil, 2), anvil
        anvil.rpc("anvil_autoImpersonateAccount", True)
        anvil.rpc("evm_setBlockGasLimit", hex(GAS * PER_BLOCK))
        self.voters = [Web3.to_checksum_address(keccak(text=f"voter {n}")[:20]) for n in range(voters)]
        self.token = contract_at(anvil.w3, "ModelToken", self.place.deployment.token)
        self.governor = contract_at(anvil.w3, "ModelGovernor", self.place.deployment.governor)

    def hold(self) -> None:
        """Each voter is minted one unit, whose votes it has by itself."""
        timelock, maker = self.place.deployment.timelock, self.place.creator.address
        self.anvil.rpc("anvil_setBalance", timelock, hex(10**20))
        left = self.token.functions.budgetOf(self.place.deployment.distributor).call()
        self._all(
            [
                (timelock, self.token.functions.setBudget(self.place.deployment.distributor, left // 2)),
                (timelock, self.token.functions.setBudget(maker, len(self.voters))),
            ]
        )
        self._all([(maker, self.token.functions.reserve(len(self.voters)))])
        self._all([(maker, self.token.functions.mint(keccak(text=v), v, 1)) for v in self.voters])

    def vote(self) -> int:
        """A proposal, and a ballot of each; three in four are for it."""
        for number, voter in enumerate(self.voters):
            self.anvil.rpc("anvil_setBalance", voter, hex(10**18))
            if number % SHOWN == 0:
                progress(f"{number:,} voters have gas")
        text, target = "ten thousand", self.place.deployment.timelock
        self._all([(self.voters[0], self.governor.functions.propose([target], [0], [b""], text))])
        found = int(self.governor.functions.hashProposal([target], [0], [b""], keccak(text=text)).call())
        self.anvil.wait(PARAMS.voting_delay + 1)
        self.anvil.mine()
        ballots = [
            (v, self.governor.functions.castVote(found, AGAINST if n % 4 == 0 else FOR))
            for n, v in enumerate(self.voters)
        ]
        self._all(ballots)
        return found

    def _all(self, calls: Sequence[tuple[str, Any]]) -> None:
        """Each from its sender, a block for every so many."""
        nonces: Counter[str] = Counter()
        for number, (sender, call) in enumerate(calls, start=1):
            if sender not in nonces:
                nonces[sender] = self.anvil.w3.eth.get_transaction_count(Web3.to_checksum_address(sender))
            self.anvil.rpc(
                "eth_sendTransaction",
                {
                    "from": sender,
                    "to": call.address,
                    "data": call._encode_transaction_data(),
                    "gas": hex(GAS),
                    "nonce": hex(nonces[sender]),
                },
            )
            nonces[sender] += 1
            if number % PER_BLOCK == 0 or number == len(calls):
                newest = int(self.anvil.w3.eth.get_block("latest")["timestamp"])
                self.anvil.rpc("evm_setNextBlockTimestamp", newest + 1)
                self.anvil.mine()
            if number % SHOWN == 0:
                progress(f"{number:,} of {len(calls):,} transactions")


def counted(ledger: Ledger, work: Callable[[], Any]) -> tuple[Any, int, float]:
    """What some work found, how many questions it asked the chain's node, and its seconds."""
    manager, asked = ledger.chain.w3.manager, [0]
    ask = manager.request_blocking

    def count(*question: Any, **how: Any) -> Any:
        asked[0] += 1
        return ask(*question, **how)

    manager.request_blocking = count  # type: ignore[method-assign]
    began = time.perf_counter()
    try:
        return work(), asked[0], time.perf_counter() - began
    finally:
        manager.request_blocking = ask  # type: ignore[method-assign]


def measure(voters: int, folder: Path) -> dict[str, Any]:
    """Play the vote, and read it as the server does."""
    with Anvil(history=100_000) as anvil:
        electorate = Electorate(anvil, voters)
        electorate.hold()
        proposal = str(electorate.vote())
        anvil.mine(4 * anvil.slots)
        ledger = electorate.place.ledger(folder)
        _, credits, credited = counted(ledger, lambda: _until_still(ledger))
        _, weighs, weighed = counted(ledger, lambda: _weigh_all(ledger, proposal))
        with ledger.store.read() as session:
            row = session.get_one(Proposal, proposal)
            first = votes.page(session, proposal, (0, 0), 100)
        tally, reads, read = counted(ledger, lambda: shown.tally(ledger, row))
    return {
        "voters": voters,
        "credit_calls": credits,
        "credit_seconds": credited,
        "weigh_calls": weighs,
        "weigh_seconds": weighed,
        "tally_calls": reads,
        "tally_seconds": read,
        "page": len(first),
        "equal": tally["api"] == tally["governor"] and tally["votes"] == voters,
        "tally": tally["api"],
    }


def _until_still(ledger: Ledger) -> None:
    last = None
    while True:
        indexer.follow(ledger)
        with ledger.store.read() as session:
            row = session.get(Cursor, FINAL)
        if row is not None and row.block == last:
            return
        last = row.block if row is not None else None


def _weigh_all(ledger: Ledger, proposal: str) -> None:
    while True:
        votes.weigh(ledger)
        with ledger.store.read() as session:
            left = votes.unweighed(session, proposal)
        if not left:
            return
        progress(f"{left:,} votes have no weight yet")


def main() -> None:
    """Measure, print and record; fail where both counts differ."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--voters", type=int, default=10_000)
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="tally-") as folder:
        found = measure(chosen.voters, Path(folder))
    write_result("tally", found)
    print(
        f"{found['voters']:,} votes: credited with {found['credit_calls']:,} calls in {found['credit_seconds']:.1f} s, "
        f"weighed with {found['weigh_calls']:,} in {found['weigh_seconds']:.1f} s; a tally asks {found['tally_calls']} "
        f"and takes {1_000 * found['tally_seconds']:.0f} ms; equal: {found['equal']}"
    )
    if not found["equal"]:
        raise SystemExit("the API's count is not the Governor's, or votes are missing")


if __name__ == "__main__":
    main()
