"""The outer step as a verifier computes it, from the accepted pseudo-gradients alone (ADR 1)."""

from __future__ import annotations

from typing import Any

import numpy as np

from contracts.draw import accepted_digest
from contracts.run_config import RunConfig
from contracts.tensorfile import pack, state_digest
from trainer.client import ApiClient, octets
from trainer.corpus import Corpus
from trainer.evaluate import held_out_loss
from trainer.outer import merge
from trainer.state import Tensors
from verifier.checks import weights
from verifier.errors import CannotJudge


def compute(client: ApiClient, run: str, number: int, basis: dict[str, Any], corpus: Corpus) -> dict[str, Any]:
    """Merge a round's posted proofs in node order; uploads weights and momentum and returns their digests.

    `basis` is what the verifier's own log says (verifier/replica.py:Replica.merge): the server only names the blobs
    that hold it. Raises CannotJudge for bytes that do not, and WrongCorpus: the held-out loss is signed too.
    """
    config, posted = RunConfig.from_json(basis["config"]), basis["posted"]
    corpus.require(config.corpus_digest)
    theta, momentum = _start(client, client.get(f"/runs/{run}/rounds/{number}"), basis, config, number)
    gradients = [
        weights(client, client.get(f"/proofs/{proof}")["gradient_blob"], octets(digest), config)
        for proof, digest in posted
    ]
    new_theta, new_momentum = merge(theta, momentum, gradients, config.rate("outer_lr"), config.rate("outer_momentum"))
    return {
        "accepted": "0x" + accepted_digest([octets(proof) for proof, _ in posted]).hex(),
        "theta": "0x" + state_digest(new_theta).hex(), "momentum": "0x" + state_digest(new_momentum).hex(),
        "theta_blob": client.put_blob(run, pack(new_theta)),
        "momentum_blob": client.put_blob(run, pack(new_momentum)),
        "held_out_loss": round(held_out_loss(config, new_theta, corpus.held_out) * 10**9),
    }  # fmt: skip


def _start(
    client: ApiClient, shown: dict[str, Any], basis: dict[str, Any], config: RunConfig, number: int
) -> tuple[Tensors, Tensors]:
    """Weights and momentum of the digests that the round opened with; before the first round nothing has moved."""
    theta, momentum = (
        weights(client, shown[name]["blob"], octets(basis[name]), config) for name in ("theta", "momentum")
    )
    if number == 1 and any(np.any(value) for value in momentum.values()):
        raise CannotJudge("the first round opened with a momentum")
    return theta, momentum
