"""`commonweight verify`: anyone replays a proof, with an explanation of each verdict on it."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from commonweight.terminal.console import tell, visible
from commonweight.terminal.options import DEFAULT_API, Api, Corpus, Data, Device, Weights
from commonweight.terminal.progress import Progress
from contracts.ids import ProofId, from_hex

if TYPE_CHECKING:
    from verifier.proof.bundle import Bundle
    from verifier.proof.case import Case
    from verifier.proof.replay import Heard, SegmentFinding


def verify(
    proof: Annotated[str, typer.Argument(help="Id of a proof (0x…), or the folder of a saved proof.")],
    api: Api = DEFAULT_API,
    bundle: Annotated[
        Path | None,
        typer.Option("--bundle", help="Folder in which log entries and files are saved, to verify without a network."),
    ] = None,
    deployment: Annotated[
        Path | None,
        typer.Option(
            exists=True, dir_okay=False, help="Deployment file, from a source that you trust. Default: the server's."
        ),
    ] = None,
    data: Data = None,
    corpus: Corpus = "",
    weights: Weights = "",
    device: Device = "cpu",
) -> None:
    """Replay a proof from the log and its public files, and explain whether each verdict on it was right.

    Exit status: 0 if the replay confirms the decision, 1 if it does not, 2 if this machine cannot tell.
    """
    from contracts.mirrors.places import is_loopback
    from contracts.protocol.judge.protocol import Protocol
    from trainer.data.corpora import Corpora
    from trainer.data.place import CorpusSettings
    from trainer.genesis.first_weights import choose_weights
    from trainer.genesis.place import WeightsPlace
    from trainer.model.device import choose_device
    from verifier.proof.replay import replays, verdict

    choose_device(device)
    proof_bundle = _bundle(ProofId(proof), api, bundle, deployment)
    deployed = proof_bundle.deployment
    functions = Protocol(deployed.chain_id, deployed.distributor, from_hex(deployed.model), deployed.deployer)
    choose_weights(WeightsPlace(weights, _cache() / "weights", is_loopback(api)))
    corpora = Corpora(CorpusSettings(tuple(data or ()), corpus, _cache() / "corpus", loopback=is_loopback(api)))
    findings = list(replays(proof_bundle.case, functions, proof_bundle.files, corpora))
    holds, why = verdict(proof_bundle.case, findings)
    outcome = {True: "right", False: "wrong", None: "untold"}[holds]
    result = {"outcome": outcome, "why": why, "decided": proof_bundle.case.outcome}
    tell(
        {"proof": proof_bundle.case.proof, **result, "segments": [asdict(finding) for finding in findings]},
        (*_lines(proof_bundle.case, findings), f"{outcome}: {why}; by the log it is {proof_bundle.case.outcome}"),
    )
    raise typer.Exit({"right": 0, "wrong": 1}.get(outcome, 2))


def _cache() -> Path:
    """Shards and weights outlive a call here: the folder of this user's caches (XDG base directories)."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "commonweight"


def _bundle(proof: ProofId, api: str, folder: Path | None, deployment: Path | None) -> Bundle:
    from contracts.chain.deployment import Deployment
    from trainer.client import ApiClient
    from verifier.proof.bundle import open_bundle
    from verifier.proof.fetching import fetch_bundle

    trusted = Deployment.of_file(deployment) if deployment else None
    if Path(proof).is_dir():
        return open_bundle(Path(proof), trusted)
    deployed = trusted or ApiClient(api).deployment
    chosen = folder or Path(tempfile.mkdtemp(prefix="commonweight-proof-"))
    return fetch_bundle(chosen, proof, deployed, api, Progress("entries read"))


def _lines(case: Case, findings: Sequence[SegmentFinding]) -> Iterator[RenderableType]:
    title = visible(f"proof {case.proof} of node {case.commitment.node}, round {case.round.round}")
    table = Table(title=Text(title), title_justify="left")
    for column in ("segment", "replay", "error", "limit", "why", "the bench"):
        table.add_column(column, overflow="fold")
    for f in findings:
        replay = f"{f.replay} ({f.reason})" if f.reason else f.replay
        cells = (str(f.segment), replay, f"{f.error:.3g}", f"{f.limit:.3g}", f.detail, f.decided)
        table.add_row(*(Text(visible(cell)) for cell in cells))
    yield table
    for f in findings:
        for word in f.words:
            yield f"segment {f.segment}, {_word(word)}"


def _word(word: Heard) -> str:
    text = f"{word.verifier}: {word.word}" + (f" ({word.reason})" if word.reason else "")
    right = {True: "right", False: "WRONG", None: "cannot be told"}[word.right]
    trace = {True: ", trace right", False: ", trace WRONG", None: ""}[word.trace]
    return f"{text}, {right}{trace}"
