"""The parts of every ledger operation: database, blobs, chain, machine of rules, clock and the operator's key."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

from eth_account.signers.local import LocalAccount

from ledger.chain import ModelChain
from ledger.process_id import new_process_id
from ledger.relay_rules import RelayRules
from ledger.storage.blobs import BlobFolder
from ledger.storage.store import Store

if TYPE_CHECKING:
    from contracts.protocol.chain.reading import ChainReader
    from ledger.machine.replica import Replica
    from ledger.machine.sequencer import Sequencer

ENTER_EVERY = 30
"""Seconds of chain time after which a block without an event is entered."""


def unix_now() -> int:
    """Unix seconds."""
    return int(time.time())


@dataclass(frozen=True)
class Ledger:
    """One process of a deployment's server (made by `ledger.opening.open_ledger`).

    `judge` is its machine of rules, and `reader` gives it the events of final blocks. One block is entered every
    `enter_every` seconds of chain time, or earlier. `operator` signs heads of the log and pays gas, and can do nothing
    else. `now` is the clock of the relayer and of leases; no rule asks it. `holder` is this process's name in leases.
    """

    store: Store
    blobs: BlobFolder
    chain: ModelChain
    operator: LocalAccount
    judge: Replica
    reader: ChainReader
    now: Callable[[], int] = field(default=unix_now)
    relay: RelayRules = field(default_factory=RelayRules)
    holder: str = field(default_factory=new_process_id)
    enter_every: int = ENTER_EVERY

    @cached_property
    def sequencer(self) -> Sequencer:
        """The queue by which this process's writers enter messages, many in one transaction."""
        from ledger.machine.sequencer import Sequencer

        return Sequencer(self.store, self.judge)
