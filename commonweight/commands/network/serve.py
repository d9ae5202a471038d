"""`commonweight serve`: the API over a ledger, with its keeper unless that runs elsewhere."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from commonweight.keystore import open_keystore
from commonweight.terminal.lifetime import LAST_ANSWER_SECONDS, heed_signals
from commonweight.terminal.logs import Level, LogFormat, log_to_stderr
from commonweight.terminal.options import (
    DEFAULT_RPC,
    AccountGas,
    DailyGas,
    DatabaseUrl,
    DeploymentFile,
    FinalityDepth,
    Folder,
    Host,
    Keystore,
    LogLevel,
    LogShape,
    LostEnd,
    MaxFee,
    Port,
    ReplaceSeconds,
    Rpcs,
    chain_nodes,
    database_address,
)
from commonweight.terminal.variables import SERVER, with_variables
from commonweight.terminal.waiting import wait_for

if TYPE_CHECKING:
    from fastapi import FastAPI

Serve = with_variables(
    SERVER,
    "deployment",
    "rpc_url",
    "finality_depth",
    "keeper",
    "max_fee_per_gas",
    "replace_seconds",
    "account_gas",
    "daily_gas",
    "accept_lost_end",
    allow_origin="allow_origins",
)


def serve(
    deployment: DeploymentFile,
    keystore: Keystore,
    host: Host = "127.0.0.1",
    port: Port = 8800,
    rpc_url: Rpcs = None,
    finality_depth: FinalityDepth = None,
    folder: Folder = Path("commonweight-server"),
    database_url: DatabaseUrl = "",
    keeper: Annotated[bool, typer.Option(help="Also advance rounds, transactions and votes in this process.")] = True,
    max_fee_per_gas: MaxFee = 500 * 10**9,
    replace_seconds: ReplaceSeconds = 60,
    account_gas: AccountGas = 12_000_000,
    daily_gas: DailyGas = 300_000_000,
    log_level: LogLevel = Level.INFO,
    log_format: LogShape = LogFormat.TEXT,
    accept_lost_end: LostEnd = False,
    allow_origin: Annotated[
        list[str] | None,
        typer.Option(metavar="ORIGIN", help="Origin of a page whose scripts may read answers (CORS), or *."),
    ] = None,
    connections_per_address: Annotated[
        int,
        typer.Option(
            min=0,
            help="Highest number of open connections from one address; 0: any number, for a proxy on another machine.",
        ),
    ] = 64,
) -> None:
    """Run the API server of a model. The key pays gas and signs heads of the log; it can mint nothing."""
    from api.app import begin, create_app
    from api.settings import ServerSettings
    from commonweight.model.known_model import joined
    from commonweight.terminal.serving import serve_until
    from contracts.chain.connection import connect, hang_up

    stop = heed_signals()
    account = open_keystore(keystore)
    urls = rpc_url or [DEFAULT_RPC]
    log_to_stderr(log_level, log_format)
    key = account.key.hex()
    joined(deployment, connect(*urls, finality_depth=finality_depth), folder, ("server", account.address, ""), stop)
    url = database_address(folder, database_url)
    settings = ServerSettings(
        **chain_nodes(urls),
        deployment=deployment,
        operator_key=key,
        database_url=url,
        blobs=folder / "blobs",
        keeper=keeper,
        max_fee_per_gas=max_fee_per_gas,
        replace_seconds=replace_seconds,
        account_gas=account_gas,
        daily_gas=daily_gas,
        allow_origins=tuple(allow_origin or ()),
        accept_lost_end=accept_lost_end,
        finality_depth=finality_depth,
    )

    def begun() -> FastAPI:
        app = create_app(settings)
        begin(app)
        return app

    app = wait_for("chain or database", begun, stop)
    leaving = partial(hang_up, app.state.ledger.chain.w3, LAST_ANSWER_SECONDS)
    serve_until(stop, app, host, port, connections_per_address, leaving)
