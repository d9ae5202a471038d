"""The pay that an account is owed, by epoch: a server's lines count where they lead to the root that the chain has.

All lines of an epoch are read, and the root is computed of them: a server that leaves a line out, or changes one, is
found. The token itself shows which lines are claimed, by their receipts.
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
from contracts.wire.states import RunPhase

AT_ONCE = 1_000
"""Lines of an epoch in one answer of a server."""
MOST_LINES = 2**20
"""Of one epoch; lines beyond them are not read."""
Report = Callable[[int, int], None]


@dataclass(frozen=True)
class Claim:
    """The state of one line of the account, or of an epoch that has none of it. `amount` in 1e-18 tokens.

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
        """The sentence of its state."""
        return told(SENTENCES, self.state, self.values)

    @property
    def command(self) -> str:
        """The command that says more, or moves it on."""
        return helper(SENTENCES, self.state, self.values)

    def to_json(self) -> Object:
        """One object of `--json`."""
        line = {"index": self.index, "kind": self.kind, "receipt": to_hex(self.leaf)} if self.leaf else {}
        standing = {"state": str(self.state), "sentence": self.sentence, "command": self.command}
        return {"about": "claim", "epoch": self.epoch, "units": str(self.amount), **line, **standing}


@dataclass
class Owed:
    """The lines that epochs owe or paid an account."""

    account: Address
    claims: list[Claim] = field(default_factory=list)

    def units(self, *states: ClaimState) -> int:
        """The sum of the lines in one of these states."""
        return sum(claim.amount for claim in self.claims if claim.state in states)


def read_owed(model: WalletModel, account: Address, only: int | None = None, report: Report = lambda *_: None) -> Owed:
    """The lines of each epoch for an account, or of epoch `only`. Raises ApiProblem and ApiUnreachable."""
    epochs = model.epochs()
    runs = model.runs()
    look = _Look(model, account, runs)
    newest = max((*epochs, model.registry.finalized_epochs()), default=0)
    numbers = range(1, newest + 2) if only is None else [only]
    owed = Owed(account)
    for done, number in enumerate(numbers):
        report(done, len(numbers))
        owed.claims += look.epoch(number, epochs.get(number))
    if only is None or not owed.claims:
        owed.claims += look.coming(epochs)
    return owed


class _Look:
    """One account's look at a model."""

    def __init__(self, model: WalletModel, account: Address, runs: Sequence[SeenRun]) -> None:
        self._model = model
        self._account = account
        self._runs = runs
        self._limit, self._k = model.registry.dispute_limit(), model.registry.threshold()
        self._now, self._contract = model.now(), model.distributor.only_its_own(account)
        nodes = [node for run in runs for node in run.nodes if node.node == account and node.payout != account]
        self._elsewhere = nodes[-1].payout if nodes else ""

    def epoch(self, number: int, epoch: Epoch | None) -> list[Claim]:
        """Lines of the account in an epoch, or one claim with the reason why it has none; nothing without an epoch."""
        chain = self._model.registry.epoch_of(number)
        if epoch is None and chain.status is EpochStatus.NONE:
            return []
        lines = self._lines(number) if epoch else []
        facts = EpochFacts(chain.status, chain.attempt, epoch is not None, _leads_to(lines, chain))
        own_lines = [line for line in lines if line.account.lower() == self._account.lower()]
        return [self._claim(facts, chain, number, line) for line in own_lines if facts.ours] or [
            self._claim(facts, chain, number, None)
        ]

    def coming(self, epochs: dict[int, Epoch]) -> list[Claim]:
        """The epochs that are open yet, of the runs that name the account."""
        live = [run for run in self._runs if run.shown.phase != RunPhase.OVER]
        paying_runs = [run for run in live if self._names(run)]
        if paying_runs:
            return [self._open(run, epochs) for run in paying_runs]
        if self._elsewhere:
            return [Claim(ClaimState.OTHER_WALLET, None, {"payout": self._elsewhere})]
        if epochs and (not live or any(self._names(run) for run in self._runs)):
            return []
        state = claims.state_without_epochs(len(self._runs), is_payee=False, merged=0)
        return [Claim(state, None, {"account": self._account})]

    def _names(self, run: SeenRun) -> bool:
        payees = {node.payout for node in run.nodes} | {line.account for line in run.contributions}
        return self._account in payees

    def _open(self, run: SeenRun, epochs: dict[int, Epoch]) -> Claim:
        paid = max((epoch.last_round for epoch in epochs.values() if epoch.run == run.shown.run), default=0)
        merged = run.shown.round - (run.shown.phase == RunPhase.TRAINING)
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
        deployment = self._model.deployment
        payout = partial(Payout, deployment.chain_id, deployment.distributor, number)
        payouts: list[Payout] = []
        while len(payouts) < MOST_LINES:
            path = f"/epochs/{number}/payouts"
            page = self._model.client.read(Payouts, path, start=len(payouts), limit=AT_ONCE).payouts
            payouts += [payout(line.index, as_address(line.account), line.kind, int(line.amount)) for line in page]
            if len(page) < AT_ONCE:
                break
        return payouts


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
