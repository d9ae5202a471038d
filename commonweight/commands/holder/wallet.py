"""`commonweight wallet`: what is yours."""

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

app = typer.Typer(no_args_is_help=True, help="Claim ownership tokens and see balances. Claiming costs you no gas.")
Trusted = Annotated[
    Path | None,
    typer.Option(
        "--deployment",
        exists=True,
        dir_okay=False,
        help="The model's deployment, from elsewhere; default: the one that the server names.",
    ),
]


@app.command("claim")
def claim(
    account: Account,
    epoch: Annotated[int | None, typer.Option(min=1, help="Epoch to claim from; default: all that is owed.")] = None,
    to: Annotated[
        str | None,
        typer.Option(parser=read_address, metavar="ADDRESS", help="Have it paid to this address; takes --keystore."),
    ] = None,
    keystore: Annotated[
        Path | None, typer.Option("--keystore", help="The account's key, which signs --to; else none is needed.")
    ] = None,
    deployment: Trusted = None,
    api: Api = DEFAULT_API,
    rpc_url: Rpc = DEFAULT_RPC,
) -> None:
    """Have all that an account is owed by final epochs minted to it; the relayer pays, and only the account is paid.

    Several epochs take one transaction. What somebody else had paid meanwhile is passed over, and named.

    With --to the account signs where its tokens go instead. What is owed is checked against the root that your chain
    node has.
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
    """What an account is owed, can claim and has claimed, epoch by epoch; its votes, and whom it lends them.

    Amounts and votes are read from your chain node. A server names epochs, lines and runs; lines count where they lead
    to the root that the chain has.
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
    """Tokens and votes of an account, read from the chain itself."""
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
    to: Annotated[str, typer.Option("--to", parser=read_address, metavar="ADDRESS", help="Whom to lend your votes.")],
    api: Api = DEFAULT_API,
    rpc_url: Rpc = DEFAULT_RPC,
) -> None:
    """Lend your votes to somebody, or take them back with your own address; your tokens stay yours.

    You sign, the relayer pays. Votes on proposals whose snapshot was taken before are not moved.
    """
    from commonweight.governance.ballots import GovernanceClient
    from commonweight.relayed import wait_for

    client = GovernanceClient(api, rpc_url)
    done = wait_for(client.client, {client.delegate(open_keystore(keystore), to)})
    tell([line.to_json() for line in done], (f"{line.id}  {line.state}  {line.hash}" for line in done))


@app.command("delegation")
def delegation(account: Account, api: Api = DEFAULT_API) -> None:
    """Whom an account lends its votes, and who lends it theirs."""
    from contracts.wire.votes import Delegations
    from trainer.client import ApiClient

    client = ApiClient(api)
    delegations = client.read(Delegations, f"/delegations/{account}")
    lenders = list(delegations.lenders)
    while page := client.read(Delegations, f"/delegations/{account}", after=(lenders or ["0x"])[-1]).lenders:
        lenders += page
    lines = (f"votes for {lender}" for lender in lenders)
    tell({**delegations.to_json(), "lenders": lenders}, (f"lends its votes to {delegations.to or 'nobody'}", *lines))


def _elsewhere(account: Address, to: str | None, keystore: Path | None) -> Elsewhere | None:
    """Raises BadParameter for a key that is not the account's."""
    if to is None:
        return None
    from commonweight.claiming import Elsewhere

    if keystore is None:
        raise typer.BadParameter("needs the account's --keystore: nobody else says where it is paid", param_hint="--to")
    signer = open_keystore(keystore)
    if signer.address != account:
        raise typer.BadParameter(
            f"{keystore} is the key of {signer.address}, not of {account}", param_hint="--keystore"
        )
    return Elsewhere(signer, as_address(to))


def _all_claimed(owed: Owed, currency: str) -> str:
    from commonweight.standing.claims import ClaimState

    return f"all of {amount(owed.units(ClaimState.CLAIMED), currency)} is claimed already"
