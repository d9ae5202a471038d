"""Options that several commands share, and how their values are read."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Any, NotRequired, TypedDict

import typer

from commonweight.terminal.logs import FORMAT_VARIABLE, LEVEL_VARIABLE, Level, LogFormat
from commonweight.terminal.variables import SERVER
from contracts.process.http_url import require_http_url

DEFAULT_API = "http://127.0.0.1:8800"
DEFAULT_RPC = "http://127.0.0.1:8545"


def read_address(text: str) -> str:
    """A checksum address. Raises BadParameter, also for a mixed-case address whose checksum is wrong."""
    from eth_utils.address import is_checksum_formatted_address, is_hex_address, to_checksum_address

    if not is_hex_address(text) or not text.startswith("0x"):
        raise typer.BadParameter(f"{text} is not an address: 0x and 40 hex digits")
    address = str(to_checksum_address(text))
    if is_checksum_formatted_address(text) and text != address:
        raise typer.BadParameter(f"{text} has a wrong checksum; a digit is mistyped")
    return address


def read_run(text: str) -> str:
    """A run's id. Raises BadParameter."""
    if not re.fullmatch(r"0x[0-9a-fA-F]{64}", text):
        raise typer.BadParameter(f"{text} is not a run id: 0x and 64 hex digits")
    return text.lower()


def read_round(text: str) -> str:
    """A funding round, as ADDRESS@CREATION, or nothing. Raises BadParameter."""
    address, _, creation = text.partition("@")
    if text and not re.fullmatch(r"0x[0-9a-fA-F]{64}", creation):
        raise typer.BadParameter(f"{text} is not a round: ADDRESS@CREATION, as `fund open` prints it")
    return text and f"{read_address(address)}@{creation.lower()}"


def read_proposal(text: str) -> str:
    """A proposal's id. Raises BadParameter."""
    if not re.fullmatch(r"[0-9]{1,78}", text):
        raise typer.BadParameter(f"{text} is not a proposal id: a whole number, as `gov propose` prints it")
    return text


def read_object(text: str, option: str) -> dict[str, Any]:
    """A JSON object. Raises BadParameter."""
    try:
        value = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise typer.BadParameter(f"not JSON: {error}", param_hint=option) from error
    if not isinstance(value, dict):
        raise typer.BadParameter('must be a JSON object, for instance {"seed": 2}', param_hint=option)
    return value


def named_values(texts: Iterable[str], option: str) -> dict[str, list[str]]:
    """Values by name, of texts as name=value. Raises BadParameter."""
    found: dict[str, list[str]] = {}
    for text in texts:
        name, mark, value = text.partition("=")
        if not (name and mark and value):
            raise typer.BadParameter(f"{text!r} is not of the form name=value", param_hint=option)
        found.setdefault(name, []).append(value)
    return found


def read_url(text: str) -> str:
    """The address of a server or chain node, without pasted spaces around it. Raises BadParameter: a command would wait
    for a wrong address as for a server that does not answer."""
    try:
        return require_http_url(text)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from error


def read_url_or_none(text: str) -> str:
    """As `read_url`; nothing stays nothing. Raises BadParameter."""
    return read_url(text) if text.strip() else ""


def read_public_url(text: str) -> str:
    """The public address of a mirror, nothing, or `-` for a mirror without one. Raises BadParameter."""
    from contracts.mirrors.urls import public_address

    try:
        return public_address(text)
    except ValueError as error:
        raise typer.BadParameter(f"{error}, or - for an unreachable mirror") from error


def read_broker(text: str) -> str:
    """The address of a Celery broker, or nothing. Raises BadParameter: workers without a broker judge nothing."""
    from verifier.settings import require_broker

    try:
        return require_broker(text)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from error


def read_seconds(seconds: float) -> float:
    """A span that a clock can wait for. Raises BadParameter."""
    if not math.isfinite(seconds):
        raise typer.BadParameter(f"{seconds} is not a number of seconds")
    return seconds


class ChainNodes(TypedDict):
    """The settings that `--rpc-url` gives: one node, and others where there are any; else their variable stands."""

    rpc_url: str
    other_rpc_urls: NotRequired[tuple[str, ...]]


def chain_nodes(urls: list[str]) -> ChainNodes:
    """Of at least one address."""
    nodes = ChainNodes(rpc_url=urls[0])
    if len(urls) > 1:
        nodes["other_rpc_urls"] = tuple(urls[1:])
    return nodes


def database_address(folder: Path, database_url: str) -> str:
    """The given address, or SQLite in the server's folder, for any letters in its name."""
    from sqlalchemy import URL

    return database_url or URL.create("sqlite", database=str(folder / "ledger.db")).render_as_string()


Api = Annotated[
    str,
    typer.Option("--api", envvar="COMMONWEIGHT_API", parser=read_url, metavar="URL", help="Address of the API server."),
]
Rpc = Annotated[
    str,
    typer.Option(
        "--rpc-url",
        envvar="COMMONWEIGHT_RPC",
        parser=read_url,
        metavar="URL",
        help="JSON-RPC address of the EVM chain.",
    ),
]
Rpcs = Annotated[
    list[str] | None,
    typer.Option(
        "--rpc-url",
        envvar="COMMONWEIGHT_RPC",
        parser=read_url,
        metavar="URL",
        help=f"JSON-RPC address of the EVM chain; repeat to compare several nodes. Default: {DEFAULT_RPC}.",
    ),
]
Trusted = Annotated[
    Path | None,
    typer.Option(
        "--deployment", exists=True, dir_okay=False, help="Deployment file of the model, from a source that you trust."
    ),
]
OwnChain = Annotated[
    str | None,
    typer.Option(
        "--rpc-url",
        parser=read_url,
        metavar="URL",
        help="JSON-RPC address of a chain node that you trust. Default: the command asks no chain.",
    ),
]
FinalityDepth = Annotated[
    int | None,
    typer.Option(
        "--finality-depth",
        min=1,
        help="Number of blocks after which a block counts as final, on a chain that names no final block.",
    ),
]
CorpusMirrors = Annotated[
    list[str] | None,
    typer.Option(
        "--corpus-mirror",
        help="Another folder or address with the same corpus, asked where the ones before fail; repeat for several.",
    ),
]
ChainRpc = Annotated[
    str,
    typer.Option(
        "--rpc-url",
        envvar="COMMONWEIGHT_RPC",
        parser=read_url_or_none,
        metavar="URL",
        help="JSON-RPC address of the EVM chain, so that the chain is asked instead of the server.",
    ),
]
Keystore = Annotated[
    Path,
    typer.Option("--keystore", help="Keystore v3 file. The passphrase comes from COMMONWEIGHT_PASSPHRASE or a prompt."),
]
Host = Annotated[str, typer.Option(help="Address to listen on.")]
Port = Annotated[int, typer.Option(min=0, max=65_535, help="Port to listen on.")]
Folder = Annotated[Path, typer.Option("--folder", help="Folder for the files of this process.")]
ServerFolder = Annotated[Path, typer.Option("--folder", help="Folder with the files of the server.")]
DatabaseUrl = Annotated[
    str,
    typer.Option(
        "--database-url",
        envvar=f"{SERVER}DATABASE_URL",
        help="SQLAlchemy address of the database. Default: SQLite in the folder.",
    ),
]
DeploymentFile = Annotated[
    Path,
    typer.Option(
        "--deployment", exists=True, dir_okay=False, help="Deployment file, which `commonweight model deploy` wrote."
    ),
]
ModelDeployment = Annotated[Path, typer.Option("--deployment", exists=True, dir_okay=False, help="Deployment file.")]
OwnDeployment = Annotated[
    Path | None,
    typer.Option(
        "--deployment", exists=True, dir_okay=False, help="Deployment file; the database of another model is refused."
    ),
]
LostEnd = Annotated[
    bool,
    typer.Option(
        "--accept-lost-end", help="Go on although the last log entries are lost for good. The log becomes a second log."
    ),
]
MaxFee = Annotated[
    int, typer.Option("--max-fee-per-gas", min=1, help="Highest fee that a transaction may offer, in wei per gas.")
]
ReplaceSeconds = Annotated[
    int,
    typer.Option(
        "--replace-seconds", min=1, help="Seconds before an unmined transaction is signed again with a higher fee."
    ),
]
AccountGas = Annotated[
    int, typer.Option("--account-gas", min=0, help="Gas per day that the relayer pays for the calls of one account.")
]
DailyGas = Annotated[
    int, typer.Option("--daily-gas", min=0, help="Gas per day that the relayer pays for the calls of all accounts.")
]
LogLevel = Annotated[
    Level, typer.Option("--log-level", envvar=LEVEL_VARIABLE, help="Lowest level that is logged on stderr.")
]
LogShape = Annotated[
    LogFormat,
    typer.Option(
        "--log-format", envvar=FORMAT_VARIABLE, help="Format of the log: text lines, or one JSON object a line."
    ),
]
GiveUpAfter = Annotated[
    float,
    typer.Option(
        "--give-up-after",
        min=0,
        callback=read_seconds,
        metavar="SECONDS",
        help="Seconds without an answer of the server and of all mirrors after which the process ends; 0: never.",
    ),
]
RunId = Annotated[
    str, typer.Option("--run", parser=read_run, metavar="RUN", help="Id of the run, 0x and 64 hex digits.")
]
Data = Annotated[
    list[Path] | None,
    typer.Option(
        "--data", help="Text files or folders to train on. Default: the text that every CPython 3.11 carries."
    ),
]
Corpus = Annotated[
    str,
    typer.Option(
        "--corpus",
        metavar="PLACE",
        help="Folder or address (http, https, s3) of a tokenised corpus. Default: the address that the run names.",
    ),
]
Weights = Annotated[
    str,
    typer.Option(
        "--weights",
        metavar="PLACE",
        help="Folder or address (http, https, s3) of the run's first weights, if they come from another model.",
    ),
]
Device = Annotated[
    str,
    typer.Option(help="Device for portable runs: cpu or cuda, with the same bits. Other runs always use the cpu."),
]
Account = Annotated[str, typer.Argument(parser=read_address, help="Address of the account.")]
ProposalId = Annotated[str, typer.Argument(parser=read_proposal, help="Id of the proposal.")]
