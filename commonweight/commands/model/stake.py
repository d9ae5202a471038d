"""`commonweight model stake`: coins that a verifier or a node can lose."""

from __future__ import annotations

from typing import Annotated

import typer

from commonweight.keystore import open_keystore
from commonweight.terminal.console import tell
from commonweight.terminal.options import DEFAULT_RPC, Keystore, ModelDeployment, Rpc
from contracts.amounts import COINS, amount


def stake(
    keystore: Keystore,
    deployment: ModelDeployment,
    wei: Annotated[int, typer.Option(help="Stake in wei.")] = 10**18,
    node: Annotated[
        bool,
        typer.Option(
            "--node",
            help="Stake as a node instead of as a verifier. Nodes with a stake are audited less (see audit-plan).",
        ),
    ] = False,
    rpc_url: Rpc = DEFAULT_RPC,
) -> None:
    """Stake as an admitted verifier, or as a node with --node. Only a verifier with a stake can sign payout roots."""
    from commonweight.model.known_model import known_model
    from contracts.bindings.node_stakes import NodeStakes
    from contracts.bindings.verifier_registry import VerifierRegistry
    from contracts.chain.connection import send

    model, w3 = known_model(deployment, rpc_url)
    kind = NodeStakes if node else VerifierRegistry
    stakes = kind(w3, model.verifier_registry)
    account = open_keystore(keystore)
    party = "node" if node else "verifier"
    send(w3, account, stakes.stake(), value=wei)
    total = stakes.stake_of(account.address)
    document = {"account": account.address, "party": party, "added": str(wei), "stake": str(total)}
    lines = f"staked {amount(wei, COINS)}; {account.address} has {amount(total, COINS)} at stake as a {party}"
    tell(document, [lines])
