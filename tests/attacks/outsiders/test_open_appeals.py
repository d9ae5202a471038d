"""Appeals: won by silence, by pointing at a good segment, by a view of the server's; or never paid, or never over."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from eth_account.signers.local import LocalAccount

from contracts.chain import send
from contracts.messages import BisectionMove, to_json
from contracts.signing import sign
from contracts.tensorfile import pack
from ledger import appeals
from tests.attacks.outsiders.hostile import (
    PHASE,
    Between,
    Reader,
    clock_of,
    credited,
    false_in,
    findings,
    happened,
    must_be,
    paid,
    seat,
    serve,
    state_of,
    step_all,
    still_open,
)
from tests.world import ACCEPT, REJECT, World, accepted, hexed, octets
from trainer.bisect import state_after, state_name
from trainer.defence import Defence
from trainer.trajectory import InnerRunner, run_inner
from verifier.checks import Case

pytestmark = pytest.mark.integration
STAKE, DAY = 10**15, 86_400


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    """One node, two segments of two steps, all of which everybody draws."""
    with World(tmp_path / "world", nodes=1) as made:
        yield made


def begun(world: World, runner: InnerRunner = run_inner, **rules: Any) -> str:
    """The first node's proof, drawn by all and opened."""
    world.start(**{"samples": world.config.segments, **rules})
    node = world.nodes[0]
    proof = world.commit(node, runner)
    seat(world, proof)
    for verifier in world.verifiers:
        world.draw(verifier, proof)
    serve(world, proof, node, runner)
    return proof


def reject(world: World, proof: str, segments: dict[str, int]) -> None:
    """All reject at both stages, each the segment by its address."""
    for _ in range(2):
        for verifier in world.verifiers:
            if state_of(world, proof)[0] == "pending":
                world.judge(verifier, proof, REJECT, segment=segments[verifier.address])
    happened(state_of(world, proof) == ("voided", "replay-mismatch"))


def all_reject(world: World, proof: str, segment: int) -> None:
    """Everybody rejects the same segment."""
    reject(world, proof, {verifier.address: segment for verifier in world.verifiers})


def appeal(world: World, proof: str) -> Any:
    """The node appeals."""
    world.appeal(proof)
    settle(world)
    return world.get(f"/appeals/{proof}")


def settle(world: World) -> None:
    """What is queued comes into final blocks and is read from them."""
    for _ in range(3):
        world.mine()
        world.step()


def respondent_of(world: World, shown: Any) -> tuple[LocalAccount, list[LocalAccount]]:
    """Who has to answer, and the others."""
    others = [verifier for verifier in world.verifiers if verifier.address != shown["respondent"]]
    (found,) = set(world.verifiers) - set(others)
    return found, others


def defend(world: World, proof: str, shown: Any) -> None:
    """The node makes the move that is due."""
    with clock_of(world):
        Defence(world.api_client(world.nodes[0]), proof, world.corpus).answer(shown, lambda _line: None)


def win_by_silence(world: World, proof: str) -> None:
    """The node moves, the respondent does not, and the others rule as their own service does."""
    shown = appeal(world, proof)
    defend(world, proof, shown)
    world.wait(PHASE + 1)
    world.step()
    _, others = respondent_of(world, shown)
    happened(world.get(f"/appeals/{proof}")["silent"] == shown["respondent"])
    rule(world, proof, others)


def rule(world: World, proof: str, panel: list[LocalAccount]) -> None:
    """The panel's services rule; whatever they were told, it is upheld."""
    judges = [Reader(world, key) for key in panel]
    step_all(judges, 2)
    happened(world.get(f"/appeals/{proof}")["state"] == "upheld")
    settle(world)


@still_open("F4: rule J11")
def test_a_silent_respondent_restores_a_fake(world: World) -> None:
    """F4: k verifiers proved the fake, one of them is a friend that says nothing any more, and nobody replays."""
    proof = begun(world, false_in(1))
    all_reject(world, proof, 1)
    win_by_silence(world, proof)
    must_be(credited(world, world.wallets[0].address), 0)


@still_open("F4: rule J11")
def test_a_false_accusation_restores_a_proven_fake(world: World) -> None:
    """F4: one corrupt verifier rejects the good segment; the appeal bisects that one, and the fake is forgotten."""
    proof, (corrupt, *honest) = begun(world, false_in(1)), world.verifiers
    reject(world, proof, {corrupt.address: 0} | {verifier.address: 1 for verifier in honest})
    shown = appeal(world, proof)
    happened((shown["respondent"], shown["segment"]) == (corrupt.address, 0))
    while shown["state"] == "bisecting":
        defend(world, proof, shown)
        move = BisectionMove(octets(proof), corrupt.address, shown["middle"], b"f" * 32, world.deadline())
        accepted(world.post("/appeals/moves", move, corrupt))
        shown = world.get(f"/appeals/{proof}")
    rule(world, proof, honest)
    must_be(credited(world, world.wallets[0].address), 0)


@still_open("F20: rule J11, J19")
def test_an_appeal_won_after_the_last_round_is_never_paid(world: World) -> None:
    """F20: honest work of the run's last round was void; it is in the books, and in no epoch."""
    world.config = replace(world.config, rounds=1)
    proof = begun(world)
    all_reject(world, proof, 1)
    world.step()
    world.close_round()
    happened(world.run_view()["phase"] == "complete")
    win_by_silence(world, proof)
    happened(credited(world, world.wallets[0].address) == world.config.tokens_per_round)
    must_be(paid(world, world.wallets[0].address) > 0, True)


@still_open("F31: rule J11, J19")
def test_a_won_appeal_is_dated_to_an_epoch_of_the_past(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """F31: the round in which it is paid is the operator's word, and that round was paid long ago."""
    enter = appeals._enter

    def date_back(ledger: Any, session: Any, row: Any, state: str) -> None:
        row.decided_round = 1 if state == "upheld" else row.decided_round
        enter(ledger, session, row, state)

    monkeypatch.setattr(appeals, "_enter", date_back)
    with World(tmp_path / "world") as world:
        proof = begun(world)
        other = world.commit(world.nodes[1])
        seat(world, other)
        world.decide(other)
        all_reject(world, proof, 1)
        world.step()
        world.close_round()
        happened(paid(world, world.wallets[1].address) == 1000)
        win_by_silence(world, proof)
        happened(world.log("appeal-decided")[0]["decided_round"] == 1)
        world.step()
        world.close_round()  # of an empty round: all that its epoch can pay is what the appeal restored
        happened(findings(world) == [])
        must_be(paid(world, world.wallets[0].address) > 0, True)


@still_open("F30: rule J11")
def test_an_idle_verifier_keeps_a_cheats_stake_safe(world: World) -> None:
    """F30: one of two judges never rules; the appeal stays open, and as long as it does the stake is safe."""
    world.stake_node(world.nodes[0], STAKE)
    proof = begun(world, false_in(1), auditFloor=500_000, nodeStake=STAKE)
    all_reject(world, proof, 1)
    shown = appeal(world, proof)
    defend(world, proof, shown)
    _, (judge, _idle) = respondent_of(world, shown)
    world.wait(PHASE + 1)
    world.step()
    step_all([Reader(world, judge)], 2)
    world.wait(90 * DAY)
    settle(world)
    happened(len(world.get(f"/appeals/{proof}")["rulings"]) == 1)
    must_be([fault["proof"] for fault in world.get(f"/runs/{world.run}/node-faults")], [proof])


@still_open("F30: rule J11")
def test_an_appeal_after_sixty_days_is_won_by_silence(world: World) -> None:
    """F30: the verifier that proved the fake has left long ago, and loses its stake for saying nothing."""
    proof = begun(world, false_in(1))
    all_reject(world, proof, 1)
    world.wait(60 * DAY)
    world.step()
    win_by_silence(world, proof)
    must_be(credited(world, world.wallets[0].address), 0)


class Shown(Between):
    """A server that shows an appeal bisected to a step between two states that its node alone has named."""

    def __init__(self, client: Any, proof: str, shown: dict[str, Any]) -> None:
        super().__init__(client)
        self.lies[r"/runs/0x[0-9a-f]+/appeals"] = lambda _true: [shown]
        self.lies[f"/appeals/{proof}"] = lambda _true: shown
        self.drops["/appeals/rulings"] = lambda _message: True


def named_by_the_node(world: World, proof: str, view: Any) -> dict[str, Any]:
    """The appeal as if it had come to one honest step of the good segment, both ends signed by the node alone."""
    node, client = world.nodes[0], world.api_client(world.nodes[0])
    case = Case(client, client.get(f"/proofs/{proof}"), world.round_view(1))
    start, moves = case.opened(0, 0), []
    for step in (1, 2):
        state = state_after(world.config, start, 0, step, case.batches(world.corpus))
        move = BisectionMove(octets(proof), node.address, step, state_name(state), world.deadline())
        signature = hexed(sign(move, world.domain, bytes(node.key)))
        moves.append({"step": step, "party": node.address, "message": to_json(move), "signature": signature})
    agreed = state_after(world.config, start, 0, 1, case.batches(world.corpus))
    place = {"segment": 0, "agreed": 1, "disputed": 2, "opening_blob": world.blob(pack(agreed), node)}
    return {**view, **place, "state": "panel", "silent": None, "rulings": [], "moves": moves}


@still_open("F27: rule J11")
def test_a_view_of_an_appeal_takes_an_honest_stake(world: World) -> None:
    """F27: two honest judges rule on a step that the node alone named, against one that rejected nothing."""
    proof, (victim, *judges) = begun(world, false_in(1)), world.verifiers
    world.judge(victim, proof, ACCEPT)
    for verifier in (*judges, *judges):
        world.judge(verifier, proof, REJECT, segment=1)
    happened(state_of(world, proof)[0] == "voided")
    shown = {**named_by_the_node(world, proof, appeal(world, proof)), "respondent": victim.address}
    panel = [Reader(world, key, lambda client: Shown(client, proof, shown)) for key in judges]
    step_all(panel, 2)
    bring_to_the_chain(world, {reader.key: reader.client.kept for reader in panel})
    must_be(world.ledger.chain.registry.stake_of(victim.address), world.place.params.min_stake)


def bring_to_the_chain(world: World, rulings: dict[LocalAccount, list[Any]]) -> None:
    """What the judges signed, if both did and for the node."""
    if all(rulings.values()):
        (ruling,) = {ruling for kept in rulings.values() for ruling in kept}
        signed = {key.address: sign(ruling, world.epoch_domain, bytes(key.key)) for key in rulings}
        send(world.place.w3, world.operator, world.ledger.chain.registry.decide_appeal(ruling, signed))
