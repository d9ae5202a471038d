"""What a verifier said of another log counts on this one never, whatever stands at the same place."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from contracts.ids import as_address, to_hex
from contracts.merkle.positional_tree import SHA256_TREE
from contracts.messages import for_log as messages
from contracts.messages.for_contracts import Message
from contracts.protocol.judge.errors import Differs
from contracts.protocol.judge.facts import What
from contracts.protocol.judge.rules.seats import owed
from contracts.protocol.log.follower import Follower
from contracts.protocol.log.signed import WHAT
from tests.contracts.protocol.log.signed_run import DOMAIN, PROFILE, SignedRun, hashed, key
from tests.holds import Threat, holds

pytestmark = pytest.mark.unit


def closed(made: SignedRun) -> messages.Seen:
    """The round is closed: a verifier saw it."""
    made.commit_all()
    index = made.round.closed_at
    return messages.Seen(made.run, 1, made.verifiers[0].address, index, made.root_at(index))


def late(made: SignedRun) -> messages.Lapse:
    """A commitment is awaited."""
    awaited, since = next((a, s) for a, s in made.state.open.items() if a.what is What.COMMITMENT)
    what, nothing = WHAT.index(awaited.what), b"\0" * 32
    by, party, root = made.verifiers[0].address, as_address(awaited.party), made.root_at(since)
    return messages.Lapse(made.run, 1, by, what, nothing, party, 2**32 - 1, since, root)


def read(made: SignedRun) -> messages.Verdict:
    """A proof is open."""
    made.commit_all()
    made.see()
    for verifier in made.verifiers:
        made.show_secret(verifier)
    (proof, *_) = made.round.closed
    made.open(proof)
    known, verifier = made.state.proofs[proof], made.verifiers[0]
    witness = made.functions.seal_trace(verifier.address, to_hex(hashed("trace", proof)))
    words = tuple(messages.SegmentVerdict(segment, 1, 0, 0, 10**15) for segment in owed(known, verifier.address))
    root = made.root_at(known.panel_at)
    return messages.Verdict(bytes.fromhex(proof[2:]), verifier.address, root, bytes.fromhex(witness[2:]), words)


def merged(made: SignedRun) -> messages.Merge:
    """All is posted."""
    made.commit_all()
    made.see()
    made.read_all()
    return messages.Merge(made.run, 1, made.verifiers[0].address, made.merge_root, *(hashed("theta"),) * 4, 5)


SAYS: dict[str, Callable[[SignedRun], Message]] = {"seen": closed, "lapse": late, "words": read, "merge": merged}


def fork(nodes: int = 2) -> tuple[SignedRun, SignedRun]:
    """Two logs that part after the first round's opening, entry for entry of the same kinds."""
    both = SignedRun(nodes=nodes, panel=0), SignedRun(nodes=nodes, panel=0)
    assert both[0].leaves == both[1].leaves
    for made, name in zip(both, "xy", strict=True):
        stranger = key(f"stranger {name}")
        made.send(messages.Enrolment(made.run, stranger.address, stranger.address, 5, PROFILE, 1), stranger)
    return both


@holds(
    "A message that was signed over a fork is refused on every other log",
    by="contracts/protocol/judge/rules/roots.py:check",
    against=Threat.REWRITTEN_LOG,
)
@pytest.mark.parametrize("kind", ["seen", "words", "merge"])
def test_what_was_said_on_a_fork_is_refused_on_the_log(kind: str) -> None:
    """On the fork the same entry stands at the same place, and the author said it in time and in good faith."""
    real, other = fork()
    said, own = SAYS[kind](other), SAYS[kind](real)
    author = real.verifiers[0]
    other.send(said, author)
    with pytest.raises(Differs, match="said of another log"):
        real.send(said, author)
    real.send(own, author)


@pytest.mark.parametrize("kind", SAYS)
def test_a_message_under_another_root_changes_nothing(kind: str) -> None:
    made = SignedRun(nodes=2, panel=0)
    said: Any = SAYS[kind](made)
    size = made.state.size
    with pytest.raises(Differs, match="said of another log"):
        made.send(replace(said, root=hashed("another log")), made.verifiers[0])
    assert made.state.size == size
    made.send(said, made.verifiers[0])


def test_the_roots_are_those_of_the_log_and_few() -> None:
    made = SignedRun(rounds=3)
    made.play(3)
    follower, texts = Follower(made.functions, DOMAIN, checked=False), [leaf.encode() for leaf in made.leaves]
    for index, leaf in enumerate(made.leaves):
        follower.take(leaf)
        for named, root in follower.state.roots.items():
            if named == index:
                assert root == to_hex(SHA256_TREE.root(texts[: index + 1]))
    assert follower.state.leaves == len(texts)
    assert len(follower.state.roots) < 10, "what no message can name is forgotten"
