"""A verifier that signed a head of the operator's other log goes over to where k others stand, once, and never back."""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from contracts.tlog.cosignature import verify_cosignature
from contracts.tlog.note import parse_note
from tests.holds import Threat, holds
from tests.verifier.mirror.shown import Showing, fork, look, reading_copy
from tests.verifier.mirror.world import LOG, Operator, cosigner_key
from verifier.mirror.errors import HeadContradicts
from verifier.mirror.http.uploads import add_checkpoint, add_entries
from verifier.mirror.store.branches import CosignerKeys
from verifier.mirror.store.copy import LogCopy
from verifier.mirror.store.evidence import Evidence

pytestmark = pytest.mark.unit

OWN = "mirror.example/v1"
SEEDS = {OWN: 9, "v2": 32, "v3": 33, "v4": 34}
"""By name; the first is one's own."""
KEYS = {name: cosigner_key(name, seed).public for name, seed in SEEDS.items()}


def judges(k: int = 2) -> Callable[[], CosignerKeys]:
    return lambda: CosignerKeys(k, KEYS)


def by(*names: str) -> Mapping[str, int]:
    return {name: SEEDS[name] for name in names}


def forked(folder: Path, same: int = 280, k: int = 2) -> tuple[LogCopy, Operator, Operator]:
    """A copy that signed a head of the other log, the real log, and the other one."""
    copy, _ = reading_copy(folder, judges(k))
    real, other = Operator().grow(300), fork(same, 330 - same)
    look(copy, Showing(other))
    assert copy.signed == 330
    return copy, real, other


def stays(copy: LogCopy, shown: Showing) -> None:
    with pytest.raises(HeadContradicts):
        look(copy, shown)


@pytest.mark.parametrize("size", [300, 330, 700], ids=["smaller", "equal", "larger"])
@pytest.mark.parametrize("same", [0, 1, 256, 280])
def test_it_goes_over_to_where_k_others_stand(tmp_path: Path, size: int, same: int) -> None:
    copy, real, other = forked(tmp_path, same)
    real.grow(size - 300)
    stays(copy, Showing(real, by("v2")))
    assert copy.signed == 330
    look(copy, Showing(real, by("v3")))
    assert copy.signed == size
    assert copy.entries(0, size) == real.entries
    (left,) = copy.branches.left
    assert (left.size, left.root) == (same + 1, other.tree.root(same + 1))
    assert verify_cosignature(parse_note(left.note), cosigner_key())
    pairs = copy.evidence.pairs()
    for pair in pairs:
        pair.check(LOG)
    assert pairs


def test_heads_of_several_sizes_on_one_branch_count_together(tmp_path: Path) -> None:
    copy, real, _ = forked(tmp_path)
    stays(copy, Showing(real, by("v2")))
    longer = Operator().grow(400)
    look(copy, Showing(longer, by("v3")))
    assert copy.signed == 400


def test_a_smaller_head_counts_when_the_larger_one_comes_again(tmp_path: Path) -> None:
    copy, real, _ = forked(tmp_path)
    longer = Showing(Operator().grow(400), by("v3"))
    stays(copy, longer)
    stays(copy, Showing(real, by("v2")))
    look(copy, longer)
    assert copy.signed == 400


@pytest.mark.parametrize(
    "shown",
    [
        [by("v2"), by("v2")],
        [by("v2"), by(OWN)],
        [by("v2"), {}],
        [by("v2"), {"stranger": 40}],
        [by("v2"), {"v3": 40}],
    ],
    ids=["one twice", "itself", "nobody", "a stranger", "another's key"],
)
def test_it_stays_for_fewer_than_k(tmp_path: Path, shown: list[Mapping[str, int]]) -> None:
    copy, real, _ = forked(tmp_path)
    for names in shown:
        stays(copy, Showing(real, names))
    assert copy.signed == 330
    assert copy.branches.left == ()


def test_heads_on_two_further_branches_do_not_count_together(tmp_path: Path) -> None:
    copy, real, _ = forked(tmp_path)
    for _ in range(2):
        stays(copy, Showing(real, by("v2")))
        stays(copy, Showing(fork(280, 60, "third"), by("v3")))
    assert copy.signed == 330


def test_who_came_over_itself_is_counted_no_more(tmp_path: Path) -> None:
    copy, real, other = forked(tmp_path)
    stays(copy, Showing(real, by("v2")))
    look(copy, Showing(other, by("v2")))
    stays(copy, Showing(real, by("v3")))
    assert copy.signed == 330


def test_without_a_known_k_it_stays(tmp_path: Path) -> None:
    copy, real, _ = forked(tmp_path, k=0)
    stays(copy, Showing(real, by("v2", "v3", "v4")))


@holds(
    "A verifier on a fork moves to the log of k others, and never back",
    by="verifier/mirror/store/branches.py:Branches",
    against=Threat.REWRITTEN_LOG,
)
def test_what_was_left_is_never_joined_again(tmp_path: Path) -> None:
    """Neither by heads of all others, nor by entries that somebody brings, nor after a restart."""
    copy, real, other = forked(tmp_path)
    look(copy, Showing(real, by("v2", "v3")))
    assert copy.signed == 300
    other.grow(400)
    for _ in range(2):
        stays(copy, Showing(other, by("v2", "v3", "v4")))
        assert copy.signed == 300
        copy.close()
        copy, _ = reading_copy(tmp_path, judges())
    look(copy, Showing(real.grow(50)))
    assert copy.signed == 350
    assert len(copy.branches.left) == 1


def test_entries_of_a_left_branch_are_not_taken_from_strangers(tmp_path: Path) -> None:
    """Between the two branches there is no head: a pending one of the branch that was left could lead back."""
    copy, real, other = forked(tmp_path)
    add_checkpoint(copy, other.add_checkpoint(330, 330))
    copy.leave(280)
    assert (copy.head(), copy.signed, copy.size) == (None, 280, 280)
    add_checkpoint(copy, other.add_checkpoint(0))
    with pytest.raises(HeadContradicts):
        add_entries(copy, io.BytesIO(other.upload(280)).read)
    assert (copy.size, copy.pending()) == (280, None)
    look(copy, Showing(real))
    assert copy.signed == 300


def test_a_kill_between_both_branches_keeps_what_they_share(tmp_path: Path) -> None:
    copy, real, other = forked(tmp_path)
    copy.leave(280)
    copy.close()
    copy, machine = reading_copy(tmp_path, judges())
    assert (copy.signed, copy.size) == (280, 280)
    stays(copy, Showing(other))
    look(copy, Showing(real))
    assert copy.signed == 300
    assert machine.taken == real.entries


def test_the_evidence_says_what_was_signed_on_both(tmp_path: Path) -> None:
    copy, real, _ = forked(tmp_path)
    look(copy, Showing(real.grow(100), by("v2", "v3")))
    pairs = [found for found in copy.evidence.all() if isinstance(found, Evidence)]
    assert any(verify_cosignature(parse_note(pair.smaller), cosigner_key()) for pair in pairs)
