"""`commonweight verify`: one proof checked again by anyone, and explained."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.table import Table
from rich.text import Text

from commonweight.commands.options import DEFAULT_API, Api, Data, Device, Json
from commonweight.console import console, emit, say, visible

if TYPE_CHECKING:
    from verifier.bundle import Bundle
    from verifier.explain import Finding


def verify(
    proof: Annotated[str, typer.Argument(help="Id of a proof (0x…), or the folder of one saved before.")],
    api: Api = DEFAULT_API,
    save: Annotated[Path | None, typer.Option("--save", help="Keep proof and blobs here, to verify later.")] = None,
    data: Data = None,
    device: Device = "cpu",
    as_json: Json = False,
) -> None:
    """Replay a proof from its public blobs and explain the outcome. With a saved folder no server is asked.

    Exit status: 0 if every check stands, 1 if one fails, 2 if it cannot be told here.
    """
    from trainer.corpus import corpus_of
    from trainer.device import choose_device
    from verifier.explain import explain, outcome_of

    choose_device(device)
    bundle = _bundle(proof, api, save)
    corpus = corpus_of(data or ())
    findings = list(explain(bundle, corpus))
    outcome = outcome_of(findings)
    if as_json:
        emit({"proof": bundle.view["proof"], "outcome": outcome, "findings": [asdict(f) for f in findings]})
    else:
        _print(bundle.view, findings, outcome)
    raise typer.Exit({"accept": 0, "reject": 1}.get(outcome, 2))


def _bundle(proof: str, api: str, save: Path | None) -> Bundle:
    from trainer.client import ApiClient
    from verifier.bundle import open_bundle, save_bundle

    if Path(proof).is_dir():
        return open_bundle(Path(proof))
    return save_bundle(ApiClient(api), proof, save or Path(tempfile.mkdtemp(prefix="commonweight-proof-")))


def _print(view: dict[str, Any], findings: Sequence[Finding], outcome: str) -> None:
    title = visible(f"proof {view['proof'][:18]}… of node {view['node']}, round {view['round']}")
    table = Table(title=Text(title), title_justify="left")
    for column in ("check", "outcome", "error", "limit", "why"):
        table.add_column(column, overflow="fold")
    for f in findings:
        shown = (f"{f.error:.3g}", f"{f.limit:.3g}") if f.outcome == "fails" else ("", "")
        table.add_row(f.check, f.outcome, *shown, Text(visible(f.detail)))
    console.print(table)
    recorded = view["state"] if view["reason"] is None else f"{view['state']} ({view['reason']})"
    say(f"here: {outcome}; in the ledger: {recorded}")
