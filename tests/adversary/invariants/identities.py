"""I6, second half: one trajectory in one run, one post for a node's round, one credit for one contribution."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Iterator

from contracts.protocol.judge.chain_events import EpochFinal
from tests.adversary.invariants.core import Breach
from tests.adversary.invariants.reading import Reading
from tests.adversary.invariants.views import At


def final_attempts(reading: Reading, epoch: int) -> list[At[int]]:
    """The attempts of an epoch that final blocks named, with the index of the block."""
    return [(index, event.attempt) for index, event in reading.events[EpochFinal] if event.epoch == epoch]


def _again(keys: Iterable[At[Hashable]]) -> Iterator[At[Hashable]]:
    """Those that were there before."""
    seen = set[Hashable]()
    for index, key in sorted(keys, key=lambda at: at[0]):
        if key in seen:
            yield index, key
        seen.add(key)


def trajectories_are_distinct(reading: Reading) -> Iterator[Breach]:
    """No two runs have one creator and nonce, and no two one name."""
    created = [(index, entry) for run in reading.runs.values() for index, entry in run.created]
    for index, key in _again((index, (entry.creator.lower(), entry.nonce)) for index, entry in created):
        yield index, f"creator and nonce {key} are used a second time"
    for index, key in _again((index, entry.run) for index, entry in created):
        yield index, f"run {key} is created a second time"


def one_post_a_round(reading: Reading) -> Iterator[Breach]:
    """A node has one posted proof a round."""
    posts: list[At[Hashable]] = []
    for proof, committed, _ in reading.committed():
        if proof.posted is not None:
            posts.append((proof.posted[0], (committed.node, committed.run, committed.round)))
    for index, key in _again(posts):
        yield index, f"a second proof of {key} is posted"


def paid_as_listed(reading: Reading) -> Iterator[Breach]:
    """A post pays the account that the round lists, for the tokens that were committed, which the round asks for."""
    for proof, committed, round_ in reading.committed():
        listed = round_.listed(committed.node)
        if proof.posted is None or listed is None:
            continue
        index, posted = proof.posted
        asked = reading.history.tokens.get(round_.key, posted.tokens)
        if posted.tokens != asked or (posted.account, posted.tokens) != (listed.payout, committed.tokens):
            yield index, f"{proof.name} pays {posted.account} for {posted.tokens} tokens"


def credits_are_vouched(reading: Reading) -> Iterator[Breach]:
    """No contribution counts without a maintainer's word, where any is needed."""
    known = reading.history.maintainers
    for run in reading.runs.values():
        for index, credited in run.credited if known else ():
            if not known & set(credited.signers):
                yield index, f"{credited.key} is credited, and no maintainer vouches for it"


def one_credit(reading: Reading) -> Iterator[Breach]:
    """What was contributed is credited once, whatever the run."""
    credits_ = ((index, entry.key) for run in reading.runs.values() for index, entry in run.credited)
    for index, key in _again(credits_):
        yield index, f"{key} is credited a second time"


def nothing_after_the_run(reading: Reading) -> Iterator[Breach]:
    """A run that is over opens, posts, credits and closes nothing more."""
    for run in reading.runs.values():
        opened = [round_.opened[0] for round_ in run.rounds]
        for over, _ in run.over[:1]:
            for index, entry in (*opened, *run.posted, *run.credited, *run.closings):
                if index > over:
                    yield index, f"run {run.name} is over, and there is {type(entry).__name__}"


CONDITIONS = (
    trajectories_are_distinct,
    one_post_a_round,
    paid_as_listed,
    credits_are_vouched,
    one_credit,
    nothing_after_the_run,
)
