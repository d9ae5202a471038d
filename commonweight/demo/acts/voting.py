"""Last act: the holders vote on a learning rate, and the next round trains with it."""

from __future__ import annotations

import json

from commonweight.amounts import tokens
from commonweight.demo.acts.training import watch
from commonweight.demo.cast import wallet
from commonweight.demo.processes import ActorFailed
from commonweight.demo.stage import NEW_LR, ROUNDS, Stage

VOTES = (("ada", "for"), ("ben", "against"), ("dee", "for"))


def vote(stage: Stage) -> str:
    """Propose, vote and see it executed; the proposal's id."""
    proposal = str(
        stage.command(
            "gov", "propose", "--keystore", stage.key(wallet("ada")), "--description",
            "Halve the inner learning rate and train one more round.", "--decide", f"inner_lr={NEW_LR}",
            "--decide", f"rounds={ROUNDS + 1}", *stage.reached, "--json",
        )["proposal"]
    )  # fmt: skip
    stage.say("vote", f"ada proposes inner_lr {NEW_LR} and one more round")
    _await_state(stage, proposal, "active")
    stage.commands(
        [("gov", "vote", proposal, said, "--keystore", stage.key(wallet(n)), *stage.reached) for n, said in VOTES]
    )
    stage.say("vote", ", ".join(f"{name} {said}" for name, said in VOTES) + "; all by signature")
    _await_state(stage, proposal, "executed")
    counts = stage.client.get(f"/proposals/{proposal}/tally")
    for who, name in (("api", "the API counts"), ("governor", "the Governor counts")):
        shares = ", ".join(f"{tokens(units)} {side}" for side, units in counts[who].items())
        stage.say("vote", f"{name} {shares}")
    return proposal


def obey(stage: Stage) -> None:
    """Wait for the round that was voted and show that its configuration is another."""
    stage.wait("the round that was voted", lambda: watch(stage, ROUNDS + 1), seconds=300)
    for current in (stage.round(ROUNDS), stage.round(ROUNDS + 1)):
        lr = json.loads(current["config"])["inner_lr"]
        stage.say("obeyed", f"round {current['round']}: inner_lr {lr}, digest {current['config_digest']}")


def _await_state(stage: Stage, proposal: str, state: str) -> None:
    def reached() -> bool:
        found = stage.client.get(f"/proposals/{proposal}")["state"]
        stage.once("vote", f"is {found}")
        if found in ("defeated", "canceled", "expired"):
            raise ActorFailed(f"the proposal is {found}")
        return bool(found == state)

    stage.wait(f"the proposal to be {state}", reached)
