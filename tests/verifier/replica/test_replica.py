"""A verifier's replica: it signs for what follows from the log and its own chain, and for nothing else."""

from __future__ import annotations

import json
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from contracts.ids import as_address, to_hex
from contracts.messages import for_log as messages
from contracts.messages.signatures import digest
from contracts.protocol.judge import chain_events, facts
from contracts.protocol.judge.errors import Differs
from contracts.protocol.judge.snapshot import dump
from contracts.protocol.log.blocks import split
from contracts.protocol.log.leaf import read, write
from tests.contracts.protocol.log.signed_run import DOMAIN, MODEL, SignedRun
from tests.holds import Threat, holds
from tests.verifier.stand_ins import FakeChain, FakeCopy, chain_of, copy_of
from tests.verifier.town import REGISTRY
from verifier.replica.envelopes import Collected
from verifier.replica.errors import LogFailed, LogWaits
from verifier.replica.replica import Replica

pytestmark = pytest.mark.unit


@cache
def run() -> SignedRun:
    made = SignedRun(rounds=2)
    made.play(2)
    return made


def leaves() -> list[str]:
    return list(run().leaves)


class Unsigned(FakeCopy):
    """Nothing of it lies under one's own head but the first `signs` entries."""

    signs = 0

    @property
    def signed(self) -> int:
        return self.signs


def unsigned(signs: int = 0) -> Unsigned:
    copy = Unsigned([leaf.encode() for leaf in leaves()])
    copy.signs = signs
    return copy


def replica(folder: Path, copy: FakeCopy, chain: FakeChain | None = None) -> Replica:
    return Replica(run().functions, DOMAIN, chain or chain_of(leaves(), DOMAIN), folder / "failed.json", copy)


def index_of(kind: str, nth: int = 0) -> int:
    return [i for i, leaf in enumerate(leaves()) if json.loads(leaf)["kind"] == kind][nth]


def test_an_honest_log_is_admitted_head_by_head(tmp_path: Path) -> None:
    copy = copy_of(leaves())
    made = replica(tmp_path, copy)
    for size in (1, 2, 10, len(copy.leaves) // 2, len(copy.leaves)):
        made.admit(size)
    assert made.size == len(copy.leaves)
    made.admit(5)
    assert made.size == len(copy.leaves)
    assert made.failure is None
    with made.reading() as state:
        assert state.epoch == 2


def test_messages_are_collected_and_forgotten_with_their_epoch(tmp_path: Path) -> None:
    made = SignedRun(rounds=2)
    proofs = [to_hex(proof) for proof in made.commit_all()]
    made.see()
    made.read_all()
    made.merge()
    copy = copy_of(made.leaves)
    found = replica(tmp_path, copy, chain_of(made.leaves, DOMAIN))
    found.admit(len(copy.leaves))
    assert sorted(found.collected.commitments) == sorted(proofs)
    assert all(found.collected.openings[proof] for proof in proofs)
    assert found.collected.terms[to_hex(made.run)].periodSeconds == 60
    assert found.collected.blobs
    index, closed = found.closings[1]
    assert (json.loads(made.leaves[index])["kind"], closed.epoch) == ("epoch-closed", 1)
    digests = [
        to_hex(digest(m, DOMAIN)) for m in (*found.collected.commitments.values(), messages.Leave(MODEL, REGISTRY, 1))
    ]
    assert found.entered(digests) == digests[:-1]
    made._make_final()
    copy.leaves[:] = [leaf.encode() for leaf in made.leaves]
    found._chain = chain_of(made.leaves, DOMAIN)
    found.admit(len(copy.leaves))
    assert (found.collected.commitments, found.collected.openings, found.closings) == ({}, {}, {})
    assert found.collected.entered == {}
    assert found.collected.blobs, "the next round begins from it"


@holds(
    "A verifier does not sign for a block that the operator invented",
    by="verifier/replica/replica.py:Replica.advance",
    against=Threat.REWRITTEN_LOG,
)
@pytest.mark.parametrize(
    "change",
    [
        lambda block: replace(block, time=block.time + 1),
        lambda block: replace(block, hash="0x" + "9" * 64),
        lambda block: replace(block, parent_time=block.parent_time + 1),
        lambda block: replace(block, events=block.events[1:]),
        lambda block: replace(block, events=(*block.events, chain_events.NodeStake(as_address("0x" + "ab" * 20), 1))),
        lambda block: replace(block, more=True),
    ],
    ids=["time", "hash", "parent", "missing", "invented", "more"],
)
def test_a_block_that_the_operator_made_up_is_refused(tmp_path: Path, change: object) -> None:
    copy, index = unsigned(), index_of("block")
    block = read(copy.leaves[index].decode(), DOMAIN, as_address)
    assert isinstance(block, facts.Block)
    copy.leaves[index] = write(change(block)).encode()  # type: ignore[operator]
    made = replica(tmp_path, copy)
    with pytest.raises(LogFailed) as failed:
        made.admit(len(copy.leaves))
    assert failed.value.index == index
    assert "block 1" in failed.value.detail
    assert made.failure is None
    assert json.loads((tmp_path / "failed.json").read_text())["index"] == index
    copy.leaves = [leaf.encode() for leaf in leaves()]
    made.admit(len(copy.leaves))
    assert made.size == len(copy.leaves), "what follows takes its place"


ANOTHER: dict[str, dict[str, Any]] = {
    "round-opened": {"k": 3},
    "panel-drawn": {"seats": ()},
    "drawn": {"segments": (0, 1, 2)},
    "posted": {"tokens": 1},
    "merge-set": {"proofs": (), "gradients": ()},
    "epoch-closed": {"total": 7},
}


@holds(
    "A verifier does not sign for a derived entry that does not follow",
    by="verifier/replica/replica.py:Replica.advance",
    against=Threat.REWRITTEN_LOG,
)
@pytest.mark.parametrize("kind", ANOTHER)
@pytest.mark.parametrize("how", ["missing", "swapped", "changed"])
def test_a_derived_entry_that_does_not_follow_is_refused(tmp_path: Path, kind: str, how: str) -> None:
    copy, index = unsigned(), index_of(kind)
    if how == "missing":
        del copy.leaves[index]
    elif how == "swapped":
        copy.leaves[index], copy.leaves[index + 1] = copy.leaves[index + 1], copy.leaves[index]
    else:
        entry: Any = read(copy.leaves[index].decode(), DOMAIN, as_address)
        copy.leaves[index] = write(replace(entry, **ANOTHER[kind])).encode()
    made = replica(tmp_path, copy)
    with pytest.raises(LogFailed) as failed:
        made.admit(len(copy.leaves))
    assert failed.value.index == index
    assert made.size == index
    copy.leaves = [leaf.encode() for leaf in leaves()]
    made.admit(len(copy.leaves))
    whole = replica(tmp_path / "whole", unsigned())
    whole.admit(len(copy.leaves))
    with made.reading() as state, whole.reading() as other:
        assert dump(state) == dump(other)


@pytest.mark.parametrize("body", [b"\xff", b"{", b"[]", b'{"kind":"block"}', b'{"kind":["block"]}', b"[" * 60_000])
def test_what_is_no_entry_is_refused(tmp_path: Path, body: bytes) -> None:
    copy = unsigned()
    copy.leaves[3] = body
    with pytest.raises(LogFailed) as failed:
        replica(tmp_path, copy).admit(10)
    assert failed.value.index == 3


def test_a_changed_signature_is_refused(tmp_path: Path) -> None:
    copy, index = unsigned(), index_of("commitment")
    body = json.loads(copy.leaves[index])
    body["signatures"] = [json.loads(copy.leaves[index_of("commitment", 1)])["signatures"][0]]
    copy.leaves[index] = json.dumps(body, sort_keys=True, separators=(",", ":")).encode()
    with pytest.raises(LogFailed) as failed:
        replica(tmp_path, copy).admit(len(copy.leaves))
    assert failed.value.index == index


def test_a_chain_node_that_lags_makes_the_head_wait(tmp_path: Path) -> None:
    """It is nobody's fault: the next look goes on from the same entry."""
    copy, chain = copy_of(leaves()), chain_of(leaves(), DOMAIN)
    index = index_of("block", 1)
    made = replica(tmp_path, copy, chain)
    for at in (1, None):
        chain.at = at
        with pytest.raises(LogWaits):
            made.admit(len(copy.leaves))
        assert made.failure is None
    assert made.size == index
    chain.at = 10**9
    made.admit(len(copy.leaves))
    assert made.size == len(copy.leaves)


def test_a_block_of_many_parts_is_compared_part_by_part(tmp_path: Path) -> None:
    events = tuple(
        chain_events.NodeStake(as_address(to_hex(number.to_bytes(20, "big"))), number + 1) for number in range(2_000)
    )
    made = SignedRun()
    block = facts.Block(2, 2_000, "0x" + "7" * 64, events, 1_900)
    parts = split(block)
    assert len(parts) > 2
    before = len(made.leaves)
    for part in parts:
        made.add(part)
    chain = chain_of(made.leaves, DOMAIN)
    assert chain.blocks[2] == block
    copy = copy_of(made.leaves)
    found = replica(tmp_path, copy, chain)
    with pytest.raises(LogWaits, match="within a block"):
        found.admit(before + 1)
    found.advance(before + 1)
    found.admit(len(copy.leaves))
    with pytest.raises(LogWaits, match="within a block"):
        found.admit(before + 1)
    found.admit(before)
    assert chain.asked == [1, 2], "the chain is asked once a block"
    wrong = Unsigned([leaf.encode() for leaf in made.leaves])
    other = replica(tmp_path / "wrong", wrong, chain)
    for fewer in (parts[1].events[1:], parts[1].events[2:]):
        wrong.leaves[before + 1] = write(replace(parts[1], events=fewer)).encode()
        with pytest.raises(LogFailed) as failed:
            other.admit(len(wrong.leaves))
        assert failed.value.index == before + 1, "a refused part lets no other one in"
    wrong.leaves = [leaf.encode() for leaf in made.leaves]
    other.admit(len(wrong.leaves))


def test_a_restart_reads_what_was_signed_for_without_the_chain(tmp_path: Path) -> None:
    copy, chain = copy_of(leaves()), chain_of(leaves(), DOMAIN)
    size = index_of("round-merged") + 1
    chain.at = None
    made = Replica(run().functions, DOMAIN, chain, tmp_path / "failed.json")
    made.over(copy, size)
    assert (made.size, chain.asked) == (size, [])
    chain.at = 10**9
    made.admit(len(copy.leaves))
    assert made.size == len(copy.leaves)


def test_entries_that_were_given_up_are_forgotten(tmp_path: Path) -> None:
    """A head whose rest nobody shows was another log's: the replica begins again over what is there now."""
    one, other = SignedRun(rounds=2), SignedRun(rounds=2)
    one.commit_all()
    other.commit(other.nodes[0])
    copy = copy_of(one.leaves)
    found = replica(tmp_path, copy, chain_of(one.leaves, DOMAIN))
    found.admit(len(copy.leaves))
    copy.leaves[:] = [leaf.encode() for leaf in other.leaves]
    found.admit(len(copy.leaves))
    with found.reading() as state:
        assert len(state.proofs) == 1


def after_the_first_epoch() -> int:
    """Entries up to the first after an epoch closed that does not follow from those before it."""
    places = range(index_of("epoch-closed") + 1, len(leaves()))
    return next(i for i in places if {"signatures", "number"} & json.loads(leaves()[i]).keys())


def resumed(folder: Path, copy: FakeCopy, trusted: int) -> tuple[Replica, list[int]]:
    """A new process over the same folder, and the places that it read."""
    places: list[int] = []
    entries = copy.entries

    def reads(start: int, end: int) -> list[bytes]:
        places.extend(range(start, end))
        return entries(start, end)

    copy.entries = reads  # type: ignore[method-assign]
    made = Replica(run().functions, DOMAIN, chain_of(leaves(), DOMAIN), folder / "failed.json")
    made.over(copy, trusted)
    return made, places


def test_a_restart_reads_no_entry_twice(tmp_path: Path) -> None:
    size = after_the_first_epoch()
    first = replica(tmp_path, copy_of(leaves()))
    first.over(copy_of(leaves()))
    first.admit(size)
    first.close()
    again, places = resumed(tmp_path, copy_of(leaves()), size)
    assert (again.size, places) == (size, [])
    assert again.closings == first.closings != {}
    assert again.collected == first.collected
    again.admit(len(leaves()))
    assert min(places) == size
    whole = replica(tmp_path / "whole", copy_of(leaves()))
    whole.admit(len(leaves()))
    with again.reading() as state, whole.reading() as other:
        assert dump(state) == dump(other)
    assert again.collected == whole.collected


def test_a_place_in_another_log_or_beyond_its_head_is_forgotten(tmp_path: Path) -> None:
    size = after_the_first_epoch()
    first = replica(tmp_path, copy_of(leaves()))
    first.over(copy_of(leaves()))
    first.admit(size)
    first.close()
    assert resumed(tmp_path, copy_of(leaves()), size - 1)[1] == list(range(size - 1))
    other = SignedRun(rounds=2, emission=7)
    other.play(2)
    copy = copy_of(other.leaves)
    assert resumed(tmp_path, copy, size)[1][0] == 0


def test_an_entry_that_breaks_the_machine_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A bug in a rule is no end either: the machine goes back to what was signed, and reads on when something else
    comes."""
    index = index_of("commitment", 1)
    copy = unsigned(index_of("commitment"))
    made, collect = replica(tmp_path, copy), Collected.add
    made.over(copy)
    monkeypatch.setattr(Collected, "add", lambda *_: dict[str, Any]()["a bug"])
    with pytest.raises(LogFailed) as failed:
        made.admit(index + 1)
    assert failed.value.index == index_of("run-terms")
    monkeypatch.setattr(Collected, "add", collect)
    assert made.failure is not None, "it has signed that entry itself"
    restarted = replica(tmp_path, copy)
    restarted.over(copy, copy.signs)
    restarted.admit(index)

    def breaks(*args: Any) -> None:
        if args[0].entered and args[2] not in args[0].entered:
            raise KeyError("a bug")
        collect(*args)

    monkeypatch.setattr(Collected, "add", breaks)
    with pytest.raises(Differs) as refused:
        restarted.advance(len(copy.leaves))
    assert refused.value.index >= index
    assert (restarted.size, restarted.failure) == (copy.signs, None)
    monkeypatch.setattr(Collected, "add", collect)
    restarted.admit(len(copy.leaves))
    assert restarted.size == len(copy.leaves)


def test_the_machine_goes_back_where_the_copy_does(tmp_path: Path) -> None:
    """It left a branch: what was signed beyond the place where both part is read anew, and checked."""
    one, other = SignedRun(rounds=2), SignedRun(rounds=2)
    one.commit_all()
    common = len(one.leaves)
    other.commit_all()
    one.see()
    copy = Unsigned([leaf.encode() for leaf in one.leaves])
    copy.signs = len(copy.leaves)
    found = replica(tmp_path, copy, chain_of(one.leaves, DOMAIN))
    found.over(copy, copy.signs)
    assert found.size == len(one.leaves)
    copy.leaves, copy.signs = copy.leaves[:common], common
    found.advance(common)
    assert found.size == common
    forged = json.loads(one.leaves[index_of("block")])
    copy.leaves.append(json.dumps({**forged, "number": 99}, sort_keys=True, separators=(",", ":")).encode())
    with pytest.raises(LogWaits, match="block 99"):
        found.advance(common + 1)


def test_who_decides_is_read_from_the_log_and_kept(tmp_path: Path) -> None:
    first = replica(tmp_path, copy_of(leaves()))
    first.over(copy_of(leaves()))
    first.admit(len(leaves()))
    judges = first.judges()
    assert judges.k == 2
    assert sorted(judges.keys) == sorted(str(verifier.address) for verifier in run().verifiers)
    first.close()
    assert resumed(tmp_path, copy_of(leaves()), len(leaves()))[0].judges() == judges
