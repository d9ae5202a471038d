"""Verifiers that do not read lose stake, nodes that were wronged get their pay, cheats that appeal lose their bond."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from eth_account.signers.local import LocalAccount
from web3 import Web3

from contracts.chain import ContractRejected, send
from contracts.draw import common_segment
from contracts.faults import witness_of
from contracts.messages import AppealRuling, BisectionMove, StepOpening, VerifierFault, WorkReveal, WorkWitness
from contracts.run_config import RunConfig
from ledger import absences, journal
from ledger import appeals as ledger_appeals
from tests.world import ACCEPT, REJECT, World, accepted, check_refused, hexed, octets
from trainer import cheats
from trainer.client import ApiProblem
from trainer.defence import Defence
from trainer.trajectory import InnerRunner, run_inner
from verifier import appeals
from verifier.audit import LogAudit
from verifier.audit_state import Authority
from verifier.chain_authority import authority_of
from verifier.checks import Case, check_segment
from verifier.duties import Duties
from verifier.errors import AuditFailed, CannotJudge
from verifier.guilt import find_faults
from verifier.jobs import Order, State

pytestmark = pytest.mark.integration
CONFIG = RunConfig(layers=1, d_model=16, heads=2, context=16, steps=8, segment=8, batch=2, rounds=2)


class Court:
    """A world with one proof per node, and what its actors do about it."""

    def __init__(self, folder: Path) -> None:
        self.world = World(folder, config=CONFIG)
        self.folder = folder

    def commit(self, runner: InnerRunner = run_inner, **rules: int) -> str:
        """The first node's proof, drawn by all and fully opened; the second node's is accepted."""
        world = self.world.start(**{"samples": 1, **rules})
        node, other = world.nodes
        self.work = world.train(node, runner)
        proof = str(accepted(world.post_proof(self.work))["proof"])
        other_proof = world.commit(other)
        world.step()
        for verifier in world.verifiers:
            world.draw(verifier, proof)
        world.open_wanted(proof, self.work)
        world.decide(other_proof)
        return proof

    def case(self, proof: str, verifier: LocalAccount) -> Case:
        """As a verifier reads it."""
        client = self.world.api_client(verifier)
        return Case(client, client.get(f"/proofs/{proof}"), self.world.round_view(1))

    def trace(self, proof: str) -> bytes:
        """What any verifier that reads the common segment computes."""
        case = self.case(proof, self.world.verifiers[0])
        beacon = octets(case.view["challenges"][0]["message"]["beacon"])
        common = common_segment(beacon, octets(proof), CONFIG.segments)
        return check_segment(case, common, self.world.corpus).trace

    def bind(self, verifier: LocalAccount, proof: str, witness: bytes) -> Any:
        message = WorkWitness(octets(proof), verifier.address, witness, self.world.deadline())
        return self.world.post("/witnesses", message, verifier)

    def reveal(self, verifier: LocalAccount, proof: str, trace: bytes) -> Any:
        message = WorkReveal(octets(proof), verifier.address, trace, self.world.deadline())
        return self.world.post("/reveals", message, verifier)

    def duties(self, verifier: LocalAccount, jobs: Any = None) -> Duties:
        client, app = self.world.api_client(verifier), SimpleNamespace(jobs=jobs)
        return Duties(client, self.world.run, self.folder / verifier.address, app, 3)  # type: ignore[arg-type]

    def settle(self) -> None:
        for _ in range(3):
            self.world.mine()
            self.world.step()

    def appeal(self, proof: str) -> Any:
        self.world.appeal(proof)
        self.settle()
        return self.world.get(f"/appeals/{proof}")


class DirectJobs:
    """A queue whose worker is at hand: an order is done when it is placed."""

    def __init__(self, court: Court, verifier: LocalAccount) -> None:
        self._court, self._verifier = court, verifier

    def one(self, order: Order) -> Any:
        case, corpus = self._court.case(order.arguments[0], self._verifier), self._court.world.corpus
        if order.task == "verifier.named_state":
            state = appeals.named_state(case, order.arguments[1], order.arguments[2], corpus)
            return SimpleNamespace(state=State.DONE, settled=True, result={"state": state.hex()})
        view = self._court.world.get(f"/appeals/{order.arguments[0]}")
        return SimpleNamespace(state=State.DONE, settled=True, result=appeals.judgement(case, view, corpus))


@pytest.fixture
def court(tmp_path: Path) -> Iterator[Court]:
    made = Court(tmp_path / "court")
    with made.world:
        yield made


def quiet(*_: str) -> None:
    """A report that nobody reads."""


def test_who_reads_is_cleared_and_who_copies_or_signs_unread_loses_stake(court: Court) -> None:
    proof, world = court.commit(), court.world
    reader, copier, lazy = world.verifiers
    trace = court.trace(proof)
    court.duties(reader).bind(proof, trace)
    accepted(court.bind(copier, proof, witness_of(reader.address, octets(proof), trace)))
    for verifier in world.verifiers:
        world.judge(verifier, proof)
    court.duties(reader).reveal(quiet)
    check_refused(court.reveal(copier, proof, trace), 422, "binding-mismatch")
    check_refused(court.reveal(lazy, proof, trace), 403, "not-verifier")
    world.step()
    assert world.get(f"/runs/{world.run}/faults") == []
    world.clock.now += int(world.run_view()["manifest"]["phaseSeconds"]) + 1
    world.step()
    mine = [f for f in world.get(f"/runs/{world.run}/faults") if f["proof"] == proof]
    assert {f["verifier"]: f["fault"] for f in mine} == {
        copier.address: "trace-withheld", lazy.address: "trace-withheld",
    }  # fmt: skip
    court.duties(reader).sign_faults(world.known(), quiet)
    court.duties(lazy).sign_faults(world.known(), quiet)
    court.settle()
    registry = world.ledger.chain.registry
    assert registry.stake_of(copier.address) == 0
    assert registry.stake_of(lazy.address) > 0
    check_refused(court.reveal(copier, proof, trace), 409, "round-closed")


def test_nobody_is_found_at_fault_for_the_time_in_which_the_server_was_away(court: Court) -> None:
    proof, world = court.commit(), court.world
    trace = court.trace(proof)
    for verifier in world.verifiers:
        court.duties(verifier).bind(proof, trace)
    for verifier in world.verifiers:
        world.judge(verifier, proof)
    patience = int(world.run_view()["manifest"]["phaseSeconds"])
    world.clock.now += 20 * patience
    absences.end(world.ledger)
    world.step()
    assert world.get(f"/runs/{world.run}/faults") == []
    for verifier in world.verifiers:
        court.duties(verifier).reveal(quiet)
    world.step()
    assert [f for f in world.get(f"/runs/{world.run}/faults") if f["proof"] == proof] == []


def test_a_reveal_that_comes_too_late_does_not_hold_up_the_next(court: Court) -> None:
    first, world = court.commit(phaseSeconds=20), court.world
    verifier = world.verifiers[0]
    duties, said = court.duties(verifier), list[str]()
    duties.bind(first, b"1" * 32)
    world.decide(first)
    world.clock.now += int(world.run_view()["manifest"]["phaseSeconds"]) + 1
    world.step()
    world.close_round()
    second = world.commit(world.nodes[0])
    world.draw(verifier, second)
    duties.bind(second, b"2" * 32)
    world.decide(second)
    for _ in range(2):
        duties.reveal(lambda event, _proof, _detail: said.append(event))
    assert sorted(said) == ["revealed", "trouble"]
    assert len(world.get(f"/proofs/{second}")["reveals"]) == 1


def test_a_servers_own_trouble_is_no_reason_to_give_a_reveal_up(court: Court, monkeypatch: pytest.MonkeyPatch) -> None:
    """The verifier would lose its stake for somebody else's failure."""
    proof, world = court.commit(), court.world
    duties = court.duties(world.verifiers[0])
    duties.bind(proof, b"1" * 32)
    world.decide(proof)

    def broken(*_: Any, **__: Any) -> Any:
        raise ApiProblem(503, "chain-unreachable", "try again")

    with monkeypatch.context() as patch:
        patch.setattr(duties._client, "send", broken)
        duties.reveal(quiet)
    duties.reveal(quiet)
    assert len(world.get(f"/proofs/{proof}")["reveals"]) == 1


def test_a_verifier_signs_only_faults_that_it_finds_itself(court: Court) -> None:
    proof, world = court.commit(), court.world
    trace = court.trace(proof)
    for verifier in world.verifiers:
        court.duties(verifier).bind(proof, trace)
        world.judge(verifier, proof)
    first, *others = world.verifiers
    for verifier in others:
        accepted(court.reveal(verifier, proof, trace))
    assert find_faults(*world.known()(proof)) == {(first.address, "trace-withheld")}
    accepted(court.reveal(first, proof, trace))
    assert find_faults(*world.known()(proof)) == set()


def test_a_made_up_trace_is_wrong_if_k_others_agree(court: Court) -> None:
    proof, world = court.commit(), court.world
    trace, *liar = court.trace(proof), world.verifiers[2]
    for verifier, said in zip(world.verifiers, (trace, trace, b"?" * 32), strict=True):
        court.duties(verifier).bind(proof, said)
        world.judge(verifier, proof)
    for verifier in world.verifiers:
        court.duties(verifier).reveal(quiet)
    world.step()
    found = [f for f in world.get(f"/runs/{world.run}/faults") if f["proof"] == proof]
    assert [(f["verifier"], f["fault"]) for f in found] == [(liar[0].address, "trace-wrong")]


def test_witnesses_come_before_the_decision_and_do_not_change(court: Court) -> None:
    proof, world = court.commit(), court.world
    first, second, third = world.verifiers
    trace = court.trace(proof)
    accepted(court.bind(first, proof, b"w" * 32))
    check_refused(court.bind(first, proof, b"x" * 32), 409, "already-committed")
    check_refused(court.bind(world.stranger, proof, b"w" * 32), 403, "not-verifier")
    check_refused(court.reveal(first, proof, trace), 425, "too-early")
    for verifier in (first, second, third):
        world.judge(verifier, proof)
    check_refused(court.bind(second, proof, b"w" * 32), 409, "round-closed")


def test_who_accepts_a_drawn_fake_that_the_quorum_rejects_is_named(court: Court) -> None:
    proof, world = court.commit(cheats.runner("learning-rate-99")), court.world
    lazy, *honest = world.verifiers
    world.judge(lazy, proof, ACCEPT)
    for verifier in (*honest, *honest):
        world.judge(verifier, proof, REJECT)
    assert world.get(f"/proofs/{proof}/status")["state"] == "voided"
    world.clock.now += 10**5 // 2
    world.step()
    found = {(f["verifier"], f["fault"]) for f in world.get(f"/runs/{world.run}/faults") if f["proof"] == proof}
    assert (lazy.address, "passed-a-fake") in found
    assert not any(who == honest[0].address for who, _ in found)
    assert found == find_faults(*world.known()(proof))


def bisect(court: Court, proof: str, respondent_honest_until: int) -> Any:
    """Play until a panel is due; the respondent tells the truth up to a step and makes up the rest."""
    world = court.world
    appeal = court.appeal(proof)
    respondent = next(v for v in world.verifiers if v.address == appeal["respondent"])
    defence = Defence(world.api_client(world.nodes[0]), proof, world.corpus)
    truth = DirectJobs(court, respondent)
    moves = 0
    while appeal["state"] in ("bisecting", "opening"):
        defence.answer(appeal, lambda _line: None)
        if appeal["state"] == "bisecting":
            step = appeal["middle"]
            order = SimpleNamespace(task="verifier.named_state", arguments=(proof, appeal["segment"], step))
            state = octets(truth.one(order).result["state"])  # type: ignore[arg-type]
            said = state if step <= respondent_honest_until else b"f" * 32
            message = BisectionMove(octets(proof), respondent.address, step, said, world.deadline())
            accepted(world.post("/appeals/moves", message, respondent))
            moves += 2
        appeal = world.get(f"/appeals/{proof}")
    assert appeal["state"] == "panel"
    assert moves <= 2 * 3
    return appeal


def void(court: Court, proof: str) -> None:
    for _ in range(2):
        for verifier in court.world.verifiers:
            status = court.world.get(f"/proofs/{proof}/status")
            if status["state"] == "pending" and verifier.address not in status["voted"]:
                court.world.judge(verifier, proof, REJECT)
    assert court.world.get(f"/proofs/{proof}/status")["state"] == "voided"


@pytest.mark.parametrize("honest_until", [0, 3, 5, 7])
def test_a_wronged_node_is_paid_and_its_accuser_pays(court: Court, honest_until: int) -> None:
    proof, world = court.commit(), court.world
    void(court, proof)
    appeal = bisect(court, proof, honest_until)
    assert (appeal["agreed"], appeal["disputed"]) == (honest_until, honest_until + 1)
    registry, bond = world.ledger.chain.registry, world.place.params.bond
    respondent = appeal["respondent"]
    held = world.place.w3.eth.get_balance(Web3.to_checksum_address(world.place.deployment.verifier_registry))
    for verifier in world.verifiers:
        if verifier.address != respondent:
            court.duties(verifier, DirectJobs(court, verifier)).answer_appeals(quiet)
    court.settle()
    assert world.get(f"/appeals/{proof}")["state"] == "upheld"
    assert registry.stake_of(respondent) == 0
    left = world.place.w3.eth.get_balance(Web3.to_checksum_address(world.place.deployment.verifier_registry))
    assert held - left == bond + world.place.params.min_stake
    with world.ledger.store.read() as session:
        credited = journal.balances(session, "work")[world.wallets[0].address]
    assert credited == CONFIG.tokens_per_round


def test_a_cheat_that_appeals_loses_its_bond(court: Court) -> None:
    proof, world = court.commit(cheats.runner("learning-rate-99")), court.world
    void(court, proof)
    appeal = bisect(court, proof, CONFIG.steps)
    assert (appeal["agreed"], appeal["disputed"]) == (7, 8)
    respondent = Web3.to_checksum_address(appeal["respondent"])
    before = world.place.w3.eth.get_balance(respondent)
    for verifier in world.verifiers:
        court.duties(verifier, DirectJobs(court, verifier)).answer_appeals(quiet)
    court.settle()
    assert world.get(f"/appeals/{proof}")["state"] == "dismissed"
    assert world.place.w3.eth.get_balance(respondent) - before == world.place.params.bond
    assert world.ledger.chain.registry.stake_of(respondent) == world.place.params.min_stake


def test_who_lets_its_time_run_out_loses(court: Court) -> None:
    proof, world = court.commit(), court.world
    void(court, proof)
    appeal = court.appeal(proof)
    Defence(world.api_client(world.nodes[0]), proof, world.corpus).answer(appeal, lambda _line: None)
    world.clock.now += int(world.run_view()["manifest"]["phaseSeconds"]) + 1
    world.step()
    late = world.get(f"/appeals/{proof}")
    assert (late["state"], late["silent"]) == ("panel", appeal["respondent"])
    panel = next(v for v in world.verifiers if v.address != appeal["respondent"])
    assert appeals.judge(court.case(proof, panel), late, world.corpus) is True


def test_a_move_that_comes_while_the_lapse_waits_for_its_turn_counts(
    court: Court, monkeypatch: pytest.MonkeyPatch
) -> None:
    proof, world = court.commit(), court.world
    void(court, proof)
    appeal = court.appeal(proof)
    Defence(world.api_client(world.nodes[0]), proof, world.corpus).answer(appeal, lambda _line: None)
    respondent = next(v for v in world.verifiers if v.address == appeal["respondent"])
    move = BisectionMove(octets(proof), respondent.address, appeal["middle"], b"f" * 32, world.deadline(10_000))
    is_late, asked = ledger_appeals._is_late, list[bool]()

    def moves_at_last(*about: Any) -> bool:
        asked.append(is_late(*about))
        if len(asked) == 1:
            accepted(world.post("/appeals/moves", move, respondent))
        return asked[-1]

    monkeypatch.setattr(ledger_appeals, "_is_late", moves_at_last)
    world.clock.now += int(world.run_view()["manifest"]["phaseSeconds"]) + 1
    world.step()
    assert asked == [True, False]
    assert (world.get(f"/appeals/{proof}")["state"], world.log("appeal-lapsed")) == ("bisecting", [])


def test_the_bond_of_an_appeal_on_which_nobody_rules_comes_back(court: Court) -> None:
    proof, world = court.commit(), court.world
    void(court, proof)
    node, registry = world.nodes[0], world.ledger.chain.registry
    court.appeal(proof)
    call = registry.lapse_appeal(octets(proof), node.address)
    with pytest.raises(ContractRejected, match="AppealOpen"):
        send(world.place.w3, world.operator, call)
    world.wait(registry.dispute_limit())
    before = world.place.w3.eth.get_balance(node.address)
    send(world.place.w3, world.operator, call)
    assert world.place.w3.eth.get_balance(node.address) - before == world.place.params.bond


def test_moves_of_strangers_of_other_steps_and_second_thoughts_are_refused(court: Court) -> None:
    proof, world = court.commit(), court.world
    void(court, proof)
    node, middle = world.nodes[0], court.appeal(proof)["middle"]
    said = BisectionMove(octets(proof), node.address, middle, b"s" * 32, world.deadline())
    stranger = replace(said, party=world.stranger.address)
    check_refused(world.post("/appeals/moves", stranger, world.stranger), 403, "not-verifier")
    check_refused(world.post("/appeals/moves", replace(said, step=middle + 1), node), 409, "round-closed")
    accepted(world.post("/appeals/moves", said, node))
    check_refused(world.post("/appeals/moves", replace(said, state=b"t" * 32), node), 409, "already-committed")
    opening = StepOpening(octets(proof), 0, b"o" * 32, b"b" * 32, world.deadline())
    check_refused(world.post("/appeals/states", opening, node), 404, "not-found")


def test_a_respondent_that_appeals_first_takes_nothing_from_the_node(court: Court) -> None:
    proof, world = court.commit(), court.world
    void(court, proof)
    world.appeal(proof, appellant=world.creator)  # the respondent's second address
    court.settle()
    check_refused(world.client.get(f"/v1/appeals/{proof}"), 404, "not-found")
    (void_one,) = world.log("appeal-void")
    assert (void_one["appellant"], void_one["why"]) == (world.creator.address, "the appellant is not the proof's node")
    appeal = bisect(court, proof, 5)
    assert appeal["appellant"] == world.nodes[0].address
    for verifier in world.verifiers:
        court.duties(verifier, DirectJobs(court, verifier)).answer_appeals(quiet)
    respondent, registry = appeal["respondent"], world.ledger.chain.registry
    node, before = appeal["appellant"], registry.stake_of(respondent)
    held = world.place.w3.eth.get_balance(node)
    court.settle()
    params = world.place.params
    assert before - registry.stake_of(respondent) == params.slash_cap
    assert world.place.w3.eth.get_balance(node) - held == params.bond + params.slash_cap
    assert world.place.w3.eth.get_balance(registry.address) >= params.bond  # the other's stays


def test_a_panel_member_names_the_node_that_signed_whatever_the_server_says(court: Court) -> None:
    proof, world = court.commit(), court.world
    void(court, proof)
    bisect(court, proof, 5)
    lying = {**world.get(f"/appeals/{proof}"), "appellant": world.creator.address}
    said = appeals.judgement(court.case(proof, world.verifiers[0]), lying, world.corpus)
    assert said == {"upheld": True, "node": world.nodes[0].address}


def test_a_respondent_is_no_judge_and_a_forged_move_is_not_believed(court: Court) -> None:
    proof, world = court.commit(), court.world
    void(court, proof)
    appeal = bisect(court, proof, 5)
    respondent = next(v for v in world.verifiers if v.address == appeal["respondent"])
    panel = next(v for v in world.verifiers if v.address != appeal["respondent"])
    model, node = world.ledger.chain.model, world.nodes[0].address
    ruling = AppealRuling(model, octets(proof), node, respondent.address, False, appeal["deadline"])
    own = world.post("/appeals/rulings", ruling, respondent, domain=world.epoch_domain, signer=respondent.address)
    check_refused(own, 403, "not-verifier")
    forged = {**appeal, "moves": [{**m, "step": m["step"] + 1} for m in appeal["moves"]]}
    with pytest.raises(CannotJudge):
        appeals.judge(court.case(proof, panel), forged, world.corpus)


def test_the_log_proves_an_upheld_appeal_and_a_forged_one_is_refused(court: Court) -> None:
    proof, world = court.commit(), court.world
    void(court, proof)
    bisect(court, proof, 5)
    for verifier in world.verifiers:
        court.duties(verifier, DirectJobs(court, verifier)).answer_appeals(quiet)
    court.settle()
    entries = world.get("/log/entries")["entries"]
    authority = authority_of(world.place.w3, world.place.deployment)
    read(authority, entries)
    wider = replace(authority, widest_since=lambda block: replace(authority.widest_since(block), threshold=3))
    without_posting = [e for e in entries if '"proof-posted"' not in e["body"]]
    with pytest.raises(AuditFailed, match="ruling under 2 signatures"):
        read(wider, without_posting)


def read(authority: Authority, entries: list[dict[str, Any]]) -> None:
    audit = LogAudit(authority)
    for entry in entries:
        audit.take(entry["index"], entry["body"])


def test_an_unlisted_fault_cannot_be_signed(court: Court) -> None:
    proof, world = court.commit(), court.world
    first, second, _ = world.verifiers
    fault = VerifierFault(world.ledger.chain.model, first.address, octets(proof), world.deadline())
    answer = world.post("/faults/signatures", fault, second, domain=world.epoch_domain, signer=second.address)
    check_refused(answer, 404, "not-found")
    assert hexed(fault.evidence) == proof
