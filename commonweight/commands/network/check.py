"""`commonweight check`: a test of this machine before it takes part."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from commonweight.terminal.console import tell
from commonweight.terminal.options import DEFAULT_API, DEFAULT_RPC, Api, Corpus, Data, Rpc, read_run
from contracts.ids import RunId


def check(
    api: Api = DEFAULT_API,
    rpc_url: Rpc = DEFAULT_RPC,
    folder: Annotated[
        Path, typer.Option("--folder", help="Folder in which the process would keep its files.")
    ] = Path(),
    deployment: Annotated[
        Path | None,
        typer.Option(
            "--deployment", exists=True, dir_okay=False, help="Deployment file. Default: the server's deployment."
        ),
    ] = None,
    keystore: Annotated[Path | None, typer.Option("--keystore", help="Keystore to check.")] = None,
    run: Annotated[
        str | None,
        typer.Option("--run", parser=read_run, metavar="RUN", help="Id of the run that this machine is to join."),
    ] = None,
    data: Data = None,
    corpus: Corpus = "",
) -> None:
    """Check all that a node, a verifier or a server needs, with a remedy for each failure. Status 1 on failure."""
    from commonweight.checkup import CheckResult, CheckTargets, check_all

    failed = False
    for finding in check_all(
        CheckTargets(api, rpc_url, folder, deployment, keystore, RunId(run or ""), tuple(data or ()), corpus)
    ):
        tell(asdict(finding), [finding.line()])
        failed = failed or finding.verdict is CheckResult.FAILED
    raise typer.Exit(int(failed))
