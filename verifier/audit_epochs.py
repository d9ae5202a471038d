"""What an audit says is owed: contributions as they were vouched for, and epochs as they follow from all work."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from eth_utils import to_checksum_address

from contracts.log_audit import Kind, epoch_payouts, kind_weights
from contracts.payout_tree import PayoutTree
from verifier.audit_state import Authority, Books, require
from verifier.contribution_audit import ContributionAudit


@dataclass(frozen=True)
class EpochResult:
    """An epoch as the log proves it."""

    number: int
    root: bytes
    total: int
    count: int
    deadline: int


class EpochAudit:
    """Epochs of one deployment, over the runs and proofs in `books`. Raises NotBorneOut."""

    def __init__(self, authority: Authority, books: Books) -> None:
        self.epochs: dict[int, EpochResult] = {}
        self._authority, self._books = authority, books
        self._contributions = ContributionAudit(authority.domain)

    def contribution_credited(self, entry: dict[str, Any]) -> None:
        """Code or data that k maintainers vouched for. Raises ContributionRefused."""
        run = self._books.runs[entry["run"]]
        self._contributions.take(entry, run.config, run.manifest.model)

    def epoch_closed(self, entry: dict[str, Any]) -> None:
        """Root, total and count follow from what was posted in rounds that no epoch has paid yet."""
        name, number = entry["run"], int(entry["epoch"])
        run, first, last = self._books.runs[name], int(entry["first_round"]), int(entry["last_round"])
        require(number == len(self.epochs) + 1, "epochs are not closed in order")
        require(first == run.paid + 1 and last == run.merged >= first, "a round is paid twice, or not at all")
        due = last % run.manifest.roundsPerEpoch == 0 or last >= run.config.rounds
        require(due, "epoch closed before its last round")
        run.paid = last
        contributed = {Kind.COMPUTE: self._work(name, first, last)} | self._contributions.pay(name)
        emission, chain_id = run.manifest.emission, self._authority.domain.chain_id
        weights, distributor = kind_weights(run.config), self._authority.distributor
        payouts = epoch_payouts(contributed, weights, emission, chain_id, distributor, number)
        root = PayoutTree.of([p.leaf() for p in payouts]).root
        require(entry["root"] == "0x" + root.hex(), "payout root does not follow from the posted work")
        total = sum(p.amount for p in payouts)
        require((int(entry["total"]), entry["count"]) == (total, len(payouts)), "total or count is wrong")
        self.epochs[number] = EpochResult(number, root, total, len(payouts), int(entry["deadline"]))

    def _work(self, run: str, first: int, last: int) -> Mapping[str, int]:
        work: dict[str, int] = {}
        for proof in self._books.proofs.values():
            said, paid_round = proof.message, proof.restored_round
            if proof.state == "posted":
                paid_round = said.round
            if paid_round is None or "0x" + said.run.hex() != run or not first <= paid_round <= last:
                continue
            account = self._books.payouts[run, to_checksum_address(said.node)].lower()
            work[account] = work.get(account, 0) + said.tokens
        return work
