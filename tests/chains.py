"""Chains for tests: one whose clock stands still, and twins of one that took long to set up."""

from __future__ import annotations

import copy
import threading
import time
from collections.abc import Iterable
from typing import TypeVar

from eth.db.atomic import AtomicDB
from eth.db.backends.memory import MemoryDB

from contracts.devnet.chain import Devnet

Chain = TypeVar("Chain", bound=Devnet)


class StillChain(Devnet):
    """A chain whose clock stands still between calls of `increase_time`, however slow the machine is."""

    def __init__(self, funded: Iterable[str]) -> None:
        self._began = int(time.time())
        super().__init__(funded)

    def _now(self) -> int:
        return max(self._began + self._offset, int(self._blocks[-1]["timestamp"], 16))


def twin(chain: Chain) -> Chain:
    """A chain of one's own with the same blocks: what comes after them on the one, the other does not see."""
    with chain._lock:
        made, old = copy.copy(chain), chain._chain
        made._lock = threading.RLock()
        made._blocks, made._numbers = list(chain._blocks), dict(chain._numbers)
        made._transactions, made._receipts = dict(chain._transactions), dict(chain._receipts)
        made._backend = copy.copy(chain._backend)
        made._chain = made._backend.chain = type(old)(AtomicDB(MemoryDB(dict(old.chaindb.db.wrapped_db.kv_store))))
        made._chain.chain_id = old.chain_id
        made._methods = made._method_table()
    return made
