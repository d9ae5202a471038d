"""`commonweight audit`: everything that payouts rest on, recomputed by anyone."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from commonweight.commands.options import DEFAULT_API, DEFAULT_RPC, Api, Json, Rpc
from commonweight.console import emit, say


def audit(
    deployment: Annotated[
        Path,
        typer.Option(exists=True, dir_okay=False, help="The model's deployment, from somewhere else than the server."),
    ],
    api: Api = DEFAULT_API,
    rpc_url: Rpc = DEFAULT_RPC,
    as_json: Json = False,
    head: Annotated[Path, typer.Option(help="Where the last tree head is kept: the log must continue it.")] = Path(
        "tree-head.json"
    ),
) -> None:
    """Check the whole log, every draw and every root on the chain. Needs no key; trust only the chain node you name.

    Exit status: 0 if everything holds, 1 at the first thing that does not.
    """
    from contracts.chain import connect
    from contracts.deploy import Deployment
    from trainer.client import ApiClient
    from verifier.audit_report import audit_model

    for line in audit_model(ApiClient(api), connect(rpc_url), Deployment.from_json(deployment.read_text()), head):
        emit({"holds": line}) if as_json else say(line)
