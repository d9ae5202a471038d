"""The `commonweight` command. Each subcommand parses, calls one function and returns."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from commonweight.commands.holder import contribution, fund, gov, holders, keys, receipt, revenue, wallet
from commonweight.commands.model import audit, audit_plan, model, plan
from commonweight.commands.network import (
    calibrate,
    chain,
    check,
    corpus,
    demo,
    disk,
    market,
    node,
    run,
    serve,
    verifier,
    verify,
)
from commonweight.commands.operator import db, fsck, keeper, outbox
from commonweight.terminal.console import complain, speak_json, tell, write_any_text
from commonweight.terminal.failures import as_refusal, require_a_folder
from commonweight.terminal.lifetime import heed_no_more
from commonweight.terminal.scripts import for_scripts
from commonweight.terminal.scripts import run as run_command
from contracts.process.spawner import end_with_spawner

app = typer.Typer(
    name="commonweight",
    no_args_is_help=True,
    add_completion=True,
    pretty_exceptions_enable=False,
    help="Train a model together, own it together.\n\nStart with `commonweight demo`. It runs all parts of the network "
    "on this machine, each as a process of its own, and shows how they work together.",
)
app.command("demo")(demo.demo)
app.command("check")(check.check)
app.add_typer(chain.app, name="chain")
app.command("serve", cls=serve.Serve)(serve.serve)
app.command("keeper", cls=keeper.Keeper)(keeper.keeper)
app.add_typer(outbox.app, name="outbox")
app.command("node", cls=node.Node)(node.node)
app.add_typer(verifier.app, name="verifier")
app.add_typer(corpus.app, name="corpus")
app.add_typer(run.app, name="run")
app.add_typer(model.app, name="model")
app.add_typer(market.app, name="market")
app.add_typer(wallet.app, name="wallet")
app.add_typer(receipt.app, name="receipt")
app.command("holders")(holders.holders)
app.add_typer(fund.app, name="fund")
app.add_typer(revenue.app, name="revenue")
app.add_typer(gov.app, name="gov")
app.add_typer(contribution.app, name="contribution")
app.add_typer(keys.app, name="keys")
app.add_typer(db.app, name="db")
app.command("disk")(disk.disk)
app.command("verify")(verify.verify)
app.command("audit")(audit.audit)
app.command("fsck", cls=fsck.Fsck)(fsck.fsck)
app.command("plan")(plan.plan)
app.command("audit-plan")(audit_plan.audit_plan)
app.command("calibrate")(calibrate.calibrate)
for_scripts(app)


def _say_version(asked: bool) -> None:
    if asked:
        from importlib.metadata import version

        tell({"version": version("commonweight")}, [f"commonweight {version('commonweight')}"])
        raise typer.Exit


@app.callback()
def _options(
    _version: Annotated[
        bool, typer.Option("--version", callback=_say_version, is_eager=True, help="Print the version and end.")
    ] = False,
) -> None:
    """Of the command itself."""


def main() -> None:
    """Entry point: a refusal is one line on stderr with its code, and exit status 1; under --json it is one object."""
    end_with_spawner()
    write_any_text()
    try:
        require_a_folder()
        run_command(app)
    except Exception as error:  # an error that is no refusal is raised again
        complain(as_refusal(error))
        sys.exit(1)
    finally:
        heed_no_more()
        speak_json(False)
