"""A signed run on a real chain, through the door of a real ledger: nothing is entered but by door and keeper."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest.mock import patch

from eth_account.signers.local import LocalAccount

from contracts.chain.connection import connect_devnet
from contracts.messages.signatures import sign
from contracts.protocol.judge import chain_events, facts
from contracts.protocol.judge.entries import Derived
from contracts.protocol.judge.protocol import Protocol
from contracts.protocol.log.leaf import write
from contracts.protocol.log.signed import Envelope
from ledger.books import log
from ledger.chain import ModelChain
from ledger.chainread import indexer
from ledger.context import Ledger
from ledger.epochs import settlement
from ledger.intake import blocks, door
from ledger.opening import open_ledger
from ledger.relay import outbox
from ledger.storage.blobs import BlobFolder
from ledger.storage.store import Store
from tests.chains import StillChain, twin
from tests.contracts.protocol.log import signed_run
from tests.contracts.protocol.log.signed_run import SignedRun
from tests.deployed import PARAMS, deployed, key_of, verifier_keys


class Served:
    """A chain with one deployed model and three staked verifiers, and ledgers of it."""

    def __init__(self) -> None:
        ready, self.deployment = deployed(PARAMS, StillChain)
        self.chain = twin(ready)
        self.w3 = connect_devnet(self.chain)
        self.model = ModelChain(self.w3, self.deployment)

    def ledger(self, url: str, folder: Path, **options: Any) -> Ledger:
        """One process of a server; `options` as of `open_ledger`."""
        store, blobs = Store(url), BlobFolder(folder / "blobs")
        return open_ledger(store, blobs, self.model, key_of("operator"), snapshot_every=50, **options)


class ServedRun(SignedRun):
    """A signed run whose log is the ledger's."""

    served: Served
    ledger: Ledger

    @classmethod
    @contextmanager
    def on(cls, served: Served, ledger: Ledger, rounds: int = 1, **terms: Any) -> Iterator[ServedRun]:
        """One that signs for this chain, as long as the block lasts; `terms` as of SignedRun."""
        own: dict[str, Any] = {"DOMAIN": served.model.domain, "MODEL": served.model.model, "key": _key}
        with patch.multiple(signed_run, **own):
            made = cls.__new__(cls)
            made.served, made.ledger = served, ledger
            made.__init__(rounds=rounds, **terms)  # type: ignore[misc]
            yield made

    def protocol(self) -> Protocol:  # type: ignore[override]
        """The functions of this deployment."""
        return self.ledger.judge.functions

    def add(self, entry: facts.Rules | facts.Block | Envelope) -> list[Derived]:
        """Through the door; what no door takes is the keeper's."""
        if isinstance(entry, Envelope):
            door.take(self.ledger, write(entry).encode())
        else:
            blocks.follow(self.ledger)
        return self.read_on()

    def block(self, *events: chain_events.ChainEvent, seconds: int = 40) -> list[Derived]:
        """What the chain has to say it says itself."""
        self.served.chain.increase_time(seconds)
        self.served.chain.mine()
        blocks.follow(self.ledger)
        return self.read_on()

    def _make_final(self) -> None:
        """k verifiers sign each root, and the keeper brings it to the chain."""
        for number in list(self.state.epochs):
            self.sign_root(number, self.verifiers[: self.state.k])
            for _ in range(4):
                self.settle()
                self.block(seconds=PARAMS.challenge_window + 1)

    def sign_root(self, number: int, verifiers: list[LocalAccount]) -> None:
        """The root of an epoch, as the ledger has it."""
        with self.ledger.store.read() as session:
            message = settlement.root_message(self.ledger, settlement.require_epoch(session, number))
        for verifier in verifiers:
            signature = sign(message, self.served.model.epoch_domain, bytes(verifier.key))
            settlement.sign(self.ledger, number, message, signature, verifier.address)

    def settle(self) -> None:
        """The keeper's duties towards the chain, once."""
        settlement.settle(self.ledger)
        outbox.flush(self.ledger)
        indexer.follow(self.ledger)

    def read_on(self) -> list[Derived]:
        """Follow the ledger's log; what was derived in it."""
        with self.ledger.store.read() as session:
            new = [entry.body for entry in log.bodies(session, len(self.leaves), 100_000)]
        self.leaves += new
        found = [self.follower.take(text) for text in new]
        return [entry for entry in found if isinstance(entry, Derived)]


def _key(name: str) -> LocalAccount:
    """The creator and the verifiers are those of the deployment."""
    if name.startswith("verifier "):
        return verifier_keys()[int(name.removeprefix("verifier "))]
    return key_of(name)
