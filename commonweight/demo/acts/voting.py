"""Last act: the holders vote on a learning rate, and the next round trains with it."""

from __future__ import annotations

import json

from commonweight.demo.acts.training import watch
from commonweight.demo.cast import wallet
from commonweight.demo.processes import ActorFailed
from commonweight.demo.stage import NEW_LR, DemoStage
from contracts.amounts import TOKENS, amount
from contracts.ids import as_address
from contracts.wire.runs import Run
from contracts.wire.votes import Proposal, Tally

VOTES = (("ada", "for"), ("ben", "against"), ("dee", "for"))


def vote(stage: DemoStage) -> str:
    """Propose, vote and see the proposal executed; returns its id."""
    proposal = str(
        stage.command(
            "gov",
            "propose",
            "--keystore",
            stage.key(wallet(as_address("ada"))),
            "--description",
            "Halve the inner learning rate.",
            "--decide",
            f"inner_lr={NEW_LR}",
            *stage.reached,
            "--json",
        )["proposal"]
    )
    stage.say("vote", f"ada proposes inner_lr {NEW_LR}, while the run goes on")
    _await_state(stage, proposal, "active")
    stage.commands(
        [
            ("gov", "vote", proposal, choice, "--keystore", stage.key(wallet(as_address(n))), *stage.reached)
            for n, choice in VOTES
        ]
    )
    stage.say("vote", ", ".join(f"{name} {choice}" for name, choice in VOTES) + "; all by signature")
    _await_state(stage, proposal, "executed")
    counts = stage.client.read(Tally, f"/proposals/{proposal}/tally")
    for tally, name in ((counts.api, "the API counts"), (counts.governor, "the Governor counts")):
        sides = (("against", tally.against), ("for", tally.in_favour), ("abstain", tally.abstain))
        shares = ", ".join(f"{amount(units, TOKENS)} {side}" for side, units in sides)
        stage.say("vote", f"{name} {shares}")
    return proposal


def obey(stage: DemoStage) -> int:
    """Wait for the first round that opened after the vote, and show its new configuration; returns its number."""
    number = int(stage.wait("a round as it was voted", lambda: _voted(stage), seconds=600))
    stage.wait(f"round {number}", lambda: watch(stage) >= number, seconds=600)
    for current in (stage.round(number - 1), stage.round(number)):
        lr = json.loads(current.config)["inner_lr"]
        stage.say("obeyed", f"round {current.round}: inner_lr {lr}, digest {current.config_digest}")
    return number


def _voted(stage: DemoStage) -> int:
    """The newest round's number, if it trains with the voted rate, else 0."""
    watch(stage)
    newest = stage.round(stage.client.read(Run, f"/runs/{stage.run}").round)
    return int(newest.round) if json.loads(newest.config)["inner_lr"] == NEW_LR else 0


def _await_state(stage: DemoStage, proposal: str, state: str) -> None:
    def reached() -> bool:
        watch(stage)
        current = stage.client.read(Proposal, f"/proposals/{proposal}").state
        stage.once("vote", f"is {current}")
        if current in ("defeated", "canceled", "expired"):
            raise ActorFailed(f"the proposal is {current}")
        return bool(current == state)

    stage.wait(f"the proposal to be {state}", reached, seconds=300)
