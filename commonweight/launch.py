"""Start a run: initial weights, configuration and manifest, signed by the model's creator."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from contracts.limits import LimitTable
from contracts.messages import RunManifest
from contracts.run_config import RunConfig
from contracts.tensorfile import pack, state_digest
from trainer.client import ApiClient, deadline, octets
from trainer.corpus import corpus_of
from trainer.state import initial_theta


@dataclass(frozen=True)
class RunRules:
    """The manifest's numbers; `emission` in token units per epoch, times in seconds, `node_stake` in wei."""

    emission: int
    rounds_per_epoch: int
    min_nodes: int
    samples: int
    panel: int
    lease_seconds: int
    phase_seconds: int
    nonce: int
    audit_floor_ppm: int = 1_000_000
    node_stake: int = 0


def launch_run(
    api_url: str,
    key: str,
    overrides: Mapping[str, Any],
    rules: RunRules,
    data: tuple[Path, ...],
    limits: LimitTable | None = None,
) -> str:
    """Create the run and return its id; with limits it is a bounded one. Raises InvalidRunConfig and ApiProblem."""
    corpus = corpus_of(data)
    bounded = {} if limits is None else {"profile": "bounded", "limits_digest": limits.digest().hex()}
    fields = asdict(RunConfig()) | {"corpus_digest": corpus.digest} | bounded | dict(overrides)
    config = RunConfig.from_json(json.dumps(fields))
    client = ApiClient(api_url, key)
    theta = initial_theta(config)
    manifest = RunManifest(
        model=octets(client.network["deployment"]["model"]), creator=client.address, config=config.digest(),
        genesis=state_digest(theta), emission=rules.emission, roundsPerEpoch=rules.rounds_per_epoch,
        minNodes=rules.min_nodes, samples=rules.samples, panel=rules.panel,
        auditFloor=rules.audit_floor_ppm, nodeStake=rules.node_stake, leaseSeconds=rules.lease_seconds,
        phaseSeconds=rules.phase_seconds, nonce=rules.nonce, deadline=deadline(),
    )  # fmt: skip
    blob = client.put_blob("0x" + "00" * 32, pack(theta))
    if limits is not None:
        client.put_blob("0x" + "00" * 32, limits.to_json().encode())
    return str(client.send("/runs", manifest, config=config.to_json(), genesis_blob=blob)["run"])
