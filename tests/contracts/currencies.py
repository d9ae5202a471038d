"""ERC-20s for tests: with permit, with a fee, hostile. With node `python -m tests.contracts.currencies` compiles them.

They are no product: the compiled code lies beside their source, apart from the contracts' artifacts.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

from eth_account.signers.local import LocalAccount
from web3 import Web3
from web3.contract import Contract

from contracts import compile as compiler
from contracts.chain.connection import send

SOURCE = Path(__file__).parent / "solidity" / "TestCurrencies.sol"
COMPILED = SOURCE.with_suffix(".json")
NAMES = ("PermitCurrency", "FeeCurrency", "HostileCurrency")


def source_hash() -> str:
    """The sha256 of the source."""
    return hashlib.sha256(SOURCE.read_bytes().replace(b"\r\n", b"\n")).hexdigest()


def compiled() -> dict[str, Any]:
    """Abi and bytecode by name, compiled anew."""
    output = compiler.compile_sources({SOURCE.name: SOURCE.read_text()}, {SOURCE.name: NAMES})
    made = output["contracts"][SOURCE.name]
    return {
        name: {"abi": made[name]["abi"], "bytecode": "0x" + made[name]["evm"]["bytecode"]["object"]} for name in NAMES
    }


def deploy_currency(w3: Web3, deployer: LocalAccount, name: str, supply: int) -> Contract:
    """A new currency whose whole supply belongs to `deployer`."""
    artifact = json.loads(COMPILED.read_text())[name]
    factory = w3.eth.contract(abi=artifact["abi"], bytecode=artifact["bytecode"])
    receipt = send(w3, deployer, factory.constructor(supply))
    made = w3.eth.contract(address=receipt["contractAddress"], abi=artifact["abi"])
    assert isinstance(made, Contract)
    return made


if __name__ == "__main__":
    COMPILED.write_text(json.dumps({**compiled(), "sourceHash": source_hash()}, indent=1) + "\n")
