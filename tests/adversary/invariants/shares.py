"""I6, in the middle: what an account's work has earned is paid to that account, however late, and to nobody else.

The configurations of these histories give no kind a weight of its own: an emission is split alike over all that was
contributed.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction

from contracts.protocol.judge.chain_events import EpochStruck
from contracts.protocol.judge.entries import EpochClosed, EpochEnded
from contracts.protocol.judge.facts import Terms
from tests.adversary.invariants.core import Breach
from tests.adversary.invariants.reading import Reading
from tests.adversary.invariants.views import At, Run

COMPUTE, CAPITAL = 0, 2
Weights = Mapping[int, Mapping[str, int]]
"""Kind → lower-case account → weight."""
Key = tuple[int, str]
"""Kind and lower-case account."""


@dataclass(frozen=True, slots=True)
class Claim:
    """Units that somebody has earned and was not paid; each rounding moved them by less than one."""

    units: Fraction = Fraction(0)
    roundings: int = 0

    def __add__(self, other: Claim) -> Claim:
        return Claim(self.units + other.units, self.roundings + other.roundings)


Claims = dict[Key, Claim]
NOTHING = Claim()


def weights_of(run: Run, after: int, before: int) -> Weights:
    """What was posted and credited between two indices."""
    found: dict[int, Counter[str]] = defaultdict(Counter)
    for index, posted in run.posted:
        if after < index < before:
            found[COMPUTE][posted.account.lower()] += posted.tokens
    for index, credited in run.credited:
        if after < index < before:
            found[credited.kind][credited.account.lower()] += credited.weight
    return found


def emission_of(terms: Terms, epoch: EpochClosed, paid: int) -> int:
    """What an epoch emits after that many paid rounds: a short one its rounds' share, one of no round nothing."""
    rounds = epoch.last_round - max(paid, epoch.first_round - 1)
    return int(Fraction(terms.emission) * Fraction(rounds, terms.rounds_per_epoch))


def is_struck(reading: Reading, epoch: EpochClosed, before: int) -> bool:
    """Whether an attempt follows one that holders struck down."""
    struck = reading.event(EpochStruck, before)
    return any(event.epoch == epoch.epoch and event.attempt < epoch.attempt for event in struck)


def pay_stays_with_who_earned_it(reading: Reading) -> Iterator[Breach]:
    """Every line is what its account is owed from earlier epochs of the run, and then its part of this one's emission:
    in full, or pro rata where the total is less. Who neither earned nor is owed anything gets nothing.

    What a final root leaves is owed on to the same accounts; what holders struck down, and what another root took the
    place of, to nobody.
    """
    for run in reading.runs.values():
        yield from _Accounts(reading, run).breaches()


class _Accounts:
    """Who is owed what, as one run goes on."""

    def __init__(self, reading: Reading, run: Run) -> None:
        self._reading, self._run = reading, run
        self._owed: Claims = {}
        self._pending: dict[int, tuple[Claims, Claims]] = {}
        """Of each epoch that has not ended: what is owed from before, what it has earned."""
        self._closed_at, self._paid_rounds = -1, 0
        self._waiting = Counter[str]()

    def breaches(self) -> Iterator[Breach]:
        """Lines that are another's, in the order of the log."""
        entries: list[At[EpochClosed | EpochEnded]] = [*self._run.epochs, *self._run.ended]
        for index, entry in sorted(entries, key=lambda at: at[0]):
            if isinstance(entry, EpochEnded):
                self._end(index, entry)
                continue
            self._begin(index, entry)
            if not is_struck(self._reading, entry, index):
                yield from self._uneven(index, entry)

    def _begin(self, index: int, entry: EpochClosed) -> None:
        if entry.epoch in self._pending:
            return
        weights = weights_of(self._run, self._closed_at, index)
        funded = self._capital(index, entry, weights)
        whole = sum(sum(accounts.values()) for accounts in weights.values())
        terms = self._reading.terms(self._run.name)
        emission = emission_of(terms, entry, self._paid_rounds) if terms is not None else 0
        emission -= sum(int(claim.units) for claim in funded.values())
        parts = {(kind, account): w for kind, given in weights.items() for account, w in given.items() if w}
        roundings = 1 + len(funded)
        earned = {key: Claim(Fraction(emission * weight, whole), roundings) for key, weight in parts.items()} | funded
        self._pending[entry.epoch], self._owed = (self._owed, earned), {}
        self._closed_at, self._paid_rounds = index, entry.last_round

    def _capital(self, index: int, entry: EpochClosed, weights: Weights) -> Claims:
        """What waits of each account's credit beside what was contributed, by weight, and no more than it is worth: of
        which a unit is worth one. The entry's own roundings decide what goes on waiting."""
        for at, assessed in self._run.assessed:
            if self._closed_at < at < index:
                for line in assessed.lines:
                    self._waiting[line.account.lower()] += 0 if line.payback else line.credited
        terms, work = self._reading.terms(self._run.name), sum(weights.get(COMPUTE, {}).values())
        waiting = {account: amount for account, amount in self._waiting.items() if amount > 0}
        if not waiting or terms is None or not work:
            return {}
        emission = emission_of(terms, entry, self._paid_rounds)
        whole = sum(sum(accounts.values()) for accounts in weights.values()) + sum(waiting.values())
        paid = _paid(entry)
        found = {}
        for account, amount in waiting.items():
            stated, said = min(Fraction(emission * amount, whole), Fraction(amount)), paid[CAPITAL, account]
            found[CAPITAL, account] = Claim(Fraction(said) if abs(stated - said) <= 1 else stated, 1)
            self._waiting[account] -= said
        return found

    def _uneven(self, index: int, entry: EpochClosed) -> Iterator[Breach]:
        owed, earned = self._pending[entry.epoch]
        paid = _paid(entry)
        total, before, emitted = sum(paid.values()), _units(owed), _units(earned)
        first = min(Fraction(1), total / before) if before else Fraction(0)
        then = max(Fraction(0), total - before) / emitted if emitted else Fraction(0)
        for key in sorted({*paid, *owed, *earned}):
            claim = owed.get(key, NOTHING) + earned.get(key, NOTHING)
            stated = owed.get(key, NOTHING).units * first + earned.get(key, NOTHING).units * then
            margin = claim.roundings + (total < before + emitted) if claim.roundings else 0
            if abs(paid[key] - stated) >= max(margin, 1):
                yield index, f"epoch {entry.epoch} pays {key[1]} {paid[key]} units, and {float(stated)} are its own"

    def _end(self, index: int, ended: EpochEnded) -> None:
        owed, earned = self._pending.pop(ended.epoch, ({}, {}))
        final = _of_root(self._run, ended, index)
        if final is None or not ended.ours or is_struck(self._reading, final, index) or final.total == final.due:
            return
        paid = _paid(final)
        for key in {**owed, **earned}:
            left = owed.get(key, NOTHING) + earned.get(key, NOTHING) + Claim(Fraction(-paid[key]))
            self._owed[key] = self._owed.get(key, NOTHING) + left


def _of_root(run: Run, ended: EpochEnded, before: int) -> EpochClosed | None:
    """The last closing with the root that the chain made final."""
    name = (ended.epoch, ended.attempt, ended.root)
    given = [epoch for at, epoch in run.epochs if at < before and (epoch.epoch, epoch.attempt, epoch.root) == name]
    return given[-1] if given else None


def _paid(entry: EpochClosed) -> Counter[Key]:
    found = Counter[Key]()
    for line in entry.lines:
        found[line.kind, line.account.lower()] += line.amount
    return found


def _units(claims: Claims) -> Fraction:
    return sum((claim.units for claim in claims.values()), Fraction(0))
