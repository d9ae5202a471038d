"""Whether what a service derived is what the simulator's machine derived, after renaming.

All fields are compared, but for what has no twin: `DecisionTaken.detail` (each side has its own words), and of
`EpochClosed` the amounts of the lines and with them the root, since the simulator has no weights of kinds and other
numbers of tokens. Those are computed again from what the simulator's log credits, and from what earlier epochs left of
it, in the service's numbers.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

from contracts.ids import Address
from contracts.protocol.judge.entries import DecisionTaken, Derived, EpochClosed, EpochEnded, Line, Posted, RoundOpened
from contracts.protocol.judge.facts import Committed, Credited, Fact
from contracts.protocol.judge.rules.entitlements import Units, emitted, left_of, lines_within
from tests.adversary.service.names import Names
from tests.adversary.service.said import Speaker
from tests.adversary.service.twin import Twin

Credit = dict[int, dict[Address, int]]
"""By kind and account: tokens or weights."""


class Unequal(AssertionError):
    """An entry differs, or there is one too many or too few."""


@dataclass
class _Paid:
    """An epoch of a run: what is owed in it from before, what it has earned, and its lines by the simulator's root."""

    run: str
    owed: Units
    earned: Units
    given: dict[str, tuple[Line, ...]] = field(default_factory=dict)


@dataclass
class _Earning:
    """What a run's next epoch pays for, in the service's numbers: `late` is by what the work's round opened with."""

    paying: str = ""
    earned: Credit = field(default_factory=dict)
    late: dict[str, dict[Address, int]] = field(default_factory=dict)


@dataclass
class Comparison:
    """Compares the derived entries of one history, in their order."""

    names: Names
    functions: Twin
    speaker: Speaker
    _configs: dict[str, str] = field(default_factory=dict)
    _last_paid: dict[str, int] = field(default_factory=dict)
    """The configuration of a run's newest round, in the service's text."""
    _proofs: dict[str, Committed] = field(default_factory=dict)
    _opened_with: dict[tuple[str, int], str] = field(default_factory=dict)
    _earned: dict[str, Credit] = field(default_factory=dict)
    _late: dict[str, dict[str, dict[Address, int]]] = field(default_factory=dict)
    _owed: dict[str, Units] = field(default_factory=dict)
    """By run: what its epochs left unpaid."""
    _paid: dict[int, _Paid] = field(default_factory=dict)

    def entered(self, fact: Fact) -> None:
        """A fact that both sides took."""
        if isinstance(fact, Committed):
            self._proofs[fact.proof] = fact
        elif isinstance(fact, Credited):
            self._credit(fact.run, fact.kind, fact.account, fact.weight)

    def check(self, simulated: tuple[Derived, ...], real: list[Derived]) -> None:
        """What follows one fact. Raises Unequal."""
        kinds = [type(entry).__name__ for entry in simulated], [type(entry).__name__ for entry in real]
        if kinds[0] != kinds[1]:
            raise Unequal(f"{', '.join(kinds[0]) or 'nothing'} is due, the service gives {', '.join(kinds[1])}")
        for due, given in zip(simulated, real, strict=True):
            found = self.names.renamed(given)
            adjust = _ADJUST.get(type(due))
            found = adjust(self, due, given, found) if adjust is not None else found
            if found != due:
                raise Unequal(f"{due} is due, the service gives {found}")

    def _credit(self, run: str, kind: int, account: str, amount: int) -> None:
        given = self._earned.setdefault(run, {}).setdefault(kind, {})
        real = self.names.address(account)
        given[real] = given.get(real, 0) + amount

    def _opened(self, due: RoundOpened, given: RoundOpened, found: RoundOpened) -> RoundOpened:
        if given.round == self._last_paid.get(due.run, 0) + 1:  # an epoch pays by what it began with
            self._configs[due.run] = given.config
        self._opened_with[due.run, given.round] = given.config
        return found

    def _posted(self, due: Posted, given: Posted, found: Posted) -> Posted:
        if given.tokens != self.speaker.tokens[due.proof]:
            raise Unequal(f"{due.proof} said {self.speaker.tokens[due.proof]} tokens, {given.tokens} are posted")
        made, account = self._proofs[due.proof], self.names.address(due.account)
        self._credit(made.run, 0, due.account, given.tokens)
        if made.round <= self._last_paid.get(made.run, 0):
            late = self._late.setdefault(made.run, {}).setdefault(self._opened_with[made.run, made.round], {})
            late[account] = late.get(account, 0) + given.tokens
        return replace(found, tokens=due.tokens)

    def _decided(self, due: DecisionTaken, given: DecisionTaken, found: DecisionTaken) -> DecisionTaken:
        if bool(given.detail) != bool(due.detail):
            raise Unequal(f"{due} is due, the service says {given.detail!r}")
        return replace(found, detail=due.detail)

    def _closed(self, due: EpochClosed, given: EpochClosed, found: EpochClosed) -> EpochClosed:
        if due.epoch not in self._paid:
            self._paid[due.epoch] = self._earns(due)
            self._last_paid[due.run] = given.last_round
        paid = self._paid[due.epoch]
        lines = lines_within(paid.owed, paid.earned, due.total)
        paid.given[due.root] = lines
        if given.lines != lines or sum(line.amount for line in given.lines) != given.total:
            raise Unequal(f"epoch {due.epoch} pays {lines}, the service gives {given.lines}")
        if _payees(found.lines) != _payees(due.lines):
            raise Unequal(f"epoch {due.epoch} pays {_payees(due.lines)}, the service pays {_payees(found.lines)}")
        if given.root != self.functions.root(due.epoch, lines):
            raise Unequal(f"{given.root} is not the root of the lines of epoch {due.epoch}")
        if self.names.roots.setdefault(due.root, given.root) != given.root:
            raise Unequal(f"{due.root} was {self.names.roots[due.root]}, and is {given.root}")
        return replace(found, lines=due.lines, root=due.root)

    def _earns(self, due: EpochClosed) -> _Paid:
        """What an epoch that closes first pays for: all that is due beyond what is owed is its emission."""
        owed = self._owed.pop(due.run, {})
        emission, lines = due.due - sum(owed.values()), self.functions.lines
        earning = _Earning(self._configs[due.run], self._earned.pop(due.run, {}), self._late.pop(due.run, {}))
        return _Paid(due.run, owed, emitted(lambda *given: lines(due.epoch, *given), earning, emission))

    def _ended(self, due: EpochEnded, given: EpochEnded, found: EpochEnded) -> EpochEnded:
        paid = self._paid[due.epoch]
        if due.carried:
            owed = self._owed.setdefault(paid.run, {})
            for key, amount in left_of(paid.owed, paid.earned, paid.given[due.root]).items():
                owed[key] = owed.get(key, 0) + amount
        if given.root != self.names.root(due.root):
            raise Unequal(f"epoch {due.epoch} ends with {due.root}, the service says {given.root}")
        return replace(found, root=due.root)


def _payees(lines: tuple[Line, ...]) -> set[tuple[str, int]]:
    return {(line.account, line.kind) for line in lines}


_ADJUST: dict[type[Derived], Callable[[Comparison, Any, Any, Any], Derived]] = {
    RoundOpened: Comparison._opened,
    Posted: Comparison._posted,
    DecisionTaken: Comparison._decided,
    EpochClosed: Comparison._closed,
    EpochEnded: Comparison._ended,
}
