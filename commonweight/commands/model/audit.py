"""`commonweight audit`: anyone derives the basis of all payouts again."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from commonweight.terminal.console import tell
from commonweight.terminal.options import DEFAULT_API, OwnChain
from commonweight.terminal.progress import Progress

if TYPE_CHECKING:
    from verifier.log.report import Report


def audit(
    deployment: Annotated[
        Path,
        typer.Option(exists=True, dir_okay=False, help="Deployment file of the model, from a source that you trust."),
    ],
    log: Annotated[
        str,
        typer.Option(
            envvar="COMMONWEIGHT_API",
            help="Source of the log: the URL of a server or a mirror, or a folder of static files.",
        ),
    ] = DEFAULT_API,
    rpc_url: OwnChain = None,
    head: Annotated[
        Path | None,
        typer.Option(help="File that keeps the log's head. The log of the next audit must continue this head."),
    ] = None,
    policy: Annotated[
        Path | None, typer.Option(help="File to write: the keys whose heads count, k of n verifiers, as a tlog-policy.")
    ] = None,
) -> None:
    """Audit a whole log: its head, every entry, block and payout root, and the copies of the mirrors. Needs no key.

    The report lists what holds, findings, and what could not be checked. Exit status: 0 without findings, else 1.
    """
    from contracts.chain.connection import connect
    from contracts.chain.deployment import Deployment
    from contracts.files.whole_file import save_file
    from contracts.tlog.policy_text import format_policy
    from verifier.log.auditing import Audit, Auditor

    deployed = Deployment.of_file(deployment)
    log_audit = Audit(Auditor(deployed, log, connect(rpc_url) if rpc_url else None), Progress("entries audited"))
    report = log_audit.run(head)
    if policy is not None:
        save_file(policy, format_policy(log_audit.policy()).decode())
    tell(report.body(), _lines(report))
    report.require()


def _lines(report: Report) -> Iterator[str]:
    for line in report.holds:
        yield f"holds        {line}"
    for finding in report.findings:
        yield f"FINDING      {finding.line()}"
    for line in report.unchecked:
        yield f"not checked  {line}"
