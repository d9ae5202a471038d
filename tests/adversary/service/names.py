"""Two names of everything: the simulator's text, and the address or the digest that a real service knows it by."""

from __future__ import annotations

import json
import re
from dataclasses import fields, is_dataclass
from enum import Enum
from functools import lru_cache
from hashlib import sha256
from typing import Any

from eth_account import Account
from eth_account.signers.local import LocalAccount

from contracts.ids import Address, as_address, to_hex
from contracts.protocol.limits import LimitTable
from contracts.protocol.run_config import RunConfig
from tests.adversary.sim.functions import MAINTAINER, configuration

_NUMBERED = re.compile(r"[nv]([0-9])")
_CONFIG = re.compile(r"[0-9]+ [0-9]+ [0-9]+ [0-9]+")
_STEPS, _BATCH, _CONTEXT = 4, 1, 16
"""Inner steps of a segment, sequences of a step, bytes of a sequence."""


def hashed(name: str) -> bytes:
    """32 bytes that follow from a name."""
    return sha256(f"name {name}".encode()).digest()


@lru_cache(maxsize=256)
def key(name: str) -> LocalAccount:
    """The key of a name; where names are numbered, addresses stand in the order of the numbers: the rules sort them."""
    numbered, salt = _NUMBERED.fullmatch(name), 0
    while True:
        found: LocalAccount = Account.from_key(hashed(f"key {name} {salt}"))
        if numbered is None or found.address[2] == numbered[1]:
            return found
        salt += 1


def is_config(text: str) -> bool:
    """Whether it is a configuration of the simulator."""
    return _CONFIG.fullmatch(text) is not None


NO_PAIRS = LimitTable(())
"""All machines of a history compute alike."""


def real_config(text: str, exact: bool) -> RunConfig:
    """The configuration that says what the simulator's says.

    The simulator's tokens can be voted on, those of a real round cannot: `clip`, which decides nothing here, stands in
    for them.
    """
    rounds, segments, tokens, weight = text.split()
    return RunConfig(
        rounds=int(rounds),
        steps=_STEPS * int(segments),
        segment=_STEPS,
        batch=_BATCH,
        context=_CONTEXT,
        d_model=16,
        heads=2,
        layers=1,
        clip=tokens,
        profile="exact" if exact else "bounded",
        limits_digest="00" * 32 if exact else NO_PAIRS.digest().hex(),
        compute_weight=int(weight),
        code_weight=1,
        data_weight=1,
        maintainers=f"1:{key(MAINTAINER).address}",
    )


def simulated_config(text: str) -> str:
    """The simulator's text of a real configuration."""
    config = RunConfig(**json.loads(text))
    return configuration(config.rounds, config.segments, int(config.clip), config.compute_weight)


class Names:
    """The names of one history, in both directions."""

    def __init__(self) -> None:
        self._digests: dict[str, str] = {}
        self._back: dict[str, str] = {}
        self.roots: dict[str, str] = {}
        """Payout roots, one way: all epochs that pay nobody have one real root."""

    def pair(self, name: str, real: str) -> str:
        """Bind a name to a digest that follows from something else. Raises ValueError where that has another name."""
        if self._back.setdefault(real.lower(), name) != name:
            raise ValueError(f"{real} is {self._back[real.lower()]}, and cannot be {name}")
        self._digests[name] = real
        return real

    def digest(self, name: str) -> str:
        """The digest of a name, 0x-hex of 32 bytes."""
        return self._digests.get(name) or self.pair(name, to_hex(hashed(name)))

    def octets(self, name: str) -> bytes:
        """The digest of a name, 32 bytes."""
        return bytes.fromhex(self.digest(name)[2:])

    def address(self, name: str) -> Address:
        """The address of a name."""
        found = as_address(key(name).address)
        self._back[found.lower()] = name
        return found

    def root(self, name: str) -> str:
        """A payout root: the one that the service gave where the simulator gave this one, or any other."""
        return self.roots.get(name) or self.digest(name)

    def back(self, real: str) -> str:
        """The simulator's name; what has none stays as it is."""
        if real.startswith("{"):
            return simulated_config(real)
        return self._back.get(real.lower(), real) if real.startswith("0x") else real

    def renamed(self, value: Any) -> Any:
        """An entry in the simulator's names."""
        if isinstance(value, Enum):
            return value
        if isinstance(value, str):
            return self.back(value)
        if isinstance(value, tuple):
            return tuple(self.renamed(element) for element in value)
        if is_dataclass(value) and not isinstance(value, type):
            return type(value)(**{f.name: self.renamed(getattr(value, f.name)) for f in fields(value)})
        return value
