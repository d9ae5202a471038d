"""What a server's books have to say, computed from its log alone."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any

from eth_utils import to_checksum_address
from sqlmodel import Session

from contracts.protocol.judge import facts
from contracts.protocol.judge.chain_events import EpochFinal
from contracts.protocol.judge.entries import EpochClosed, EpochEnded, Line, Posted
from ledger.books import journal
from tests.adversary.service.compare import Unequal


def check_books(session: Session, entries: list[Any]) -> None:
    """Each account has the tokens of its posted proofs, and is owed the lines of final roots; nobody else has
    anything. `entries` are those of the log, in the service's names. Raises Unequal."""
    earned: Counter[str] = Counter()
    for entry in entries:
        if isinstance(entry, Posted):
            earned[entry.account] += entry.tokens
    owed: Counter[str] = Counter()
    for line in _final_lines(entries):
        owed[f"owed:{to_checksum_address(line.account)}"] += line.amount
    _compare(journal.balances(session, "work"), earned, "run:")
    _compare(journal.balances(session, "units"), owed, "emission:")


def _final_lines(entries: Iterable[Any]) -> Iterator[Line]:
    """What is paid by the roots that follow from the log and became final."""
    closed: dict[tuple[int, int, str], EpochClosed] = {}
    final: dict[int, EpochFinal] = {}
    for entry in entries:
        if isinstance(entry, EpochClosed):
            closed[entry.epoch, entry.attempt, entry.root] = entry
        elif isinstance(entry, facts.Block):
            for event in entry.events:
                if isinstance(event, EpochFinal):
                    final.setdefault(event.epoch, event)
        elif isinstance(entry, EpochEnded) and entry.ours:
            event = final[entry.epoch]
            yield from closed[event.epoch, event.attempt, event.root].lines


def _compare(held: dict[str, int], due: Counter[str], source: str) -> None:
    credited = {account: amount for account, amount in held.items() if not account.startswith(source)}
    if credited != dict(due) or sum(held.values()) != 0:
        raise Unequal(f"accounts have earned {dict(due)}, the books say {credited}")
