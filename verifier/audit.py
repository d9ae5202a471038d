"""The public log read from the start, believing nothing: every signature, quorum and payout is checked again.

`LogAudit` takes the entries in order. What an entry says must follow from signed messages in entries before it; whose
word counts on a round, and k, are the chain's at the block that the round opened on.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Callable
from typing import Any, TypeVar

from eth_utils import to_checksum_address

from contracts import messages
from contracts.audit_rate import MILLION, AuditPolicy, audit_rate
from contracts.commitment import check_ends
from contracts.draw import accepted_digest, data_seed, seed_origin
from contracts.errors import BadField, CommonweightError
from contracts.messages import Message, from_json
from contracts.pledge import Pledge
from contracts.reasons import NO_SEGMENT, Reason
from contracts.run_config import InvalidRunConfig, RunConfig
from contracts.signing import digest, require_signer
from contracts.verifier_registry import VerifierSet
from verifier.audit_epochs import EpochAudit, EpochResult
from verifier.audit_panels import PanelAudit
from verifier.audit_state import Authority, Books, NotBorneOut, ProofState, RoundState, RunState, run_of, signed
from verifier.audit_state import require as _require
from verifier.contribution_audit import ContributionRefused
from verifier.errors import AuditFailed

M = TypeVar("M", bound=Message)


class LogAudit:
    """State of one deployment's log, as far as it was read. Raises AuditFailed."""

    def __init__(self, authority: Authority) -> None:
        self.authority, self.books = authority, Books()
        self._runs, self._rounds, self._proofs = self.books.runs, self.books.rounds, self.books.proofs
        self._payouts = self.books.payouts
        self._inner: dict[tuple[str, str], bytes] = {}
        self._profiles: dict[tuple[str, str], bytes] = {}
        self._by_node: dict[tuple[str, str], list[ProofState]] = defaultdict(list)
        self._panels, self._owed = PanelAudit(authority, self.books), EpochAudit(authority, self.books)
        self._unseen_at = 0
        self._read: dict[str, Callable[[dict[str, Any]], None]] = {
            "run-created": self._run_created,
            "node-enrolled": self._node_enrolled,
            "draw-anchored": self._draw_anchored,
            "decision": self._decision,
            "round-opened": self._round_opened,
            "proof-submitted": self._proof_submitted,
            "panel-drawn": self._panels.panel_drawn,
            "proof-spared": self._panels.proof_spared,
            "seat-vacated": lambda entry: self._panels.seated(entry["proof"], entry["substitute"]),
            "panel-widened": lambda entry: self._panels.seated(entry["proof"], entry["verifier"]),
            "challenge": self._panels.challenge,
            "opening": self._panels.opening,
            "verdict": self._panels.verdict,
            "proof-disputed": self._panels.disputed,
            "work-witness": self._panels.witness,
            "work-revealed": self._panels.revealed,
            "pledge-opened": self._pledge_opened,
            "proof-posted": self._proof_posted,
            "proof-voided": self._proof_voided,
            "appeal-decided": self._appeal_decided,
            "merge": self._merge,
            "contribution-credited": self._owed.contribution_credited,
            "epoch-closed": self._owed.epoch_closed,
        }

    @property
    def epochs(self) -> dict[int, EpochResult]:
        """Closed epochs by number."""
        return self._owed.epochs

    @property
    def beacons(self) -> dict[int, bytes]:
        """Beacons that panels were drawn with, by block."""
        return self._panels.beacons

    @property
    def draws(self) -> int:
        """Draws that follow from beacon and hash chain."""
        return self._panels.draws

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
        except (NotBorneOut, ContributionRefused) as error:
            raise AuditFailed(index, str(error)) from error
        except (KeyError, ValueError, TypeError, RecursionError) as error:
            raise AuditFailed(index, f"is malformed: {error!r}") from error

    def proof(self, proof: str) -> ProofState:
        """What the log has about a proof. Raises BadField."""
        if proof not in self._proofs:
            raise BadField(f"proof must be in the log: {proof} is not")
        return self._proofs[proof]

    def bench_of(self, proof: str) -> VerifierSet:
        """Whose word counts on a proof, by the block of its round, and how many it takes. Raises BadField."""
        return self.books.round_of(self.proof(proof)).bench

    def _run_created(self, entry: dict[str, Any]) -> None:
        manifest = self._signed(messages.RunManifest, entry, lambda m: m.creator)
        _require(to_checksum_address(manifest.creator) == self.authority.creator, "run of another creator")
        _require("0x" + digest(manifest, self.authority.domain).hex() == entry["run"], "run id is not its manifest's")
        used = {run.manifest.nonce for run in self._runs.values()}
        _require(manifest.nonce not in used, "two runs of one nonce ask for one trajectory")
        config = RunConfig.from_json(entry["config"])
        _require(config.digest() == manifest.config, "configuration is not the manifest's")
        self._runs[entry["run"]] = RunState(manifest, config, "0x" + manifest.genesis.hex())

    def _draw_anchored(self, entry: dict[str, Any]) -> None:
        anchor = self._signed(messages.DrawAnchor, entry, lambda m: m.verifier)
        place = ("0x" + anchor.run.hex(), to_checksum_address(anchor.verifier))
        _require(place not in self.books.anchors, "a verifier anchored two hash chains")
        self.books.anchors[place] = anchor
        self.books.bound[place] = int(entry["block"])

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
            entry["theta"], entry["momentum"], nodes, rates, entry["data_seed"], run.config, block, bench
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
        made = ProofState(
            proof, entry["signature"], beacon_block, last or b"", _path(entry["first_path"]), _path(entry["last_path"])
        )
        check_ends(proof, made.first_path, made.last_path)
        self._proofs[entry["proof"]] = made
        before.append(made)

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
        accepts = proof.accepts()
        least = self.books.round_of(proof).bench.threshold
        _require(proof.spared or accepts >= least, f"posted on {accepts} accepting verdicts")
        _require(proof.fake == NO_SEGMENT, "posted though its node did not open a pledge of honest work")
        run, node = "0x" + message.run.hex(), to_checksum_address(message.node)
        _require(entry["account"] == self._payouts[run, node], "credited to another address than the node's")
        _require(entry["work"] == message.tokens, "credited with other work than was proven")
        self._inner[run, node], self._profiles[run, node] = message.innerEnd, message.profile

    def _proof_voided(self, entry: dict[str, Any]) -> None:
        proof = self._decided(entry, "voided")
        proof.reason = Reason[entry["reason"].upper().replace("-", "_")]
        accepted = proof.spared or proof.accepts() >= self.books.round_of(proof).bench.threshold
        _require(not accepted or proof.fake != NO_SEGMENT, "voided against a quorum that accepted it")

    def _appeal_decided(self, entry: dict[str, Any]) -> None:
        proof = self._proofs[entry["proof"]]
        _require(proof.state == "voided" and proof.restored_round is None, "appeal on a proof that was not voided")
        ruling = from_json(messages.AppealRuling, entry["message"])
        _require("0x" + ruling.proof.hex() == entry["proof"], "ruling on another proof")
        appellant = to_checksum_address(ruling.appellant)
        _require(appellant == to_checksum_address(proof.message.node), "ruling for another appellant than the node")
        payout = self._payouts[run_of(proof), appellant]
        _require(entry["account"] == payout, "restored to another address than the node's")
        respondent = to_checksum_address(ruling.respondent)
        for name, signature in entry["signatures"].items():
            require_signer(ruling, self.authority.registry_domain, bytes.fromhex(signature[2:]), name)
        # the ledger took them by the chain's newest block, of which the log tells nothing (and an operator would choose
        # it); whoever was removed before the run's newest round, or its beacons, is out of it
        bench = self.authority.widest_since(self._runs[run_of(proof)].block)
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
        accepted = accepted_digest([bytes.fromhex(key[2:]) for key in self.books.posted(run, number)])
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

    def _signed(self, kind: type[M], entry: dict[str, Any], signer: Callable[[M], str]) -> M:
        return signed(self.authority.domain, kind, entry, signer)


def _path(nodes: list[str]) -> tuple[bytes, ...]:
    return tuple(bytes.fromhex(node[2:]) for node in nodes)


def _pass(_entry: dict[str, Any]) -> None:
    return None
