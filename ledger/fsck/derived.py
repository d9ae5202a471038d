"""What the journal, the payouts and the epochs must be, read off the log alone."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from eth_utils import to_checksum_address

from contracts.contribution import CONTRIBUTIONS, kind_of, subject_of
from contracts.log_audit import Kind, epoch_payouts, kind_weights
from contracts.messages import from_json
from contracts.payout_tree import PayoutTree
from contracts.run_config import RunConfig

Entry = Mapping[str, Any]


@dataclass
class _Work:
    """A proof as the log has it; `paid_in` is the round that pays it, if one does."""

    run: str
    payout: str
    tokens: int
    paid_in: int | None = None
    round: int = 0


class Derived:
    """Rows by key, as the log gives them.

    `transfers`: (book, debit, credit, amount, pending) by id; `ends`: outcome by transfer; `payouts`: (account, kind,
    amount, leaf) by (epoch, index); `epochs`: what an Epoch row holds of them, by number; `rounds`: what a Round row
    opened with, by (run, number); `contributions`: (kind, author, weight,
    place in the log) by (run, subject); `appeals`: (state, round that pays) of those that are decided, by proof.
    """

    def __init__(self, chain_id: int, distributor: str) -> None:
        self.transfers: dict[str, tuple[Any, ...]] = {}
        self.ends: dict[str, str] = {}
        self.payouts: dict[tuple[int, int], tuple[str, int, int, str]] = {}
        self.epochs: dict[int, tuple[Any, ...]] = {}
        self.rounds: dict[tuple[str, int], tuple[Any, ...]] = {}
        self.contributions: dict[tuple[str, str], tuple[Any, ...]] = {}
        self.appeals: dict[str, tuple[str, int]] = {}
        self._manifests: dict[str, Any] = {}
        self._chain_id, self._distributor = chain_id, distributor
        self._lines: dict[str, tuple[str, int]] = {}
        self._runs: dict[str, RunConfig] = {}
        self._emissions: dict[str, int] = {}
        self._paid: dict[str, int] = {}
        self._accounts: dict[tuple[str, str], str] = {}
        self._work: dict[str, _Work] = {}
        self._given: dict[str, dict[Kind, dict[str, int]]] = defaultdict(dict)
        self._read: dict[str, Callable[[int, Entry], None]] = {
            "run-created": self._run, "node-enrolled": self._node, "decision": self._decision,
            "round-opened": self._round,
            "proof-submitted": self._submitted, "proof-posted": self._posted, "proof-voided": self._voided,
            "appeal-decided": self._appeal, "contribution-credited": self._contribution, "epoch-closed": self._epoch,
        }  # fmt: skip

    def take(self, index: int, entry: Entry) -> None:
        """Read leaf `index`. Raises KeyError, ValueError and CommonweightError for one that makes no sense."""
        reader = self._read.get(entry["kind"])
        if reader is not None:
            reader(index, entry)

    def mint(self, receipt: str) -> None:
        """The chain minted this receipt; if it is a payout's leaf, the debt is paid. Others are no epoch's."""
        if receipt in self._lines:
            account, amount = self._lines[receipt]
            self._transfer(f"minted:{receipt}", "units", f"owed:{account}", f"minted:{account}", amount)

    def _run(self, _index: int, entry: Entry) -> None:
        self._runs[entry["run"]] = RunConfig.from_json(entry["config"])
        self._emissions[entry["run"]] = int(entry["message"]["emission"])
        self._manifests[entry["run"]] = entry["message"]

    def _node(self, _index: int, entry: Entry) -> None:
        said = entry["message"]
        self._accounts.setdefault(
            (entry["run"], to_checksum_address(said["node"])), to_checksum_address(said["payout"])
        )

    def _decision(self, _index: int, entry: Entry) -> None:
        if entry["outcome"] == "applied":
            self._runs[entry["run"]] = self._runs[entry["run"]].with_decision(entry["key"], entry["value"])

    def _round(self, _index: int, entry: Entry) -> None:
        given = (entry[name] for name in ("config", "config_digest", "data_seed", "theta", "momentum"))
        self.rounds[entry["run"], int(entry["round"])] = (*given, int(entry["block"]))

    def _submitted(self, _index: int, entry: Entry) -> None:
        said = entry["message"]
        account = self._accounts[said["run"], to_checksum_address(said["node"])]
        self._work[entry["proof"]] = _Work(said["run"], account, int(said["tokens"]), round=int(said["round"]))
        self._transfer(entry["proof"], "work", f"run:{said['run']}", account, int(said["tokens"]), pending=True)

    def _posted(self, _index: int, entry: Entry) -> None:
        self.ends[entry["proof"]] = "posted"
        self._work[entry["proof"]].paid_in = self._work[entry["proof"]].round

    def _voided(self, _index: int, entry: Entry) -> None:
        self.ends[entry["proof"]] = "voided"

    def _appeal(self, _index: int, entry: Entry) -> None:
        state = "upheld" if entry["message"]["upheld"] else "dismissed"
        self.appeals[entry["proof"]] = (state, int(entry["decided_round"]))
        if entry["message"]["upheld"]:
            if self.ends[entry["proof"]] != "voided":
                raise ValueError(f"an appeal restores {entry['proof']}, which was not voided")
            work = self._work[entry["proof"]]
            work.paid_in = int(entry["decided_round"])
            self._transfer(f"appeal:{entry['proof']}", "work", f"run:{work.run}", work.payout, work.tokens)

    def _contribution(self, index: int, entry: Entry) -> None:
        message = from_json(CONTRIBUTIONS[entry["contribution"]], entry["message"])
        kind, author = kind_of(message), str(to_checksum_address(message.author))
        given = self._given[entry["run"]].setdefault(kind, {})
        given[author.lower()] = given.get(author.lower(), 0) + message.weight
        self.contributions[entry["run"], subject_of(message)] = (int(kind), author, message.weight, index)
        key = f"contribution:{entry['run']}:{subject_of(message)}"
        self._transfer(key, kind.name.lower(), f"run:{entry['run']}", author, message.weight)

    def _epoch(self, index: int, entry: Entry) -> None:
        run, number = entry["run"], int(entry["epoch"])
        first, last = int(entry["first_round"]), int(entry["last_round"])
        if number != len(self.epochs) + 1 or not first == self._paid.get(run, 0) + 1 <= last:
            raise ValueError(f"epoch {number} over rounds {first} to {last} does not follow the one before it")
        self._paid[run] = last
        contributed = {Kind.COMPUTE: self._compute(run, first, last)} | self._given.pop(run, {})
        weights, emission = kind_weights(self._runs[run]), self._emissions[run]
        due = epoch_payouts(contributed, weights, emission, self._chain_id, self._distributor, number)
        leaves = [line.leaf() for line in due]
        for line, leaf in zip(due, leaves, strict=True):
            account, key = str(to_checksum_address(line.account)), "0x" + leaf.hex()
            self.payouts[number, line.index] = (account, line.kind, line.amount, key)
            self._lines[key] = (account, line.amount)
            self._transfer(f"owed:{key}", "units", f"emission:{number}", f"owed:{account}", line.amount)
        root, total = "0x" + PayoutTree.of(leaves).root.hex(), sum(line.amount for line in due)
        self.epochs[number] = (run, first, last, root, total, len(due), index + 1, int(entry["deadline"]))

    def runs(self) -> dict[str, tuple[Any, ...]]:
        """(manifest, configuration) by run, after the decisions so far."""
        return {run: (self._manifests[run], config.to_json()) for run, config in self._runs.items()}

    def proofs(self) -> dict[str, tuple[Any, ...]]:
        """(run, round, payout, tokens, state) by proof, as the next epoch would pay it."""
        return {
            proof: (work.run, work.round, work.payout, work.tokens, self.ends.get(proof, "pending"))
            for proof, work in self._work.items()
        }

    def _compute(self, run: str, first: int, last: int) -> dict[str, int]:
        totals: dict[str, int] = {}
        for work in self._work.values():
            if work.run == run and work.paid_in is not None and first <= work.paid_in <= last:
                totals[work.payout.lower()] = totals.get(work.payout.lower(), 0) + work.tokens
        return totals

    def _transfer(self, key: str, book: str, debit: str, credit: str, amount: int, pending: bool = False) -> None:
        self.transfers[key] = (book, debit, credit, amount, pending)
