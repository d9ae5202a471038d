"""`commonweight model resign`: a verifier gives up its seat and takes its stake back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from commonweight.keystore import open_keystore
from commonweight.terminal.console import tell
from commonweight.terminal.options import DEFAULT_RPC, Keystore, ModelDeployment, Rpc
from contracts.amounts import COINS, amount
from contracts.errors import CommonweightError

if TYPE_CHECKING:  # commands load what they need when they run, so that --help is quick
    from eth_account.signers.local import LocalAccount

    from commonweight.standing.departures import StakeDeparture
    from contracts.bindings.verifier_registry import VerifierRegistry


class NoStake(CommonweightError):
    """The account has neither a verifier's seat nor a stake."""

    code = "no-stake"


def resign(
    keystore: Keystore,
    deployment: ModelDeployment,
    show: Annotated[
        bool, typer.Option("--show", help="Only show the state of the stake; send no transaction.")
    ] = False,
    rpc_url: Rpc = DEFAULT_RPC,
) -> None:
    """Resign a verifier's seat. Run the command again when the stake is free, to take it back.

    The stake is free when two epochs that settle all the verifier's verdicts are final, or after a long delay, and no
    root that it signed is open. No vote is needed. --show prints the state.
    """
    from commonweight.model.known_model import known_model
    from commonweight.standing.departures import DepartureState, StakeDeparture
    from contracts.bindings.verifier_registry import VerifierRegistry
    from contracts.chain.connection import send

    account, (model, w3) = open_keystore(keystore), known_model(deployment, rpc_url)
    registry = VerifierRegistry(w3, model.verifier_registry)
    before = StakeDeparture.read(registry, account.address)
    if not show:
        if before.state is DepartureState.SEATED:
            send(w3, account, registry.resign())
        elif before.state is DepartureState.GONE:
            raise NoStake(before.sentence)
        else:
            _take_back(registry, account, before)
    now = StakeDeparture.read(registry, account.address)
    paid = before.stake - now.stake
    line = f"paid {amount(paid, COINS)} to {account.address}" if paid else now.sentence
    tell(now.to_json() | {"paid": str(paid)}, [line])


def _take_back(registry: VerifierRegistry, account: LocalAccount, departure: StakeDeparture) -> None:
    """Take the stake. Raises StakeLocked with the reason."""
    from commonweight.standing.departures import StakeLocked
    from contracts.chain.connection import ContractRejected, send

    try:
        send(registry.w3, account, registry.unstake())
    except ContractRejected as error:
        if error.error != "VerifierSetStakeLocked":
            raise
        raise StakeLocked(departure.sentence) from error
