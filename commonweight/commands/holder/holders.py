"""`commonweight holders`: who owns the model."""

from __future__ import annotations

from typing import Annotated

import typer

from commonweight.commands.holder.wallet import Trusted
from commonweight.terminal.console import tell
from commonweight.terminal.options import DEFAULT_API, DEFAULT_RPC, Api, Rpc
from contracts.amounts import amount


def holders(
    deployment: Trusted = None,
    limit: Annotated[int, typer.Option(min=1, help="How many of the largest to show.")] = 100,
    api: Api = DEFAULT_API,
    rpc_url: Rpc = DEFAULT_RPC,
) -> None:
    """Who owns the model, the largest first, with votes and whom they are lent to: by your own chain node's events.

    The server is asked for the model's addresses alone; with --deployment it is not asked at all.
    """
    from commonweight.model.holders import read_holders
    from commonweight.model.known_model import known_model
    from commonweight.standing.model import WalletModel, symbol_of

    if deployment:
        place, w3 = known_model(deployment, rpc_url)
    else:
        model = WalletModel.reach(api, rpc_url)
        place = model.deployment
        w3 = model.w3
    found = read_holders(w3, place)
    currency = symbol_of(w3, place)
    tell(found.to_json() | {"currency": currency}, ())
    for one in found.holders[:limit]:
        share = 100 * one.units / max(1, found.supply)
        lent = f", lends its votes to {one.delegate}" if one.delegate not in ("", one.account) else ""
        idle = "" if one.delegate or not one.units else ", lends its votes to nobody"
        said = f"{amount(one.units, currency)} ({share:.2f} %), votes {amount(one.votes, currency)}{lent}{idle}"
        tell(one.to_json(found.supply), [f"{one.account}  {said}"])
    whole = f"{len(found.holders)} holders of {amount(found.supply, currency)} at the end of block {found.block}"
    tell((), [whole])
