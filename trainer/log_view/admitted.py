"""The verifier set and its threshold k: by the chain, or by the log where no chain node is given."""

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
    """Admitted verifiers, and the threshold k, 0 where it is not known."""

    verifiers: frozenset[str] = frozenset()
    k: int = 0


class Admission(Protocol):
    """A source of the verifier set. `trouble` is the reason why the set is unknown or old."""

    @property
    def trouble(self) -> str | None: ...

    def now(self) -> Admitted: ...


class ByChain:
    """By the registry on the chain. While the chain node does not answer, its last set stays, and `trouble` is the
    reason; None while it answers."""

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
        """The newest set."""
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
    """By the log's blocks: then the operator names its own judges. Warns once, loudly."""

    trouble = None

    def __init__(self, gleaned: Callable[[], Gleaned], warn: Callable[[str], None]) -> None:
        self._gleaned = gleaned
        warn("no chain node is given (rpc_url): who the verifiers are is believed of the operator's log")

    def now(self) -> Admitted:
        """The set by the blocks in this node's copy."""
        gleaned = self._gleaned()
        return Admitted(frozenset(gleaned.admitted), gleaned.k)
