"""Breaks of I1."""

from __future__ import annotations

from contracts.ids import ProofId
from contracts.protocol.judge.entries import (
    Drawn,
    Lapsed,
    MergeSet,
    PanelDrawn,
    Posted,
    RoundClosed,
    RoundMerged,
    RoundOpened,
    Undecided,
)
from contracts.protocol.judge.facts import (
    Awaited,
    Committed,
    Has,
    MergeSigned,
    PledgeOpened,
    SegmentWord,
    What,
    Word,
    Words,
)
from tests.adversary.history import History
from tests.adversary.invariants import merges, paid
from tests.adversary.invariants.examples.edit import Case, append, at, change, drop, entry, insert, listed
from tests.adversary.invariants.examples.play import RUN, A, B
from tests.adversary.invariants.examples.stories import away, honest, nothing_posted

A1, A2, B1, B2 = ProofId("run/1/0xa"), ProofId("run/2/0xa"), ProofId("run/1/0xB"), ProofId("run/2/0xB")


def truth(history: History, proof: ProofId, **fields: object) -> None:
    """Another truth about a proof."""
    for name, value in fields.items():
        setattr(history.work[proof], name, value)


def _without_has(h: History) -> None:
    drop(h, at(h, Has, 0), at(h, Has, 1))


def _has_of_strangers(h: History) -> None:
    change(h, at(h, Has, 0), verifier="v8")
    change(h, at(h, Has, 1), verifier="v9")


def _unlisted(h: History) -> None:
    opened = entry(h, RoundOpened, round=2)
    change(h, at(h, RoundOpened, round=2), nodes=opened.nodes[:1])


def _unserved_word(h: History) -> None:
    words = (SegmentWord(0, Word.TRUE), SegmentWord(2, Word.UNSERVED))
    change(h, at(h, Words, proof=A1, verifier="v2"), words=words)


def _silent_reader(h: History) -> None:
    """v2 lapses with its words; nobody asks the bench."""
    index = at(h, Words, proof=A1, verifier="v2")
    h.entries[index] = Lapsed(Awaited(What.WORDS, RUN, 1, A1, "v2"), index - 1, 1)


def _due_is_false(h: History) -> None:
    h.present = h.honest
    truth(h, A1, false=frozenset({3}))


def _reversed_set(h: History) -> None:
    found = entry(h, MergeSet)
    change(h, at(h, MergeSet), proofs=found.proofs[::-1], gradients=found.gradients[::-1])


def _smaller_set(h: History) -> None:
    found = entry(h, MergeSet, 1)
    change(h, at(h, MergeSet, 1), proofs=found.proofs[:1], gradients=found.gradients[:1])


def _unsigned(h: History) -> None:
    drop(h, at(h, MergeSigned, 0), at(h, MergeSigned, 1))


def _signed_by_strangers(h: History) -> None:
    change(h, at(h, MergeSigned, 0), verifier="v8")
    change(h, at(h, MergeSigned, 1), verifier="v9")


def _other_inner(h: History) -> None:
    listed(h, 2, A, inner="other")
    change(h, at(h, Committed, proof=A2), inner="other")


def _other_joiner(h: History) -> None:
    listed(h, 1, B, inner="other")
    change(h, at(h, Committed, proof=B1), inner="other")


CASES = (
    Case(paid.ended_once, honest, lambda h: append(h, entry(h, Posted))),
    Case(paid.ended_once, honest, lambda h: insert(h, at(h, Posted), Undecided(A1))),
    Case(paid.pledge_honest, honest, lambda h: drop(h, at(h, PledgeOpened))),
    Case(paid.pledge_honest, honest, lambda h: change(h, at(h, PledgeOpened), fake=2)),
    Case(paid.pledge_honest, honest, lambda h: truth(h, A1, fake=2)),
    Case(paid.gradient_held, honest, _without_has),
    Case(paid.gradient_held, honest, _has_of_strangers),
    Case(paid.gradient_held, honest, lambda h: change(h, at(h, RoundClosed), proofs=(A1,))),
    Case(paid.start_of_the_round, honest, lambda h: change(h, at(h, Committed), theta="other")),
    Case(paid.start_of_the_round, honest, lambda h: change(h, at(h, Committed), inner="other")),
    Case(paid.start_of_the_round, honest, lambda h: change(h, at(h, Committed), data_seed="other")),
    Case(paid.start_of_the_round, honest, lambda h: change(h, at(h, Committed), config="other")),
    Case(paid.start_of_the_round, honest, lambda h: change(h, at(h, Committed), segments=3)),
    Case(paid.start_of_the_round, honest, _unlisted),
    Case(paid.coin_or_panel, honest, lambda h: drop(h, at(h, PanelDrawn, proof=B2))),
    Case(paid.seats_answered, honest, lambda h: drop(h, at(h, Drawn, proof=A1, verifier="v2"))),
    Case(paid.seats_answered, honest, lambda h: change(h, at(h, PanelDrawn), seats=("v1", "v2", "v3"))),
    Case(paid.seats_answered, away, lambda h: drop(h, at(h, Lapsed))),
    Case(paid.readers_answered, honest, lambda h: drop(h, at(h, Words, proof=A1, verifier="v2"))),
    Case(paid.questioned_is_true, honest, _unserved_word),
    Case(paid.questioned_is_true, honest, _silent_reader),
    Case(paid.honest_draws_are_true, honest, lambda h: truth(h, A1, false=frozenset({2}))),
    Case(paid.honest_draws_are_true, honest, lambda h: truth(h, A1, shown={0, 1})),
    Case(paid.due_draws_are_true, away, _due_is_false),
    Case(merges.members_are_the_posted, honest, _reversed_set),
    Case(merges.members_are_the_posted, honest, _smaller_set),
    Case(merges.gradients_are_the_committed, honest, lambda h: change(h, at(h, MergeSet), gradients=("x", "y"))),
    Case(merges.merge_is_signed, honest, _unsigned),
    Case(merges.merge_is_signed, honest, _signed_by_strangers),
    Case(merges.merge_is_signed, honest, lambda h: drop(h, at(h, MergeSet, 1))),
    Case(merges.merge_is_signed, nothing_posted, lambda h: change(h, at(h, RoundMerged), theta="other")),
    Case(merges.honest_signed_the_same, honest, lambda h: change(h, at(h, MergeSigned), theta="other")),
    Case(merges.round_starts_from_the_merge, honest, lambda h: change(h, at(h, RoundOpened, 1), momentum="other")),
    Case(merges.round_starts_from_the_merge, honest, lambda h: change(h, at(h, RoundOpened), momentum="other")),
    Case(merges.node_starts_from_its_merged_end, honest, _other_inner),
    Case(merges.node_starts_from_its_merged_end, honest, _other_joiner),
)
