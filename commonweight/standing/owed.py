"""What an account is owed, by epoch: a server's lines count where they lead to the root that the chain has.

All lines of an epoch are read, and the root is computed of them: a server that leaves one out, or changes one, is
found. What is claimed the token says itself, by the line's receipt.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial

from commonweight.standing import claims
from commonweight.standing.claims import SENTENCES, ClaimState, EpochFacts
from commonweight.standing.model import SeenRun, WalletModel
from commonweight.standing.sentence import helper, told, until
from contracts.bindings.verifier_registry import EpochState, EpochStatus
from contracts.errors import InvalidTree
from contracts.ids import Address, as_address, to_hex
from contracts.merkle.payout_tree import Payout, PayoutTree
from contracts.messages.fields import from_json
from contracts.messages.for_log import RunTerms
from contracts.protocol.log_audit import PayoutKind
from contracts.wire.epochs import Epoch, Payouts
from contracts.wire.fields import Object

AT_ONCE = 1_000
"""Lines of an epoch in one answer of a server."""
MOST_LINES = 2**20
"""Of one epoch; a server that shows more is not listened to."""
Report = Callable[[int, int], None]


@dataclass(frozen=True)
class Claim:
    """Where one line of the account rests, or an epoch that has none of it. `amount` in 1e-18 tokens.

    `leaf` (32 bytes, the mint receipt) and `index` are those of the line; empty and -1 without one. `values` fill the
    state's sentence.
    """

    state: ClaimState
    epoch: int | None
    values: Mapping[str, object]
    amount: int = 0
    kind: str = ""
    index: int = -1
    leaf: bytes = b""

    @property
    def sentence(self) -> str:
        """Where it rests."""
        return told(SENTENCES, self.state, self.values)

    @property
    def command(self) -> str:
        """What says more, or moves it on."""
        return helper(SENTENCES, self.state, self.values)

    def to_json(self) -> Object:
        """One object of `--json`."""
        line = {"index": self.index, "kind": self.kind, "receipt": to_hex(self.leaf)} if self.leaf else {}
        said = {"state": str(self.state), "sentence": self.sentence, "command": self.command}
        return {"about": "claim", "epoch": self.epoch, "units": str(self.amount), **line, **said}


@dataclass
class Owed:
    """All that an account is owed or was paid by epochs."""

    account: Address
    claims: list[Claim] = field(default_factory=list)

    def units(self, *states: ClaimState) -> int:
        """The sum of the lines that rest in one of these states."""
        return sum(claim.amount for claim in self.claims if claim.state in states)


def read_owed(model: WalletModel, account: Address, only: int | None = None, report: Report = lambda *_: None) -> Owed:
    """What each epoch has for an account; `only` one of them. Raises ApiProblem and ApiUnreachable."""
    shown = model.epochs()
    runs = model.runs()
    look = _Look(model, account, runs)
    last = max((*shown, model.registry.finalized_epochs()), default=0)
    wanted = range(1, last + 2) if only is None else [only]
    owed = Owed(account)
    for done, number in enumerate(wanted):
        report(done, len(wanted))
        owed.claims += look.epoch(number, shown.get(number))
    if only is None or not owed.claims:
        owed.claims += look.coming(shown)
    return owed


class _Look:
    """One account's look at a model."""

    def __init__(self, model: WalletModel, account: Address, runs: Sequence[SeenRun]) -> None:
        self._model = model
        self._account = account
        self._runs = runs
        self._limit, self._k = model.registry.dispute_limit(), model.registry.threshold()
        self._now, self._contract = model.now(), model.distributor.only_its_own(account)
        own = [node for run in runs for node in run.nodes if node.node == account and node.payout != account]
        self._elsewhere = own[-1].payout if own else ""

    def epoch(self, number: int, shown: Epoch | None) -> list[Claim]:
        """Lines of the account in an epoch, or one claim that says why there are none; nothing of what is not there."""
        chain = self._model.registry.epoch_of(number)
        if shown is None and chain.status is EpochStatus.NONE:
            return []
        lines = self._lines(number) if shown else []
        facts = EpochFacts(chain.status, chain.attempt, shown is not None, _leads_to(lines, chain))
        mine = [line for line in lines if line.account.lower() == self._account.lower()]
        return [self._claim(facts, chain, number, line) for line in mine if facts.ours] or [
            self._claim(facts, chain, number, None)
        ]

    def coming(self, shown: dict[int, Epoch]) -> list[Claim]:
        """The epochs that are open yet, of the runs that name the account."""
        live = [run for run in self._runs if run.shown.phase != "over"]
        named = [run for run in live if self._names(run)]
        if named:
            return [self._open(run, shown) for run in named]
        if self._elsewhere:
            return [Claim(ClaimState.OTHER_WALLET, None, {"payout": self._elsewhere})]
        if shown and (not live or any(self._names(run) for run in self._runs)):
            return []
        state = claims.state_without_epochs(len(self._runs), is_payee=False, merged=0)
        return [Claim(state, None, {"account": self._account})]

    def _names(self, run: SeenRun) -> bool:
        payees = {node.payout for node in run.nodes} | {line.account for line in run.contributions}
        return self._account in payees

    def _open(self, run: SeenRun, shown: dict[int, Epoch]) -> Claim:
        paid = max((epoch.last_round for epoch in shown.values() if epoch.run == run.shown.run), default=0)
        merged = run.shown.round - (run.shown.phase == "training")
        state = claims.state_without_epochs(1, is_payee=True, merged=max(0, merged))
        last = paid + from_json(RunTerms, run.shown.manifest).roundsPerEpoch
        return Claim(
            state, None, {"run": run.shown.run, "last": last, "round": run.shown.round, "account": self._account}
        )

    def _claim(self, facts: EpochFacts, chain: EpochState, number: int, line: Payout | None) -> Claim:
        final = line is not None and facts.status is EpochStatus.FINAL
        paid = final and line is not None and self._model.distributor.is_claimed(number, line.index)
        state = claims.state_of(
            facts,
            has_line=line is not None,
            paid=paid,
            is_contract=self._contract,
            paid_elsewhere=bool(self._elsewhere),
        )
        ends = chain.challenged_at + self._limit if facts.status is EpochStatus.DISPUTED else chain.closes_at
        values = {
            "epoch": number,
            "account": self._account,
            "attempt": chain.attempt,
            "k": self._k,
            "until": until(ends, self._now),
            "payout": self._elsewhere,
        }
        if line is None:
            return Claim(state, number, values)
        kind = PayoutKind(line.kind).name.lower() if line.kind in {*PayoutKind} else str(line.kind)
        return Claim(state, number, values, line.amount, kind, line.index, line.leaf())

    def _lines(self, number: int) -> list[Payout]:
        place = self._model.deployment
        made = partial(Payout, place.chain_id, place.distributor, number)
        found: list[Payout] = []
        while len(found) < MOST_LINES:
            path = f"/epochs/{number}/payouts"
            page = self._model.client.read(Payouts, path, start=len(found), limit=AT_ONCE).payouts
            found += [made(line.index, as_address(line.account), line.kind, int(line.amount)) for line in page]
            if len(page) < AT_ONCE:
                break
        return found


def _leads_to(lines: Sequence[Payout], chain: EpochState) -> bool:
    """Whether these are all lines of the root that the chain has; true where it has none to compare with."""
    if chain.status is EpochStatus.NONE:
        return True
    if not lines:
        return chain.count == 0
    try:
        return PayoutTree.of(line.leaf() for line in lines).root == chain.root
    except (InvalidTree, OverflowError, ValueError):
        return False
