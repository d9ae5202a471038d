"""The public log read from the start, believing nothing: every signature, quorum and payout is checked again.

`LogAudit` takes the entries in order. What an entry says must follow from signed messages in entries before it; whose
word counts on a round, and k, are the chain's at the block that the round opened on.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from eth_utils import to_checksum_address

from contracts import messages
from contracts.audit_rate import MILLION, AuditPolicy, audit_rate, is_audited
from contracts.draw import accepted_digest, check_link, data_seed, draw_segments, panel_order, seed_origin
from contracts.errors import BadField, CommonweightError
from contracts.log_audit import Kind, epoch_payouts, kind_weights
from contracts.messages import Message, from_json
from contracts.payout_tree import PayoutTree
from contracts.pledge import Pledge
from contracts.reasons import ACCEPT, NO_SEGMENT, REJECT, Reason
from contracts.run_config import InvalidRunConfig, RunConfig
from contracts.signing import digest, require_signer
from contracts.verifier_registry import VerifierSet
from verifier.audit_state import Authority, ProofState, RoundState, RunState
from verifier.contribution_audit import ContributionAudit, ContributionRefused
from verifier.errors import AuditFailed

M = TypeVar("M", bound=Message)


@dataclass(frozen=True)
class EpochResult:
    """An epoch as the log proves it."""

    number: int
    root: bytes
    total: int
    count: int
    deadline: int


class LogAudit:
    """State of one deployment's log, as far as it was read. Raises AuditFailed."""

    def __init__(self, authority: Authority) -> None:
        self.authority = authority
        self.epochs: dict[int, EpochResult] = {}
        self.beacons: dict[int, bytes] = {}
        self.draws = 0
        self._runs: dict[str, RunState] = {}
        self._anchors: dict[tuple[str, str], messages.DrawAnchor] = {}
        self._bound: dict[tuple[str, str], int] = {}
        self._payouts: dict[tuple[str, str], str] = {}
        self._inner: dict[tuple[str, str], bytes] = {}
        self._profiles: dict[tuple[str, str], bytes] = {}
        self._rounds: dict[tuple[str, int], RoundState] = {}
        self._proofs: dict[str, ProofState] = {}
        self._by_node: dict[tuple[str, str], list[ProofState]] = defaultdict(list)
        self._contributions = ContributionAudit(authority.domain)
        self._unseen_at = 0
        self._read: dict[str, Callable[[dict[str, Any]], None]] = {
            "run-created": self._run_created,
            "node-enrolled": self._node_enrolled,
            "draw-anchored": self._draw_anchored,
            "decision": self._decision,
            "round-opened": self._round_opened,
            "proof-submitted": self._proof_submitted,
            "panel-drawn": self._panel_drawn,
            "proof-spared": self._proof_spared,
            "seat-vacated": lambda entry: self._seated(entry["proof"], entry["substitute"]),
            "panel-widened": lambda entry: self._seated(entry["proof"], entry["verifier"]),
            "challenge": self._challenge,
            "verdict": self._verdict,
            "pledge-opened": self._pledge_opened,
            "proof-posted": self._proof_posted,
            "proof-voided": self._proof_voided,
            "appeal-decided": self._appeal_decided,
            "merge": self._merge,
            "contribution-credited": self._contribution_credited,
            "epoch-closed": self._epoch_closed,
        }

    def take(self, index: int, body: str, unseen_at: int = 0) -> None:
        """Read one leaf. Kinds that no payout depends on pass unread.

        `unseen_at` is the greatest height of the chain at which the reader saw the log without it; 0: never looked.
        """
        self._unseen_at = unseen_at
        try:
            entry = json.loads(body)
            self._read.get(entry["kind"], _pass)(entry)
        except AuditFailed:
            raise
        except CommonweightError as error:
            raise AuditFailed(index, error.detail) from error
        except _Unsupported as error:
            raise AuditFailed(index, str(error)) from error
        except (KeyError, ValueError, TypeError, RecursionError) as error:
            raise AuditFailed(index, f"is malformed: {error!r}") from error

    def bench_of(self, proof: str) -> VerifierSet:
        """Whose word counts on a proof, by the block of its round, and how many it takes. Raises BadField."""
        if proof not in self._proofs:
            raise BadField(f"proof must be in the log: {proof} is not")
        return self._round_of(self._proofs[proof]).bench

    def _run_created(self, entry: dict[str, Any]) -> None:
        manifest = self._signed(messages.RunManifest, entry, lambda m: m.creator)
        _require(to_checksum_address(manifest.creator) == self.authority.creator, "run of another creator")
        _require("0x" + digest(manifest, self.authority.domain).hex() == entry["run"], "run id is not its manifest's")
        config = RunConfig.from_json(entry["config"])
        _require(config.digest() == manifest.config, "configuration is not the manifest's")
        self._runs[entry["run"]] = RunState(manifest, config, "0x" + manifest.genesis.hex())

    def _draw_anchored(self, entry: dict[str, Any]) -> None:
        anchor = self._signed(messages.DrawAnchor, entry, lambda m: m.verifier)
        place = ("0x" + anchor.run.hex(), to_checksum_address(anchor.verifier))
        _require(place not in self._anchors, "a verifier anchored two hash chains")
        self._anchors[place] = anchor
        self._bound[place] = int(entry["block"])

    def _decision(self, entry: dict[str, Any]) -> None:
        run, key, value = self._runs[entry["run"]], entry["key"], entry["value"]
        _require(self.authority.decision(int(entry["sequence"])) == (key, value), "decision is not the chain's")
        try:
            decided = run.config.with_decision(key, value)
        except InvalidRunConfig:
            _require(entry["outcome"] != "applied", "a decision that does not fit was applied")
            return
        _require(entry["outcome"] == "applied", "a decision that fits was refused")
        run.config = decided

    def _node_enrolled(self, entry: dict[str, Any]) -> None:
        enrolment = self._signed(messages.NodeEnrolment, entry, lambda m: m.node)
        place = ("0x" + enrolment.run.hex(), to_checksum_address(enrolment.node))
        self._payouts.setdefault(place, to_checksum_address(enrolment.payout))

    def _round_opened(self, entry: dict[str, Any]) -> None:
        name, number = entry["run"], int(entry["round"])
        run = self._runs[name]
        _require(number == run.round + 1 == run.merged + 1, "round opened out of order")
        _require(entry["theta"] == run.theta, "round starts from other weights than were agreed")
        _require(run.momentum in ("", entry["momentum"]), "round starts from another momentum than was agreed")
        seed = data_seed(seed_origin(run.manifest), number, bytes.fromhex(entry["theta"][2:]))
        _require(entry["data_seed"] == "0x" + seed.hex(), "data seed does not follow from the start state")
        _require(entry["config"] == run.config.to_json(), "configuration is not what was decided")
        digest_of = "0x" + run.config.digest().hex()
        _require(entry["config_digest"] == digest_of, "config digest is not the configuration's")
        nodes = {n["node"]: n["payout"] for n in entry["nodes"]}
        _require(
            all(self._payouts.get((name, node)) == payout for node, payout in nodes.items()),
            "a listed node never enrolled with that payout address",
        )
        block = int(entry["block"])
        _require(block >= run.block, "round opened on an older block than the chain had reached")
        bench = VerifierSet(self.authority.verifiers_at(block), self.authority.threshold_at(block))
        rates = {n["node"]: int(n["rate"]) for n in entry["nodes"]}
        for node, rate in rates.items():
            self._check_rate(name, node, rate, block)
        run.round, run.block = number, block
        self._rounds[name, number] = RoundState(
            entry["theta"], nodes, rates, entry["data_seed"], run.config, block, bench
        )

    def _check_rate(self, name: str, node: str, rate: int, block: int) -> None:
        if rate == MILLION:
            return
        manifest = self._runs[name].manifest
        record = [proof.outcome for proof in self._by_node[name, node]]
        due = audit_rate((outcome for outcome in record if outcome is not None), AuditPolicy(manifest.auditFloor))
        _require(rate == due, f"audit rate of {node} is {rate} where its record gives {due}")
        staked = self.authority.node_stake(node, block) >= manifest.nodeStake
        _require(staked, f"{node} is audited less without a stake")

    def _proof_submitted(self, entry: dict[str, Any]) -> None:
        proof = self._signed(messages.StepProof, entry, lambda m: m.node)
        _require("0x" + digest(proof, self.authority.domain).hex() == entry["proof"], "proof id is not the message's")
        run, node = "0x" + proof.run.hex(), to_checksum_address(proof.node)
        current = self._rounds[run, proof.round]
        _require(node in current.nodes, "proof of a node that is not on the round's list")
        bound = ("0x" + proof.startState.hex(), "0x" + proof.dataSeed.hex(), proof.config)
        _require(bound == (current.theta, current.data_seed, current.config.digest()), "proof of other public inputs")
        asked = (current.config.steps, current.config.tokens_per_round, current.config.segments + 1)
        _require((proof.steps, proof.tokens, proof.boundaries) == asked, "proof of other work than the round's")
        beacon_block = int(entry["beacon_block"])
        _require(beacon_block > current.block, "beacon is older than the round")
        _require(beacon_block > self._unseen_at, "beacon was known before the proof stood in the log")
        earned = self._profiles.get((run, node))
        full = current.rates[node] == MILLION
        _require(full or earned in (None, proof.profile), "a lower rate than under the profile that earned it")
        last = self._inner.get((run, node))
        _require(last is None or proof.innerState == last, "optimizer state does not continue the last accepted one")
        before = self._by_node[run, node]
        _require(all(p.message.round != proof.round for p in before), "a node committed twice to one round")
        self._proofs[entry["proof"]] = made = ProofState(proof, beacon_block)
        before.append(made)

    def _panel_drawn(self, entry: dict[str, Any]) -> None:
        proof = self._proofs[entry["proof"]]
        run, beacon = "0x" + proof.message.run.hex(), bytes.fromhex(entry["beacon"][2:])
        admitted = self._round_of(proof).bench.members
        bound = {name for (of, name), block in self._bound.items() if of == run and block < proof.beacon_block}
        order = panel_order(beacon, bytes.fromhex(entry["proof"][2:]), sorted(bound & admitted))
        seated = list(order[: self._runs[run].manifest.panel or len(order)])
        _require(not proof.order and entry["verifiers"] == seated, "panel does not follow from the beacon")
        proof.order, proof.seated, proof.beacon = order, seated, beacon
        self._reached(proof)
        self.beacons[proof.beacon_block] = beacon

    def _proof_spared(self, entry: dict[str, Any]) -> None:
        proof, beacon = self._proofs[entry["proof"]], bytes.fromhex(entry["beacon"][2:])
        _require(self.authority.beacon(proof.beacon_block) == beacon, "beacon is not the chain's block")
        node = to_checksum_address(proof.message.node)
        rate = self._round_of(proof).rates[node]
        spared = not is_audited(beacon, bytes.fromhex(entry["proof"][2:]), rate)
        _require(spared and not proof.order, "a proof was spared that the coin says to read")
        proof.spared = True
        self._reached(proof)

    def _seated(self, key: str, verifier: str | None) -> None:
        proof = self._proofs[key]
        place = len(proof.seated)
        due = proof.order[place] if place < len(proof.order) else None
        _require(verifier == due, "seat taken by another than the next in the drawn order")
        proof.seated += [due] if due else []

    def _challenge(self, entry: dict[str, Any]) -> None:
        said = self._signed(messages.Challenge, entry, lambda m: m.verifier)
        proof = self._proofs["0x" + said.proof.hex()]
        run = "0x" + proof.message.run.hex()
        anchor = self._anchors[run, to_checksum_address(said.verifier)]
        check_link(anchor.anchor, said.link, proof.message.round)
        block = (said.beaconBlock, said.beacon)
        _require(block == (proof.beacon_block, proof.beacon), "drawn from another block than the proof's beacon")
        segments = self._rounds[run, proof.message.round].config.segments
        samples = self._runs[run].manifest.samples
        drawn = draw_segments(said.beacon, said.link, said.proof, segments, samples)
        _require(list(drawn) == entry["segments"], "draw does not follow from beacon and hash chain")
        self.draws += 1

    def _verdict(self, entry: dict[str, Any]) -> None:
        verdict = self._signed(messages.Verdict, entry, lambda m: m.verifier)
        name = to_checksum_address(verdict.verifier)
        proof = self._proofs["0x" + verdict.proof.hex()]
        _require(name in proof.seated, f"verdict by {name}, who is not on the panel")
        given = proof.verdicts
        _require((verdict.stage, name) not in given, "a verifier gave two verdicts at one stage")
        given[verdict.stage, name] = verdict.outcome

    def _pledge_opened(self, entry: dict[str, Any]) -> None:
        opened = from_json(messages.PledgeOpening, entry["message"])
        proof = self._proofs["0x" + opened.proof.hex()]
        node = to_checksum_address(proof.message.node)
        require_signer(opened, self.authority.domain, bytes.fromhex(entry["signature"][2:]), node)
        _require(Pledge(opened.salt, opened.fake).seal(node) == proof.message.pledge, "another pledge than was sealed")
        proof.fake = opened.fake

    def _proof_posted(self, entry: dict[str, Any]) -> None:
        proof = self._decided(entry, "posted")
        message = proof.message
        accepts = _accepts(proof)
        least = self._round_of(proof).bench.threshold
        _require(proof.spared or accepts >= least, f"posted on {accepts} accepting verdicts")
        _require(proof.fake == NO_SEGMENT, "posted though its node did not open a pledge of honest work")
        run, node = "0x" + message.run.hex(), to_checksum_address(message.node)
        _require(entry["account"] == self._payouts[run, node], "credited to another address than the node's")
        _require(entry["work"] == message.tokens, "credited with other work than was proven")
        self._inner[run, node], self._profiles[run, node] = message.innerEnd, message.profile

    def _proof_voided(self, entry: dict[str, Any]) -> None:
        proof = self._decided(entry, "voided")
        proof.reason = Reason[entry["reason"].upper().replace("-", "_")]
        accepted = proof.spared or _accepts(proof) >= self._round_of(proof).bench.threshold
        _require(not accepted or proof.fake != NO_SEGMENT, "voided against a quorum that accepted it")

    def _appeal_decided(self, entry: dict[str, Any]) -> None:
        proof = self._proofs[entry["proof"]]
        _require(proof.state == "voided" and proof.restored_round is None, "appeal on a proof that was not voided")
        ruling = from_json(messages.AppealRuling, entry["message"])
        _require("0x" + ruling.proof.hex() == entry["proof"], "ruling on another proof")
        appellant = to_checksum_address(ruling.appellant)
        _require(appellant == to_checksum_address(proof.message.node), "ruling for another appellant than the node")
        payout = self._payouts["0x" + proof.message.run.hex(), appellant]
        _require(entry["account"] == payout, "restored to another address than the node's")
        respondent = to_checksum_address(ruling.respondent)
        for name, signature in entry["signatures"].items():
            require_signer(ruling, self.authority.registry_domain, bytes.fromhex(signature[2:]), name)
        # the ledger took them by the chain's newest block, of which the log tells nothing (and an operator would choose
        # it); whoever was removed before the run's newest round, or its beacons, is out of it
        bench = self.authority.widest_since(self._runs["0x" + proof.message.run.hex()].block)
        signed = {to_checksum_address(name) for name in entry["signatures"]} & bench.members - {respondent}
        _require(len(signed) >= bench.threshold, f"ruling under {len(signed)} signatures")
        if ruling.upheld:
            proof.restored_round = int(entry["decided_round"])

    def _decided(self, entry: dict[str, Any], state: str) -> ProofState:
        proof = self._proofs[entry["proof"]]
        _require(proof.state == "pending", f"proof is {proof.state} already")
        proof.state = state
        return proof

    def _merge(self, entry: dict[str, Any]) -> None:
        run, number = entry["run"], int(entry["round"])
        posted = [
            (p.message.node.lower(), key)
            for key, p in self._proofs.items()
            if (p.state, "0x" + p.message.run.hex(), p.message.round) == ("posted", run, number)
        ]
        accepted = accepted_digest([bytes.fromhex(key[2:]) for _, key in sorted(posted)])
        signers = set()
        for given in entry["attestations"]:
            said = self._signed(messages.MergeAttestation, given, lambda m: m.verifier)
            same = ("0x" + said.run.hex(), said.round, "0x" + said.theta.hex(), "0x" + said.momentum.hex())
            _require(same == (run, number, entry["theta"], entry["momentum"]), "attestation to another outer step")
            _require(said.accepted == accepted, "outer step over other proofs than those posted")
            signers.add(to_checksum_address(said.verifier))
        bench = self._rounds[run, number].bench
        counting = len(signers & bench.members)
        _require(counting >= bench.threshold, f"outer step under {counting} signatures")
        _require(number == self._runs[run].round == self._runs[run].merged + 1, "outer step out of order")
        self._runs[run].theta, self._runs[run].momentum = entry["theta"], entry["momentum"]
        self._runs[run].merged = number

    def _contribution_credited(self, entry: dict[str, Any]) -> None:
        run = self._runs[entry["run"]]
        try:
            self._contributions.take(entry, run.config, run.manifest.model)
        except ContributionRefused as refusal:
            raise _Unsupported(str(refusal)) from refusal

    def _epoch_closed(self, entry: dict[str, Any]) -> None:
        name, number = entry["run"], int(entry["epoch"])
        run, first, last = self._runs[name], int(entry["first_round"]), int(entry["last_round"])
        _require(number == len(self.epochs) + 1, "epochs are not closed in order")
        _require(first == run.paid + 1 and last == run.merged >= first, "a round is paid twice, or not at all")
        due = last % run.manifest.roundsPerEpoch == 0 or last >= run.config.rounds
        _require(due, "epoch closed before its last round")
        run.paid = last
        contributed = {Kind.COMPUTE: self._work(name, first, last)} | self._contributions.pay(name)
        emission, chain_id = run.manifest.emission, self.authority.domain.chain_id
        weights, distributor = kind_weights(run.config), self.authority.distributor
        payouts = epoch_payouts(contributed, weights, emission, chain_id, distributor, number)
        root = PayoutTree.of([p.leaf() for p in payouts]).root
        _require(entry["root"] == "0x" + root.hex(), "payout root does not follow from the posted work")
        total = sum(p.amount for p in payouts)
        _require((int(entry["total"]), entry["count"]) == (total, len(payouts)), "total or count is wrong")
        self.epochs[number] = EpochResult(number, root, total, len(payouts), int(entry["deadline"]))

    def _work(self, run: str, first: int, last: int) -> Mapping[str, int]:
        work: dict[str, int] = {}
        for proof in self._proofs.values():
            said, paid_round = proof.message, proof.restored_round
            if proof.state == "posted":
                paid_round = said.round
            if paid_round is None or "0x" + said.run.hex() != run or not first <= paid_round <= last:
                continue
            account = self._payouts[run, to_checksum_address(said.node)].lower()
            work[account] = work.get(account, 0) + said.tokens
        return work

    def _round_of(self, proof: ProofState) -> RoundState:
        return self._rounds["0x" + proof.message.run.hex(), proof.message.round]

    def _reached(self, proof: ProofState) -> None:
        """The chain had reached the proof's beacon: no later round may go back to verifiers and stakes before it."""
        run = self._runs["0x" + proof.message.run.hex()]
        run.block = max(run.block, proof.beacon_block)

    def _signed(self, kind: type[M], entry: dict[str, Any], signer: Callable[[M], str]) -> M:
        message = from_json(kind, entry["message"])
        require_signer(message, self.authority.domain, bytes.fromhex(entry["signature"][2:]), signer(message))
        return message


class _Unsupported(Exception):
    """Internal: what an entry says does not follow; `take` adds the index."""


def _accepts(proof: ProofState) -> int:
    """Accepting verdicts of the stage that decides: the second, if anybody rejected at the first."""
    disputed = any(s == 1 and outcome == REJECT for (s, _), outcome in proof.verdicts.items())
    stage = 2 if disputed else 1
    return sum(s == stage and outcome == ACCEPT for (s, _), outcome in proof.verdicts.items())


def _require(holds: bool, otherwise: str) -> None:
    if not holds:
        raise _Unsupported(otherwise)


def _pass(_entry: dict[str, Any]) -> None:
    return None
