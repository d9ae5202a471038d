"""The contracts of one model."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, get_type_hints

from blake3 import blake3
from eth_utils.address import is_checksum_address

from contracts.errors import CommonweightError
from contracts.ids import NO_ADDRESS, ZERO_ADDRESS, Address, beneath
from contracts.recursion import bound_recursion
from contracts.tlog.keys import VerifierKey, parse_vkey

_DIGEST = re.compile(r"0x[0-9a-f]{64}")
_LOWER_ADDRESS = re.compile(r"0x[0-9a-f]{40}")
_ADDRESSES = ("deployer", "token", "timelock", "governor", "verifier_registry", "distributor", "splitter")


class InvalidDeployment(CommonweightError):
    """A file, or a server's answer, that is no deployment of a model."""

    code = "invalid-deployment"
    status = 500


@dataclass(frozen=True, slots=True)
class Deployment:
    """The deployment of one model: chain id, block of its registration, model id (0x hex) and addresses.

    `pool` is empty where there is no funding round. `creations` are the hashes of the transactions that made the
    contracts, in the order of `contracts()`: genesis is checked by them. `log` is the operator's key of the
    transparency log as text (contracts/tlog/keys.py), `mirrors` where verifiers serve their copies at first: lines
    "ADDRESS URL".
    """

    chain_id: int
    block: int
    name: str
    model: str
    deployer: Address
    token: Address
    timelock: Address
    governor: Address
    verifier_registry: Address
    distributor: Address
    splitter: Address
    model_registry: Address
    pool: Address = NO_ADDRESS
    log: str = ""
    mirrors: tuple[str, ...] = ()
    creations: tuple[str, ...] = ()

    def contracts(self) -> tuple[str, ...]:
        """Addresses of all contracts there are."""
        addresses = (self.token, self.timelock, self.governor, self.verifier_registry, self.distributor, self.splitter)
        return (*addresses, self.model_registry, *([self.pool] if self.pool else []))

    def entry(self) -> tuple[str, ...]:
        """The `Model` struct in the model registry."""
        addresses = (self.token, self.timelock, self.governor, self.verifier_registry, self.distributor, self.splitter)
        return (self.name, *addresses, self.pool or ZERO_ADDRESS)

    def digest(self) -> str:
        """Blake3 (0x-hex) of the fields that never change: all but the first mirrors."""
        lasting = {name: value for name, value in asdict(self).items() if name != "mirrors"}
        return "0x" + blake3(json.dumps(lasting, sort_keys=True).encode()).hexdigest()

    def to_json(self) -> str:
        """Return the deployment as a JSON object."""
        return json.dumps(asdict(self), indent=1)

    @classmethod
    def from_json(cls, text: str) -> Deployment:
        """Read what `to_json` wrote. Raises InvalidDeployment."""
        bound_recursion()
        try:
            raw = json.loads(text)
        except (ValueError, RecursionError) as error:
            raise InvalidDeployment(f"a deployment is a JSON object: {error}") from error
        return cls.from_mapping(raw)

    @classmethod
    def of_file(cls, path: Path) -> Deployment:
        """Read a file, with or without the mark that some editors begin UTF-8 with. Raises InvalidDeployment."""
        try:
            return cls.from_json(path.read_text(encoding="utf-8-sig"))
        except UnicodeDecodeError as error:
            raise InvalidDeployment(f"{path} is no deployment: it is not text in UTF-8") from error
        except InvalidDeployment as error:
            raise InvalidDeployment(f"{path} is not what `model deploy` writes: {error.detail}") from error

    @classmethod
    def from_mapping(cls, raw: Mapping[str, Any]) -> Deployment:
        """From its fields as JSON has them, from anybody. Raises InvalidDeployment, which names the field."""
        _require(isinstance(raw, Mapping), "a deployment", "a JSON object", raw)
        lists = {name: _texts(raw, name) for name in ("mirrors", "creations")}
        try:
            deployment = cls(**{**raw, **lists})
        except TypeError as error:  # names the field that is missing, or one too many
            raise InvalidDeployment(str(error).replace("Deployment.__init__() ", "")) from error
        deployment._require_forms()
        return deployment

    def _require_forms(self) -> None:
        for name in ("chain_id", "block"):
            _require(type(getattr(self, name)) is int, name, "a whole number", getattr(self, name))
        kinds = {name: beneath(hint) for name, hint in get_type_hints(type(self)).items()}
        for field in fields(self):
            value = getattr(self, field.name)
            _require(kinds[field.name] is not str or isinstance(value, str), field.name, "text", value)
        for name in (*_ADDRESSES, "model_registry", *(["pool"] if self.pool else [])):
            value = getattr(self, name)
            fits = bool(_LOWER_ADDRESS.fullmatch(value)) or is_checksum_address(value)
            _require(fits, name, "an address: 0x and 40 hex digits, with its checksum", value)
        for value in (self.model, *self.creations):
            _require(bool(_DIGEST.fullmatch(value)), "model or creations", "0x and 64 hex digits", value)
        for line in self.mirrors:
            _require(" " in line, "mirrors", 'lines "ADDRESS URL"', line)

    def log_key(self) -> VerifierKey:
        """The key whose signature a head of the log bears. Raises InvalidLogKey."""
        return parse_vkey(self.log)

    def first_mirrors(self) -> dict[str, str]:
        """Urls by verifier, as the deployment names them."""
        return dict(line.split(" ", 1) for line in self.mirrors)


def _texts(raw: Mapping[str, Any], name: str) -> tuple[str, ...]:
    texts = raw.get(name, ())
    fits = isinstance(texts, list | tuple) and all(isinstance(text, str) for text in texts)
    _require(fits, name, "a list of texts", texts)
    return tuple(texts)


def _require(holds: bool, name: str, form: str, value: Any) -> None:
    """Raises InvalidDeployment."""
    if not holds:
        raise InvalidDeployment(f"{name} should be {form}, and is {str(value)[:80]!r}")
