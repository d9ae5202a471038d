"""The small parts of a light node: addresses, what is gleaned, states on the disk, heartbeats, what cheats see."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from blake3 import blake3

from contracts.ids import NO_ADDRESS, ProofId, RunId, as_address, to_hex
from contracts.messages import for_log as messages
from contracts.mirrors.book import Book
from contracts.mirrors.urls import NOWHERE
from contracts.protocol.log.codec import InvalidLeaf, canonical
from contracts.protocol.run_config import RunConfig
from contracts.tensors.state_layout import inner_digest
from contracts.tensors.tensorfile import pack, state_digest
from tests.contracts.protocol.log.signed_run import DOMAIN, SignedRun, key
from tests.trainer.world import deployment
from trainer.conduct import NothingToCopy
from trainer.exchange.keeping import signed_text
from trainer.log_view import admitted
from trainer.log_view.admitted import Admitted, ByChain
from trainer.log_view.gleaned import Gleaned
from trainer.model.state import initial_theta, start_tensors
from trainer.node.pulse import Heartbeat
from trainer.node.settings import NodeSettings
from trainer.node.states import OtherGenesis, StateLost, States
from trainer.node.surroundings import Around, Published

pytestmark = pytest.mark.unit

ONE, TWO = key("verifier 0"), key("verifier 1")
CONFIG = RunConfig(rounds=1, steps=16, segment=4, batch=1, context=16, d_model=16, heads=2, layers=1)


# -- addresses


def address(url: str, sequence: int = 1, of: Any = ONE, by: Any = None) -> dict[str, Any]:
    import json

    message = messages.MirrorAddress(of.address, url, sequence)
    return dict(json.loads(signed_text(message, DOMAIN, bytes((by or of).key), {})))


def book(folder: Path) -> Book:
    return Book(folder / "mirrors.json", DOMAIN, {ONE.address.lower(): "http://127.0.0.1:1"}, loopback=True)


def test_the_newest_signed_address_outlives_a_restart(tmp_path: Path) -> None:
    kept = book(tmp_path)
    assert kept.urls(()) == {ONE.address: "http://127.0.0.1:1"}
    assert kept.take(address("http://127.0.0.1:3", 2))
    assert not kept.take(address("http://127.0.0.1:2", 1))
    kept.take(address("http://127.0.0.1:4", of=TWO))
    expected = {ONE.address: "http://127.0.0.1:3", TWO.address: "http://127.0.0.1:4"}
    assert book(tmp_path).urls((TWO.address,)) == kept.urls((TWO.address,)) == expected
    assert TWO.address not in kept.urls(())


def test_a_foreign_or_private_address_is_not_kept(tmp_path: Path) -> None:
    """Signed by another key, or of a private machine."""
    kept = book(tmp_path)
    assert not kept.take(address("http://127.0.0.1:3", by=TWO))
    assert not kept.take(address("http://10.0.0.1"))
    assert not kept.take({"kind": "leave"})
    assert kept.urls(()) == {ONE.address: "http://127.0.0.1:1"}


def test_who_says_that_it_is_nowhere_is_not_asked(tmp_path: Path) -> None:
    kept = book(tmp_path)
    assert kept.take(address(NOWHERE))
    assert kept.urls((ONE.address,)) == {}


def test_a_list_of_mirrors_of_another_form_is_refused(tmp_path: Path) -> None:
    kept = book(tmp_path)
    for body in (b"{", b"[]", b'{"mirrors":{}}'):
        with pytest.raises(InvalidLeaf):
            kept.take_answer(body)
    kept.take_answer(
        canonical({"mirrors": [5, {"message": None}, {"message": address("http://127.0.0.1:9")}]}).encode()
    )
    assert kept.urls(()) == {ONE.address: "http://127.0.0.1:9"}


@pytest.mark.parametrize(
    ("api", "first", "expected"),
    [
        ("http://127.0.0.1:1", (), True),
        ("http://localhost:1", (), True),
        ("https://server.example", (), False),
        ("https://server.example", ("0x1 http://127.0.0.1:2",), True),
        ("http://server.example", ("0x1 https://mirror.example",), False),
    ],
)
def test_loopback_is_allowed_where_the_deployment_says_so(api: str, first: tuple[str, ...], expected: bool) -> None:
    settings = NodeSettings(
        api_url=api, deployment=deployment(first), rpc_url="", run=RunId("0x"), key="", payout=NO_ADDRESS, folder=Path()
    )
    assert settings.loopback() is expected


def many(count: int) -> list[Any]:
    return [key(f"stranger {number}") for number in range(count)]


def listed(*bodies: dict[str, Any]) -> bytes:
    return canonical({"mirrors": [{"message": body} for body in bodies]}).encode()


def test_strangers_take_no_place_of_those_who_matter(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever lists made-up keys first, before anybody is known, or in the same answer as the real ones."""
    monkeypatch.setattr("contracts.mirrors.book.MOST", 4)
    lies = [address("http://127.0.0.1:9", of=stranger) for stranger in many(6)]
    kept = Book(tmp_path / "mirrors.json", DOMAIN, {}, loopback=True)
    kept.take_answer(listed(*lies))
    assert kept.urls((ONE.address, TWO.address)) == {}
    kept.take_answer(listed(*lies, address("http://127.0.0.1:3")))
    again = Book(tmp_path / "mirrors.json", DOMAIN, {}, loopback=True)
    for found in (kept, again):
        assert found.urls((ONE.address, TWO.address)) == {ONE.address: "http://127.0.0.1:3"}
        found.take_answer(listed(address("http://127.0.0.1:4", of=TWO), *lies))
        assert set(found.urls((ONE.address, TWO.address))) == {ONE.address, TWO.address}


# -- gleaned


def test_what_the_leaves_say_is_gleaned() -> None:
    run = SignedRun(nodes=1)
    run.play()
    found = Gleaned(DOMAIN)
    for text in run.leaves:
        found.take(text.encode())
    verifiers = {v.address for v in run.verifiers}
    assert (found.admitted, found.k, set(found.keys)) == (verifiers, 2, verifiers)
    assert found.terms[to_hex(run.run)].leaseSeconds == 20
    assert found.blobs[run.state.runs[RunId(to_hex(run.run))].theta] == [
        run.state.runs[RunId(to_hex(run.run))].theta[2:]
    ]


def test_a_log_key_counts_under_its_verifiers_own_signature() -> None:
    found = Gleaned(DOMAIN)
    anchor = messages.VerifierAnchor(b"\1" * 32, ONE.address, b"\2" * 32, 4, 1, b"\3" * 32, b"\4" * 32)
    found.take(signed_text(anchor, DOMAIN, bytes(TWO.key), {}).encode())
    assert found.keys == {}
    found.take(signed_text(anchor, DOMAIN, bytes(ONE.key), {}).encode())
    found.take(signed_text(replace(anchor, logKey=b"\5" * 32), DOMAIN, bytes(ONE.key), {}).encode())
    assert found.keys == {ONE.address: b"\5" * 32}
    for odd in (b'"kind":"block"', b'["kind":"merge"', b'{"kind":"verifier-anchor"}', b'\xff"kind":"block"'):
        found.take(odd)


# -- who is admitted


def test_a_chain_node_that_does_not_answer_leaves_what_it_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(admitted, "LOOK_SECONDS", 0.0)
    monkeypatch.setattr(admitted, "require_present", lambda _w3, _deployment: None)
    judges = ByChain(
        "http://127.0.0.1:9", replace(deployment(), verifier_registry=as_address(DOMAIN.verifying_contract))
    )
    answers: list[Any] = [["0xa"], OSError("no")]

    def verifiers() -> list[str]:
        found = answers.pop(0)
        if isinstance(found, OSError):
            raise found
        return list(found)

    monkeypatch.setattr(judges, "_registry", SimpleNamespace(verifiers=verifiers, threshold=lambda: 2))
    first = judges.now()
    assert first == Admitted(frozenset({"0xa"}), 2)
    assert judges.now() == first
    assert not answers


# -- states


def test_weights_come_by_digest_from_any_source_and_are_kept(tmp_path: Path) -> None:
    theta = initial_theta(replace(CONFIG, seed=7))
    digest, data = to_hex(state_digest(theta)), pack(theta)
    other = pack(initial_theta(replace(CONFIG, seed=8)))
    answers = {"bad": b"no tensors", "other": other, "good": data}
    asked: list[list[str]] = []

    def fetch(names: Sequence[str], most: int) -> tuple[str, bytes] | None:
        asked.append(list(names))
        return next(((name, answers[name]) for name in names if name in answers and most >= len(data)), None)

    states = States(tmp_path, fetch)
    assert states.theta(digest, CONFIG, False, ["nobody", "bad", "other"]) is None
    assert asked == [["nobody", "bad", "other"], ["nobody", "other"], ["nobody"]], "all at once, the wrong ones no more"
    found = states.theta(digest, CONFIG, False, ["other", "good"])
    assert found is not None
    assert state_digest(found) == state_digest(theta)
    answers.clear()
    assert states.theta(digest, CONFIG, False, ["good"]) is not None
    next(tmp_path.glob("theta-*")).write_bytes(other)
    assert states.theta(digest, CONFIG, False, ["good"]) is None


def test_the_first_weights_follow_from_the_configuration(tmp_path: Path) -> None:
    states = States(tmp_path, lambda name, most: None)
    assert states.theta(to_hex(state_digest(initial_theta(CONFIG))), CONFIG, True, []) is not None
    with pytest.raises(OtherGenesis):
        states.theta("0x" + "11" * 32, CONFIG, True, [])


def test_moments_are_those_of_the_digest_or_a_joiners(tmp_path: Path) -> None:
    states = States(tmp_path, lambda name, most: None)
    theta = initial_theta(CONFIG)
    joiner = start_tensors(theta, None)
    assert inner_digest(states.start(theta, to_hex(inner_digest(joiner)), CONFIG)) == inner_digest(joiner)
    end = {**joiner, "adam.step": joiner["adam.step"] + 16}
    digest = states.remember(end)
    assert digest == to_hex(inner_digest(end))
    assert to_hex(inner_digest(states.start(theta, digest, CONFIG))) == digest
    states.forget_but({digest}, set())
    assert to_hex(inner_digest(states.start(theta, digest, CONFIG))) == digest
    next(tmp_path.glob("inner-*")).write_bytes(pack(joiner))
    with pytest.raises(StateLost):
        states.start(theta, digest, CONFIG)
    states.forget_but(set(), set())
    assert not list(tmp_path.iterdir())


# -- heartbeats


def test_each_heartbeat_is_another_message_while_work_is_awaited() -> None:
    """None is sent where nothing is awaited."""
    sent: list[messages.LeaseRenewal] = []
    step = [0]
    pulse = Heartbeat(ONE.address, lambda: step[0], sent.append)
    pulse.beat()
    pulse.follow((b"\1" * 32, 3), 20)
    pulse.beat()
    pulse.beat()
    step[0] = 9
    pulse.beat()
    pulse.beat()
    assert [beat.step for beat in sent] == [1, 2, 9, 10]
    assert {(beat.run, beat.round, beat.node) for beat in sent} == {(b"\1" * 32, 3, ONE.address)}
    pulse.follow((b"\1" * 32, 4), 20)
    step[0] = 0
    pulse.beat()
    pulse.follow(None, 20)
    pulse.beat()
    assert [beat.step for beat in sent][4:] == [1]


# -- what a copying conduct sees


def test_a_conduct_sees_what_the_covered_log_shows() -> None:
    from threading import RLock

    run = SignedRun(nodes=2)
    published = Published(DOMAIN)
    run.play()
    for text in run.leaves:
        published.take(text)
    gleaned = Gleaned(DOMAIN)
    log: Any = SimpleNamespace(state=run.state, lock=RLock(), gleaned=gleaned)
    name = blake3(b"bytes").hexdigest()
    around = Around(ONE.key.hex(), DOMAIN, lambda: log, published, lambda digest, most: b"bytes")
    assert around.address == ONE.address
    assert [line.run for line in around.runs()] == [to_hex(run.run)]
    proof, opened = next(iter(published.openings.items()))
    view = around.proof(proof)
    assert (view.proof, view.message) == (proof, published.commitments[proof].message)
    assert view.first_path
    assert view.last_path
    assert view.openings == opened
    current = around.round(RunId(to_hex(run.run)), 1)
    assert (current.number, len(current.nodes)) == (1, 2)
    assert around.blob(name) == b"bytes"
    with pytest.raises(NothingToCopy):
        around.proof(ProofId("0x00"))
    with pytest.raises(NothingToCopy):
        around.round(current.run, 9)
