"""Who the verifiers are, and how many decide: the chain's word, or the log's where no chain is asked."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from web3.exceptions import Web3Exception

from contracts.bindings.verifier_registry import VerifierRegistry
from contracts.chain.connection import connect
from contracts.chain.deployment import Deployment
from contracts.chain.presence import require_present
from contracts.evm.chain_trouble import chain_trouble
from contracts.evm.errors import ChainAtFault
from contracts.process.clock_watch import ClockWatch
from trainer.log_view.gleaned import Gleaned

LOOK_SECONDS = 30.0
"""Between two looks at the chain."""


@dataclass(frozen=True)
class Admitted:
    """Admitted verifiers, and k: how many of them decide, 0 where it is not known."""

    verifiers: frozenset[str] = frozenset()
    k: int = 0


class Admission(Protocol):
    """Says who is admitted now. `trouble` is why that is not known, or old."""

    @property
    def trouble(self) -> str | None: ...

    def now(self) -> Admitted: ...


class ByChain:
    """As the registry on the chain has it. A chain node that does not answer leaves what it said last; `trouble` says
    why it did not, and None while it does."""

    def __init__(self, rpc_url: str, deployment: Deployment, clock: ClockWatch | None = None) -> None:
        """`clock` sees the time of the newest block at each look."""
        self._w3 = connect(rpc_url, timeout=10.0)
        self._deployment = deployment
        self._clock = clock
        self._registry = VerifierRegistry(self._w3, deployment.verifier_registry)
        self._last = Admitted()
        self._next = 0.0
        self.trouble: str | None = None

    def now(self) -> Admitted:
        """The newest word."""
        if time.monotonic() < self._next:
            return self._last
        self._next = time.monotonic() + LOOK_SECONDS
        try:
            require_present(self._w3, self._deployment)
            self._last = Admitted(frozenset(self._registry.verifiers()), self._registry.threshold())
            if self._clock is not None:
                self._clock.block(float(self._w3.eth.get_block("latest")["timestamp"]))
            self.trouble = None
        except ChainAtFault as error:
            self._next = time.monotonic() + 1.0
            self.trouble = f"{error.code}: {error.detail}"
        except (OSError, ValueError, Web3Exception) as error:
            self._next = time.monotonic() + 1.0
            self.trouble = chain_trouble(error)
        return self._last


class ByLog:
    """As the log's blocks have it: then the operator says who its judges are. Warns once, loudly."""

    trouble = None

    def __init__(self, gleaned: Callable[[], Gleaned], warn: Callable[[str], None]) -> None:
        self._gleaned = gleaned
        warn("no chain node is given (rpc_url): who the verifiers are is believed of the operator's log")

    def now(self) -> Admitted:
        """What the blocks in one's copy say."""
        found = self._gleaned()
        return Admitted(frozenset(found.admitted), found.k)
