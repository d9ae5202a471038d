"""An operator that owns database, server and clock has fakes paid and honest people void, slashed or forgotten."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest
from eth_utils import keccak
from sqlmodel import select

from contracts.draw import BEACON_DELAY, draw_segments
from contracts.maintainers import Maintainers
from contracts.messages import CodeContribution, StepProof, Verdict, to_json
from contracts.pledge import Pledge
from contracts.signing import digest, sign
from ledger import absences, log, rounds, verdicts
from ledger.chain import ModelChain
from ledger.tables import DecisionRow, Participant, Run
from tests.attacks.outsiders.hostile import (
    FOUR,
    PHASE,
    Between,
    Reader,
    clock_of,
    drawn,
    false_in,
    findings,
    happened,
    must_be,
    paid,
    read_all,
    read_by,
    readers,
    seat,
    serve,
    state_of,
    step_all,
    still_open,
    wait_for_luck,
)
from tests.world import REJECT, TINY, Place, StillChain, Work, World, accepted, hexed, key_of, octets
from trainer.node import Node, NodeSettings

pytestmark = pytest.mark.integration
FRIEND = key_of("friend of the operator")
HOUR = 3_600


@pytest.fixture(scope="module")
def place() -> Place:
    """For those who settle no epoch."""
    return Place(chain=StillChain)


@pytest.fixture
def pair(place: Place, tmp_path: Path) -> Iterator[World]:
    """An honest node, and a friend of the operator."""
    with World(tmp_path / "pair", place) as made:
        yield made


@pytest.fixture
def single(place: Place, tmp_path: Path) -> Iterator[World]:
    """One node, rounds of four segments."""
    with World(tmp_path / "single", place, nodes=1, config=FOUR) as made:
        yield made


def finish(world: World) -> None:
    """Merge what is posted, and close the epoch."""
    world.step()
    world.close_round()


# -- what is written --------------------------------------------------------------------------------------------------


def test_a_harmless_segment_is_disputed_in_the_fakes_place(single: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """F3: three honest verifiers find the fake and are then asked about another segment, which is good."""
    escalate = verdicts._escalate
    monkeypatch.setattr(verdicts, "_escalate", lambda ledger, session, proof, _: escalate(ledger, session, proof, {0}))
    single.start(samples=4)
    node, everybody, cheat = single.nodes[0], readers(single), false_in(2)
    proof = single.commit(node, cheat)
    read_by(single, proof, everybody, lambda: serve(single, proof, node, cheat))
    happened(single.log("proof-disputed")[0]["disputed"] == [0])
    read_all(everybody, 2)
    single.own_up(proof)
    must_be(findings(single) != [], True)


@pytest.fixture(scope="module")
def held(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """Holders gave code most of the emission, and took it back. The operator's friend vouches for code."""
    rules = str(Maintainers(1, (FRIEND.address,)))
    config = replace(TINY, maintainers=rules, code_weight=90, compute_weight=10)
    with World(tmp_path_factory.mktemp("held") / "world", nodes=1, config=config) as made:
        made.create_run()
        made.enrol(made.nodes[0], payout=made.creator.address)
        for verifier in made.verifiers:
            made.anchor(verifier)
        made.step()
        made.play_round()
        made.settle_epoch()
        made.claim(made.creator.address)
        made.wait(2)
        model, models = made.ledger.chain.model, made.ledger.chain.models
        decided = [models.decide(model, keccak(text=value), "code_weight", value) for value in ("90", "0")]
        made.enact(made.creator, *decided)
        made.mine()
        made.step()
        yield made


def decisions(world: World) -> list[DecisionRow]:
    """What the operator knows that the holders decided."""
    with world.ledger.store.read() as session:
        return list(session.exec(select(DecisionRow).order_by(DecisionRow.sequence)))  # type: ignore[arg-type]


def vouch(world: World, commit: str) -> None:
    """The friend vouches for its own code."""
    said = CodeContribution(world.ledger.chain.model, "git:friend", commit, FRIEND.address, 5, world.clock.now + 100)
    signatures = {FRIEND.address: hexed(sign(said, world.ledger.chain.domain, bytes(FRIEND.key)))}
    body = {"contribution": "CodeContribution", "message": to_json(said), "signatures": signatures}
    accepted(world.client.post(f"/v1/runs/{world.run}/contributions", json=body))


@still_open("F5: rule J17")
def test_a_decision_is_ignored(held: World) -> None:
    """F5: what the operator passes over stands in no log, and its friend keeps most of the emission."""
    known = decisions(held)
    happened([row.value for row in known] == ["90", "0"])
    with held.ledger.store.write() as session:
        run = session.get_one(Run, held.run)
        run.decided = known[-1].sequence
        session.add(run)
    held.play_round()
    vouch(held, "ab" * 20)
    before = paid(held, FRIEND.address)
    held.play_round()
    happened(paid(held, FRIEND.address) - before == 900)
    must_be(findings(held) != [], True)


@still_open("F5: rule J17")
def test_a_decision_of_the_past_is_repeated(held: World) -> None:
    """F5: what holders decided and took back before this run began is applied in it."""
    first, before = decisions(held)[0], paid(held, FRIEND.address)
    theirs, held.config = held.run, replace(held.config, code_weight=0)
    held.start(nonce=7)
    happened(findings(held) == [])
    with held.ledger.store.write() as session:
        run = session.get_one(Run, held.run)
        run.config = held.config.with_decision(first.key, first.value).to_json()
        session.add(run)
        log.append(
            session, "decision", run=run.id, sequence=first.sequence, key=first.key, value=first.value, from_round=2,
            outcome="applied",
        )  # fmt: skip
    held.play_round()
    vouch(held, "cd" * 20)
    held.play_round()
    happened(theirs != held.run and paid(held, FRIEND.address) - before == 900)
    must_be(findings(held) != [], True)


@still_open("F29: rule J4")
def test_a_node_is_left_out_of_the_round(pair: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """F29: an enrolled node is not on the list, and the friend gets all."""
    left_out, friend = pair.nodes
    members = rounds._members
    monkeypatch.setattr(rounds, "_members", lambda *about: [n for n in members(*about) if n.node != left_out.address])
    pair.start(minNodes=1)
    proof = pair.commit(friend)
    seat(pair, proof)
    pair.decide(proof)
    finish(pair)
    happened(paid(pair, pair.wallets[1].address) == 1000)
    must_be(findings(pair) != [], True)


@still_open("F29: rule J3, J4")
def test_a_node_lapses_by_the_operators_word(pair: World) -> None:
    """F29: it is at work and beats, and its proof is refused all the same."""
    at_work, friend = pair.nodes
    pair.start()
    accepted(pair.post("/heartbeats", pair.heartbeat_message(at_work), at_work))
    with pair.ledger.store.write() as session:
        place = session.get_one(Participant, (pair.run, 1, at_work.address))
        place.lapsed = True
        session.add(place)
        log.append(session, "node-lapsed", run=pair.run, round=1, node=at_work.address, step=1)
    happened(pair.post_proof(pair.train(at_work)).json()["code"] == "not-enrolled")
    proof = pair.commit(friend)
    seat(pair, proof)
    pair.decide(proof)
    finish(pair)
    happened(paid(pair, pair.wallets[1].address) == 1000)
    must_be(findings(pair) != [], True)


# -- what is dropped --------------------------------------------------------------------------------------------------


def drop_verdicts(monkeypatch: pytest.MonkeyPatch, dropped: Callable[[Verdict], bool]) -> None:
    """The server thanks for some verdicts and enters them nowhere."""
    submit = verdicts.submit

    def keep_back(ledger: Any, message: Verdict, signature: bytes) -> None:
        if not dropped(message):
            submit(ledger, message, signature)

    monkeypatch.setattr(verdicts, "submit", keep_back)


@still_open("F9: rule J1, J2, J3")
def test_two_dropped_accepts_void_honest_work(pair: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """F9: all three accepted, one is heard, and the friend gets everything."""
    pair.start()
    honest, friends = (pair.commit(node) for node in pair.nodes)
    silenced = {verifier.address for verifier in pair.verifiers[1:]}
    drop_verdicts(monkeypatch, lambda said: hexed(said.proof) == honest and said.verifier in silenced)
    seat(pair, honest)
    for verifier in pair.verifiers:
        pair.judge(verifier, honest)
    pair.decide(friends)
    pair.wait(2 * PHASE + 1)
    pair.step()
    happened(state_of(pair, honest) == ("voided", "quorum-missing") and findings(pair) == [])
    finish(pair)
    must_be(paid(pair, pair.wallets[0].address), 500)


@still_open("F9: rule J1, J2, J3")
def test_a_dropped_reveal_has_an_honest_verifier_slashed(tmp_path: Path) -> None:
    """F9: it read, bound itself and revealed; nobody sees the trace, and two honest others sign its fault."""
    with World(tmp_path / "world", nodes=1, config=FOUR) as world:
        world.start(samples=2)
        robbed, *others = (Reader(world, key, Between) for key in world.verifiers)
        robbed.client.drops["/reveals"] = lambda _message: True
        node, everybody = world.nodes[0], [robbed, *others]
        proof = world.commit(node)
        read_by(world, proof, everybody, lambda: serve(world, proof, node))
        world.own_up(proof)
        step_all(everybody)
        world.wait(PHASE + 1)
        world.step()
        step_all(everybody)
        happened(robbed.client.kept and state_of(world, proof)[0] == "posted")
        for _ in range(3):
            world.mine()
            world.step()
        must_be(world.ledger.chain.registry.stake_of(robbed.key.address), world.place.params.min_stake)


def found_by_the_last(world: World, proof: str, fake: int, beacon: bytes) -> bool:
    """Whether the last verifier alone draws the fake."""
    return [fake in drawn(world, verifier, proof, beacon) for verifier in world.verifiers] == [False, False, True]


@still_open("F19: rule J1")
def test_whose_reject_was_dropped_signs_for_the_fake(single: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """F19: it alone drew the fake and said so; then it puts its name under the epoch that pays it."""
    single.start(samples=2)
    node, everybody, cheat = single.nodes[0], readers(single), false_in(2)
    drop_verdicts(monkeypatch, lambda said: said.outcome == REJECT)
    proof = single.commit(node, cheat)
    wait_for_luck(single, proof, lambda beacon: found_by_the_last(single, proof, 2, beacon))
    read_by(single, proof, everybody, lambda: serve(single, proof, node, cheat))
    happened(any("reject" in line for line in everybody[2].told("verdict")))
    single.wait(2 * PHASE + 1)
    single.step()
    single.own_up(proof)
    single.step()
    read_all(everybody, 2)
    single.step()
    step_all(everybody)
    happened(paid(single, single.wallets[0].address) == 1000)
    must_be(everybody[2].key.address in single.get("/epochs")[0]["signatures"], False)


# -- what is known too early ------------------------------------------------------------------------------------------


@still_open("F18: rule J5, J6")
def test_links_are_shown_while_others_still_commit(pair: World) -> None:
    """F18: who commits last knows what every verifier will draw, but for the beacon."""
    pair.start(samples=2)
    first, everybody = pair.commit(pair.nodes[0]), readers(pair)
    seat(pair, first)
    step_all(everybody)
    happened(pair.round_view()["phase"] == "training")
    must_be([said["message"]["verifier"] for said in pair.log("challenge")], [])


@still_open("F18: rule J5, J6")
def test_a_known_beacon_is_tried_until_the_draws_suit(
    place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """F18: the block came between two looks of the verifiers; the node picks a salt, and does half of the segments."""
    with World(tmp_path / "world", place, config=FOUR) as world:
        world.start(samples=2)
        (honest, cheat), lazy, everybody = world.nodes, false_in(2, 3), readers(world)
        first = world.commit(honest)
        seat(world, first)
        world.decide(first)
        step_all(everybody)
        world.mine(1)
        work = world.train(cheat, lazy)
        message = suiting(world, work, {0, 1})
        with monkeypatch.context() as late:
            late.setattr(ModelChain, "head", lambda chain: chain.final() - BEACON_DELAY)
            proof = str(accepted(world.post_proof(work, message))["proof"])
        read_by(world, proof, everybody, lambda: serve(world, proof, cheat, lazy))
        world.own_up(proof)
        world.step()
        read_all(everybody, 2)
        world.step()
        step_all(everybody)
        happened(findings(world) == [] and len(world.get("/epochs")[0]["signatures"]) == 3)
        must_be(paid(world, world.wallets[1].address), 0)


def suiting(world: World, work: Work, done: set[int]) -> StepProof:
    """A proof whose draws all lie within what was done, under the newest block and the links that were shown."""
    node, beacon = work.node, world.ledger.chain.block_hash(world.ledger.chain.final())
    links = [octets(said["message"]["link"]) for said in world.log("challenge")]
    for number in range(10_000):
        pledge = Pledge(number.to_bytes(32))
        message = world.proof_message(work, pledge=pledge.seal(node.address))
        name = digest(message, world.domain)
        if all(set(draw_segments(beacon, link, name, world.config.segments, 2)) <= done for link in links):
            world.pledges[node.address] = pledge
            return message
    raise RuntimeError("no salt suits")


class Asking(Between):
    """A server that says of every proof that its pledge is awaited, until a pledge came or it asked often enough."""

    def __init__(self, client: Any, stop: threading.Event) -> None:
        super().__init__(client)
        self._stop, self._left = stop, 5
        self.lies[r"/proofs/0x[0-9a-f]+/status"] = self._ask
        self.drops["/pledges"] = lambda _message: self._stop.set() is None

    def _ask(self, status: dict[str, Any]) -> dict[str, Any]:
        self._left -= 1
        if self._left == 0:
            self._stop.set()
        return {**status, "pledge_wanted": True}


def canary(world: World, folder: Path, client: Any) -> Node:
    """The node as it is, a canary in every round."""
    settings = NodeSettings(
        "http://world", world.run, world.nodes[0].key.hex(), world.wallets[0].address, folder,
        (world.folder / "text.txt",), calm_seconds=0.0, canary_ppm=1_000_000,
    )  # fmt: skip
    with patch("trainer.node.ApiClient", lambda *_: client):
        return Node(settings, lambda _progress: None)


@still_open("F22: rule J13")
def test_a_pledge_is_opened_because_the_server_asks(single: World, tmp_path: Path) -> None:
    """F22: nobody has drawn or spoken, and the server knows which proofs are canaries."""
    single.start()
    stop = threading.Event()
    server = Asking(single.api_client(single.nodes[0]), stop)
    with clock_of(single):
        canary(single, tmp_path / "node", server).take_part(stop)
    happened(single.log("proof-submitted") and not single.log("challenge"))
    must_be(server.kept, [])


# -- whose clock ------------------------------------------------------------------------------------------------------


@still_open("F13: rule J3")
def test_a_clock_an_hour_ahead_refuses_every_heartbeat(pair: World) -> None:
    """F13: the node's deadline is two minutes from now by every other clock."""
    pair.start()
    until, node = pair.deadline(), pair.nodes[0]
    pair.clock.now += HOUR
    answer = pair.post("/heartbeats", pair.heartbeat_message(node, deadline=until), node)
    must_be(answer.status_code, 200)


@still_open("F13: rule J3")
def test_a_clock_an_hour_ahead_voids_honest_work(pair: World) -> None:
    """F13: all accept in time by every other clock, and are told that they are late."""
    pair.start()
    proof, _ = (pair.commit(node) for node in pair.nodes)
    seat(pair, proof)
    for verifier in pair.verifiers:
        pair.draw(verifier, proof)
    until = pair.deadline()
    pair.clock.now += HOUR
    absences.end(pair.ledger)  # a keeper notices that its clock was set
    for verifier in pair.verifiers:
        message = pair.verdict_message(verifier, proof, deadline=until)
        happened(pair.post("/verdicts", message, verifier).json()["code"] == "message-expired")
    pair.wait(2 * PHASE + 1)
    pair.step()
    must_be(state_of(pair, proof), ("pending", None))
