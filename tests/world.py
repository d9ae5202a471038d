"""A whole network in one process: chain, contracts, ledger, API, and people who can sign.

`World` runs the real parts (py-evm, SQLite or the database it is given, the FastAPI application, the trainer); only
the socket is missing and the clock is a number. A test starts from `world.start()` (a run whose first round is open)
and moves on with `commit`, `draw`, `open`, `decide`, `merge`, `close_round`, `settle_epoch`. What a test wants to
corrupt it takes from the matching `*_message`, changes with keyword arguments, and sends with `post`.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any
from unittest.mock import patch

import httpx
from blake3 import blake3
from eth_account.signers.local import LocalAccount
from eth_utils import keccak
from fastapi.testclient import TestClient
from httpx import Response
from sqlmodel import SQLModel, select
from web3 import Web3
from web3.contract.contract import ContractFunction

from api.app import create_app
from api.settings import ServerSettings
from contracts.chain import connect_devnet, send
from contracts.deploy import GenesisParams
from contracts.devnet import Devnet
from contracts.draw import accepted_digest, chain_link
from contracts.governor import Action, description_of
from contracts.messages import (
    BlobUpload,
    Challenge,
    DrawAnchor,
    EpochRoot,
    Heartbeat,
    MergeAttestation,
    Message,
    NodeEnrolment,
    Opening,
    PledgeOpening,
    RunManifest,
    StepProof,
    Verdict,
    to_json,
)
from contracts.pledge import Pledge
from contracts.positional_tree import KECCAK_TREE
from contracts.reasons import Reason
from contracts.run_config import RunConfig
from contracts.signing import Domain, sign
from contracts.state_layout import inner_digest, theta_digest
from contracts.tensorfile import pack, state_digest, unpack
from contracts.verifier_registry import VerifierSet
from ledger import epochs, indexer, keeper
from ledger.blobs import BlobFolder
from ledger.chain import ModelChain
from ledger.service import Ledger
from ledger.store import Store
from ledger.tables import Epoch
from tests.chains import StillChain, twin
from tests.databases import fresh_file
from tests.deployed import PARAMS as PARAMS
from tests.deployed import deployed, verifier_keys
from tests.deployed import key_of as key_of
from trainer.batches import batch_source
from trainer.client import ApiClient
from trainer.corpus import Corpus, load_corpus
from trainer.outer import merge
from trainer.profile import configure_determinism
from trainer.state import Layout, Tensors, initial_theta, inner_of, start_tensors, theta_layout
from trainer.trajectory import InnerRunner, Trajectory, run_inner
from verifier.audit import LogAudit
from verifier.audit_state import ProofState
from verifier.chain_authority import authority_of
from verifier.guilt import Known

UNDECIDED, ACCEPT, REJECT = 0, 1, 2
NO_SEGMENT = 0xFFFFFFFF
CHAIN_LENGTH = 50
MAX_BLOB = 2**20
TINY = RunConfig(layers=1, d_model=16, heads=2, context=16, steps=4, segment=2, batch=2)


def key_by_address(keys: Iterable[LocalAccount], address: str) -> LocalAccount:
    """The one of `keys` with that address."""
    return next(key for key in keys if key.address == address)


@cache
def genesis(config: RunConfig) -> Tensors:
    """The weights that a run of this configuration begins with."""
    return initial_theta(config)


@cache
def weights_layout(config: RunConfig) -> Layout:
    """Layout of the weights."""
    return theta_layout(config)


def octets(text: str) -> bytes:
    """0x-hex to bytes."""
    return bytes.fromhex(text.removeprefix("0x"))


def hexed(data: bytes) -> str:
    """Bytes to 0x-hex."""
    return "0x" + data.hex()


class Clock:
    """Unix seconds that move only when told to."""

    def __init__(self, now: int) -> None:
        self.now = now

    def __call__(self) -> int:
        return self.now


class Place:
    """A chain with one deployed model and three staked verifiers; worlds that leave the chain alone may share it."""

    def __init__(self, params: GenesisParams = PARAMS, chain: type[Devnet] = Devnet) -> None:
        self.params = params
        self.creator, self.operator, self.verifiers = key_of("creator"), key_of("operator"), verifier_keys()
        ready, self.deployment = deployed(params, chain)
        self.chain = twin(ready)
        self.w3: Web3 = connect_devnet(self.chain)
        self.model = ModelChain(self.w3, self.deployment)


@dataclass(frozen=True)
class Work:
    """What a node has after training one round."""

    node: LocalAccount
    start: Tensors
    trajectory: Trajectory
    message: StepProof

    @property
    def gradient(self) -> bytes:
        """Packed pseudo-gradient."""
        return pack(self.trajectory.pseudo_gradient)

    @property
    def paths(self) -> dict[str, list[str]]:
        """The companions of the StepProof that prove its first and last entry."""
        entries = list(self.trajectory.boundary_entries)
        first, last = (KECCAK_TREE.inclusion_proof(entries, i) for i in (0, len(entries) - 1))
        return {"first_path": [hexed(n) for n in first], "last_path": [hexed(n) for n in last]}


class World:
    """One ledger and its API on a place; `nodes[i]` is paid at `wallets[i]`. Use as a context manager.

    `database` is the URL of one with the tables of a ledger; without it, SQLite in `folder`.
    """

    def __init__(
        self, folder: Path, place: Place | None = None, nodes: int = 2, config: RunConfig | None = None,
        database: str | None = None,
    ) -> None:  # fmt: skip
        self.folder, self.place = folder, place or Place(chain=StillChain)
        folder.mkdir(parents=True, exist_ok=True)
        self.database = database or fresh_file(folder)
        self.creator, self.operator, self.verifiers = self.place.creator, self.place.operator, self.place.verifiers
        self.nodes = sorted((key_of(f"node {i}") for i in range(nodes)), key=lambda a: a.address.lower())
        self.wallets = [key_of(f"wallet of {node.address}") for node in self.nodes]
        self.stranger = key_of("stranger")
        self.corpus = _corpus(folder)
        self.config = replace(config or TINY, corpus_digest=self.corpus.digest)
        self.clock = Clock(int(self.place.w3.eth.get_block("latest")["timestamp"]))
        self.run = ""
        self.pledges: dict[str, Pledge] = {}
        self._ends: dict[str, Tensors] = {}
        self._work: dict[tuple[str, str, int], Work] = {}
        self._open()

    def __enter__(self) -> World:
        self.client.__enter__()
        return self

    def __exit__(self, *error: Any) -> None:
        self.client.__exit__(*error)
        self.ledger.store.engine.dispose()

    def restart(self) -> None:
        """Close the server and start it again on what lies on the disk."""
        self.__exit__(None, None, None)
        self._open()
        self.__enter__()

    def _open(self) -> None:
        url, blobs = self.database, self.folder / "blobs"
        settings = ServerSettings(
            rpc_url="http://unused", deployment=self.folder / "deployment.json", operator_key=self.operator.key.hex(),
            database_url=url, blobs=blobs, max_blob_bytes=MAX_BLOB, keeper=False,
        )  # fmt: skip
        self.ledger = Ledger(Store(url), BlobFolder(blobs), self.place.model, self.operator, self.clock, holder="world")
        for _ in range(0, self.ledger.chain.head() + 1, indexer.BATCH):  # as a keeper does that has run for a while
            indexer.follow(self.ledger)
        self.app = create_app(settings, self.ledger)
        self.client = TestClient(self.app, raise_server_exceptions=False)

    # -- time ---------------------------------------------------------------------------------------------------------

    def wait(self, seconds: int) -> None:
        """Move the clocks of ledger and chain on."""
        self.clock.now += seconds
        self.place.chain.increase_time(seconds)
        self.place.chain.mine()

    def mine(self, blocks: int = 3) -> None:
        """Let blocks pass: beacons come to exist."""
        self.place.chain.mine(blocks)

    def step(self, times: int = 1) -> None:
        """What the keeper does, `times` times."""
        for _ in range(times):
            keeper.step(self.ledger)

    def deadline(self, seconds: int = 120) -> int:
        """A deadline for a message signed now."""
        return self.clock.now + seconds

    # -- HTTP ---------------------------------------------------------------------------------------------------------

    def get(self, path: str, **query: Any) -> Any:
        """GET below /v1, decoded; must succeed."""
        return accepted(self.client.get("/v1" + path, params=query))

    def post(
        self, path: str, message: Message, key: LocalAccount, /, *, domain: Domain | None = None, **beside: Any
    ) -> Response:
        """Sign `message` with `key` and post it with its companions."""
        signature = sign(message, domain or self.domain, bytes(key.key))
        return self.client.post(
            "/v1" + path, json={"message": to_json(message), "signature": hexed(signature), **beside}
        )

    def put(self, data: bytes, key: LocalAccount, *, sent: bytes | None = None, **changes: Any) -> Response:
        """Upload `data` with `key`; `sent` are other bytes on the wire, `changes` other fields in the message."""
        name = blake3(data).digest()
        base = BlobUpload(octets(self.run or "00" * 32), key.address, name, len(data), self.deadline())
        message = replace(base, **changes)
        headers = {
            "X-Commonweight-Message": json.dumps(to_json(message)),
            "X-Commonweight-Signature": hexed(sign(message, self.domain, bytes(key.key))),
        }
        return self.client.put(f"/v1/blobs/{name.hex()}", content=data if sent is None else sent, headers=headers)

    def blob(self, data: bytes, key: LocalAccount) -> str:
        """Store `data`; returns its name."""
        return str(accepted(self.put(data, key))["blob"])

    def api_client(self, key: LocalAccount | None = None, cache: Path | None = None) -> ApiClient:
        """The workers' own client on this application, without a socket."""

        def local(**options: Any) -> TestClient:
            return TestClient(self.app, base_url=options["base_url"], raise_server_exceptions=False)

        with patch.object(httpx, "Client", local):
            return ApiClient("http://world", None if key is None else bytes(key.key), cache)

    @property
    def domain(self) -> Domain:
        """Of messages that stay off the chain."""
        return self.ledger.chain.domain

    @property
    def epoch_domain(self) -> Domain:
        """Of EpochRoot."""
        return self.ledger.chain.epoch_domain

    # -- a run --------------------------------------------------------------------------------------------------------

    def manifest_message(self, **changes: Any) -> RunManifest:
        """A manifest of this world's config."""
        base = RunManifest(
            model=self.ledger.chain.model, creator=self.creator.address, config=self.config.digest(),
            genesis=state_digest(genesis(self.config)), emission=1000, roundsPerEpoch=1,
            minNodes=len(self.nodes), samples=1, panel=0, auditFloor=1_000_000, nodeStake=0,
            leaseSeconds=120, phaseSeconds=200, nonce=1, deadline=self.deadline(),
        )  # fmt: skip
        return replace(base, **changes)

    def create_run(self, **changes: Any) -> str:
        """Create a run (`changes` are manifest fields) and make it the current one."""
        blob = self.blob(pack(genesis(self.config)), self.creator)
        answer = self.post(
            "/runs", self.manifest_message(**changes), self.creator, config=self.config.to_json(), genesis_blob=blob
        )
        self.run = str(accepted(answer)["run"])
        return self.run

    def enrolment_message(self, node: LocalAccount, **changes: Any) -> NodeEnrolment:
        """A node's enrolment with its wallet as payout address."""
        payout = key_of(f"wallet of {node.address}").address
        base = NodeEnrolment(octets(self.run), node.address, payout, 1, self.deadline())
        return replace(base, **changes)

    def enrol(self, node: LocalAccount, from_round: int = 1, **changes: Any) -> None:
        """Enrol a node in the current run."""
        message = self.enrolment_message(node, **changes)
        accepted(self.post(f"/runs/{self.run}/nodes", message, node, from_round=from_round))

    def anchor_message(self, verifier: LocalAccount, **changes: Any) -> DrawAnchor:
        """The end of a verifier's hash chain."""
        anchor = self.link(verifier, 0)
        return replace(DrawAnchor(octets(self.run), verifier.address, anchor, CHAIN_LENGTH, self.deadline()), **changes)

    def anchor(self, verifier: LocalAccount) -> None:
        """Anchor a verifier's hash chain."""
        accepted(self.post(f"/runs/{self.run}/verifiers", self.anchor_message(verifier), verifier))

    def link(self, verifier: LocalAccount, round_number: int) -> bytes:
        """A verifier's hash-chain value of a round."""
        return chain_link(keccak(b"draws" + bytes(verifier.key)), CHAIN_LENGTH, round_number)

    def start(self, **changes: Any) -> World:
        """A run with all nodes and verifiers, its first round open."""
        self.create_run(**changes)
        for node in self.nodes:
            self.enrol(node)
        for verifier in self.verifiers:
            self.anchor(verifier)
        self.step()
        assert self.run_view()["phase"] == "training"
        return self

    def stake_node(self, node: LocalAccount, wei: int) -> None:
        """Give a node coins, and have it stake some."""
        w3 = self.place.w3
        gift = {
            "to": node.address, "value": 10**18, "gas": 21_000, "gasPrice": w3.eth.gas_price,
            "chainId": w3.eth.chain_id, "nonce": w3.eth.get_transaction_count(self.creator.address),
        }  # fmt: skip
        signed = self.creator.sign_transaction(gift)
        w3.eth.wait_for_transaction_receipt(w3.eth.send_raw_transaction(signed.raw_transaction))
        send(w3, node, self.ledger.chain.nodes.stake(), value=wei)

    def run_view(self) -> Any:
        """The current run."""
        return self.get(f"/runs/{self.run}")

    def round_view(self, number: int | None = None) -> Any:
        """A round, by default the newest."""
        return self.get(f"/runs/{self.run}/rounds/{number or self.run_view()['round']}")

    def heartbeat_message(self, node: LocalAccount, **changes: Any) -> Heartbeat:
        """A node's sign of life in the newest round."""
        number = int(self.run_view()["round"])
        return replace(Heartbeat(octets(self.run), number, node.address, 1, self.deadline()), **changes)

    # -- a node's round -----------------------------------------------------------------------------------------------

    def train(self, node: LocalAccount, runner: InnerRunner = run_inner) -> Work:
        """A node's work in the newest round, really trained; an honest one is trained only once."""
        view = self.round_view()
        number, place = int(view["round"]), (self.run, node.address, int(view["round"]))
        if place in self._work and runner is run_inner:
            return self._work[place]
        config = RunConfig.from_json(view["config"])
        theta = unpack(self.ledger.blobs.get(view["theta"]["blob"]), weights_layout(config))
        inner = next(n["inner"]["digest"] for n in view["nodes"] if n["node"] == node.address)
        start = start_tensors(theta, self._ends.get(inner))
        batches = batch_source(self.corpus.train, config, octets(view["data_seed"]), number, node.address)
        trajectory = runner(config, start, batches)
        self._ends[hexed(inner_digest(trajectory.end_state))] = inner_of(trajectory.end_state)
        work = Work(node, start, trajectory, self._proof_of(node, view, start, trajectory))
        if runner is run_inner:
            self._work[place] = work
        return work

    def _proof_of(self, node: LocalAccount, view: Any, start: Tensors, trajectory: Trajectory) -> StepProof:
        config, end = RunConfig.from_json(view["config"]), trajectory.end_state
        return StepProof(
            run=octets(self.run), round=int(view["round"]), node=node.address, startState=theta_digest(start),
            innerState=inner_digest(start), commitment=trajectory.root, boundaries=len(trajectory.boundary_entries),
            endState=theta_digest(end), innerEnd=inner_digest(end), pseudoGradient=trajectory.pseudo_gradient_digest,
            dataSeed=octets(view["data_seed"]), config=config.digest(),
            profile=configure_determinism(config.profile).digest(), pledge=self.pledge(node).seal(node.address),
            steps=config.steps, tokens=config.tokens_per_round, deadline=self.deadline(),
        )  # fmt: skip

    def proof_message(self, work: Work, **changes: Any) -> StepProof:
        """The StepProof of some work, signed as of now."""
        return replace(work.message, **{"deadline": self.deadline(), **changes})

    def post_proof(self, work: Work, message: StepProof | None = None, **beside: Any) -> Response:
        """Commit to work; `message` and companions may be others than its own."""
        if "gradient_blob" not in beside:
            beside["gradient_blob"] = self.blob(work.gradient, work.node)
        return self.post("/proofs", message or self.proof_message(work), work.node, **{**work.paths, **beside})

    def commit(self, node: LocalAccount, runner: InnerRunner = run_inner) -> str:
        """Train the newest round and commit to it; returns the proof's id."""
        return str(accepted(self.post_proof(self.train(node, runner)))["proof"])

    def opening_message(self, proof: str, work: Work, boundary: int, **changes: Any) -> Opening:
        """The opening of a boundary."""
        entry = work.trajectory.boundary_entries[boundary]
        blob = blake3(work.trajectory.packed_state(boundary)).digest()
        return replace(Opening(octets(proof), boundary, keccak(entry), blob, self.deadline()), **changes)

    def open_boundary(self, proof: str, work: Work, boundary: int) -> None:
        """Upload a boundary's state and open it."""
        opened = work.trajectory.opening(boundary)
        self.blob(opened.packed, work.node)
        message = self.opening_message(proof, work, boundary)
        accepted(self.post("/openings", message, work.node, path=[hexed(n) for n in opened.proof]))

    def open_wanted(self, proof: str, work: Work) -> list[int]:
        """Open whatever the draws ask for; returns the boundaries."""
        wanted = list(self.get(f"/proofs/{proof}/status")["wanted"])
        for boundary in wanted:
            self.open_boundary(proof, work, boundary)
        return wanted

    # -- a verifier's round -------------------------------------------------------------------------------------------

    def challenge_message(self, verifier: LocalAccount, proof: str, **changes: Any) -> Challenge:
        """A verifier's draw for a proof; mine() first, so that the beacon exists."""
        view = self.get(f"/proofs/{proof}")
        block, link = int(view["beacon_block"]), self.link(verifier, int(view["round"]))
        beacon = self.ledger.chain.block_hash(block) if block <= self.ledger.chain.head() else bytes(32)
        return replace(Challenge(octets(proof), verifier.address, block, beacon, link, self.deadline()), **changes)

    def draw(self, verifier: LocalAccount, proof: str) -> list[int]:
        """Draw a verifier's segments, after the beacon."""
        missing = int(self.get(f"/proofs/{proof}")["beacon_block"]) - self.ledger.chain.head()
        if missing > 0:
            self.mine(max(3, missing))  # more than 3 where the machine was so slow that the ledger took a later beacon
        return list(accepted(self.post("/challenges", self.challenge_message(verifier, proof), verifier))["segments"])

    def verdict_message(self, verifier: LocalAccount, proof: str, outcome: int = ACCEPT, **changes: Any) -> Verdict:
        """A verdict at the proof's stage; a rejection names the first segment that the verifier had to replay."""
        view = self.get(f"/proofs/{proof}")
        stage, reject = int(view["stage"]), outcome == REJECT
        reason = Reason.REPLAY_MISMATCH if reject else Reason.NONE if outcome == ACCEPT else Reason.VERIFIER_FAILED
        drawn = {c["message"]["verifier"]: c["segments"] for c in view["challenges"]}
        read = view["disputed"] if stage == 2 else drawn.get(verifier.address, [])
        base = Verdict(
            octets(proof), verifier.address, stage, outcome, int(reason), [*read, 0][0] if reject else NO_SEGMENT,
            7 if reject else 0, 0, self.deadline(),
        )  # fmt: skip
        return replace(base, **changes)

    def known(self, threshold: int = 2) -> Known:
        """What a verifier's own log says when it looks for faults, under another k if wanted."""

        def read(proof: str) -> tuple[ProofState, VerifierSet]:
            audit = LogAudit(authority_of(self.place.w3, self.place.deployment))
            for index, entry in enumerate(self.log()):
                audit.take(index, json.dumps(entry))
            return audit.proof(proof), replace(audit.bench_of(proof), threshold=threshold)

        return read

    def judge(self, verifier: LocalAccount, proof: str, outcome: int = ACCEPT, **changes: Any) -> None:
        """Draw where that was not done, and give a verdict."""
        drawn = {c["message"]["verifier"] for c in self.get(f"/proofs/{proof}")["challenges"]}
        if verifier.address not in drawn:
            self.draw(verifier, proof)
        accepted(self.post("/verdicts", self.verdict_message(verifier, proof, outcome, **changes), verifier))
        self.own_up(proof)

    def pledge(self, node: LocalAccount) -> Pledge:
        """What a node pledges: honest work, unless `pledges` has another by its address."""
        return self.pledges.get(node.address, Pledge(keccak(b"pledge" + bytes(node.key))))

    def pledge_message(self, proof: str, **changes: Any) -> PledgeOpening:
        """The opening of its node's pledge."""
        pledge = self.pledge(key_by_address(self.nodes, self.get(f"/proofs/{proof}/status")["node"]))
        return replace(PledgeOpening(octets(proof), pledge.salt, pledge.fake, self.deadline()), **changes)

    def own_up(self, proof: str) -> None:
        """Open the pledge of one of `nodes` if it is awaited."""
        status = self.get(f"/proofs/{proof}/status")
        if status["pledge_wanted"]:
            node = key_by_address(self.nodes, status["node"])
            accepted(self.post("/pledges", self.pledge_message(proof), node))

    def dispute(self, proof: str, **changes: Any) -> None:
        """The first verifier rejects, the others accept: the proof goes to stage 2."""
        self.judge(self.verifiers[0], proof, REJECT, **changes)
        for verifier in self.verifiers[1:]:
            self.judge(verifier, proof)

    def decide(self, proof: str, outcome: int = ACCEPT) -> Any:
        """All verifiers give the same outcome, at both stages where it takes two; returns the proof's status."""
        for _ in range(2):
            for verifier in self.verifiers:
                status = self.get(f"/proofs/{proof}/status")
                if status["state"] == "pending" and verifier.address not in status["voted"]:
                    self.judge(verifier, proof, outcome)
        return self.get(f"/proofs/{proof}/status")

    def outer_step(self) -> tuple[Tensors, Tensors, bytes]:
        """Weights, momentum and digest of the posted proofs that the newest round merges to."""
        view = self.round_view()
        config = RunConfig.from_json(view["config"])
        shape = weights_layout(config)
        theta, momentum = (unpack(self.ledger.blobs.get(view[k]["blob"]), shape) for k in ("theta", "momentum"))
        posted = [self.get(f"/proofs/{p['proof']}") for p in view["proofs"] if p["state"] == "posted"]
        gradients = [unpack(self.ledger.blobs.get(p["gradient_blob"]), shape) for p in posted]
        new = merge(theta, momentum, gradients, config.rate("outer_lr"), config.rate("outer_momentum"))
        return *new, accepted_digest([octets(p["proof"]) for p in posted])

    def merge_message(
        self, verifier: LocalAccount, step: tuple[Tensors, Tensors, bytes] | None = None, **changes: Any
    ) -> MergeAttestation:
        """A verifier's true outer step of the newest round; `step` saves computing it again."""
        theta, momentum, digest = step or self.outer_step()
        base = MergeAttestation(
            octets(self.run), int(self.run_view()["round"]), verifier.address, digest, state_digest(theta),
            state_digest(momentum), 5 * 10**9, self.deadline(),
        )  # fmt: skip
        return replace(base, **changes)

    def post_merge(self, verifier: LocalAccount, message: MergeAttestation | None = None, **beside: Any) -> Response:
        """Attest to the outer step of the newest round."""
        step = theta, momentum, _ = self.outer_step()
        blobs = {"theta_blob": self.blob(pack(theta), verifier), "momentum_blob": self.blob(pack(momentum), verifier)}
        return self.post("/merges", message or self.merge_message(verifier, step), verifier, **{**blobs, **beside})

    def close_round(self) -> None:
        """Merge the newest round with k verifiers; the next one opens where the run has one."""
        for verifier in self.verifiers[: self.place.params.threshold]:
            accepted(self.post_merge(verifier))
        self.step()

    def play_round(self) -> dict[str, str]:
        """One honest round from training to closed; returns proof ids by node address."""
        proofs = {node.address: self.commit(node) for node in self.nodes}
        self.step()
        for proof in proofs.values():
            assert self.decide(proof)["state"] == "posted"
        self.step()
        self.close_round()
        return proofs

    # -- epochs and votes ---------------------------------------------------------------------------------------------

    def epoch_message(self, number: int = 1, **changes: Any) -> EpochRoot:
        """What verifiers sign for an epoch."""
        with self.ledger.store.read() as session:
            base = epochs.root_message(self.ledger, session.get_one(Epoch, number))
        return replace(base, **changes)

    def post_epoch(self, verifier: LocalAccount, number: int = 1, message: EpochRoot | None = None) -> Response:
        """Sign an epoch's root."""
        return self.post(
            f"/epochs/{number}/signatures", message or self.epoch_message(number), verifier,
            domain=self.epoch_domain, signer=verifier.address,
        )  # fmt: skip

    def settle_epoch(self, number: int = 1) -> None:
        """Have k verifiers sign an epoch and wait until it is final on the chain."""
        for verifier in self.verifiers[: self.place.params.threshold]:
            accepted(self.post_epoch(verifier, number))
        self.step(2)
        self.wait(self.place.params.challenge_window + 1)
        self.step(3)

    def claim(self, account: str, number: int = 1) -> list[str]:
        """Ask for an account's tokens and let the relayer mint them; returns the outbox ids."""
        answer = accepted(self.client.post(f"/v1/epochs/{number}/claims", json={"account": account}))
        self.step(2)
        return list(answer["transactions"])

    def proposal_body(self, holder: LocalAccount, description: str, decisions: list[tuple[str, str]]) -> dict[str, Any]:
        """A signed proposal as the API takes it; the decisions need not be valid."""
        description = description_of(description, holder.address)
        actions = self.ledger.chain.decision_actions(description, decisions)
        until = self.deadline(3600)
        signature = self.ledger.chain.governor.sign_proposal(holder, actions, description, until)
        return {
            "proposer": holder.address, "description": description, "decisions": decisions, "deadline": until,
            "signature": hexed(signature),
        }  # fmt: skip

    def propose(self, holder: LocalAccount, description: str, decisions: list[tuple[str, str]]) -> str:
        """Propose and relay; returns the proposal's id."""
        answer = accepted(self.client.post("/v1/proposals", json=self.proposal_body(holder, description, decisions)))
        self.step()
        return str(answer["proposal"])

    def ballot_body(self, holder: LocalAccount, proposal: str, support: int = 1) -> dict[str, Any]:
        """A signed ballot as the API takes it."""
        ballot = self.ledger.chain.governor.sign_ballot(holder, int(proposal), support)
        return {"voter": holder.address, "support": support, "signature": hexed(ballot.signature)}

    def vote(self, holder: LocalAccount, proposal: str, support: int = 1) -> Response:
        """Hand in a signed ballot."""
        return self.client.post(f"/v1/proposals/{proposal}/ballots", json=self.ballot_body(holder, proposal, support))

    def enact(self, holder: LocalAccount, *calls: ContractFunction) -> None:
        """Have a holder of most votes pass calls through governor and timelock, past the API; leases stay alive."""
        w3, governor, params = self.place.w3, self.ledger.chain.governor, self.place.params
        actions = [Action.of(call) for call in calls]
        description = f"enacted at block {w3.eth.block_number}"
        send(w3, holder, governor.propose(actions, description))
        self.wait(params.voting_delay + 1)
        send(w3, holder, governor.cast_vote(governor.proposal_id(actions, description), 1))
        self.wait(params.voting_period + 1)
        send(w3, holder, governor.queue(actions, description))
        self.wait(params.timelock_delay + 2)
        send(w3, holder, governor.execute(actions, description))
        for node in self.nodes:
            accepted(self.post("/heartbeats", self.heartbeat_message(node), node))
        self.step()

    def appeal(self, proof: str, appellant: LocalAccount | None = None) -> None:
        """Open an appeal on the chain: the proof's node, or somebody else."""
        node = key_by_address(self.nodes, str(self.get(f"/proofs/{proof}")["node"]))
        call = self.ledger.chain.registry.open_appeal(octets(proof))
        send(self.place.w3, appellant or node, call, value=self.place.params.bond)

    # -- what must not change -----------------------------------------------------------------------------------------

    def dump(self) -> dict[str, Any]:
        """Every row of every table and every stored blob: equal dumps mean that nothing changed."""
        tables = SQLModel.metadata.sorted_tables
        with self.ledger.store.read() as session:
            rows = {t.name: sorted(map(repr, session.connection().execute(select(t)))) for t in tables}
        return {**rows, "blobs": sorted(p.name for p in (self.folder / "blobs").iterdir())}

    def payouts(self, epoch: int) -> list[dict[str, Any]]:
        """An epoch's lines, as the API gives them."""
        return list(self.get(f"/epochs/{epoch}/payouts")["payouts"])

    def log(self, kind: str | None = None) -> list[dict[str, Any]]:
        """Log entries, of one kind or all."""
        entries = [json.loads(e["body"]) for e in self.get("/log/entries", limit=1000)["entries"]]
        return [e for e in entries if kind in (None, e["kind"])]


def accepted(answer: Response) -> Any:
    """The decoded body of an answer that must not be a refusal."""
    assert answer.status_code < 400, f"{answer.request.method} {answer.request.url.path}: {answer.text}"
    return answer.json()


def check_refused(answer: Response, status: int, code: str) -> None:
    """The answer must be a problem document of that status and code."""
    assert (answer.status_code, answer.headers["content-type"]) == (status, "application/problem+json"), answer.text
    body = answer.json()
    assert (body["code"], body["status"], body["type"]) == (code, status, f"urn:commonweight:{code}"), body
    assert body["detail"], body
    assert body["title"], body


def _corpus(folder: Path) -> Corpus:
    path = folder / "text.txt"
    path.write_text("".join(f"line {i}: the quick brown fox, {i * i} times\n" for i in range(500)))
    return load_corpus([path])
