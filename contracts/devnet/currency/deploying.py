"""The test currency, and coins, on the embedded chain alone: nowhere else is anything given away."""

from __future__ import annotations

import json
from pathlib import Path

from eth_account.signers.local import LocalAccount
from eth_utils.address import to_checksum_address
from web3 import Web3
from web3.exceptions import Web3RPCError
from web3.types import RPCEndpoint

from contracts.chain.connection import send
from contracts.errors import CommonweightError
from contracts.ids import Address

ARTIFACT = Path(__file__).parent / "TestCurrency.json"
EMBEDDED = "commonweight-devnet"


class NotEmbedded(CommonweightError):
    """The node is not the embedded chain, which alone gives coins and test money away."""

    code = "not-embedded"


def fund(w3: Web3, account: Address, wei: int) -> str:
    """Have coins sent to an account by the chain's faucet; hash of the transaction (0x-hex).

    Raises NotEmbedded, and what the node refuses: more than its faucet gives at once.
    """
    require_embedded(w3)
    answer = w3.manager.request_blocking(RPCEndpoint("devnet_fund"), [to_checksum_address(account), hex(wei)])
    return str(answer)


def deploy_test_currency(w3: Web3, deployer: LocalAccount, supply: int) -> str:
    """Address of a new currency whose `supply` units are the deployer's. Raises NotEmbedded and ContractRejected."""
    require_embedded(w3)
    artifact = json.loads(ARTIFACT.read_text())
    factory = w3.eth.contract(abi=artifact["abi"], bytecode=artifact["bytecode"])
    return str(send(w3, deployer, factory.constructor(supply))["contractAddress"])


def require_embedded(w3: Web3) -> None:
    """Raises NotEmbedded."""
    try:
        version = str(w3.client_version)
    except Web3RPCError:  # a public node may tell nobody what it is
        version = "another node"
    if not version.startswith(EMBEDDED):
        raise NotEmbedded(f"{version} is not the chain of `commonweight chain`: get coins where that chain has them")
