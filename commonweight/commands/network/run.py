"""`commonweight run`: the runs of a model, and the state of each."""

from __future__ import annotations

from typing import Annotated

import typer

from commonweight.terminal.console import tell
from commonweight.terminal.lifetime import heed_signals
from commonweight.terminal.options import DEFAULT_API, Api, read_run
from contracts.ids import RunId

app = typer.Typer(no_args_is_help=True, help="List runs, and show a run's state and the parties that it waits for.")
Run = Annotated[str, typer.Argument(parser=read_run, metavar="RUN", help="Id of the run, 0x and 64 hex digits.")]
Watch = Annotated[
    bool, typer.Option("--watch", help="Update the output whenever it changes; in a pipe, print the changed lines.")
]


@app.command("list")
def list_(api: Api = DEFAULT_API) -> None:
    """List all runs of the model, one line each."""
    from commonweight.model.runs import all_runs, run_lines
    from trainer.client import ApiClient

    rows = list(all_runs(ApiClient(api)))
    tell(rows, run_lines(rows))


@app.command("show")
def show(run: Run, api: Api = DEFAULT_API, watch: Watch = False) -> None:
    """Show the state of a run: its nodes and verifiers, awaited messages, obstacles to the next round, next command."""
    from commonweight.model.runs import is_over, lines_of, read_run
    from commonweight.terminal.watching import WatchedState
    from commonweight.terminal.watching import watch as watch_lines
    from trainer.client import ApiClient

    client = ApiClient(api)
    if not watch:
        document = read_run(client, RunId(run))
        tell(document, lines_of(document))
        return

    def look() -> WatchedState:
        document = read_run(client, RunId(run))
        return WatchedState(document, list(lines_of(document)), is_over(document))

    watch_lines(look, heed_signals().watched())
