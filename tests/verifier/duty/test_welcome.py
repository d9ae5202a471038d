"""What a verifier's mirror takes: messages that the machine would enter, and blobs that these announce (J1, J21)."""

from __future__ import annotations

from pathlib import Path

import pytest
from blake3 import blake3

from contracts.protocol import messages
from tests.contracts.protocol.log.signed_run import SignedRun, hashed, key
from tests.verifier.duty.town import make_party, text_of
from verifier.duty import asking
from verifier.duty.sizes import state_size, weights_size
from verifier.mirror.announced import Announcement, Kind, Place
from verifier.mirror.errors import NotAnnounced, NotWelcome, QuotaSpent

pytestmark = pytest.mark.unit

DATA = b"bytes of a gradient"


def committing(made: SignedRun) -> tuple[str, bytes]:
    """A commitment whose gradient is DATA, as it travels; its text and the gradient's name."""
    from dataclasses import replace

    from contracts.positional_tree import KECCAK_TREE
    from tests.contracts.protocol.log.signed_run import hexed

    node = made.nodes[0]
    message = replace(made.commitment(node), gradientBlob=blake3(DATA).digest(), gradientSize=len(DATA))
    entries = made.entries(node, 1)
    first, last = (
        [hexed(part) for part in KECCAK_TREE.inclusion_proof(entries, place)] for place in (0, len(entries) - 1)
    )
    return text_of(made, message, node, first_path=first, last_path=last), blake3(DATA).digest()


def test_a_blob_is_taken_as_soon_as_its_message_is_held(tmp_path: Path) -> None:
    made = SignedRun(nodes=1)
    party = make_party(tmp_path, made)
    text, name = committing(made)
    blobs = party.world.blobs
    with pytest.raises(NotAnnounced), blobs.receive(name.hex()):
        pass
    party.hold(text)
    with blobs.receive(name.hex(), len(DATA)) as receiving:
        receiving.write(DATA)
        receiving.finish()
    assert blobs.read(name.hex()) == DATA


def test_a_strangers_message_announces_nothing(tmp_path: Path) -> None:
    made = SignedRun(nodes=1)
    party = make_party(tmp_path, made)
    made.nodes = [key("stranger")]
    with pytest.raises(KeyError):
        committing(made)
    stranger = key("stranger")
    for message in (
        messages.Has(made.run, 1, stranger.address, (b"\1" * 32,)),
        messages.LeaseRenewal(made.run, 1, stranger.address, 1),
        messages.Merge(made.run, 1, stranger.address, b"\1" * 32, b"\1" * 32, b"\1" * 32, b"\1" * 32, 1),
    ):
        with pytest.raises(NotWelcome):
            party.hold(text_of(made, message, stranger))
    assert party.world.blobs.missing() == []


def test_a_key_has_what_its_rounds_in_flight_need(tmp_path: Path) -> None:
    made = SignedRun(nodes=1)
    party = make_party(tmp_path, made)
    text = made.config.to_json()
    node, verifier = made.nodes[0].address, made.verifiers[1].address
    least = weights_size(text) + 5 * state_size(text)
    assert least <= party.welcome.budget(node) < 2 * least + 10 * 2**16
    assert party.welcome.budget(verifier) == 6 * weights_size(text)
    assert party.welcome.budget(key("stranger").address) == 0
    run = "0x" + made.run.hex()
    with pytest.raises(QuotaSpent):
        party.world.blobs.announce(Announcement("1" * 64, Kind.STATE, 10**9, Place(node, run, 1)))


def test_a_merges_files_outlive_their_epoch_while_a_round_begins_from_them(tmp_path: Path) -> None:
    made = SignedRun(nodes=1, rounds=4)
    made.play(1)
    party = make_party(tmp_path, made)
    run = "0x" + made.run.hex()
    theta = hashed("theta", 1).hex()
    announcer, blobs = party.world.blobs._announcer, party.world.blobs  # type: ignore[attr-defined]
    announcer.announce(blobs)
    announcer.keep(blobs)
    blobs.forget(run, 1)
    assert blobs.sizes(theta) == {weights_size(made.config.to_json())}
    with party.world.replica.reading() as state:
        log = party.world.replica.collected
        assert theta in asking.wanted(state, log, party.world.address)
    made.play(2)
    party.follow()
    announcer.announce(blobs)
    announcer.keep(blobs)
    blobs.forget(run, 3)
    with pytest.raises(NotAnnounced):
        blobs.sizes(theta)


def test_the_verifiers_are_those_on_the_chains_list(tmp_path: Path) -> None:
    made = SignedRun()
    party = make_party(tmp_path, made)
    assert sorted(party.welcome.verifiers()) == sorted(v.address for v in made.verifiers)
    assert party.welcome.is_verifier(made.verifiers[0].address)
    assert not party.welcome.is_verifier(made.nodes[0].address)


def test_what_a_key_had_no_room_for_is_announced_once_old_rounds_are_forgotten(tmp_path: Path) -> None:
    """An epoch became final, so that its rounds count no more, and their files were not forgotten yet."""
    made = SignedRun(nodes=1)
    party = make_party(tmp_path, made)
    run, node = "0x" + made.run.hex(), made.nodes[0]
    announcer, blobs = party.world.blobs._announcer, party.world.blobs  # type: ignore[attr-defined]
    full = party.welcome.budget(node.address)
    blobs.announce(Announcement("1" * 64, Kind.STATE, full, Place(node.address, run, 0)))
    made.commit(node)
    party.follow()
    gradient = hashed("blob", node.address, 1).hex()
    announcer.announce(blobs)
    with pytest.raises(NotAnnounced):
        blobs.sizes(gradient)
    blobs.forget(run, 0)
    announcer.announce(blobs)
    assert blobs.sizes(gradient) == {1_000}
