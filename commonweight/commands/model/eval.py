"""`commonweight model eval`: the weights of a run, asked the user's own tasks."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from commonweight.terminal.console import tell
from commonweight.terminal.options import DEFAULT_API, Api, OwnChain, RunId, Trusted
from contracts import ids


def evaluate(
    run: RunId,
    task: Annotated[
        Path, typer.Option(exists=True, file_okay=False, help="Folder of tasks: YAML files, and Parquet files beside.")
    ],
    round_number: Annotated[
        int | None, typer.Option("--round", min=1, help="Round after which the weights stand; else the newest merged.")
    ] = None,
    most: Annotated[int | None, typer.Option(min=1, help="Documents of each task at most; else all.")] = None,
    api: Api = DEFAULT_API,
    deployment: Trusted = None,
    rpc_url: OwnChain = None,
    seconds: Annotated[float, typer.Option(help="How long to wait until k mirrors show one head.")] = 60.0,
    corpus: Annotated[
        str, typer.Option(metavar="PLACE", help="Folder or address of the run's corpus, for its tokenizer.")
    ] = "",
) -> None:
    """Ask the weights of a run your own tasks: what its verifiers signed, checked, under lm_eval without a network.

    Nobody signs these numbers: they are yours. What verifiers sign of a round is its held-out loss.
    """
    from commonweight.model.evaluating import evaluate as ask
    from commonweight.model.exporting import export_run
    from commonweight.model.trusted import trusted

    with tempfile.TemporaryDirectory(prefix="commonweight-weights-") as folder:
        out = Path(folder)
        found = export_run(trusted(api, deployment, rpc_url), ids.RunId(run), out, round_number, seconds, corpus)
        scores = ask(out, task, most)
    table = Table(title=f"After round {found.round}", title_justify="left")
    for column in ("task", "metric", "value", "± error", "documents"):
        table.add_column(column, justify="left" if column in ("task", "metric") else "right")
    for score in scores:
        error = "" if score.error is None else f"{score.error:.4f}"
        table.add_row(score.task, score.metric, f"{score.value:.4f}", error, str(score.samples))
    of = {"run": run, "round": found.round, "digest": found.digest, "entry": found.entry}
    tell({**of, "scores": [score._asdict() for score in scores]}, [table, f"the weights {found.digest}"])
