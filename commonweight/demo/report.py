"""The outcome for people: tables at the terminal, and a page with the loss curve as a picture."""

from __future__ import annotations

import io
from math import nan
from pathlib import Path

import matplotlib as mpl
from jinja2 import Environment, PackageLoader, select_autoescape
from matplotlib.figure import Figure
from rich.table import Table

from commonweight.demo.outcome import Summary
from commonweight.terminal.console import console
from contracts.amounts import TOKENS, amount, digits

mpl.rcParams["svg.hashsalt"] = "commonweight"
INK = "#1d2330"
MUTED = "#6b7385"
LINES = ("#0b6e6e", "#c2571a", "#7a6ff0")


def print_summary(summary: Summary, page: Path) -> None:
    """Print the tables, then the checks."""
    console.print(_nodes(summary))
    console.print(_losses(summary))
    for name, holds in summary.checks.items():
        console.print(f"{'[green]holds[/green]' if holds else '[red]FAILS[/red]'}  {name}", soft_wrap=True)
    supply = amount(summary.chain.supply, TOKENS)
    console.print(f"supply {supply}; {summary.seconds} s; report page: {page}", soft_wrap=True, markup=False)


def write_report(out: Path, summary: Summary) -> Path:
    """Write report.html and loss.png into `out`; returns the page's path."""
    figure = loss_figure(summary)
    figure.savefig(out / "loss.png", dpi=144)
    buffer = io.StringIO()
    figure.savefig(buffer, format="svg", metadata={"Date": None})
    picture = buffer.getvalue()
    environment = Environment(loader=PackageLoader("commonweight.demo"), autoescape=select_autoescape(("jinja",)))
    environment.filters["tokens"] = digits
    page = out / "report.html"
    page.write_text(
        environment.get_template("report.html.jinja").render(s=summary, picture=picture[picture.index("<svg") :])
    )
    return page.resolve()


def loss_figure(summary: Summary) -> Figure:
    """Held-out loss per round: together, alone for as many steps, data-parallel over the same tokens."""
    start = summary.baselines["solo"][0]
    merged = (current.held_out_loss for current in summary.rounds)
    curves = {
        "together (DiLoCo, verified)": [start, *(nan if loss is None else loss for loss in merged)],
        "one node alone, as many steps": summary.baselines["solo"],
        "data-parallel, same tokens": summary.baselines["data-parallel"],
    }
    figure = Figure(figsize=(8, 4.2), layout="constrained")
    axes = figure.subplots()
    for (name, losses), colour in zip(curves.items(), LINES, strict=True):
        axes.plot(range(len(losses)), losses, marker="o", markersize=4, color=colour, label=name, linewidth=1.8)
    axes.set_xlabel("outer round", color=MUTED)
    axes.set_ylabel("held-out loss, nats per byte", color=MUTED)
    axes.set_xticks(range(len(curves["one node alone, as many steps"])))
    axes.grid(axis="y", color="#e4e7ee")
    axes.spines[["top", "right"]].set_visible(False)
    axes.tick_params(colors=INK)
    axes.legend(frameon=False)
    return figure


def _nodes(summary: Summary) -> Table:
    table = Table(title="Who did what, and who owns what", title_justify="left")
    for column in ("node", "steps", "verified", "voided", "reason", "tokens", "share"):
        table.add_column(column, justify="left" if column in ("node", "reason") else "right")
    for node in summary.nodes:
        table.add_row(
            node.name,
            str(node.claimed_steps),
            str(node.verified_steps),
            str(node.voided_steps),
            ", ".join(node.reasons),
            digits(node.units),
            f"{node.share_percent:.2f} %",
        )
    return table


def _losses(summary: Summary) -> Table:
    table = Table(title="Held-out loss, nats per byte", title_justify="left")
    for column in ("round", "together", "alone", "data-parallel", "inner lr", "configuration"):
        table.add_column(column, justify="right")
    solo = summary.baselines["solo"]
    parallel = summary.baselines["data-parallel"]
    table.add_row("start", f"{solo[0]:.4f}", f"{solo[0]:.4f}", f"{parallel[0]:.4f}", "", "")
    for r in summary.rounds:
        alone = solo[r.round]
        both = parallel[r.round]
        table.add_row(
            str(r.round),
            f"{r.held_out_loss:.4f}",
            f"{alone:.4f}",
            f"{both:.4f}",
            r.inner_lr,
            r.config_digest[:14] + "…",
        )
    return table
