"""Third act: the epoch's payout root becomes final, shares are claimed, and the cheat is refused."""

from __future__ import annotations

from commonweight.demo.cast import CHEAT, NODES, wallet
from commonweight.demo.processes import ActorFailed
from commonweight.demo.stage import DemoStage
from contracts.ids import as_address
from contracts.wire.epochs import Epoch
from contracts.wire.states import EpochStage


def settle(stage: DemoStage) -> None:
    """Wait for the root, claim for all nodes, and see the mints in the ledger."""
    stage.wait("the challenge window", lambda: _final(stage), seconds=300)
    payees = [n for n in NODES if n != CHEAT]
    stage.commands(
        [("wallet", "claim", stage.cast.address(wallet(as_address(n))), *stage.reached, "--json") for n in payees]
    )
    stage.say("claims", f"{', '.join(payees)} were minted their shares; the relayer paid the gas")
    _cheat_claims(stage)
    stage.wait("the ledger to see the mints", lambda: _minted(stage) == len(payees), seconds=300)


def _final(stage: DemoStage) -> bool:
    epoch = stage.client.read_list(Epoch, "/epochs")[0]
    if epoch.signatures:
        signers = ", ".join(sorted(stage.cast.name_of(as_address(s)) for s in epoch.signatures))
        stage.once("epoch 1", f"payout root rebuilt from the log and signed by {signers}")
    stage.once("epoch 1", f"is {epoch.state}")
    return epoch.state == EpochStage.FINAL


def _cheat_claims(stage: DemoStage) -> None:
    try:
        stage.command("wallet", "claim", stage.cast.address(wallet(as_address(CHEAT))), *stage.reached)
    except ActorFailed as refusal:
        stage.say("claims", f"{CHEAT} tried too: {refusal.detail.split(': ', 1)[1]}")
        return
    raise ActorFailed(f"{CHEAT} could claim")


def _minted(stage: DemoStage) -> int:
    return sum(account.startswith("minted:") for account in stage.client.read(dict[str, str], "/balances/units"))
