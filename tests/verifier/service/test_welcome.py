"""What a verifier's mirror takes: messages that the machine would enter, and blobs that these announce (J1, J21)."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from blake3 import blake3

from contracts.ids import RunId, to_hex
from contracts.merkle.positional_tree import KECCAK_TREE
from contracts.messages import for_log as messages
from contracts.mirrors.slots import Sender
from contracts.protocol.judge import facts
from contracts.protocol.judge.snapshot import dump
from contracts.protocol.run_config import RunConfig
from tests.contracts.protocol.log.signed_run import SignedRun, hashed, key
from tests.verifier.town import make_party, text_of
from verifier.mirror.errors import NotAnnounced, NotWelcome, QuotaSpent
from verifier.mirror.store.announced import Announcement, BlobKind, BlobOrigin
from verifier.mirror.store.parsing import Vouching
from verifier.replay import asking
from verifier.replay.sizes import state_size, weights_size
from verifier.service.welcome import Announcer

pytestmark = pytest.mark.unit

DATA = b"bytes of a gradient"


def committing(made: SignedRun, data: bytes = DATA) -> tuple[str, bytes]:
    """A commitment whose gradient is these bytes, as it travels; its text and the gradient's name."""
    node = made.nodes[0]
    message = replace(made.commitment(node), gradientBlob=blake3(data).digest(), gradientSize=len(data))
    entries = made.entries(node, 1)
    first, last = (
        [to_hex(part) for part in KECCAK_TREE.inclusion_proof(entries, place)] for place in (0, len(entries) - 1)
    )
    return text_of(made, message, node, first_path=first, last_path=last), blake3(data).digest()


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
        messages.Merge(made.run, 1, stranger.address, *(b"\1" * 32,) * 5, 1),
    ):
        with pytest.raises(NotWelcome):
            party.hold(text_of(made, message, stranger))
    assert party.world.blobs.missing() == []


def test_a_key_has_what_its_rounds_in_flight_need(tmp_path: Path) -> None:
    made = SignedRun(nodes=1)
    party = make_party(tmp_path, made)
    text = made.config.to_json()
    node, verifier = made.nodes[0].address, made.verifiers[1].address
    run = RunId("0x" + made.run.hex())
    assert party.welcome.budget(BlobOrigin(node, run, 1)) == weights_size(text), "no draw asks for a state yet"
    assert party.welcome.budget(BlobOrigin(node, run, 2)) == 0
    assert party.welcome.budget(BlobOrigin(verifier, run, 2)) == 6 * weights_size(text)
    assert party.welcome.budget(BlobOrigin(key("stranger").address, run, 1)) == 0
    with pytest.raises(QuotaSpent):
        party.world.blobs.announce(Announcement("1" * 64, BlobKind.STATE, 10**9, BlobOrigin(node, run, 1)))


def test_states_have_room_once_draws_ask_for_them(tmp_path: Path) -> None:
    made = SignedRun(nodes=1)
    made.commit_all()
    made.see()
    for verifier in made._seated():
        made.show_secret(verifier)
    party = make_party(tmp_path, made)
    text, node = made.config.to_json(), made.nodes[0].address
    with party.world.replica.reading() as state:
        (proof,) = state.proofs.values()
        asked = {side for segment in proof.segments for side in (segment, segment + 1)}
    assert 2 <= len(asked) <= 5
    place = BlobOrigin(node, RunId("0x" + made.run.hex()), 1)
    assert party.welcome.budget(place) == weights_size(text) + len(asked) * state_size(text)


def test_of_many_commitments_of_a_round_one_has_a_gradient(tmp_path: Path) -> None:
    """The first that this mirror held; the log's, as soon as it has another one."""
    made = SignedRun(nodes=1)
    party = make_party(tmp_path, made)
    blobs, node = party.world.blobs, made.nodes[0].address
    names = []
    for number in range(3):
        text, name = committing(made, bytes([number]) * 1_000)
        party.hold(text)
        names.append(name.hex())
    assert blobs.sizes(names[0]) == {1_000}
    for other in names[1:]:
        with pytest.raises(NotAnnounced):
            blobs.sizes(other)
    with blobs.receive(names[0]) as receiving:
        receiving.write(bytes(1_000))
        receiving.finish()
    made.commit(made.nodes[0])
    party.follow()
    gradient = hashed("blob", node, 1).hex()
    assert blobs.sizes(gradient) == {1_000}
    assert (
        blobs.missing(),
        blobs.has(names[0]),
        blobs.announced_bytes(BlobOrigin(node, RunId("0x" + made.run.hex()), 1)),
    ) == (
        [gradient],
        False,
        1_000,
    )


def test_a_gradient_that_no_layout_has_is_not_announced(tmp_path: Path) -> None:
    made = SignedRun(nodes=1)
    party = make_party(tmp_path, made)
    text, name = committing(made, bytes(weights_size(made.config.to_json()) + 1))
    party.hold(text)
    with pytest.raises(NotAnnounced):
        party.world.blobs.sizes(name.hex())


def test_questions_for_unannounced_bytes_read_no_messages_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = SignedRun(nodes=1)
    party = make_party(tmp_path, made)
    looks: list[int] = []
    found = Announcer._new
    monkeypatch.setattr(Announcer, "_new", lambda announcer: looks.append(1) or found(announcer))  # type: ignore[func-returns-value]
    text, name = committing(made)
    party.hold(text)
    for _ in range(5):
        with pytest.raises(NotAnnounced):
            party.world.blobs.sizes("1" * 64)
    assert party.world.blobs.sizes(name.hex()) == {len(DATA)}
    assert len(looks) == 1


def test_a_boundary_has_one_file(tmp_path: Path) -> None:
    """Of a path's end everything but the file's name is bound, and a node may sign many."""
    made = SignedRun(nodes=1)
    made.commit_all()
    made.see()
    for verifier in made._seated():
        made.show_secret(verifier)
    party = make_party(tmp_path, made)
    (proof,) = made.round.closed
    boundary = min(made.state.proofs[proof].segments)
    entries, node = made.entries(made.nodes[0], 1), made.nodes[0]
    blobs = [bytes([number]) * 32 for number in range(1, 4)]
    for name in blobs:
        message = replace(made.opening(proof, boundary, entries), blob=name)
        party.hold(text_of(made, message, node, path=made.path(entries, boundary)))
    assert party.world.blobs.sizes(blobs[0].hex()) == {5_000}
    for name in blobs[1:]:
        with pytest.raises(NotAnnounced):
            party.world.blobs.sizes(name.hex())


def test_who_may_vouch_is_asked_one_by_one(tmp_path: Path) -> None:
    made = SignedRun(nodes=1)
    party = make_party(tmp_path, made)
    run, (one, other) = RunId(to_hex(made.run)), sorted(key(f"maintainer {i}").address for i in range(2))
    credited = facts.Credited(run, "a key", 1, made.nodes[0].address, 1, ())
    welcome = party.welcome.is_welcome
    assert not welcome(Vouching(credited)), "the run has no maintainers"
    with party.world.replica.reading() as state:
        config = RunConfig.from_json(state.runs[run].config)
        state.runs[run].config = replace(config, maintainers=f"2:{one},{other}").to_json()
    assert welcome(Vouching(credited))
    assert [welcome(Vouching(credited, name)) for name in (one, other, made.nodes[0].address)] == [True, True, False]
    assert [welcome(replace(credited, signers=names)) for names in ((one,), (one, other))] == [False, True]
    assert not welcome(Vouching(replace(credited, weight=0)))


def test_an_invoice_is_vouched_by_renter_and_maintainers(tmp_path: Path) -> None:
    """Each may sign, nobody else, and a question leaves no trace in the machine."""
    one, other = sorted(key(f"maintainer {i}").address for i in range(2))
    capital = {"maintainers": f"2:{one},{other}", "capital_weight": 1, "capital_cap": 10**9, "token_price": 10**6}
    made = SignedRun(nodes=1, rounds=3, config=capital)
    hour = made.round.opened_at // 3600
    made.commit_all()
    made.see()
    made.read_all()
    made.block(seconds=3600)
    made.merge()
    party = make_party(tmp_path, made)
    node, renter = made.nodes[0].address, key("renter").address
    wallet = key(f"wallet of {node}").address
    machine = (wallet, "lambda", "i-7", "bill", (node,), hour, hour + 1, 10**6, False)
    fact = facts.Invoiced(RunId(to_hex(made.run)), "a key", renter, *machine, ())
    welcome = party.welcome.is_welcome
    with party.world.replica.reading() as state:
        before = dump(state)
        assert welcome(Vouching(fact))
        assert [welcome(Vouching(fact, name)) for name in (one, renter, wallet, node)] == [True, True, True, False]
        signers = tuple(sorted((one, other, renter, wallet)))
        assert welcome(replace(fact, signers=signers))
        assert not welcome(replace(fact, signers=(one, other, renter)))
        assert not welcome(replace(fact, signers=signers, end=hour + 2))
        assert dump(state) == before


def test_the_terms_give_the_rate_of_bytes_and_whose_stake_counts(tmp_path: Path) -> None:
    made = SignedRun(nodes=1, leastRate=8_000)
    party = make_party(tmp_path, made)
    announcer, run = party.world.blobs._announcer, to_hex(made.run)  # type: ignore[attr-defined]
    assert announcer.sender(made.nodes[0].address, run) == Sender(made.nodes[0].address, False, 1_000)
    assert announcer.sender(made.verifiers[0].address, run) == Sender(made.verifiers[0].address, True, 1_000)
    assert announcer.sender("nobody", "no run").staked is False


def test_a_merges_files_outlive_their_epoch_while_they_are_used(tmp_path: Path) -> None:
    made = SignedRun(nodes=1, rounds=4)
    made.play(1)
    party = make_party(tmp_path, made)
    run = RunId("0x" + made.run.hex())
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


def test_what_is_left_of_older_rounds_takes_no_room_of_a_new_one(tmp_path: Path) -> None:
    """Another's proof may hold a round that is over: the files of that round are not forgotten yet."""
    made = SignedRun(nodes=1)
    party = make_party(tmp_path, made)
    run, node = "0x" + made.run.hex(), made.nodes[0]
    announcer, blobs = party.world.blobs._announcer, party.world.blobs  # type: ignore[attr-defined]
    with blobs._announced.write() as tables:
        old = ("1" * 64, node.address, 10**9, run, "", 0, BlobKind.STATE)
        tables.execute("INSERT INTO announced VALUES (?, ?, ?, ?, ?, ?, ?)", old)
    made.commit(node)
    party.follow()
    announcer.announce(blobs)
    assert blobs.sizes(hashed("blob", node.address, 1).hex()) == {1_000}
