"""`commonweight calibrate`: limits of a bounded run, measured on this machine."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from commonweight.terminal.console import tell
from commonweight.terminal.options import Data, read_object
from commonweight.terminal.progress import Progress

if TYPE_CHECKING:
    from contracts.protocol.limits import LimitTable
    from verifier.planning.calibration import Honest

MILD = (
    "learning-rate-999",
    "learning-rate-99",
    "no-decay",
    "other-beta2",
    "other-eps",
    "no-clipping",
    "one-token",
    "one-token-at-the-end",
    "poisoned-last-step",
    "one-sample",
    "frozen-layer",
    "bf16",
    "fp16",
    "int8-weights",
    "fp8-weights",
)
"""Cheats of one step that are hardest to tell from honest work; the rest of the catalogue is farther away."""


def calibrate(
    out: Annotated[Path, typer.Option(help="File for the table of limits; a run names its digest.")] = Path(
        "limits.json"
    ),
    config: Annotated[
        str, typer.Option(help="Run configuration as JSON. Fields that are left out have their defaults.")
    ] = "{}",
    segments: Annotated[
        int, typer.Option(min=5, help="Number of honest segments that are measured for each variant.")
    ] = 50,
    cheat_segments: Annotated[
        int, typer.Option(min=1, help="Number of segments that are measured for each cheat.")
    ] = 5,
    capability: Annotated[
        list[str] | None,
        typer.Option(help="Instruction set that stands for another machine; repeat: default, avx2, avx512."),
    ] = None,
    threads: Annotated[
        int, typer.Option(help="Number of threads that is measured as well; 1 measures no other number.")
    ] = 2,
    data: Data = None,
) -> None:
    """Measure the errors of honest machines and of cheats, and write the limits that follow from them.

    A limit is ten times the largest honest error; a pair is refused if a cheat exceeds its limit by less than ten.
    Limits of one's own model are of its very package and settings: give the configuration of the run.
    """
    from commonweight.model.terms import config_of
    from contracts.files.whole_file import save_file
    from trainer.data.text import corpus_of
    from trainer.steps.variants import Variant
    from verifier.planning.calibration import CalibrationPlan
    from verifier.planning.calibration import calibrate as measure

    variants = [Variant(attention="math"), Variant(adamw="fused"), Variant(micro_batches=2)]
    variants += [Variant(capability=name) for name in (capability if capability is not None else ["default"])]
    variants += [Variant(threads=threads)] if threads > 1 else []
    corpus = corpus_of(data or ())
    chosen = config_of(read_object(config, "--config"))
    plan = CalibrationPlan(chosen, tuple(variants), segments, 10, cheat_segments, MILD, tuple(data or ()))
    progress = Progress("")

    def report(subject: str, done: int, total: int) -> None:
        progress.what = f"calibrating, {subject}"
        progress(done, total)

    table, measured = measure(plan, corpus, report)
    save_file(out, table.to_json())
    document = {"digest": table.digest().hex(), "file": str(out), "pairs": json.loads(table.to_json())}
    tell(document, (_shown(table, measured), f"table {table.digest().hex()} in {out}"))


def _shown(table: LimitTable, measured: Sequence[Honest]) -> Table:
    view = Table(title="Pairs with this machine's default way to compute", title_justify="left")
    for column in ("variant", "largest honest update", "slope", "limit", "least cheat / limit", "alignment"):
        view.add_column(column)
    for pair, honest in zip(table.pairs, measured, strict=True):
        v = honest.variant
        name = f"{v.capability or 'best'} x{v.threads} {v.attention} {v.adamw} /{v.micro_batches}"
        least = min(pair.cheats, key=lambda c, p=pair: float(p.cheats[c]))  # type: ignore[misc]
        view.add_row(
            name,
            pair.honest["update"][2],
            pair.honest["slope"][2],
            pair.limit["update"],
            f"{least} {float(pair.cheats[least]):,.0f}",
            f"{honest.alignment:.2f}",
        )
    return view
