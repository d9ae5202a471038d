"""`commonweight wallet`: tokens, claims and votes of an account."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from commonweight.keystore import open_keystore
from commonweight.terminal.console import one_line, tell
from commonweight.terminal.options import DEFAULT_API, DEFAULT_RPC, Account, Api, Keystore, Rpc, read_address
from contracts.amounts import amount
from contracts.ids import Address, as_address

if TYPE_CHECKING:  # commands load what they need when they run, so that --help is quick
    from commonweight.claiming import Elsewhere
    from commonweight.standing.owed import Owed

app = typer.Typer(
    no_args_is_help=True, help="Claim ownership tokens, see balances, lend votes. A claim costs you no gas."
)
Trusted = Annotated[
    Path | None,
    typer.Option(
        "--deployment",
        exists=True,
        dir_okay=False,
        help="Deployment file of the model, from a source that you trust. Default: the server's.",
    ),
]


@app.command("claim")
def claim(
    account: Account,
    epoch: Annotated[int | None, typer.Option(min=1, help="Epoch to claim. Default: all epochs.")] = None,
    to: Annotated[
        str | None,
        typer.Option(
            parser=read_address,
            metavar="ADDRESS",
            help="Address that is paid instead of the account; needs --keystore.",
        ),
    ] = None,
    keystore: Annotated[
        Path | None,
        typer.Option("--keystore", help="Keystore of the account, which signs --to. Without --to no key is needed."),
    ] = None,
    deployment: Trusted = None,
    api: Api = DEFAULT_API,
    rpc_url: Rpc = DEFAULT_RPC,
) -> None:
    """Claim all tokens that final epochs owe an account. The relayer pays the gas, and the tokens go to the account.

    Several epochs take one transaction. A line that somebody else claimed meanwhile is named and skipped.

    With --to the account signs that another address is paid. All amounts are checked against the root on your chain
    node.
    """
    from commonweight.claiming import claim_lines, require_claimable
    from commonweight.standing.model import WalletModel
    from commonweight.standing.owed import read_owed
    from commonweight.terminal.progress import Progress

    elsewhere = _elsewhere(as_address(account), to, keystore)
    model = WalletModel.reach(api, rpc_url, deployment)
    owed = read_owed(model, as_address(account), epoch, Progress("epochs read"))
    currency = model.symbol()
    claims = require_claimable(owed)
    paid = claim_lines(model, as_address(account), claims, elsewhere) if claims else []
    for line in paid:
        tell(line.to_json(currency), [line.in_words(currency)])
    total = sum(line.claim.amount for line in paid)
    tell((), [f"claimed {amount(total, currency)}" if paid else _all_claimed(owed, currency)])


@app.command("show")
def show(
    account: Account,
    deployment: Trusted = None,
    api: Api = DEFAULT_API,
    rpc_url: Rpc = DEFAULT_RPC,
) -> None:
    """Show an account's pay, epoch by epoch: owed, claimable or claimed; and its votes with their delegate.

    Amounts and votes are read from your chain node. The server names epochs, lines and runs; a line counts only if it
    leads to the root on the chain.
    """
    from commonweight.standing.model import WalletModel
    from commonweight.standing.owed import read_owed
    from commonweight.standing.wallet import Holding
    from commonweight.terminal.progress import Progress

    model = WalletModel.reach(api, rpc_url, deployment)
    owed = read_owed(model, as_address(account), report=Progress("epochs read"))
    holding = Holding.read(model, owed)
    tell(holding.to_json(), holding.lines())
    for line in owed.claims:
        pay = f"{amount(line.amount, holding.currency)} for {line.kind}: " if line.amount else ""
        tell(line.to_json(), [f"{pay}{line.sentence}  {line.command}"])


@app.command("balance")
def balance(account: Account, api: Api = DEFAULT_API, rpc_url: Rpc = DEFAULT_RPC) -> None:
    """Show the tokens and votes of an account, read from the chain."""
    from contracts.bindings.token import ModelToken
    from contracts.chain.connection import connect
    from trainer.client import ApiClient

    token = ModelToken(connect(rpc_url), as_address(ApiClient(api).network.deployment.token))
    units = token.balance_of(as_address(account))
    votes = token.votes(as_address(account))
    supply = token.total_supply()
    share = 100 * units / max(1, supply)
    currency = one_line(token.symbol(), 12)
    fields = {"account": account, "units": str(units), "votes": str(votes), "supply": str(supply), "currency": currency}
    tell(fields, [f"{amount(units, currency)} ({share:.2f} % of supply), votes {amount(votes, currency)}"])


@app.command("delegate")
def delegate(
    keystore: Keystore,
    to: Annotated[
        str, typer.Option("--to", parser=read_address, metavar="ADDRESS", help="Address that receives your votes.")
    ],
    api: Api = DEFAULT_API,
    rpc_url: Rpc = DEFAULT_RPC,
) -> None:
    """Lend your votes to another address, or take them back with your own address. Your tokens stay yours.

    Your key signs, and the relayer pays. Votes on proposals whose snapshot is in the past do not move.
    """
    from commonweight.governance.ballots import GovernanceClient
    from commonweight.relayed import wait_for

    client = GovernanceClient(api, rpc_url)
    done = wait_for(client.client, {client.delegate(open_keystore(keystore), to)})
    tell([line.to_json() for line in done], (f"{line.id}  {line.state}  {line.hash}" for line in done))


@app.command("delegation")
def delegation(account: Account, api: Api = DEFAULT_API) -> None:
    """Show the address that an account lends its votes to, and the accounts that lend it their votes."""
    from contracts.wire.votes import Delegations
    from trainer.client import ApiClient

    client = ApiClient(api)
    delegations = client.read(Delegations, f"/delegations/{account}")
    lenders = list(delegations.lenders)
    while page := client.read(Delegations, f"/delegations/{account}", after=(lenders or ["0x"])[-1]).lenders:
        lenders += page
    lines = (f"receives the votes of {lender}" for lender in lenders)
    tell({**delegations.to_json(), "lenders": lenders}, (f"lends its votes to {delegations.to or 'nobody'}", *lines))


def _elsewhere(account: Address, to: str | None, keystore: Path | None) -> Elsewhere | None:
    """Raises BadParameter for a key that is not the account's."""
    if to is None:
        return None
    from commonweight.claiming import Elsewhere

    if keystore is None:
        raise typer.BadParameter(
            "needs the --keystore of the account: only the account can name another payee", param_hint="--to"
        )
    signer = open_keystore(keystore)
    if signer.address != account:
        raise typer.BadParameter(
            f"{keystore} is the key of {signer.address}, not of {account}", param_hint="--keystore"
        )
    return Elsewhere(signer, as_address(to))


def _all_claimed(owed: Owed, currency: str) -> str:
    from commonweight.standing.claims import ClaimState

    return f"all {amount(owed.units(ClaimState.CLAIMED), currency)} are claimed already"
