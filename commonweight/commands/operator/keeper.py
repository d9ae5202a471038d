"""`commonweight keeper`: the process that advances rounds, transactions and votes, apart from the API."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Annotated

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
    Keystore,
    LogLevel,
    LogShape,
    LostEnd,
    MaxFee,
    ReplaceSeconds,
    Rpcs,
    ServerFolder,
    chain_nodes,
    database_address,
)
from commonweight.terminal.variables import SERVER, with_variables
from commonweight.terminal.waiting import wait_for

Keeper = with_variables(
    SERVER,
    "deployment",
    "rpc_url",
    "finality_depth",
    "max_fee_per_gas",
    "replace_seconds",
    "account_gas",
    "daily_gas",
    "accept_lost_end",
)
PARTS = ("rounds", "settlement", "indexer")


def read_part(text: str) -> str:
    """A part of the keeper. Raises BadParameter."""
    if text not in PARTS:
        raise typer.BadParameter(f"{text} is not a part of the keeper; the parts are {', '.join(PARTS)}")
    return text


def keeper(
    deployment: DeploymentFile,
    keystore: Keystore,
    only: Annotated[
        list[str] | None,
        typer.Option(
            parser=read_part,
            metavar="PART",
            help="Part of the keeper to run: rounds, settlement or indexer. Default: all three.",
        ),
    ] = None,
    rpc_url: Rpcs = None,
    finality_depth: FinalityDepth = None,
    folder: ServerFolder = Path("commonweight-server"),
    database_url: DatabaseUrl = "",
    max_fee_per_gas: MaxFee = 500 * 10**9,
    replace_seconds: ReplaceSeconds = 60,
    account_gas: AccountGas = 12_000_000,
    daily_gas: DailyGas = 300_000_000,
    log_level: LogLevel = Level.INFO,
    log_format: LogShape = LogFormat.TEXT,
    accept_lost_end: LostEnd = False,
) -> None:
    """Advance rounds, transactions and votes, without the API. Of several keepers, one at a time does each part."""
    from api.app import open_ledger
    from api.settings import ServerSettings
    from commonweight.model.known_model import entered
    from contracts.chain.connection import hang_up
    from contracts.mirrors.places import is_loopback
    from ledger.clock.keeper import run_until
    from ledger.public_log.restoring import restore

    stop = heed_signals()
    log_to_stderr(log_level, log_format)
    account = open_keystore(keystore)
    url = database_address(folder, database_url)
    urls = rpc_url or [DEFAULT_RPC]
    key = account.key.hex()
    settings = ServerSettings(
        **chain_nodes(urls),
        deployment=deployment,
        operator_key=key,
        database_url=url,
        blobs=folder / "blobs",
        max_fee_per_gas=max_fee_per_gas,
        replace_seconds=replace_seconds,
        account_gas=account_gas,
        daily_gas=daily_gas,
        finality_depth=finality_depth,
    )
    ledger = wait_for("the database", partial(open_ledger, settings), stop)
    entered(deployment, ledger.chain.w3, folder, ("server", account.address, ""))
    wait_for("chain or database", partial(restore, ledger, is_loopback(urls[0]), accept_lost_end), stop)
    run_until(ledger, stop.watched(partial(hang_up, ledger.chain.w3, LAST_ANSWER_SECONDS)), only=only or PARTS)
