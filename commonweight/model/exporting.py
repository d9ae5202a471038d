"""The weights of a run, taken home and written for other programs."""

from __future__ import annotations

from pathlib import Path

from contracts.chain.connection import connect
from contracts.chain.deployment import Deployment
from contracts.ids import RunId
from trainer.client import ApiClient
from trainer.model.hugging_face import export
from verifier.receipt.cosigned_log import VerifierQuorum
from verifier.weights.merged import MergedWeights, merged_weights


def export_run(
    run: RunId,
    out: Path,
    number: int | None,
    api: str,
    deployment: Path | None,
    rpc_url: str | None,
    seconds: float,
) -> MergedWeights:
    """Write the weights after a round, by default the newest merged one.

    `deployment` and `rpc_url` are what is trusted; without them the server says who the verifiers are.

    Raises NotAModel, DiskFull, and what taking them home raises.
    """
    client = ApiClient(api)
    trusted = Deployment.of_file(deployment) if deployment else client.deployment
    quorum = VerifierQuorum.of(client, trusted, connect(rpc_url) if rpc_url else None)
    weights = merged_weights(client, trusted, quorum, run, number, seconds)
    export(weights.config, weights.theta, out)
    return weights
