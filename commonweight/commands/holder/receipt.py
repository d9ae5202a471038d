"""`commonweight receipt`: your work and pay of an epoch as a file that can be checked anywhere."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from commonweight.terminal.console import tell
from commonweight.terminal.options import DEFAULT_API, Account, Api, OwnChain, Trusted

app = typer.Typer(
    no_args_is_help=True, help="Save your work and pay of an epoch as one file, and check it without the server."
)


@app.command("save")
def save(
    account: Account,
    epoch: Annotated[int, typer.Option(help="Number of the epoch.")] = 1,
    out: Annotated[Path, typer.Option(help="File to write.")] = Path("receipt.json"),
    api: Api = DEFAULT_API,
    deployment: Trusted = None,
    rpc_url: OwnChain = None,
    seconds: Annotated[float, typer.Option(help="How long to wait until k mirrors show one head.")] = 60.0,
) -> None:
    """Save the receipt of an account for an epoch, from the server, the log, and the mirrors of k verifiers.

    The saved receipt can be checked without any of them.
    """
    from commonweight.model.trusted import told_waiting, trusted
    from contracts.files.whole_file import save_file
    from verifier.receipt.saving import save_receipt

    source = trusted(api, deployment, rpc_url)
    place = (epoch, account)
    receipt = save_receipt(source.client, source.deployment, source.quorum, place, seconds, told_waiting())
    save_file(out, receipt.model_dump_json(indent=1) + "\n")
    summary = f"{len(receipt.entries)} log entries and {len(receipt.payouts)} payouts of {account} in epoch {epoch}"
    counts = {"entries": len(receipt.entries), "payouts": len(receipt.payouts)}
    tell({"file": str(out), "account": account, "epoch": epoch} | counts, [f"{out}: {summary}"])


@app.command("check")
def check(
    file: Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="A receipt.")],
    deployment: Trusted = None,
    policy: Annotated[
        Path | None,
        typer.Option(
            exists=True, dir_okay=False, help="Keys whose heads count, as a tlog-policy file (see audit --policy)."
        ),
    ] = None,
    rpc_url: OwnChain = None,
) -> None:
    """Check a receipt offline against your deployment and policy, and with --rpc-url against the chain.

    Prints what holds, and what could not be checked. Exit status: 0 without an error, 1 at the first error.
    """
    from contracts.chain.connection import connect
    from contracts.chain.deployment import Deployment
    from contracts.protocol.receipt import Contracts, Receipt
    from contracts.tlog.policy_text import parse_policy
    from verifier.receipt.checking import check_receipt

    receipt = Receipt.from_json(file.read_bytes())
    trusted = Contracts.of(Deployment.of_file(deployment)) if deployment else None
    log_policy = parse_policy(policy.read_bytes()) if policy else None
    result = check_receipt(receipt, trusted, log_policy, connect(rpc_url) if rpc_url else None)
    lines = [f"holds        {line}" for line in result.holds]
    lines += [f"not checked  {line}" for line in result.unchecked]
    tell({"holds": result.holds, "unchecked": result.unchecked}, lines)


@app.command("policy")
def policy(file: Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="A receipt.")]) -> None:
    """Print the keys of a receipt's heads as a tlog-policy. The keys are a claim: compare them with your own policy."""
    from contracts.protocol.receipt import Receipt

    policy = Receipt.from_json(file.read_bytes()).policy.rstrip("\n")
    tell({"policy": policy}, [policy])
