"""`commonweight market`: compute of many providers, for a run or for anything else."""

from __future__ import annotations

import typer

from commonweight.commands.market import machines, offers, renting

app = typer.Typer(
    no_args_is_help=True,
    help="Compute of many providers: compare, rent within a budget, and end. Keys of providers are files on this "
    "machine (docs/market.md).",
)
app.command("offers")(offers.offers)
app.command("join")(renting.join)
app.command("rent")(renting.rent)
app.command("ps")(machines.ps)
app.command("stop")(machines.stop)
app.command("cost")(machines.cost)
app.command("logs")(machines.logs)
app.command("ssh")(machines.ssh)
