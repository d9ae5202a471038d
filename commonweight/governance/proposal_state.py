"""The states of a proposal: each has one sentence, what may still change it, and the next command.

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
from contracts.wire.states import ProposalPhase

OVER = (ProposalPhase.EXECUTED, ProposalPhase.DEFEATED, ProposalPhase.CANCELED, ProposalPhase.EXPIRED)


@dataclass(frozen=True)
class ProposalStanding:
    """A state and its numbers at the second `now`: votes and quorum in units, times in Unix seconds, None: not known.

    `grace` are the seconds in which a passed proposal can be queued, and a queued one executed; `extension` those by
    which a late quorum extends the vote. `objections` is the most of one second. `of_chain`: the status is a chain
    node's, and not the server's.
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


def by_server(document: Mapping[str, Any]) -> ProposalStanding:
    """The status by the server. Raises KeyError, TypeError and ValueError for a document of no proposal."""
    counts = document["counts"]
    return ProposalStanding(
        state=str(document["state"]),
        now=int(document["now"]),
        against=int(counts["against"]),
        in_favour=int(counts["for"]),
        abstain=int(counts["abstain"]),
        quorum=_number(document["quorum"]),
        snapshot=_number(document["snapshot"]),
        deadline=_number(document["deadline"]),
        eta=_number(document["eta"]),
        grace=_number(document["grace"]),
        extension=_number(document["extension"]),
    )


def by_chain(governor: ModelGovernor, proposal: int, first_block: int) -> ProposalStanding:
    """The status by the Governor now; a proposal that it does not know is on its way."""
    now = int(governor.w3.eth.get_block("latest")["timestamp"])
    snapshot = governor.snapshot(proposal)
    if not snapshot:
        return ProposalStanding(ProposalPhase.RELAYING, now, of_chain=True)
    state = governor.state(proposal)
    counts = governor.votes(proposal)
    has_passed = state in (ProposalState.SUCCEEDED, ProposalState.QUEUED)
    objections = governor.objected(proposal, first_block) if has_passed else []
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
        objections=max((objection.total for objection in objections), default=0),
        of_chain=True,
    )


def sentence(status: ProposalStanding) -> str:
    """The sentence of a state, with its times."""
    text = _SENTENCES.get(status.state, "This version does not know the proposal's state.")
    begins = when(status.snapshot, status.now)
    ends = when(status.deadline, status.now)
    return text.format(begins=begins, ends=ends, due=_due(status), why=_why_defeated(status))


def next_command(status: ProposalStanding, proposal: str) -> str:
    """The command of its reader, to be pasted but for the words in capitals."""
    return _NEXT.get(status.state, "commonweight gov show {id}").format(id=proposal)


def turns(status: ProposalStanding) -> Iterator[str]:
    """Lines about what may still change it."""
    if status.state in (ProposalPhase.PENDING, ProposalPhase.ACTIVE, ProposalPhase.ENDED):
        yield from _of_a_vote(status)
    if status.state in (ProposalPhase.SUCCEEDED, ProposalPhase.QUEUED):
        yield from _of_what_passed(status)


def when(time: int | None, now: int) -> str:
    """A time as people read it: how far away, and by the calendar."""
    if time is None:
        return "at an unknown time"
    return f"{f'in {duration(time - now)}' if time > now else f'{duration(now - time)} ago'}, at {_calendar(time)}"


def _calendar(time: int) -> str:
    try:
        return datetime.fromtimestamp(time, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
    except (ValueError, OverflowError, OSError):
        return f"second {time}"


def _number(value: Any) -> int | None:
    return None if value is None else int(value)


def _of_a_vote(vote: ProposalStanding) -> Iterator[str]:
    if vote.state == ProposalPhase.ACTIVE and vote.quorum is not None:
        missing = vote.quorum - vote.in_favour - vote.abstain
        if missing > 0:
            quorum = amount(vote.quorum, VOTES)
            yield f"The quorum of {quorum} needs {amount(missing, VOTES)} more, for or abstaining."
        yield (
            "The votes for it are the majority."
            if vote.in_favour > vote.against
            else "The votes for it are no majority."
        )
    if vote.extension and vote.state != ProposalPhase.ENDED:
        yield f"A quorum that is reached late extends the vote: it then stays open for {duration(vote.extension)} more."


def _of_what_passed(status: ProposalStanding) -> Iterator[str]:
    objections = "" if status.objections is None else f" So far {amount(status.objections, VOTES)} objected."
    needed = max(status.in_favour, status.quorum or 0)
    yield f"Before its execution, objections of more than {amount(needed, VOTES)} cancel it.{objections}"
    if status.state == ProposalPhase.QUEUED and status.eta is not None and status.eta > status.now:
        yield f"The timelock delays its execution until {_calendar(status.eta)}."
    ends = _expires(status)
    if ends is not None:
        done = "executed" if status.state == ProposalPhase.QUEUED else "queued"
        yield f"The proposal expires {when(ends, status.now)}, unless it is {done} before."


def _expires(status: ProposalStanding) -> int | None:
    since = status.eta if status.state == ProposalPhase.QUEUED else status.deadline
    return None if since is None or status.grace is None else since + status.grace


def _due(status: ProposalStanding) -> str:
    if status.eta is not None and status.eta > status.now:
        return f"It can be executed {when(status.eta, status.now)}."
    return "Anybody can execute it now; the relayer keeps trying."


def _why_defeated(status: ProposalStanding) -> str:
    if status.quorum is not None and status.in_favour + status.abstain < status.quorum:
        votes = status.in_favour + status.abstain
        return f"{amount(votes, VOTES)} are less than the quorum of {amount(status.quorum, VOTES)}"
    if status.in_favour > status.against:
        return "minting was paused before its snapshot, so accounts that are owed tokens could not vote"
    return "the votes for it were no majority"


_SENTENCES: dict[str, str] = {
    ProposalPhase.RELAYING: "The proposal is signed, and its transaction is pending.",
    ProposalPhase.PENDING: "Voting begins {begins}. The weight of a ballot is the account's votes then.",
    ProposalPhase.ACTIVE: "Voting ends {ends}.",
    ProposalPhase.ENDED: "Voting ended {ends}. The server has not read the result yet.",
    ProposalPhase.CANCELED: "The proposal is cancelled, by its proposer or by objections of more votes than for it.",
    ProposalPhase.DEFEATED: "The proposal is defeated: {why}.",
    ProposalPhase.SUCCEEDED: "The proposal passed, and has to be queued. The relayer queues it; anybody else can, too.",
    ProposalPhase.QUEUED: "The proposal passed and is queued. {due}",
    ProposalPhase.EXPIRED: "The proposal passed, but expired: nobody queued or executed it in time.",
    ProposalPhase.EXECUTED: "The proposal passed and was executed.",
}
_AGAIN = "commonweight gov propose --keystore FILE --description ANOTHER-TEXT --decide KEY=VALUE"
_NEXT: dict[str, str] = {
    ProposalPhase.RELAYING: "commonweight gov show {id} --watch",
    ProposalPhase.PENDING: "commonweight gov show {id} --watch",
    ProposalPhase.ACTIVE: "commonweight gov vote {id} for --keystore FILE",
    ProposalPhase.ENDED: "commonweight gov show {id} --watch",
    ProposalPhase.CANCELED: _AGAIN,
    ProposalPhase.DEFEATED: _AGAIN,
    ProposalPhase.SUCCEEDED: "commonweight gov object {id} --keystore FILE",
    ProposalPhase.QUEUED: "commonweight gov object {id} --keystore FILE",
    ProposalPhase.EXPIRED: _AGAIN,
    ProposalPhase.EXECUTED: "commonweight gov decisions",
}
