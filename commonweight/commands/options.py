"""Options that several commands share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

Api = Annotated[str, typer.Option("--api", envvar="COMMONWEIGHT_API", help="Address of the API server.")]
Rpc = Annotated[str, typer.Option("--rpc-url", envvar="COMMONWEIGHT_RPC", help="JSON-RPC address of the EVM chain.")]
Keystore = Annotated[
    Path,
    typer.Option("--keystore", help="Keystore v3 file; its passphrase comes from COMMONWEIGHT_PASSPHRASE or a prompt."),
]
RunId = Annotated[str, typer.Option("--run", help="Id of the run, 0x and 64 hex digits.")]
Json = Annotated[bool, typer.Option("--json", help="JSON for scripts instead of text.")]
Data = Annotated[
    list[Path] | None,
    typer.Option("--data", help="Text files or folders to train on; default: what every CPython 3.11 carries."),
]

DEFAULT_API = "http://127.0.0.1:8800"
DEFAULT_RPC = "http://127.0.0.1:8545"
