"""Journal, payouts and epochs as they follow from the log alone: a second reading beside ledger/machine/effects.py.

The machine derives the entries. Their effects on money are written here once more, in other words.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from typing import Any

from eth_utils import to_checksum_address

from contracts.ids import ZERO_DIGEST, RunId, to_hex
from contracts.merkle.payout_tree import Payout, PayoutTree
from contracts.messages.signatures import Domain, digest
from contracts.protocol.judge.chain_events import EpochFinal
from contracts.protocol.judge.entries import EpochClosed, EpochEnded, Posted, RoundClosed, Undecided, Voided
from contracts.protocol.judge.facts import Block, Committed
from contracts.protocol.judge.protocol import Protocol
from contracts.protocol.log.codec import parse
from contracts.protocol.log.follower import Follower
from contracts.protocol.log.leaf import SIGNED, Entry
from contracts.protocol.log.signed import read_envelope
from contracts.wire.states import TransferEnd
from ledger.machine import announced


class Rederived:
    """Rows by key, as they follow from the log.

    `transfers`: (book, debit, credit, amount, pending) by id; `ends`: outcome by transfer; `payouts`: (account, kind,
    amount, leaf) by (epoch, index), of final epochs; `closings`: (epoch, attempt, root, total, count, settled_at,
    deadline) by the index of their entry; `current`: the closing that an Epoch row shows, by number; `ended`: whether
    the final root is one of the log's, by number; `epochs`: (run, first round, last round) by number; `announced`:
    (run, round, author) by (digest, message, kind, size), of the blobs that the server still takes.
    """

    def __init__(self, functions: Protocol, domain: Domain) -> None:
        self.follower = Follower(functions, domain)
        self._domain = domain
        self.announced: dict[tuple[str, str, str, int], tuple[str, int, str]] = {}
        self.transfers: dict[str, tuple[Any, ...]] = {}
        self.ends: dict[str, str] = {}
        self.payouts: dict[tuple[int, int], tuple[str, int, int, str]] = {}
        self.closings: dict[int, tuple[Any, ...]] = {}
        self.current: dict[int, int] = {}
        self.ended: dict[int, bool] = {}
        self.epochs: dict[int, tuple[RunId, int, int]] = {}
        self._functions = functions
        self._lines: dict[str, tuple[str, int]] = {}
        self._closed: dict[int, EpochClosed] = {}
        self._closings_of: dict[int, list[int]] = defaultdict(list)
        self._round: dict[tuple[str, int], list[str]] = defaultdict(list)
        self._finals: dict[int, EpochFinal] = {}
        self._read: dict[type, Callable[[int, Any], None]] = {
            Block: self._on_block,
            Committed: self._on_committed,
            RoundClosed: self._on_round,
            Posted: self._on_posted,
            Voided: self._on_voided,
            Undecided: self._on_voided,
            EpochClosed: self._on_closed,
            EpochEnded: self._on_ended,
        }

    def take(self, text: str) -> Entry:
        """Read the next leaf. Raises Differs where the leaf does not follow."""
        index = self.follower.size
        entry = self.follower.take(text)
        self._announce(text)
        reader = self._read.get(type(entry))
        if reader is not None:
            reader(index, entry)
        return entry

    def _announce(self, text: str) -> None:
        body = parse(text)
        kind = SIGNED.get(body.pop("kind"))
        if kind is None:
            return
        message = read_envelope(kind, body).message
        name = to_hex(digest(message, self._domain))
        for row in announced.rows(self.follower.state, message, name):
            self.announced[row.digest, row.message, row.kind, row.size] = row.run, row.round, row.author

    def mint(self, receipt: str) -> None:
        """The chain minted this receipt; if it is a payout's leaf, the debt is paid."""
        if receipt in self._lines:
            account, amount = self._lines[receipt]
            self.transfers[f"minted:{receipt}"] = ("units", f"owed:{account}", f"minted:{account}", amount, False)

    def _on_block(self, _: int, entry: Block) -> None:
        for event in entry.events:
            if isinstance(event, EpochFinal) and event.epoch not in self.ended:
                self._finals.setdefault(event.epoch, event)

    def _on_committed(self, _: int, entry: Committed) -> None:
        listed = self.follower.state.runs[entry.run].rounds[entry.round].listed[entry.node]
        self.transfers[entry.proof] = ("work", f"run:{entry.run}", listed.payout, entry.tokens, True)
        self._round[entry.run, entry.round].append(entry.proof)

    def _on_round(self, _: int, entry: RoundClosed) -> None:
        out = set(self._round.pop((entry.run, entry.round), [])) - set(entry.proofs)
        self.ends |= dict.fromkeys(out, TransferEnd.VOIDED)

    def _on_posted(self, _: int, entry: Posted) -> None:
        self.ends[entry.proof] = TransferEnd.POSTED

    def _on_voided(self, _: int, entry: Voided | Undecided) -> None:
        self.ends[entry.proof] = TransferEnd.VOIDED

    def _on_closed(self, index: int, entry: EpochClosed) -> None:
        leaves = [payout.leaf() for payout in self._payouts(entry)]
        root = to_hex(PayoutTree.of(leaves).root) if leaves else ZERO_DIGEST
        total = sum(line.amount for line in entry.lines)
        self.closings[index] = (entry.epoch, entry.attempt, root, total, len(leaves), entry.settled_at, entry.deadline)
        self.current[entry.epoch] = index
        self.epochs[entry.epoch] = (entry.run, entry.first_round, entry.last_round)
        self._closed[index] = entry
        self._closings_of[entry.epoch].append(index)
        for position, line in enumerate(entry.lines):
            account = f"owed:{to_checksum_address(line.account)}"
            self.transfers[_key(entry, position)] = ("units", f"emission:{entry.epoch}", account, line.amount, True)

    def _on_ended(self, _: int, entry: EpochEnded) -> None:
        final = self._finals.pop(entry.epoch)
        closings = [self._closed[index] for index in self._closings_of[entry.epoch]]
        winners = [closed for closed in closings if (closed.attempt, closed.root) == (final.attempt, final.root)]
        self.ended[entry.epoch] = bool(winners)
        for closed in closings:
            outcome = TransferEnd.POSTED if winners and closed.root == final.root else TransferEnd.VOIDED
            self.ends |= {_key(closed, position): outcome for position in range(len(closed.lines))}
        if winners:
            self.current[entry.epoch] = max(i for i in self._closings_of[entry.epoch] if self._closed[i] in winners)
            for payout in self._payouts(winners[-1]):
                account = str(to_checksum_address(payout.account))
                leaf = to_hex(payout.leaf())
                self.payouts[entry.epoch, payout.index] = (account, payout.kind, payout.amount, leaf)
                self._lines[leaf] = (account, payout.amount)
        for index in self._closings_of.pop(entry.epoch):
            del self._closed[index]
        self._forget(entry.epoch)

    def _forget(self, epoch: int) -> None:
        """Forget the blobs of an epoch's rounds, but for rounds with an open proof and the start of the next round."""
        name, _, last = self.epochs[epoch]
        run = self.follower.state.runs[name]
        open_rounds = {number for number, current in run.rounds.items() if number > last or current.proofs}
        for key, (owner, number, _) in list(self.announced.items()):
            starts = key[2] in announced.OUTER and number == run.merged
            if owner == name and number not in open_rounds and not starts:
                del self.announced[key]

    def _payouts(self, entry: EpochClosed) -> list[Payout]:
        chain = self._functions.chain_id
        distributor = self._functions.distributor
        return [
            Payout(chain, distributor, entry.epoch, position, line.account, line.kind, line.amount)
            for position, line in enumerate(entry.lines)
        ]


def _key(entry: EpochClosed, position: int) -> str:
    return f"owed:{entry.epoch}:{entry.root}:{position}"
