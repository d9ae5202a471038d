"""Where one model lives."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from blake3 import blake3

from contracts.tlog.keys import VerifierKey, parse_vkey

ZERO = "0x" + "00" * 20


@dataclass(frozen=True, slots=True)
class Deployment:
    """Where one model lives: chain id, block of its registration, model id (0x hex) and addresses.

    `pool` is empty where there is no funding round. `creations` are the hashes of the transactions that made the
    contracts, in the order of `contracts()`: what genesis is checked by. `log` is the operator's key of the
    transparency log as text (contracts/tlog/keys.py), `mirrors` where verifiers serve their copies at first: lines
    "ADDRESS URL".
    """

    chain_id: int
    block: int
    name: str
    model: str
    deployer: str
    token: str
    timelock: str
    governor: str
    verifier_registry: str
    distributor: str
    splitter: str
    model_registry: str
    pool: str = ""
    log: str = ""
    mirrors: tuple[str, ...] = ()
    creations: tuple[str, ...] = ()

    def contracts(self) -> tuple[str, ...]:
        """Addresses of all contracts there are."""
        own = (self.token, self.timelock, self.governor, self.verifier_registry, self.distributor, self.splitter)
        return (*own, self.model_registry, *([self.pool] if self.pool else []))

    def entry(self) -> tuple[str, ...]:
        """The `Model` struct in the model registry."""
        own = (self.token, self.timelock, self.governor, self.verifier_registry, self.distributor, self.splitter)
        return (self.name, *own, self.pool or ZERO)

    def digest(self) -> str:
        """Blake3 (0x-hex) of what never changes: all but where verifiers served their copies at first."""
        lasting = {name: value for name, value in asdict(self).items() if name != "mirrors"}
        return "0x" + blake3(json.dumps(lasting, sort_keys=True).encode()).hexdigest()

    def to_json(self) -> str:
        """Return the deployment as a JSON object."""
        return json.dumps(asdict(self), indent=1)

    @classmethod
    def from_json(cls, text: str) -> Deployment:
        """Read what `to_json` wrote."""
        return cls.from_mapping(json.loads(text))

    @classmethod
    def from_mapping(cls, raw: Mapping[str, Any]) -> Deployment:
        """From its fields as JSON has them."""
        lists = {name: tuple(raw.get(name, ())) for name in ("mirrors", "creations")}
        return cls(**{**raw, **lists})

    def log_key(self) -> VerifierKey:
        """Whose signature a head of the log bears. Raises InvalidLogKey."""
        return parse_vkey(self.log)

    def first_mirrors(self) -> dict[str, str]:
        """Urls by verifier, as the deployment names them."""
        return dict(line.split(" ", 1) for line in self.mirrors)
