"""`commonweight chain`: the embedded chain, with coins and test money for it."""

from __future__ import annotations

from typing import Annotated

import typer

from commonweight.keystore import open_keystore
from commonweight.terminal.console import tell
from commonweight.terminal.lifetime import heed_signals
from commonweight.terminal.options import DEFAULT_RPC, Host, Keystore, Port, Rpc, read_address, read_seconds
from contracts.amounts import COINS, amount
from contracts.ids import as_address

app = typer.Typer(invoke_without_command=True)
COIN = 10**18
DECIMALS = 2
SYMBOL = "TEST"


@app.callback()
def chain(
    context: typer.Context,
    host: Host = "127.0.0.1",
    port: Port = 8545,
    block_time: Annotated[
        float, typer.Option(min=0.01, max=86_400, callback=read_seconds, help="Seconds between empty blocks.")
    ] = 1.0,
    fund: Annotated[
        list[str] | None,
        typer.Option(
            "--fund", parser=read_address, metavar="ADDRESS", help="Address that holds 10,000 coins at genesis."
        ),
    ] = None,
) -> None:
    """Serve the embedded chain over JSON-RPC, for trials. Its state is in memory, and ends with the process."""
    if context.invoked_subcommand is not None:
        return
    from contracts.devnet.http import serve

    def started(url: str, chain_id: int) -> None:
        tell({"event": "serving", "chain_id": chain_id, "url": url}, [f"chain {chain_id} at {url}"])

    serve(host, port, block_time, fund or (), stop=heed_signals().watched(), started=started)


@app.command("fund")
def fund(
    account: Annotated[str, typer.Argument(parser=read_address, help="Address that the coins are sent to.")],
    coins: Annotated[
        int, typer.Option(min=1, max=10_000, help="Number of coins to send; a coin is 1e18 wei.")
    ] = 10_000,
    rpc_url: Rpc = DEFAULT_RPC,
) -> None:
    """Send coins for gas and stake to a key on the embedded chain. Other chains refuse the command."""
    from contracts.chain.connection import connect
    from contracts.devnet.currency.deploying import fund as send_coins

    wei = coins * COIN
    name = send_coins(connect(rpc_url), as_address(account), wei)
    document = {"account": account, "wei": str(wei), "hash": name}
    tell(document, [f"sent {amount(wei, COINS)} to {account}  {name}"])


@app.command("currency")
def currency(
    keystore: Keystore,
    supply: Annotated[
        int, typer.Option(min=1, help="Supply in units of 0.01 TEST; the key gets all of it.")
    ] = 1_000_000,
    rpc_url: Rpc = DEFAULT_RPC,
) -> None:
    """Deploy test money (an ERC-20 with permits) on the embedded chain, to try funding rounds and revenue.

    Prints the address of the currency, for `funding_currency` of a round and `--currency` of `revenue distribute`.
    """
    from contracts.chain.connection import connect
    from contracts.devnet.currency.deploying import deploy_test_currency

    account = open_keystore(keystore)
    address = deploy_test_currency(connect(rpc_url), account, supply)
    tell({"currency": address, "holder": account.address, "units": str(supply), "symbol": SYMBOL}, [address])
