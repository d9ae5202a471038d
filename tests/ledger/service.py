"""A ledger with a machine of rules and no chain, and a signed run that is sent to its door."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

from sqlmodel import Session, SQLModel

from contracts.ids import as_address
from contracts.messages.signatures import Domain
from contracts.protocol.chain.reading import ChainReader
from contracts.protocol.judge.facts import Block, Rules
from contracts.protocol.judge.snapshot import dump
from contracts.protocol.log.codec import parse
from contracts.protocol.log.leaf import SIGNED, read, write
from contracts.protocol.log.signed import Envelope, read_envelope
from ledger.books import log
from ledger.chain import ModelChain
from ledger.context import Ledger
from ledger.intake import door
from ledger.machine.replica import Replica
from ledger.machine.snapshots import Snapshots
from ledger.storage.blobs import BlobFolder
from ledger.storage.store import Store
from tests.contracts.protocol.log.signed_run import DOMAIN, MODEL, SignedRun, key

CHAIN_DOMAIN = Domain(DOMAIN.chain_id, "0x" + "ef" * 20)


def ledger_of(store: Store, folder: Path, snapshots: Snapshots | None = None) -> Ledger:
    """A process of a server: several may share one store's database."""
    place = SimpleNamespace(model="0x" + MODEL.hex())
    chain = SimpleNamespace(domain=DOMAIN, epoch_domain=CHAIN_DOMAIN, model=MODEL, deployment=place)
    replica = Replica(SignedRun.protocol(), DOMAIN, snapshots)
    operator = key("operator")
    reader = cast(ChainReader, None)
    return Ledger(store, BlobFolder(folder / "blobs"), cast(ModelChain, chain), operator, replica, reader)


def facts_of(leaves: list[str]) -> list[Rules | Block | Envelope]:
    """What was entered, without what followed."""
    found: list[Any] = []
    for leaf in leaves:
        body = parse(leaf)
        kind = body.pop("kind")
        if kind in SIGNED:
            found.append(read_envelope(SIGNED[kind], body))
        elif kind in ("rules", "block"):
            found.append(read(leaf, DOMAIN, as_address))
    return found


def give(ledger: Ledger, fact: Rules | Block | Envelope) -> door.Accepted | None:
    """A message through the door; what no door takes as the keeper enters it."""
    if isinstance(fact, Envelope):
        return door.take(ledger, write(fact).encode())
    with ledger.store.write() as session:
        ledger.judge.enter(session, fact)
    return None


def leaves(session: Session) -> list[str]:
    """The log."""
    return [entry.body for entry in log.bodies(session, 0, 100_000)]


def rows(store: Store) -> dict[str, list[tuple[Any, ...]]]:
    """Everything that a database holds."""
    with store.read() as session:
        return {
            table.name: sorted((tuple(row) for row in session.execute(table.select())), key=repr)
            for table in SQLModel.metadata.sorted_tables
        }


def state_text(ledger: Ledger) -> str:
    """The machine at the end of what is committed."""
    with ledger.store.read() as session, ledger.judge.view(session) as state:
        return dump(state)
