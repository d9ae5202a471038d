"""EIP-712 digests of every message are those of viem; the ones that contracts check, those of Solidity too."""

from __future__ import annotations

import random
import re
from typing import Any, TypeVar

import pytest
from eth_utils.crypto import keccak

from contracts.compile import SOLIDITY
from contracts.messages.fields import Struct, field_types, structs, to_json, type_string, typed_fields
from contracts.messages.for_contracts import MESSAGES, Message
from contracts.messages.for_log import JUDGED
from contracts.messages.signatures import Domain, digest
from contracts.mirrors.tickets import UploadTicket
from tests.cross.node import ask
from tests.holds import Threat, holds

pytestmark = [pytest.mark.integration, pytest.mark.needs_node("tests/cross")]

S = TypeVar("S", bound=Struct)
DOMAINS = (Domain(31337, "0x" + "ab" * 20), Domain(1, "0x" + "00" * 19 + "01"))
DOMAIN_TYPE = [
    {"name": "name", "type": "string"},
    {"name": "version", "type": "string"},
    {"name": "chainId", "type": "uint256"},
    {"name": "verifyingContract", "type": "address"},
]
TYPEHASH = re.compile(r'(\w+)_TYPEHASH\s*=\s*keccak256\(\s*"(\w+)(\([^"]*\))"\s*\)')


def example(kind: type[S], extreme: bool, chance: random.Random) -> S:
    """A message with every field drawn, or with every field at the top of its range."""
    inner = structs(kind)
    return kind(**{name: _value(solidity, inner, extreme, chance) for name, solidity in field_types(kind).items()})


def _value(solidity: str, inner: dict[str, type[Struct]], extreme: bool, chance: random.Random) -> Any:
    if solidity.endswith("[]"):
        return tuple(
            _value(solidity[:-2], inner, extreme, chance) for _ in range(3 if extreme else chance.randint(0, 4))
        )
    if solidity in inner:
        return example(inner[solidity], extreme, chance)
    if solidity == "bytes32":
        return b"\xff" * 32 if extreme else chance.randbytes(32)
    if solidity == "address":
        return f"0x{2**160 - 1 if extreme else chance.getrandbits(160):040x}"
    if solidity == "bool":
        return extreme
    if solidity == "string":
        return "~" * 200 if extreme else "".join(chr(chance.randint(0x20, 0x7E)) for _ in range(chance.randint(1, 80)))
    bits = int(solidity.removeprefix("uint"))
    return 2**bits - 1 if extreme else chance.getrandbits(bits)


def question(message: Message, domain: Domain) -> dict[str, Any]:
    """The message as a wallet is handed it."""
    kind = type(message)
    return {
        "domain": domain.fields(),
        "types": {"EIP712Domain": DOMAIN_TYPE} | typed_fields(kind),
        "primaryType": kind.__name__,
        "message": _numbers_as_text(to_json(message)),
    }


def _numbers_as_text(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _numbers_as_text(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [_numbers_as_text(inner) for inner in value]
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


@holds(
    "viem, an independent library, computes the same digests",
    by="contracts/messages/fields.py:type_string",
    against=Threat.FORGED_MESSAGE,
)
def test_every_digest_is_that_of_viem() -> None:
    chance = random.Random(712)
    kinds = (*MESSAGES, *JUDGED, UploadTicket)
    asked: list[tuple[Any, Domain]] = [
        (example(kind, extreme, chance), domain) for kind in kinds for extreme in (False, True) for domain in DOMAINS
    ]
    theirs = ask("typed_data.js", [question(message, domain) for message, domain in asked])
    for (message, domain), found in zip(asked, theirs, strict=True):
        assert found == "0x" + digest(message, domain).hex(), message


def _solidity_types() -> dict[str, str]:
    found: dict[str, str] = {}
    for source in sorted(SOLIDITY.glob("*.sol")):
        for constant, name, arguments in TYPEHASH.findall(source.read_text()):
            assert constant.replace("_", "").lower() == name.lower()
            found[name] = name + arguments
    return found


def test_every_type_spelt_out_in_solidity_equals_ours() -> None:
    ours = {kind.__name__: type_string(kind) for kind in MESSAGES}
    shared = set(ours) & set(_solidity_types())
    assert "EpochRoot" in shared
    assert {name: _solidity_types()[name] for name in shared} == {name: ours[name] for name in shared}


def test_the_compiled_epoch_root_typehash_is_ours() -> None:
    from contracts.chain.connection import load_artifact

    epoch_root = next(kind for kind in MESSAGES if kind.__name__ == "EpochRoot")
    assert keccak(text=type_string(epoch_root)).hex() in load_artifact("VerifierRegistry")["bytecode"]
