"""`commonweight model held`: stake and bonds that wait until holders can decide about them."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from commonweight.keystore import open_keystore
from commonweight.terminal.console import tell
from commonweight.terminal.options import DEFAULT_RPC, ModelDeployment, Rpc
from contracts.amounts import COINS, amount

if TYPE_CHECKING:  # commands load what they need when they run, so that --help is quick
    from contracts.bindings.held_money import HeldItem, HeldMoney


def held(
    deployment: ModelDeployment,
    pay_with: Annotated[
        Path | None,
        typer.Option(
            "--pay-with",
            exists=True,
            dir_okay=False,
            help="Keystore of the key that pays the gas and so releases free items.",
        ),
    ] = None,
    rpc_url: Rpc = DEFAULT_RPC,
) -> None:
    """Show held stake and bonds. With --pay-with, each item that is free is paid to its recipient.

    Stake that verifiers took is burnt, but only after votes have existed for as long as a decision takes. The bond of
    a dispute that nobody could decide goes back. Before that, the holders can decide otherwise:
    `gov propose --call "VerifierRegistry.decideHeld …"`.
    """
    from commonweight.model.known_model import known_model
    from contracts.bindings.held_money import HeldMoney

    model, w3 = known_model(deployment, rpc_url)
    money = HeldMoney(w3, model.verifier_registry, model.block)
    if pay_with is not None:
        _pay_free(money, pay_with)
    items = [(item, money.payable_at(item)) for item in money.items()]
    fields = [_fields(item) | {"event": "held", "payable_at": payable_at} for item, payable_at in items]
    tell(fields, (_line(item, payable_at) for item, payable_at in items) if items else ["no stake and no bond is held"])


def _pay_free(money: HeldMoney, keystore: Path) -> None:
    from contracts.chain.connection import ContractRejected, send

    payer = open_keystore(keystore)
    now = money.w3.eth.get_block("latest")["timestamp"]
    for item in (held for held in money.items() if (free_at := money.payable_at(held)) is not None and free_at <= now):
        try:
            send(money.w3, payer, money.pay(item))
        except ContractRejected as error:
            line = f"{amount(item.amount, COINS)} of {item.account} stay held: {error}"
            tell(_fields(item) | {"event": "waits", "why": error.detail}, [line])
            continue
        line = f"paid {amount(item.amount, COINS)} that were taken from {item.account} on {item.ground}"
        tell(_fields(item) | {"event": "paid"}, [line])


def _fields(item: HeldItem) -> dict[str, object]:
    return {name: getattr(item, name) for name in item.__slots__} | {"amount": str(item.amount)}


def _line(item: HeldItem, payable_at: int | None) -> str:
    heir = "back to it" if item.goes_back else "burnt"
    subject = f"{amount(item.amount, COINS)} of {item.account} on {item.ground}"
    if payable_at is None:
        return f"{subject}: {heir} once votes enough for a decision exist and have for as long as one takes"
    free = datetime.fromtimestamp(payable_at, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
    return f"{subject}: {heir} from {free} on"
