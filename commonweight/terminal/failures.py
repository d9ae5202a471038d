"""Errors of libraries for faults of users or of the world, as refusals with a stable code.

CommonweightError
├── RpcUnreachable   no chain node answers
├── RpcRefused       the chain node answers and will not do it
├── SystemRefused    the operating system will not: a port in use, a file that is not there
└── PartMissing      a package that the command needs was not installed
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from contracts.errors import CommonweightError

if TYPE_CHECKING:
    from web3.exceptions import Web3RPCError


class RpcUnreachable(CommonweightError):
    """No chain node answers at the address."""

    code = "rpc-unreachable"


class RpcRefused(CommonweightError):
    """The chain node refused a request, for instance for want of coins."""

    code = "rpc-refused"


class SystemRefused(CommonweightError):
    """The operating system refused."""

    code = "system-refused"


class PartMissing(CommonweightError):
    """The command needs a package that was not installed."""

    code = "part-missing"


PARTS = {
    "torch": "node",
    "numpy": "node",
    "safetensors": "node",
    "celery": "node",
    "kombu": "node",
    "starlette": "node",
    "pydantic_settings": "node",
    "uvicorn": "server",
    "fastapi": "server",
    "sqlmodel": "server",
    "sqlalchemy": "server",
    "alembic": "server",
    "prometheus_client": "server",
    "eth": "chain",
    "eth_tester": "chain",
    "gpuhunt": "market",
    "tensorboard": "see",
    "lm_eval": "eval",
    "transformers": "eval",
    "jinja2": "demo",
    "matplotlib": "demo",
}
"""Packages by the part that brings them (pyproject.toml)."""


def as_refusal(error: Exception) -> CommonweightError:
    """The refusal that `error` stands for. Raises `error` itself if it is a fault of ours."""
    if isinstance(error, CommonweightError) and not isinstance(error, OSError):
        return error  # nothing more is loaded for it
    if isinstance(error, ModuleNotFoundError) and (part := PARTS.get(str(error.name).partition(".")[0])):
        return PartMissing(f"this command needs {error.name}: install it with `pip install 'commonweight[{part}]'`")
    from requests.exceptions import RequestException
    from web3.exceptions import Web3RPCError

    from contracts.evm.chain_trouble import chain_trouble

    if isinstance(error, RequestException):
        return RpcUnreachable(f"the chain node {chain_trouble(error)}; check --rpc-url")
    if isinstance(error, Web3RPCError):
        return RpcRefused(f"the chain node refuses: {_said(error)}")
    if isinstance(error, OSError):
        return SystemRefused(_system(error))
    raise error


def require_a_folder() -> None:
    """Raises SystemRefused where the current folder was deleted: some libraries end the process over it."""
    try:
        os.getcwd()
    except FileNotFoundError as error:
        raise SystemRefused("the current folder was deleted: change to another folder") from error


def _said(error: Web3RPCError) -> str:
    """The node's own sentence, and not the object around it."""
    response: Any = error.rpc_response or {}
    inner = response.get("error") if isinstance(response, dict) else None
    sentence = inner.get("message") if isinstance(inner, dict) else inner
    return str(sentence or error.message or error)


def _system(error: OSError) -> str:
    """The file first, and no numbers."""
    if error.strerror is None:
        return str(error)
    where = f"{os.fsdecode(error.filename)}: " if isinstance(error.filename, (str, bytes, os.PathLike)) else ""
    return f"{where}{error.strerror[0].lower()}{error.strerror[1:]}"
