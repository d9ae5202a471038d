"""The lineage of weights for people: a line a round, and below it its decisions, proofs and contributions."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from commonweight.terminal.console import one_line
from contracts.wire.rounds import LineageRound
from trainer.client import ApiClient

PAGE = 100


def rounds_of(client: ApiClient, run: str, last: int) -> list[LineageRound]:
    """Every round of a run up to `last`, page by page."""
    rounds: list[LineageRound] = []
    while rows := client.read_list(LineageRound, f"/runs/{run}/lineage", first=len(rounds) + 1, last=last, limit=PAGE):
        rounds += rows
    return rounds


def lines_of(rounds: Sequence[LineageRound]) -> Iterator[str]:
    """Texts of contributors and holders stand within a line each."""
    for row in rounds:
        epoch = row.epoch
        weights = row.weights or "not merged"
        paid = f"epoch {epoch.epoch} is {epoch.state}" if epoch else "its epoch has not closed"
        yield f"round {row.round}: {weights}, {paid}"
        for decision in row.decisions:
            yield f"  decided {one_line(str(decision.key))} = {one_line(str(decision.value))}"
        for proof in row.proofs:
            yield f"  trained by {proof.node}, {proof.work} tokens, proof {proof.proof}"
        for credit in row.contributions:
            licence = f" ({one_line(credit.licence)})" if credit.licence else f" at {one_line(credit.source)}"
            yield f"  credited {one_line(credit.subject)}{licence} to {credit.account}"
