"""Proposals, votes and decisions as a server lists them, page by page, and a proposal as people read it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from commonweight.amounts import tokens
from commonweight.console import one_line
from trainer.client import ApiClient

PAGE = 100
SUPPORT = {"against": 0, "for": 1, "abstain": 2}
"""As the Governor numbers them (OpenZeppelin's GovernorCountingSimple)."""
_NAMES = {number: name for name, number in SUPPORT.items()}


def all_proposals(client: ApiClient) -> Iterator[dict[str, Any]]:
    """Every proposal, by its id."""
    after = ""
    while rows := client.get("/proposals", after=after, limit=PAGE):
        yield from rows
        after = rows[-1]["id"]


def all_votes(client: ApiClient, proposal: str) -> Iterator[dict[str, Any]]:
    """Every vote on a proposal, in the order of the chain."""
    place = {"block": -1, "log_index": -1}
    while rows := client.get(f"/proposals/{proposal}/votes", limit=PAGE, **place):
        yield from rows
        place = {name: rows[-1][name] for name in place}


def all_decisions(client: ApiClient) -> Iterator[dict[str, Any]]:
    """Every decision, in the order of the chain."""
    after = -1
    while rows := client.get("/decisions", after=after, limit=PAGE):
        yield from rows
        after = rows[-1]["sequence"]


def lines_of(proposal: dict[str, Any]) -> Iterator[str]:
    """A proposal for a terminal. Its text is its proposer's, and stands between two lines that are not."""
    yield f"proposal {proposal['id']}"
    yield f"state    {proposal['state']}"
    yield f"proposer {proposal['proposer']}"
    counts = proposal["counts"]
    yield "votes    " + ", ".join(f"{tokens(counts[name])} {name}" for name in ("for", "against", "abstain"))
    yield f"calls    {proposal['call_count']}"
    for number, call in enumerate(proposal["calls"], 1):
        yield f"  {number}. {one_line(call['words'], 400)}"
    if proposal["call_count"] > len(proposal["calls"]):
        yield f"  and {proposal['call_count'] - len(proposal['calls'])} more, which stand on the chain"
    yield f"text     {proposal['description_length']} characters, as the proposer wrote them:"
    for line in proposal["description"].split("\n"):
        yield f"  | {line}"


def vote_line(vote: dict[str, Any]) -> str:
    """A vote for a terminal."""
    weight = tokens(vote["weight"]) if vote["weight"] is not None else "not weighed yet"
    return f"{_NAMES[vote['support']]:<8} {vote['voter']}  {weight}"


def decision_lines(decisions: Iterable[dict[str, Any]]) -> Iterator[str]:
    """Decisions for a terminal, each with what every run made of it."""
    for row in decisions:
        yield f"{row['sequence']:>4} {one_line(row['key'])} = {one_line(row['value'])}"
        for taken in row["taken"]:
            done = "obeys" if taken["applied"] else f"refused: {one_line(taken['detail'])}"
            yield f"     {taken['run'][:10]} {done}"
