"""`commonweight revenue`: a model's revenue, shared among its holders. Amounts are units of the currency."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from commonweight.keystore import open_keystore
from commonweight.terminal.console import one_line, tell
from commonweight.terminal.options import DEFAULT_RPC, Account, Keystore, ModelDeployment, Rpc, read_address
from contracts.errors import CommonweightError
from contracts.ids import Address, as_address

if TYPE_CHECKING:  # commands load what they need when they run, so that --help is quick
    from eth_account.signers.local import LocalAccount

    from contracts.bindings.revenue_splitter import RevenueSplitter


class CurrencyFailed(CommonweightError):
    """A currency refuses its transfer."""

    code = "currency-failed"


app = typer.Typer(no_args_is_help=True, help="Share a model's revenue among its holders, and take your share.")


AT_ONCE = 100
"""Distributions that one transaction releases."""
GAS = 150_000
"""The limit of a release: a currency's transfer can use any amount, and the currency's maker does not pay for it."""


@app.command("distribute")
def distribute(
    keystore: Keystore,
    deployment: ModelDeployment,
    currency: Annotated[
        str,
        typer.Option(parser=read_address, metavar="ADDRESS", help="Address of the ERC-20 in which the model earned."),
    ],
    amount: Annotated[int, typer.Option(min=1, help="Amount to share, in units of the currency.")],
    rpc_url: Rpc = DEFAULT_RPC,
) -> None:
    """Share an amount among the holders of a snapshot, which lies in the past. Anybody may do it."""
    from commonweight.model.currency import CurrencyTerms
    from contracts.bindings.currency import Currency
    from contracts.chain.connection import send

    (splitter, _), account = _splitter(deployment, rpc_url), open_keystore(keystore)
    send(splitter.w3, account, Currency(splitter.w3, as_address(currency)).approve(splitter.address, amount))
    send(splitter.w3, account, splitter.distribute(currency, amount))
    money = CurrencyTerms.of(Currency(splitter.w3, as_address(currency)))
    document = {"currency": currency, "symbol": money.symbol, "decimals": money.decimals, "units": str(amount)}
    tell(document, [f"shared {money.text(amount)} of {currency}"])


@app.command("show")
def show(account: Account, deployment: ModelDeployment, rpc_url: Rpc = DEFAULT_RPC) -> None:
    """Show an account's shares in the model's revenue, due and paid. Anybody may distribute any currency: choose.

    With --json each distribution is an object of its own.
    """
    from commonweight.standing.revenue import lines_by_currency, read_shares

    splitter, first_block = _splitter(deployment, rpc_url)
    shares = read_shares(splitter, as_address(account), first_block)
    lines = lines_by_currency(shares) or ["no revenue was distributed to the holders of this model yet"]
    tell((share.to_json() for share in shares), lines)


@app.command("release")
def release(
    account: Account,
    keystore: Keystore,
    deployment: ModelDeployment,
    currency: Annotated[
        list[str] | None,
        typer.Option(
            parser=read_address, metavar="ADDRESS", help="Currency to pay out; repeat for more. Default: each."
        ),
    ] = None,
    rpc_url: Rpc = DEFAULT_RPC,
) -> None:
    """Pay all due shares of an account to the account, one currency after the other. Any key with gas can do it.

    A currency that cannot be paid is named and does not stop the others. The command then fails.
    """
    splitter, first_block = _splitter(deployment, rpc_url)
    waiting = splitter.waiting(as_address(account), first_block)
    chosen = {name: ids for name, ids in waiting.items() if not currency or name in currency}
    due = {name: unpaid for name, ids in chosen.items() if (unpaid := splitter.unreleased(as_address(account), ids))}
    if not due:
        tell((), [f"no share is due to {account}"])
        return
    payer = open_keystore(keystore)
    failed = []
    for name, ids in due.items():
        if why := _pay(splitter, payer, as_address(account), ids):
            failed.append(name)
        _tell_paid(
            splitter,
            as_address(account),
            name,
            {id_: splitter.released_to(as_address(account), first_block).get(id_, 0) for id_ in ids},
            why,
        )
    if failed:
        raise CurrencyFailed(f"{', '.join(failed)} could not be paid; the other currencies are paid")


def _pay(splitter: RevenueSplitter, payer: LocalAccount, account: Address, ids: list[int]) -> str:
    """The reason why distributions of one currency could not be paid; empty where they were."""
    from web3.exceptions import Web3Exception

    from contracts.chain.connection import ContractRejected, rejections, send

    try:
        for start in range(0, len(ids), AT_ONCE):
            call = splitter.release_many(ids[start : start + AT_ONCE], account)
            with rejections():
                gas = call.estimate_gas({"from": payer.address})
            most = GAS * (1 + len(ids[start : start + AT_ONCE]))
            if gas > most:
                raise ContractRejected("TooDear", {"gas": gas})
            send(splitter.w3, payer, call, gas=most)  # an estimate binds no currency
    except (ContractRejected, Web3Exception) as error:
        return one_line(str(error), 300)
    return ""


def _tell_paid(splitter: RevenueSplitter, account: Address, currency: str, paid: dict[int, int], why: str) -> None:
    """Print the units of each distribution that the chain shows as paid."""
    from commonweight.model.currency import CurrencyTerms
    from contracts.bindings.currency import Currency

    money = CurrencyTerms.of(Currency(splitter.w3, as_address(currency)))
    ids = [id_ for id_, units in paid.items() if units]
    units = sum(paid.values())
    lines = [f"{currency} cannot be paid: {why}"] if why else []
    if units:
        lines.append(f"paid {money.text(units)} to {account}, of distributions {', '.join(map(str, ids))}")
    document = {"account": account, "currency": currency, "symbol": money.symbol, "decimals": money.decimals}
    tell(document | {"units": str(units), "distributions": ids, "why": why or None}, lines)


def _splitter(deployment: Path, rpc_url: str) -> tuple[RevenueSplitter, int]:
    """The model's splitter, and the block since which the model is registered."""
    from commonweight.model.known_model import known_model
    from contracts.bindings.revenue_splitter import RevenueSplitter

    model, w3 = known_model(deployment, rpc_url)
    return RevenueSplitter(w3, model.splitter), model.block
