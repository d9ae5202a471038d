"""Where a proposal rests: each state has one sentence, what may still turn it, and the next command.

    relaying ─▶ pending ─▶ active ─▶ succeeded ─▶ queued ─▶ executed
                                └──▶ defeated         └──▶ expired        canceled from each of them

By the Governor's word where a chain node is asked, else by the server's.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from contracts.amounts import VOTES, amount
from contracts.bindings.governor import ModelGovernor, ProposalState
from contracts.process.outage import duration

RELAYING = "relaying"
ENDED = "ended"
OVER = ("executed", "defeated", "canceled", "expired")
STATES = (RELAYING, ENDED, *(state.name.lower() for state in ProposalState))


@dataclass(frozen=True)
class ProposalStanding:
    """A state and its numbers at the second `now`: votes and quorum in units, times in Unix seconds, None: not known.

    `grace` is for how many seconds what passed can be queued, and what is queued can be executed; `extension` for how
    many a vote goes on after a quorum that came late. `objections` is the most of one second. `of_chain`: a chain node
    was asked for it, and not the server.
    """

    state: str
    now: int
    against: int = 0
    in_favour: int = 0
    abstain: int = 0
    quorum: int | None = None
    snapshot: int | None = None
    deadline: int | None = None
    eta: int | None = None
    grace: int | None = None
    extension: int | None = None
    objections: int | None = None
    of_chain: bool = False


def by_server(said: Mapping[str, Any]) -> ProposalStanding:
    """As the server says. Raises KeyError, TypeError and ValueError for what is no document of a proposal."""
    counts = said["counts"]
    return ProposalStanding(
        state=str(said["state"]),
        now=int(said["now"]),
        against=int(counts["against"]),
        in_favour=int(counts["for"]),
        abstain=int(counts["abstain"]),
        quorum=_number(said["quorum"]),
        snapshot=_number(said["snapshot"]),
        deadline=_number(said["deadline"]),
        eta=_number(said["eta"]),
        grace=_number(said["grace"]),
        extension=_number(said["extension"]),
    )


def by_chain(governor: ModelGovernor, proposal: int, first_block: int) -> ProposalStanding:
    """As the Governor says now; one that it does not know is on its way."""
    now = int(governor.w3.eth.get_block("latest")["timestamp"])
    snapshot = governor.snapshot(proposal)
    if not snapshot:
        return ProposalStanding(RELAYING, now, of_chain=True)
    state = governor.state(proposal)
    counts = governor.votes(proposal)
    passed = state in (ProposalState.SUCCEEDED, ProposalState.QUEUED)
    heard = governor.objected(proposal, first_block) if passed else []
    return ProposalStanding(
        state=state.name.lower(),
        now=now,
        against=counts[0],
        in_favour=counts[1],
        abstain=counts[2],
        quorum=governor.quorum(snapshot) if snapshot < now else None,
        snapshot=snapshot,
        deadline=governor.deadline(proposal),
        eta=governor.eta(proposal) or None,
        grace=governor.grace(),
        extension=governor.late_quorum_extension(),
        objections=max((one.total for one in heard), default=0),
        of_chain=True,
    )


def sentence(at: ProposalStanding) -> str:
    """Where it rests, with its times."""
    told = _SENTENCES.get(at.state, "This version does not know its state.")
    begins = when(at.snapshot, at.now)
    ends = when(at.deadline, at.now)
    return told.format(begins=begins, ends=ends, due=_due(at), why=_why_defeated(at))


def next_command(at: ProposalStanding, proposal: str) -> str:
    """What its reader can do, to be pasted but for the words in capitals."""
    return _NEXT.get(at.state, "commonweight gov show {id}").format(id=proposal)


def turns(at: ProposalStanding) -> Iterator[str]:
    """What may still turn it."""
    if at.state in ("pending", "active", ENDED):
        yield from _of_a_vote(at)
    if at.state in ("succeeded", "queued"):
        yield from _of_what_passed(at)


def when(at: int | None, now: int) -> str:
    """A time as people read it: how far away, and by the calendar."""
    if at is None:
        return "at a time that nobody said"
    return f"{f'in {duration(at - now)}' if at > now else f'{duration(now - at)} ago'}, at {_calendar(at)}"


def _calendar(at: int) -> str:
    try:
        return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
    except (ValueError, OverflowError, OSError):
        return f"second {at}"


def _number(value: Any) -> int | None:
    return None if value is None else int(value)


def _of_a_vote(at: ProposalStanding) -> Iterator[str]:
    if at.state == "active" and at.quorum is not None:
        missing = at.quorum - at.in_favour - at.abstain
        if missing > 0:
            quorum = amount(at.quorum, VOTES)
            yield f"{amount(missing, VOTES)} for it or abstaining are missing to the quorum of {quorum}."
        yield "More votes are for it than against." if at.in_favour > at.against else "It has no majority of votes."
    if at.extension and at.state != ENDED:
        yield f"A quorum that is reached late keeps the vote open for {duration(at.extension)} from then on."


def _of_what_passed(at: ProposalStanding) -> Iterator[str]:
    heard = "" if at.objections is None else f", and {amount(at.objections, VOTES)} objected so far"
    needed = max(at.in_favour, at.quorum or 0)
    yield f"Objections of more than {amount(needed, VOTES)} cancel it until it is executed{heard}."
    if at.state == "queued" and at.eta is not None and at.eta > at.now:
        yield f"The timelock holds it back until {_calendar(at.eta)}."
    ends = _expires(at)
    if ends is not None:
        done = "executed" if at.state == "queued" else "queued"
        yield f"It expires {when(ends, at.now)}, unless it is {done} before."


def _expires(at: ProposalStanding) -> int | None:
    since = at.eta if at.state == "queued" else at.deadline
    return None if since is None or at.grace is None else since + at.grace


def _due(at: ProposalStanding) -> str:
    if at.eta is not None and at.eta > at.now:
        return f"can be executed {when(at.eta, at.now)}"
    return "anybody can execute it now; the relayer tries again and again"


def _why_defeated(at: ProposalStanding) -> str:
    if at.quorum is not None and at.in_favour + at.abstain < at.quorum:
        return f"{amount(at.in_favour + at.abstain, VOTES)} did not reach the quorum of {amount(at.quorum, VOTES)}"
    if at.in_favour > at.against:
        return "minting was paused while it waited for its snapshot, and who was owed tokens was not asked"
    return "not more votes were for it than against"


_SENTENCES: dict[str, str] = {
    RELAYING: "It is signed and on its way to the chain.",
    "pending": "Voting begins {begins}; votes weigh what is held then.",
    "active": "Voting ends {ends}.",
    ENDED: "Voting ended {ends}; the server has not asked what came of it.",
    "canceled": "It is over: its proposer took it back, or more objected than had voted for it.",
    "defeated": "It is over: {why}.",
    "succeeded": "It passed and waits to be queued; the relayer does it, and anybody may.",
    "queued": "It passed and {due}.",
    "expired": "It is over: it passed, and nobody queued or executed it in time.",
    "executed": "It is over: it passed and was executed.",
}
_AGAIN = "commonweight gov propose --keystore FILE --description ANOTHER-TEXT --decide KEY=VALUE"
_NEXT: dict[str, str] = {
    RELAYING: "commonweight gov show {id} --watch",
    "pending": "commonweight gov show {id} --watch",
    "active": "commonweight gov vote {id} for --keystore FILE",
    ENDED: "commonweight gov show {id} --watch",
    "canceled": _AGAIN,
    "defeated": _AGAIN,
    "succeeded": "commonweight gov object {id} --keystore FILE",
    "queued": "commonweight gov object {id} --keystore FILE",
    "expired": _AGAIN,
    "executed": "commonweight gov decisions",
}
