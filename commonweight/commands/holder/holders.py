"""`commonweight holders`: the owners of the model."""

from __future__ import annotations

from typing import Annotated

import typer

from commonweight.commands.holder.wallet import Trusted
from commonweight.terminal.console import tell
from commonweight.terminal.options import DEFAULT_API, DEFAULT_RPC, Api, Rpc
from contracts.amounts import amount


def holders(
    deployment: Trusted = None,
    limit: Annotated[int, typer.Option(min=1, help="Number of holders to show, the largest first.")] = 100,
    api: Api = DEFAULT_API,
    rpc_url: Rpc = DEFAULT_RPC,
) -> None:
    """List the holders of the model, the largest first, with their votes and delegates, from your chain node's events.

    The server gives only the addresses of the contracts. With --deployment no server is asked.
    """
    from commonweight.model.holders import read_holders
    from commonweight.model.known_model import known_model
    from commonweight.standing.model import WalletModel, symbol_of

    if deployment:
        deployed, w3 = known_model(deployment, rpc_url)
    else:
        model = WalletModel.reach(api, rpc_url)
        deployed = model.deployment
        w3 = model.w3
    owners = read_holders(w3, deployed)
    currency = symbol_of(w3, deployed)
    tell(owners.to_json() | {"currency": currency}, ())
    for owner in owners.holders[:limit]:
        share = 100 * owner.units / max(1, owners.supply)
        lent = f", lends its votes to {owner.delegate}" if owner.delegate not in ("", owner.account) else ""
        idle = "" if owner.delegate or not owner.units else ", lends its votes to nobody"
        text = f"{amount(owner.units, currency)} ({share:.2f} %), votes {amount(owner.votes, currency)}{lent}{idle}"
        tell(owner.to_json(owners.supply), [f"{owner.account}  {text}"])
    summary = f"{len(owners.holders)} holders of {amount(owners.supply, currency)} at the end of block {owners.block}"
    tell((), [summary])
