"""The outer step as a verifier computes it, from the accepted pseudo-gradients alone (ADR 1)."""

from __future__ import annotations

from typing import Any

from contracts.draw import accepted_digest
from contracts.run_config import RunConfig
from contracts.tensorfile import pack, state_digest, unpack
from trainer.client import ApiClient, octets
from trainer.corpus import Corpus
from trainer.evaluate import held_out_loss
from trainer.outer import merge
from trainer.state import theta_layout


def compute(client: ApiClient, run: str, number: int, corpus: Corpus) -> dict[str, Any]:
    """Merge a round's posted proofs in node order; uploads weights and momentum and returns their digests.

    Raises WrongCorpus: the held-out loss is part of what the quorum signs.
    """
    current = client.get(f"/runs/{run}/rounds/{number}")
    config = RunConfig.from_json(current["config"])
    corpus.require(config.corpus_digest)
    layout = theta_layout(config)
    theta = unpack(client.blob(current["theta"]["blob"]), layout)
    momentum = unpack(client.blob(current["momentum"]["blob"]), layout)
    posted = [client.get(f"/proofs/{line['proof']}") for line in current["proofs"] if line["state"] == "posted"]
    gradients = [unpack(client.blob(view["gradient_blob"]), layout) for view in posted]
    new_theta, new_momentum = merge(theta, momentum, gradients, config.rate("outer_lr"), config.rate("outer_momentum"))
    return {
        "accepted": "0x" + accepted_digest([octets(view["proof"]) for view in posted]).hex(),
        "theta": "0x" + state_digest(new_theta).hex(), "momentum": "0x" + state_digest(new_momentum).hex(),
        "theta_blob": client.put_blob(run, pack(new_theta)),
        "momentum_blob": client.put_blob(run, pack(new_momentum)),
        "held_out_loss": round(held_out_loss(config, new_theta, corpus.held_out) * 10**9),
    }  # fmt: skip
