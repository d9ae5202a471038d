"""`commonweight fsck`: the server's database against the log in it and the chain."""

from __future__ import annotations

from pathlib import Path

from commonweight.terminal.console import tell
from commonweight.terminal.options import (
    DEFAULT_RPC,
    DatabaseUrl,
    DeploymentFile,
    FinalityDepth,
    Rpcs,
    ServerFolder,
    chain_nodes,
    database_address,
)
from commonweight.terminal.variables import SERVER, with_variables

Fsck = with_variables(SERVER, "deployment", "rpc_url", "finality_depth")


def fsck(
    deployment: DeploymentFile,
    folder: ServerFolder = Path("commonweight-server"),
    database_url: DatabaseUrl = "",
    rpc_url: Rpcs = None,
    finality_depth: FinalityDepth = None,
) -> None:
    """Derive every balance, root and payout again from the log, and compare them with the database and the chain.

    Needs no key. Exit status: 0 if all rows agree, else 1 with the rows that differ.
    """
    from eth_account import Account

    from api.app import open_ledger
    from api.settings import ServerSettings
    from ledger.fsck.examine import FsckFailed, examine

    nobody = Account.create().key.hex()  # a ledger has a key to sign with; nothing here is signed
    url = database_address(folder, database_url)
    urls = rpc_url or [DEFAULT_RPC]
    settings = ServerSettings(
        **chain_nodes(urls),
        deployment=deployment,
        operator_key=nobody,
        database_url=url,
        blobs=folder / "blobs",
        keeper=False,
        finality_depth=finality_depth,
    )
    findings = []
    for part in examine(open_ledger(settings)):
        tell((), [f"{part.name:<8} {'holds' if not part.findings else f'{len(part.findings)} findings'}"])
        findings += part.findings
    tell({"findings": [{"table": f.table, "key": f.key, "what": f.what} for f in findings]}, ())
    if findings:
        raise FsckFailed(findings)
