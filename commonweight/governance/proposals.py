"""Proposals, votes and decisions as a server lists them, page by page, and a proposal as people read it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import TypeVar

from commonweight.governance.proposal_state import ProposalStanding, next_command, sentence, turns
from commonweight.governance.proven import ProposalDiffers, Proven, well_formed, words_of
from commonweight.terminal.console import one_line
from contracts.amounts import VOTES, amount
from contracts.bindings.governor import PROPOSER_MARK
from contracts.calls.words import MOST_CALLS
from contracts.chain.deployment import Deployment
from contracts.ids import to_hex
from contracts.wire.fields import Object
from contracts.wire.votes import Decision, ProposalLine, VoteLine
from trainer.client import ApiClient

PAGE = 100
Place = TypeVar("Place", str, int, tuple[int, int])
MOST_VOTERS = 20
HIDDEN = "the server does not show it: calls and text are the Governor's"
UNCHECKED = "; which contract has which address is the server's word (--rpc-url checks it)"
SUPPORT = {"against": 0, "for": 1, "abstain": 2}
"""As the Governor numbers them (OpenZeppelin's GovernorCountingSimple)."""
_NAMES = {number: name for name, number in SUPPORT.items()}


def all_proposals(client: ApiClient) -> Iterator[ProposalLine]:
    """Every proposal, by its id."""
    after = ""
    while rows := client.read_list(ProposalLine, "/proposals", after=after, limit=PAGE):
        yield from rows
        after = _after(after, rows[-1].id)


def all_votes(client: ApiClient, proposal: str) -> Iterator[VoteLine]:
    """Every vote on a proposal, in the order of the chain."""
    block = -1
    index = -1
    path = f"/proposals/{proposal}/votes"
    while rows := client.read_list(VoteLine, path, limit=PAGE, block=block, log_index=index):
        yield from rows
        block, index = _after((block, index), (rows[-1].block, rows[-1].log_index))


def all_decisions(client: ApiClient) -> Iterator[Decision]:
    """Every decision, in the order of the chain."""
    after = -1
    while rows := client.read_list(Decision, "/decisions", after=after, limit=PAGE):
        yield from rows
        after = _after(after, rows[-1].sequence)


def _after(before: Place, last: Place) -> Place:
    """The place where a list goes on. Raises ProposalDiffers where it does not go on: it would never end."""
    if not last > before:
        raise ProposalDiffers("the server gives no list that ends: it repeats a page")
    return last


def lines_of(found: Proven, at: ProposalStanding, deployment: Deployment, names_checked: bool) -> Iterator[str]:
    """A proposal for a terminal. Its text is its proposer's, and stands between lines that are not; what the id does
    not prove is marked as somebody's word."""
    yield f"proposal {found.id}"
    yield f"calls    {len(found.actions)}, from which the id follows{'' if names_checked else UNCHECKED}"
    for number, words in enumerate(words_of(found, deployment), 1):
        yield f"  {number}. {words}"
    if len(found.actions) > MOST_CALLS:
        yield f"  and {len(found.actions) - MOST_CALLS} more, which --json shows"
    yield from _text_lines(found)
    yield from standing_lines(at, found.id)
    yield HIDDEN if found.of_chain else f"proposer {one_line(str(found.said.get('proposer')))}, by the server's word"


def _text_lines(found: Proven) -> Iterator[str]:
    if found.text is None:
        yield "text     not shown: what the server gives is not the text that the id names"
        return
    yield f"text     {len(found.text)} characters, as the proposer wrote them:"
    for line in found.text.split("\n"):
        yield f"  | {line}"


def standing_lines(at: ProposalStanding, proposal: str) -> Iterator[str]:
    """Where it rests, whose word that is, what may still turn it, and what to do."""
    yield f"state    {one_line(at.state)}, by {word_of(at)}: {sentence(at)}"
    counts = (("for", at.in_favour), ("against", at.against), ("abstain", at.abstain))
    yield "votes    " + ", ".join(f"{amount(count, VOTES)} {name}" for name, count in counts)
    for line in turns(at):
        yield f"         {line}"
    yield f"next     {next_command(at, proposal)}"


def list_lines(found: Proven, at: ProposalStanding) -> Iterator[str]:
    """A proposal among others: state, whole id, title, and where it rests."""
    yield f"{one_line(at.state):<9} {found.id}  {title_of(found)}"
    yield f"          {len(found.actions)} calls. {sentence(at)}"
    if found.of_chain:
        yield f"          {HIDDEN}"


def voter_lines(client: ApiClient, proposal: str) -> Iterator[str]:
    """Who voted, the first of them."""
    with well_formed("list of votes"):
        rows = list(islice(all_votes(client, proposal), MOST_VOTERS + 1))
        lines = [vote_line(row) for row in rows[:MOST_VOTERS]]
    if lines:
        yield "voters   by the server's word:"
    for line in lines:
        yield f"  {line}"
    if len(rows) > MOST_VOTERS:
        yield f"  and more: commonweight gov votes {proposal}"


def word_of(at: ProposalStanding) -> str:
    """Who says it."""
    return "the Governor on your chain node" if at.of_chain else "the server's word alone (--rpc-url asks the Governor)"


def as_document(found: Proven, at: ProposalStanding, deployment: Deployment) -> Object:
    """A proposal for scripts: what its id proves, and whose word the rest is."""
    words = [*words_of(found, deployment)]
    words += [""] * (len(found.actions) - len(words))
    calls = [
        {"target": action.target, "value": str(action.value), "data": to_hex(action.data), "words": told}
        for action, told in zip(found.actions, words, strict=True)
    ]
    return {
        "id": found.id,
        "calls": calls,
        "description": found.text,
        "state": at.state,
        "sentence": sentence(at),
        "turns": [*turns(at)],
        "next": next_command(at, found.id),
        "word": "chain" if at.of_chain else "server",
        "for": str(at.in_favour),
        "against": str(at.against),
        "abstain": str(at.abstain),
        "now": at.now,
        "quorum": None if at.quorum is None else str(at.quorum),
        "snapshot": at.snapshot,
        "deadline": at.deadline,
        "eta": at.eta,
        "proposer": found.said.get("proposer"),
    }


def title_of(found: Proven) -> str:
    """The first line of the text, without its proposer's mark."""
    if found.text is None:
        return "(its text is not what the id names)"
    return one_line(found.text.split(PROPOSER_MARK)[0].strip().split("\n")[0])


def vote_line(vote: VoteLine) -> str:
    """A vote for a terminal."""
    weight = amount(vote.weight, VOTES) if vote.weight is not None else "not weighed yet"
    return f"{_NAMES[vote.support]:<8} {vote.voter}  {weight}"


def decision_lines(decisions: Iterable[Decision]) -> Iterator[str]:
    """Decisions for a terminal, each with what every run made of it."""
    for row in decisions:
        yield f"{row.sequence:>4} {one_line(row.key)} = {one_line(row.value)}"
        for taken in row.taken:
            done = "obeys" if taken.applied else f"refused: {one_line(taken.detail)}"
            yield f"     {taken.run[:10]} {done}"
