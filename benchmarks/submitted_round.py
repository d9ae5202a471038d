"""A round of many nodes whose proofs the ledger accepts: what submitters can send, without training."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from blake3 import blake3
from eth_account import Account
from eth_account.signers.local import LocalAccount
from eth_utils import keccak

from contracts.deploy import Deployment
from contracts.messages import StepProof
from contracts.positional_tree import KECCAK_TREE
from contracts.run_config import RunConfig
from contracts.signing import Domain, sign
from contracts.tensorfile import layout_of, pack, state_digest
from ledger.blobs import BlobFolder
from ledger.chain import ModelChain
from ledger.proofs import Commitment
from ledger.service import Ledger
from ledger.store import Store
from ledger.tables import Participant, Round, Run

CONFIG = RunConfig(layers=1, d_model=16, heads=2, context=16, steps=4, segment=2, batch=2)
RUN, SEED, INNER, DEADLINE = b"r" * 32, b"s" * 32, b"i" * 32, 86_000
NOW = 1_000
WEIGHTS = {"w": np.ones(4, np.float32)}
GRADIENT = blake3(pack(WEIGHTS)).hexdigest()
ADDRESS = "0x" + "11" * 20
OPERATOR = Account.from_key(keccak(text="commonweight benchmark operator"))
DOMAIN = Domain(31337, ADDRESS)


class StillChain(ModelChain):
    """A chain that stands still and is asked for nothing but its height."""

    def __init__(self) -> None:
        self.deployment = Deployment(31337, 1, "m", "0x" + "00" * 32, *(ADDRESS,) * 8)

    def head(self) -> int:
        """A height."""
        return 100

    def final(self) -> int:
        """The same: nothing is open to a reorg."""
        return 100


def ledger_at(url: str, blobs: Path) -> Ledger:
    """What a server process opens."""
    return Ledger(Store(url), BlobFolder(blobs), StillChain(), OPERATOR, now=lambda: NOW)


def node_of(number: int) -> LocalAccount:
    """The key of that node."""
    return Account.from_key(keccak(text=f"commonweight benchmark node {number}"))


def open_round(ledger: Ledger, nodes: int) -> None:
    """A run whose round 1 takes the proofs of so many nodes."""
    blob, text = ledger.blobs.put(pack(WEIGHTS)), "0x" + "00" * 32
    layout = {name: [kind, list(shape)] for name, (kind, shape) in layout_of(pack(WEIGHTS)).items()}
    theta = "0x" + state_digest(WEIGHTS).hex()
    common = {"run": _hex(RUN), "number": 1}
    with ledger.store.write() as session:
        session.add(
            Run(
                id=_hex(RUN), creator=ADDRESS, manifest={}, config=CONFIG.to_json(), layout=layout, genesis_blob=blob,
                momentum=text, momentum_blob=blob, phase="training", round=1,
            )
        )  # fmt: skip
        session.add(
            Round(
                **common, config=CONFIG.to_json(), config_digest=_hex(CONFIG.digest()), data_seed=_hex(SEED),
                theta=theta, theta_blob=blob, momentum=text, momentum_blob=blob, block=1, verifiers=[], threshold=1,
                opened=NOW, phase_since=NOW,
            )
        )  # fmt: skip
        for number in range(nodes):
            address = node_of(number).address
            session.add(Participant(**common, node=address, payout=address, inner_digest=_hex(INNER), seen=NOW))


def commitment_of(number: int) -> Commitment:
    """The proof of a node, signed; bytes and digests are right, and nobody has trained."""
    start, end, node = state_digest(WEIGHTS), b"e" * 32, node_of(number)
    entries = [start + INNER, *(bytes([place]) * 64 for place in range(1, CONFIG.segments)), end + INNER]
    values: dict[str, Any] = {
        "run": RUN, "round": 1, "node": node.address, "startState": start, "innerState": INNER,
        "commitment": KECCAK_TREE.root(entries), "boundaries": len(entries), "endState": end, "innerEnd": INNER,
        "pseudoGradient": state_digest(WEIGHTS), "dataSeed": SEED, "config": CONFIG.digest(), "profile": b"p" * 32,
        "pledge": b"g" * 32, "steps": CONFIG.steps, "tokens": CONFIG.tokens_per_round, "deadline": DEADLINE,
    }  # fmt: skip
    message = StepProof(**values)
    first, last = (KECCAK_TREE.inclusion_proof(entries, place) for place in (0, len(entries) - 1))
    return Commitment(message, sign(message, DOMAIN, bytes(node.key)), GRADIENT, first, last)


def _hex(data: bytes) -> str:
    return "0x" + data.hex()
