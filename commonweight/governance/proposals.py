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
HIDDEN = "the server does not show this proposal; calls and text come from the Governor"
UNCHECKED = "; the names of the contracts are the server's word (--rpc-url checks them)"
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
    """The key after which a list goes on. Raises ProposalDiffers where it does not go on: it would never end."""
    if not last > before:
        raise ProposalDiffers("the server's list has no end: it repeats a page")
    return last


def lines_of(proven: Proven, status: ProposalStanding, deployment: Deployment, names_checked: bool) -> Iterator[str]:
    """A proposal for a terminal. Its text is its proposer's, and stands between lines that are not; facts that the id
    does not prove are marked with their source."""
    yield f"proposal {proven.id}"
    yield f"calls    {len(proven.actions)}, and the id follows from them{'' if names_checked else UNCHECKED}"
    for number, words in enumerate(words_of(proven, deployment), 1):
        yield f"  {number}. {words}"
    if len(proven.actions) > MOST_CALLS:
        yield f"  and {len(proven.actions) - MOST_CALLS} more, which --json shows"
    yield from _text_lines(proven)
    yield from standing_lines(status, proven.id)
    yield HIDDEN if proven.of_chain else f"proposer {one_line(str(proven.said.get('proposer')))}, by the server's word"


def _text_lines(proven: Proven) -> Iterator[str]:
    if proven.text is None:
        yield "text     not shown: the server's text is not the one that the id names"
        return
    yield f"text     {len(proven.text)} characters, as the proposer wrote them:"
    for line in proven.text.split("\n"):
        yield f"  | {line}"


def standing_lines(status: ProposalStanding, proposal: str) -> Iterator[str]:
    """Its state, the source of that, what may still change it, and the next command."""
    yield f"state    {one_line(status.state)}, by {word_of(status)}: {sentence(status)}"
    counts = (("for", status.in_favour), ("against", status.against), ("abstain", status.abstain))
    yield "votes    " + ", ".join(f"{amount(count, VOTES)} {name}" for name, count in counts)
    for line in turns(status):
        yield f"         {line}"
    yield f"next     {next_command(status, proposal)}"


def list_lines(proven: Proven, status: ProposalStanding) -> Iterator[str]:
    """A proposal in a list: state, whole id, title, and sentence."""
    yield f"{one_line(status.state):<9} {proven.id}  {title_of(proven)}"
    yield f"          {len(proven.actions)} calls. {sentence(status)}"
    if proven.of_chain:
        yield f"          {HIDDEN}"


def voter_lines(client: ApiClient, proposal: str) -> Iterator[str]:
    """The first voters."""
    with well_formed("list of votes"):
        rows = list(islice(all_votes(client, proposal), MOST_VOTERS + 1))
        lines = [vote_line(row) for row in rows[:MOST_VOTERS]]
    if lines:
        yield "voters   by the server's word:"
    for line in lines:
        yield f"  {line}"
    if len(rows) > MOST_VOTERS:
        yield f"  and more: commonweight gov votes {proposal}"


def word_of(status: ProposalStanding) -> str:
    """The source of a status."""
    return (
        "the Governor on your chain node"
        if status.of_chain
        else "the server's word alone (--rpc-url asks the Governor)"
    )


def as_document(proven: Proven, status: ProposalStanding, deployment: Deployment) -> Object:
    """A proposal for scripts: the facts that its id proves, and the source of all others."""
    words = [*words_of(proven, deployment)]
    words += [""] * (len(proven.actions) - len(words))
    calls = [
        {"target": action.target, "value": str(action.value), "data": to_hex(action.data), "words": text}
        for action, text in zip(proven.actions, words, strict=True)
    ]
    return {
        "id": proven.id,
        "calls": calls,
        "description": proven.text,
        "state": status.state,
        "sentence": sentence(status),
        "turns": [*turns(status)],
        "next": next_command(status, proven.id),
        "word": "chain" if status.of_chain else "server",
        "for": str(status.in_favour),
        "against": str(status.against),
        "abstain": str(status.abstain),
        "now": status.now,
        "quorum": None if status.quorum is None else str(status.quorum),
        "snapshot": status.snapshot,
        "deadline": status.deadline,
        "eta": status.eta,
        "proposer": proven.said.get("proposer"),
    }


def title_of(proven: Proven) -> str:
    """The first line of the text, without its proposer's mark."""
    if proven.text is None:
        return "(the server's text is not the one that the id names)"
    return one_line(proven.text.split(PROPOSER_MARK)[0].strip().split("\n")[0])


def vote_line(vote: VoteLine) -> str:
    """A vote for a terminal."""
    weight = amount(vote.weight, VOTES) if vote.weight is not None else "not weighed yet"
    return f"{_NAMES[vote.support]:<8} {vote.voter}  {weight}"


def decision_lines(decisions: Iterable[Decision]) -> Iterator[str]:
    """Decisions for a terminal, each with its effect on every run."""
    for row in decisions:
        yield f"{row.sequence:>4} {one_line(row.key)} = {one_line(row.value)}"
        for outcome in row.taken:
            done = "applied" if outcome.applied else f"refused: {one_line(outcome.detail)}"
            yield f"     {outcome.run[:10]} {done}"
