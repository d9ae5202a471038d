"""`commonweight run`: the runs of a model, and the state of each."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from commonweight.terminal.console import tell
from commonweight.terminal.lifetime import heed_signals
from commonweight.terminal.options import DEFAULT_API, Api, read_run
from contracts.ids import RunId

if TYPE_CHECKING:
    from trainer.node.curves import OwnLoss

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


@app.command("curve")
def curve(
    run: Run,
    out: Annotated[Path, typer.Option(dir_okay=False, help="Picture to write, as SVG.")] = Path("loss.svg"),
    node: Annotated[
        Path | None,
        typer.Option(exists=True, file_okay=False, help="Folder of a node; its own training losses are drawn behind."),
    ] = None,
    api: Api = DEFAULT_API,
) -> None:
    """Draw a run's held-out loss by round: what its verifiers signed with each merge, by the server's word.

    With --node the training losses of a node are drawn too, from its folder. Nobody signs or checks those.
    """
    from commonweight.model.curve import losses_of, svg
    from contracts.files.whole_file import replace_file
    from trainer.client import ApiClient

    own = [] if node is None else _own_losses(node, RunId(run))
    points = list(losses_of(ApiClient(api), RunId(run)))
    replace_file(out, svg(f"run {run[:10]}…", points, [(row.place, row.loss) for row in own]).encode())
    lines = [f"round {point.round}: {point.loss:.4f} nats a token" for point in points]
    if own:
        lines.append(
            f"this node's own word, unverified: {own[-1].loss:.4f} nats a token in training, round {own[-1].round}"
        )
    document = {"run": run, "file": str(out), "rounds": [point._asdict() for point in points]}
    tell({**document, "own_unverified": [row._asdict() for row in own]}, [*lines, str(out)])


def _own_losses(node: Path, run: RunId) -> list[OwnLoss]:
    from trainer.node.curves import LOSSES, OwnLosses

    return OwnLosses(node / LOSSES).of(run)
