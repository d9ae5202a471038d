"""Who takes part: runs are created, nodes enrol, verifiers anchor their hash chains, leases are renewed."""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np
from eth_utils import to_checksum_address
from sqlmodel import Session, func, select

from contracts.audit_rate import MILLION
from contracts.errors import BadField, InvalidTensorFile
from contracts.messages import DrawAnchor, Heartbeat, NodeEnrolment, RunManifest, to_json
from contracts.run_config import RunConfig
from contracts.state_layout import full_layout, inner_digest
from contracts.tensorfile import DTYPES, Layout, layout_of, pack, state_digest, unpack
from ledger import log
from ledger.errors import AlreadyDecided, BindingMismatch, MessageReused, NotEnrolled, NotFound, NotVerifier
from ledger.service import Ledger
from ledger.tables import Anchor, DecisionRow, Node, Participant, Run, SignedMessage


def create_run(ledger: Ledger, message: RunManifest, signature: bytes, config: str, genesis_blob: str) -> str:
    """Register a run of the deployed model by the model's deployer; returns the run's id."""
    run = ledger.check(message, signature, message.creator)
    if message.model != ledger.chain.model or to_checksum_address(message.creator) != ledger.chain.deployment.deployer:
        raise BindingMismatch("a run is created by whoever registered the model")
    parsed = RunConfig.from_json(config)  # nothing is parsed for a stranger
    if parsed.digest() != message.config:
        raise BindingMismatch("config does not have the digest in the manifest")
    if min(message.roundsPerEpoch, message.minNodes, message.samples, message.leaseSeconds, message.phaseSeconds) < 1:
        raise BadField("roundsPerEpoch, minNodes, samples, leaseSeconds and phaseSeconds must be at least 1")
    if message.emission < 1:
        raise BadField("emission must be at least 1 unit: an epoch that pays nothing cannot be closed")
    _check_audits(ledger, message)
    data = ledger.blobs.get(genesis_blob)
    layout = layout_of(data)
    if not all(name.startswith("theta.") and kind == "F32" for name, (kind, _) in layout.items()):
        raise InvalidTensorFile("the genesis blob must hold F32 tensors named theta.* and nothing else")
    if state_digest(unpack(data, layout)) != message.genesis:
        raise BindingMismatch("the genesis blob does not hold the weights in the manifest")
    still = _zeros(layout)
    momentum_blob = ledger.blobs.put(pack(still))
    with ledger.store.write() as session:
        if session.get(Run, run) is not None:
            return run
        _require_new_nonce(session, message)
        ledger.keep(session, message, signature, message.creator, run)
        body, wire = to_json(message), {name: [kind, list(shape)] for name, (kind, shape) in layout.items()}
        session.add(
            Run(
                id=run, creator=message.creator, manifest=body, config=parsed.to_json(), layout=wire,
                genesis_blob=genesis_blob, momentum="0x" + state_digest(still).hex(), momentum_blob=momentum_blob,
                decided=int(session.exec(select(func.coalesce(func.max(DecisionRow.sequence), 0))).one()),
            )
        )  # fmt: skip
        log.append(
            session, "run-created", run=run, message=body, signature="0x" + signature.hex(), config=parsed.to_json()
        )
    return run


def _require_new_nonce(session: Session, message: RunManifest) -> None:
    """Two runs of one nonce would ask for one trajectory, and both would pay for it. Raises MessageReused."""
    creator = to_checksum_address(message.creator)
    manifests = [run.manifest for run in session.exec(select(Run)) if to_checksum_address(run.creator) == creator]
    used = {int(manifest["nonce"]) for manifest in manifests}
    if message.nonce in used:
        raise MessageReused(f"nonce {message.nonce} of {creator} has a run; the next is {max(used) + 1}")


def _check_audits(ledger: Ledger, message: RunManifest) -> None:
    """Who reads, how often, and against which stake: rules under which nothing is read or lost are refused."""
    if not 1 <= message.auditFloor <= MILLION:
        raise BadField(f"auditFloor must be between 1 and {MILLION} parts per million")
    cap = ledger.chain.nodes.slash_cap()
    if message.auditFloor < MILLION and not 1 <= message.nodeStake <= cap:
        raise BadField(f"nodeStake must be between 1 wei and the {cap} that a proof can cost, to audit less than all")
    threshold = ledger.chain.registry.threshold()
    if 0 < message.panel < threshold:
        raise BadField(f"panel must be 0 for all verifiers, or at least {threshold}, the accepts that a proof takes")


def enrol(ledger: Ledger, message: NodeEnrolment, signature: bytes, from_round: int) -> None:
    """Take a node in from `from_round` on, or back after its lease lapsed. The payout address is fixed by the first.

    The same message again changes nothing: it cannot bring back a node whose lease lapsed since.
    """
    key = ledger.check(message, signature, message.node)
    with ledger.store.write() as session:
        run, name = require_run(session, message.run), to_checksum_address(message.node)
        if session.get(SignedMessage, key) is not None:
            return
        known = session.get(Node, (run.id, name))
        if known is not None and known.nonce >= message.nonce:
            raise MessageReused(f"nonce {message.nonce} of {name} was used; the next is {known.nonce + 1}")
        if known is not None and known.payout != to_checksum_address(message.payout):
            raise AlreadyDecided(f"{name} is paid at {known.payout}; enrol another node key for another address")
        ledger.keep(session, message, signature, name, key)
        if known is None:
            session.add(_joiner(run, name, message, from_round))
        else:
            known.active, known.nonce = True, message.nonce
            session.add(known)
        _log_signed(session, "node-enrolled", message.run, to_json(message), signature, from_round=from_round)


def anchor(ledger: Ledger, message: DrawAnchor, signature: bytes) -> None:
    """Bind an admitted verifier to a hash chain, once per run."""
    key = ledger.check(message, signature, message.verifier)
    name = to_checksum_address(message.verifier)
    if name not in ledger.chain.registry.verifiers():
        raise NotVerifier(f"{name} is not admitted in the VerifierRegistry")
    head = ledger.chain.head()
    with ledger.store.write() as session:
        run = require_run(session, message.run)
        known = session.get(Anchor, (run.id, name))
        if known is not None:
            if known.anchor != "0x" + message.anchor.hex():
                raise AlreadyDecided(f"{name} has anchored another hash chain for this run")
            return
        ledger.keep(session, message, signature, name, key)
        bound = "0x" + message.anchor.hex()
        session.add(Anchor(run=run.id, verifier=name, anchor=bound, length=message.length, block=head))
        _log_signed(session, "draw-anchored", message.run, to_json(message), signature, block=head)


def heartbeat(ledger: Ledger, message: Heartbeat, signature: bytes) -> None:
    """Renew a participant's lease."""
    ledger.check(message, signature, message.node)
    with ledger.store.write() as session:
        row = session.get(Participant, ("0x" + message.run.hex(), message.round, to_checksum_address(message.node)))
        if row is None or row.lapsed:
            raise NotEnrolled(f"{message.node} takes no part in round {message.round}, or its lease lapsed")
        row.seen, row.step = ledger.now(), message.step
        session.add(row)


def require_run(session: Session, run: bytes | str) -> Run:
    """The run of that id. Raises NotFound."""
    name = run if isinstance(run, str) else "0x" + run.hex()
    found = session.get(Run, name)
    if found is None:
        raise NotFound(f"no run {name}")
    return found


def theta_layout(run: Run) -> Layout:
    """Layout of the weights, as the genesis blob has it."""
    return {name: (kind, tuple(shape)) for name, (kind, shape) in run.layout.items()}


def joiner_digest(run: Run) -> str:
    """Inner state digest of a node that has done no steps: zero moments, zero count."""
    return "0x" + inner_digest(_zeros(full_layout(theta_layout(run)))).hex()


def _joiner(run: Run, name: str, message: NodeEnrolment, from_round: int) -> Node:
    payout = to_checksum_address(message.payout)
    return Node(
        run=run.id, node=name, payout=payout, from_round=max(1, from_round), nonce=message.nonce,
        inner_digest=joiner_digest(run),
    )  # fmt: skip


def _zeros(layout: Layout) -> dict[str, Any]:
    return {name: np.zeros(shape, DTYPES[kind]) for name, (kind, shape) in layout.items()}


def _log_signed(
    session: Session, kind: str, run: bytes, message: dict[str, Any], signature: bytes, **extra: Any
) -> None:
    log.append(session, kind, run="0x" + run.hex(), message=message, signature="0x" + signature.hex(), **extra)


def config_digest(config: str) -> str:
    """0x-hex digest of a canonical configuration."""
    return "0x" + hashlib.sha256(config.encode("ascii")).hexdigest()
