"""`commonweight chain fund` and `chain currency`: coins and test money, on the embedded chain alone."""

from __future__ import annotations

from typing import Annotated

import typer

from commonweight.commands.options import DEFAULT_RPC, Keystore, Rpc, read_address
from commonweight.keystore import open_keystore
from commonweight.terminal.console import tell
from contracts.amounts import COINS, amount

COIN = 10**18
DECIMALS = 2
SYMBOL = "TEST"


def fund(
    account: Annotated[str, typer.Argument(parser=read_address, help="Who gets the coins.")],
    coins: Annotated[int, typer.Option(min=1, max=10_000, help="Coins to send, of 1e18 wei.")] = 10_000,
    rpc_url: Rpc = DEFAULT_RPC,
) -> None:
    """Send coins for gas and stake to a key that was made after the embedded chain began; no other chain does it."""
    from contracts.chain.connection import connect
    from contracts.devnet.currency.deploying import fund as send_coins

    wei = coins * COIN
    name = send_coins(connect(rpc_url), account, wei)
    said = {"account": account, "wei": str(wei), "hash": name}
    tell(said, [f"sent {amount(wei, COINS)} to {account}  {name}"])


def currency(
    keystore: Keystore,
    supply: Annotated[int, typer.Option(min=1, help="Units, of a hundredth of TEST; all are the key's.")] = 1_000_000,
    rpc_url: Rpc = DEFAULT_RPC,
) -> None:
    """Make test money (an ERC-20 with permits) on the embedded chain, to try funding rounds and revenue with.

    Prints its address: `funding_currency` of a round, `--currency` of `revenue distribute`.
    """
    from contracts.chain.connection import connect
    from contracts.devnet.currency.deploying import deploy_test_currency

    account = open_keystore(keystore)
    address = deploy_test_currency(connect(rpc_url), account, supply)
    tell({"currency": address, "holder": account.address, "units": str(supply), "symbol": SYMBOL}, [address])
