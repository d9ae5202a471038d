"""Replayed segments per core: the whole path of a verifier against the bare loop of inner steps.

    python -m benchmarks.throughput [--segments N]      writes benchmarks/results/throughput.json

A round of k = 10 and of k = 4 is computed, committed and opened into a folder, as `save_bundle` leaves a proof. Then
`verifier.checks.check_segment` (signatures, Merkle paths, blobs, replay, comparison; no HTTP) and the bare steps of the
same segment take turns in one process and one thread; the ratio of the medians of their CPU times counts. The segment
that all verifiers replay also hashes the states inside it, so it is measured apart. Bar: 95 percent at k = 10.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

from blake3 import blake3
from eth_account import Account

from benchmarks.record import cpu_seconds, progress, write_result
from contracts import messages
from contracts.draw import common_segment
from contracts.keccak import keccak256
from contracts.messages import Message, StepProof, to_json
from contracts.pledge import Pledge
from contracts.run_config import RunConfig
from contracts.signing import Domain, digest, sign
from contracts.state_layout import inner_digest, theta_digest
from contracts.tensorfile import pack, unpack
from trainer.batches import batch_source
from trainer.corpus import Corpus, default_corpus
from trainer.inner_step import inner_step
from trainer.model import build_model
from trainer.profile import configure_determinism
from trainer.state import Tensors, TrainState, initial_theta, layout, start_tensors
from trainer.trajectory import Trajectory, run_inner
from verifier.bundle import Bundle
from verifier.checks import Case, check_binding, check_end, check_segment

BAR_PERCENT = 95.0
LENGTHS = (10, 4)
SEGMENTS_OF_ROUND = 4
KEY, RUN, DATA_SEED, BEACON = b"\x07" * 32, b"\x01" * 32, b"\x02" * 32, b"\x03" * 32
DOMAIN = Domain(1337, "0x" + "00" * 19 + "01")
NEVER = 2**40
NODE = str(Account.from_key(KEY).address)


def published_proof(config: RunConfig, corpus: Corpus, folder: Path) -> Case:
    """An honest round of `config`, committed to, signed, and with every boundary opened into `folder`."""
    config = replace(config, corpus_digest=corpus.digest)
    batches = batch_source(corpus.train, config, DATA_SEED, 1, NODE)
    start = start_tensors(initial_theta(config), None)
    done = run_inner(config, start, batches)
    proof = _commitment(config, start, done)
    identity = digest(proof, DOMAIN)
    theta = {name: value for name, value in start.items() if name.startswith("theta.")}
    view = {
        **_signed(proof), "proof": "0x" + identity.hex(), "node": NODE,
        "challenges": [{"message": {"beacon": "0x" + BEACON.hex()}}],
        "gradient_blob": _keep(folder, pack(done.pseudo_gradient)),
        "openings": {str(i): _opening(folder, identity, done, i) for i in range(config.segments + 1)},
        "first_path": _path(done, 0), "last_path": _path(done, config.segments),
    }  # fmt: skip
    current = {
        "config": config.to_json(), "data_seed": "0x" + DATA_SEED.hex(),
        "theta": {"digest": "0x" + proof.startState.hex(), "blob": _keep(folder, pack(theta))},
        "nodes": [{"node": NODE, "inner": {"digest": "0x" + proof.innerState.hex()}}],
    }  # fmt: skip
    return Case(Bundle(folder, view, current, DOMAIN), view, current)


def _commitment(config: RunConfig, start: Tensors, done: Trajectory) -> StepProof:
    return StepProof(
        run=RUN, round=1, node=NODE, startState=theta_digest(start), innerState=inner_digest(start),
        commitment=done.root, boundaries=config.segments + 1, endState=theta_digest(done.end_state),
        innerEnd=inner_digest(done.end_state), pseudoGradient=done.pseudo_gradient_digest, dataSeed=DATA_SEED,
        config=config.digest(), profile=configure_determinism(config.profile).digest(),
        pledge=Pledge(bytes(32)).seal(NODE), steps=config.steps,
        tokens=config.tokens_per_round, deadline=NEVER,
    )  # fmt: skip


def _opening(folder: Path, proof: bytes, done: Trajectory, boundary: int) -> dict[str, Any]:
    shown = done.opening(boundary)
    blob = _keep(folder, shown.packed)
    state = keccak256(done.boundary_entries[boundary])
    said = messages.Opening(proof, boundary, state, bytes.fromhex(blob), NEVER)
    return {**_signed(said), "blob": blob, "path": _path(done, boundary)}


def _path(done: Trajectory, boundary: int) -> list[str]:
    return ["0x" + node.hex() for node in done.opening(boundary).proof]


def _signed(message: Message) -> dict[str, Any]:
    return {"message": to_json(message), "signature": "0x" + sign(message, DOMAIN, KEY).hex()}


def _keep(folder: Path, data: bytes) -> str:
    name = blake3(data).hexdigest()
    (folder / "blobs").mkdir(parents=True, exist_ok=True)
    (folder / "blobs" / name).write_bytes(data)
    return str(name)


def measure(config: RunConfig, segments: int) -> dict[str, Any]:
    """Median milliseconds of both ways, for a segment of one's own and for the common one, and of the end check."""
    corpus = default_corpus()
    with tempfile.TemporaryDirectory() as folder:
        case = published_proof(config, corpus, Path(folder))
        check_binding(case)
        common = common_segment(BEACON, bytes.fromhex(case.view["proof"][2:]), config.segments)
        own = (common + 1) % config.segments
        result = {name: _side_by_side(case, place, corpus, segments) for name, place in
                  (("own segment", own), ("common segment", common))}  # fmt: skip
        end = statistics.median(cpu_seconds(lambda: check_end(case)) for _ in range(segments))
    step = result["own segment"]["bare ms"] / config.segment
    return result | {"end check ms": round(end * 1e3, 3), "end check in steps": round(end * 1e3 / step, 4)}


def _side_by_side(case: Case, segment: int, corpus: Corpus, times: int) -> dict[str, float]:
    checked, bare = [], []
    check_segment(case, segment, corpus)
    for _ in range(times):
        bare.append(_bare_loop(case, segment, corpus))
        checked.append(cpu_seconds(lambda: check_segment(Case(case.client, case.view, case.round), segment, corpus)))
    whole, loop = statistics.median(checked), statistics.median(bare)
    return {
        "check_segment ms": round(whole * 1e3, 3), "bare ms": round(loop * 1e3, 3),
        "percent of bare": round(100 * loop / whole, 2), "segments per core second": round(1 / whole, 3),
    }  # fmt: skip


def _bare_loop(case: Case, segment: int, corpus: Corpus) -> float:
    """CPU seconds of the steps alone, from state and batches that are at hand."""
    config, source = case.config, batch_source(corpus.train, case.config, DATA_SEED, 1, NODE)
    packed = case.client.blob(case.view["openings"][str(segment)]["blob"])
    model, state = build_model(config), TrainState.from_tensors(unpack(packed, layout(config)), config)
    batches = [source(step) for step in range(segment * config.segment, (segment + 1) * config.segment)]

    def loop() -> None:
        for batch in batches:
            inner_step(config, model, state, batch)

    return cpu_seconds(loop)


def main() -> None:
    """Measure each length of segment, and write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--segments", type=int, default=15, help="segments timed each way")
    segments = parser.parse_args().segments
    found: dict[str, Any] = {}
    for length in LENGTHS:
        config = replace(RunConfig(), steps=SEGMENTS_OF_ROUND * length, segment=length)
        found[f"k = {length}"] = measure(config, segments)
        progress(f"k = {length}: {found[f'k = {length}']}")
    met = found["k = 10"]["own segment"]["percent of bare"] >= BAR_PERCENT
    write_result("throughput", {"bar percent": BAR_PERCENT, "met": met, "segments": segments} | found)
    print(json.dumps(found, indent=1))


if __name__ == "__main__":
    main()
