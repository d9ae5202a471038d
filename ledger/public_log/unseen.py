"""Epochs of this model that are on the chain and not in the ledger: the sign of a log that lost its end.

An epoch closes in the log long before the chain can have its root, and each root names the size of the log that it was
signed over. So a root on the chain without a closing here, or over more entries than are here, was signed over a log
that this database does not have.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from requests.exceptions import RequestException
from sqlmodel import Session, func, select

from contracts.bindings.verifier_registry import EpochStatus
from contracts.errors import CommonweightError
from contracts.evm.chain_trouble import chain_trouble
from contracts.evm.errors import ChainAtFault
from contracts.wire import network as wire
from ledger.books import log
from ledger.context import Ledger
from ledger.storage.tables import Epoch

ON_CHAIN = (EpochStatus.PROPOSED, EpochStatus.DISPUTED, EpochStatus.FINAL)
REMEDY = "stop, and start again with the verifiers' mirrors up or on a newer backup (docs/restore.md)"


@dataclass(frozen=True)
class Unseen:
    """Epochs that have a root on the chain and no closing here, and how many entries the largest log had that a root on
    the chain was signed over, where this one has fewer (else 0); `size` is this one's."""

    epochs: tuple[int, ...]
    signed_over: int
    size: int

    def __bool__(self) -> bool:
        return bool(self.epochs or self.signed_over)

    def words(self) -> str:
        """The missing epochs and entries, in a sentence; empty where none are missing."""
        parts = []
        if self.epochs:
            parts.append(f"the chain has {_named(self.epochs)}, which never closed in this log")
        if self.signed_over:
            parts.append(f"a root there was signed over {self.signed_over} entries, and this log has {self.size}")
        return "; ".join(parts)

    def body(self) -> wire.Unseen | None:
        """For people who ask over HTTP; None where nothing is missing."""
        if not self:
            return None
        return wire.Unseen(
            epochs=list(self.epochs),
            signed_over=self.signed_over,
            entries=self.size,
            detail=f"{self.words()}: the operator has to {REMEDY}",
        )


def look(ledger: Ledger, session: Session) -> Unseen:
    """By the chain's newest block; the session may be a little older, never so old as a challenge window.

    Epochs close here one after the other, so that missing epochs are the last ones."""
    registry = ledger.chain.registry
    here = session.exec(select(func.max(Epoch.number))).one() or 0
    final = registry.finalized_epochs()
    size = log.size(session)
    missing = list(range(here + 1, final + 1))
    signed_over = registry.epoch_of(final).log_size if final else 0
    following = registry.epoch_of(final + 1)
    if following.status in ON_CHAIN:
        signed_over = max(signed_over, following.log_size)
        missing += [] if final + 1 <= here else [final + 1]
    return Unseen(tuple(missing), signed_over if signed_over > size else 0, size)


def told(ledger: Ledger, session: Session) -> wire.Unseen | None:
    """As `look`, for people who ask over HTTP; an error of the chain is given in its place."""
    try:
        return look(ledger, session).body()
    except (RequestException, ChainAtFault) as error:
        why = error.detail if isinstance(error, CommonweightError) else chain_trouble(error)
        return wire.Unseen(epochs=[], signed_over=0, entries=log.size(session), detail=f"not known: {why}")


def _named(epochs: Sequence[int]) -> str:
    """Epoch numbers in words; numbers without a gap as a span."""
    first = min(epochs)
    last = max(epochs)
    if len(epochs) == 1:
        return f"epoch {first}"
    if len(epochs) == last - first + 1:
        return f"epochs {first} to {last}"
    return "epochs " + ", ".join(map(str, epochs))
