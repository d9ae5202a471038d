"""`commonweight wallet`: what is yours."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Annotated, Any

import typer

from commonweight.amounts import tokens
from commonweight.commands.options import DEFAULT_API, DEFAULT_RPC, Account, Api, Json, Keystore, Rpc, read_address
from commonweight.console import emit, say, tell
from commonweight.keystore import open_keystore
from contracts.errors import CommonweightError

if TYPE_CHECKING:  # commands load what they need when they run, so that --help is quick
    from trainer.client import ApiClient

app = typer.Typer(no_args_is_help=True, help="Claim ownership tokens and see balances. Claiming costs you no gas.")


class ClaimFailed(CommonweightError):
    """The relayer's transaction did not go through."""

    code = "claim-failed"


@app.command("claim")
def claim(
    account: Account,
    epoch: Annotated[int, typer.Option(help="Epoch to claim from.")] = 1,
    api: Api = DEFAULT_API,
    as_json: Json = False,
) -> None:
    """Have an account's share of a final epoch minted to it; the relayer pays, and only the account is paid."""
    from trainer.client import ApiClient

    client = ApiClient(api)
    queued = client.post(f"/epochs/{epoch}/claims", {"account": account})["transactions"]
    done = _await(client, set(queued))
    tell(done, (f"{line['id']}  {line['state']}  {line['hash']}" for line in done), as_json)


@app.command("balance")
def balance(account: Account, api: Api = DEFAULT_API, rpc_url: Rpc = DEFAULT_RPC, as_json: Json = False) -> None:
    """Tokens and votes of an account, read from the chain itself."""
    from contracts.chain import connect
    from contracts.token import ModelToken
    from trainer.client import ApiClient

    token = ModelToken(connect(rpc_url), ApiClient(api).network["deployment"]["token"])
    units, votes, supply = token.balance_of(account), token.votes(account), token.total_supply()
    if as_json:
        emit({"account": account, "units": str(units), "votes": str(votes), "supply": str(supply)})
        return
    share = 100 * units / max(1, supply)
    say(f"{tokens(units)} tokens ({share:.2f} % of supply), {tokens(votes)} votes")


@app.command("delegate")
def delegate(
    keystore: Keystore,
    to: Annotated[str, typer.Option("--to", parser=read_address, metavar="ADDRESS", help="Whom to lend your votes.")],
    api: Api = DEFAULT_API,
    rpc_url: Rpc = DEFAULT_RPC,
    as_json: Json = False,
) -> None:
    """Lend your votes to somebody, or take them back with your own address; your tokens stay yours.

    You sign, the relayer pays. Votes on proposals whose snapshot was taken before are not moved.
    """
    from commonweight.ballots import GovernanceClient

    client = GovernanceClient(api, rpc_url)
    done = _await(client.client, {client.delegate(open_keystore(keystore), to)})
    tell(done, (f"{line['id']}  {line['state']}  {line['hash']}" for line in done), as_json)


@app.command("delegation")
def delegation(account: Account, api: Api = DEFAULT_API, as_json: Json = False) -> None:
    """Whom an account lends its votes, and who lends it theirs."""
    from trainer.client import ApiClient

    client = ApiClient(api)
    found = client.get(f"/delegations/{account}")
    while rest := client.get(f"/delegations/{account}", after=(found["lenders"] or ["0x"])[-1])["lenders"]:
        found["lenders"] += rest
    lenders = (f"votes for {lender}" for lender in found["lenders"])
    tell(found, (f"lends its votes to {found['to'] or 'nobody'}", *lenders), as_json)


def _await(client: ApiClient, wanted: set[str], seconds: float = 60.0) -> list[dict[str, Any]]:
    end = time.monotonic() + seconds
    while True:
        lines = client.get("/transactions", call=sorted(wanted)) if wanted else []
        broken = [line for line in lines if line["state"] in ("reverted", "failed", "refused", "dead")]
        if broken:
            raise ClaimFailed(f"{broken[0]['id']}: {broken[0]['error'] or 'reverted'}")
        if len(lines) == len(wanted) and all(line["state"] in ("mined", "final") for line in lines):
            return lines
        if time.monotonic() > end:
            raise ClaimFailed("the transactions are not mined yet; ask again, nothing is lost or paid twice")
        time.sleep(0.3)
