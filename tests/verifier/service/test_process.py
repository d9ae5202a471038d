"""Verifier processes over HTTP with real training: a round is held, drawn, read, merged, and its epoch signed."""

from __future__ import annotations

from pathlib import Path

import pytest

from contracts.ids import RunId, to_hex
from contracts.messages.for_log import VerifierAnchor
from contracts.protocol.judge.facts import Word
from contracts.protocol.judge.state import Stage
from contracts.tlog.cosignature import verify_cosignature
from contracts.tlog.keys import SignatureType
from contracts.tlog.note import SignedNote
from tests.holds import Threat, holds
from tests.verifier.real_run import Town, town
from verifier.mirror.exchange import delivering

pytestmark = pytest.mark.integration


def head_of(found: Town, number: int) -> SignedNote:
    head = found.processes[number].mirror.copy.head()
    assert head is not None
    return head.note


def signed_by_all(found: Town) -> None:
    """Until the three verifiers have signed the epoch of its round."""
    for _ in range(40):
        found.turn()
        if len(found.signatures) == 3:
            return
    pytest.fail(f"after 40 turns: {found.run.round.phase}, {found.said}")


def test_an_honest_round_is_posted_merged_and_signed_for(tmp_path: Path) -> None:
    """The last verifier cannot be reached: it puts its messages to the other mirrors."""
    with town(tmp_path, hidden=2, nodes=2, verifiers=3) as found:
        signed_by_all(found)
        posted = [proof.stage for proof in found.run.state.proofs.values()]
        assert posted == [Stage.POSTED, Stage.POSTED]
        words = [w.word for p in found.run.state.proofs.values() for s in p.segments.values() for w in s.words.values()]
        assert set(words) == {Word.TRUE}
        roots = {body["message"]["logRoot"] for _, body in found.signatures}
        assert len(roots) == 1
        assert {body["signer"] for _, body in found.signatures} == {v.address for v in found.run.verifiers}
        run = found.run.state.runs[RunId(to_hex(found.run.run))]
        assert run.theta != run.created.theta
        for number, process in enumerate(found.processes):
            with process.world.replica.reading() as state:
                merge = process.world.replica.collected.blobs[state.runs[RunId(to_hex(found.run.run))].theta]
            assert all(process.mirror.blobs.has(name) for name in merge), "who signs serves the result"
            key = process.world.secrets.log_key().verifier(process.address, SignatureType.COSIGNATURE)
            verify_cosignature(head_of(found, number), key)
        said = [line for lines in found.said.values() for line in lines]
        assert not [line for line in said if line.event in ("lapse", "log failed", "refused")], said


def test_two_profiles_are_judged_each_in_its_own_and_merged(tmp_path: Path) -> None:
    """One node is exact, one portable; each verifier anchors its exact profile, and reads both in one process."""
    with town(tmp_path, mixed=True, nodes=2, verifiers=3) as found:
        signed_by_all(found)
        proofs = found.run.state.proofs.values()
        assert [proof.stage for proof in proofs] == [Stage.POSTED, Stage.POSTED]
        assert {proof.commitment.profile for proof in proofs} == {to_hex(name) for name in found.run.profiles}
        words = [w.word for p in proofs for s in p.segments.values() for w in s.words.values()]
        assert set(words) == {Word.TRUE}
        run = found.run.state.runs[RunId(to_hex(found.run.run))]
        assert {anchors[-1].profile for anchors in run.anchors.values()} == {to_hex(found.run.profiles[0])}
        assert run.merged == 1


@holds(
    "A message that the log omits keeps every epoch unsigned",
    by="verifier/duties/epochs.py:sign",
    against=Threat.SILENT_SERVER,
)
def test_a_dropped_message_keeps_every_epoch_unsigned(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The operator does not enter one verifier's merge, which nothing depends on: nobody who holds it signs."""
    monkeypatch.setattr(delivering, "AGAIN", 0.1)
    with town(tmp_path, nodes=1, verifiers=3) as found:
        last = found.run.verifiers[2].address
        found.dropped = {("merge", last)}
        for _ in range(30):
            found.turn()
        assert found.run.state.epochs, "two merges were enough"
        assert found.signatures == []
        for process in found.processes:
            assert [held.signed.signers for held in process.mirror.messages.held()] == [(last,)]
        found.dropped = set()
        for _ in range(20):
            found.turn()
            if len(found.signatures) == 3:
                break
        assert len(found.signatures) == 3


def test_a_restart_goes_on(tmp_path: Path) -> None:
    with town(tmp_path, nodes=1, verifiers=3) as found:
        for _ in range(6):
            found.turn()
        first = found.processes[1]
        first.__exit__()
        size, key = first.world.replica.size, first.world.secrets.log_key().public
        again = found.process(1)
        found.processes[1] = again
        assert again.world.replica.size == size
        assert again.world.secrets.log_key().public == key
        for _ in range(40):
            found.turn()
            if len(found.signatures) == 3:
                break
        assert len(found.signatures) == 3, found.said


def test_duties_are_done_while_the_server_takes_no_message(tmp_path: Path) -> None:
    """Each verifier has anchored itself, on its own disk, while the first delivery of each still hangs."""
    with town(tmp_path, nodes=1, verifiers=3) as found:
        found.hangs.set()
        try:
            for process in found.processes:
                for _ in range(3):
                    process.step()
                assert [held for held in process.world.voice.held() if isinstance(held.message, VerifierAnchor)]
            assert not found.gave_up
        finally:
            found.hangs.clear()
