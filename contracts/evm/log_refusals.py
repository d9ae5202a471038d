"""Why a chain node did not give logs: was the range too wide for it, or is it the weather?

Every provider has its own codes and words (-32602, -32005, -32000, -32600, HTTP 400, 413), and the same code says both
of a range and of a rate. So known weather and closed doors are named here, and all else is the range.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from enum import Enum, auto
from typing import Any

from requests.exceptions import ConnectTimeout, HTTPError, RequestException, Timeout
from web3.exceptions import RequestTimedOut, TooManyRequests, Web3Exception, Web3RPCError

from contracts.evm.chain_text import storable

LONGEST = 200
"""Characters of a node's words that are told on."""
_SLOW = (408, 504)
_WEATHER = (425, 429, 502, 503)
CLOSED = (401, 402, 403, 404, 405, 407)
"""Statuses of a door that stays closed."""
_RATE = re.compile(
    r"rate.?limit|too many requests|requests? (count|rate) exceeded|throttl|per (second|minute|day)\b|quota|credits"
    r"|compute units|try again (later|in)|temporarily|overloaded",
    re.IGNORECASE,
)
"""Words of nodes that mind the number of requests, under the codes of a range too."""


class Refusal(Enum):
    """The meaning of a failed request for its range."""

    WIDE = auto()
    """The range was too wide, or had too many logs."""
    SLOW = auto()
    """No answer in time: too wide, or a node that is away."""
    WEATHER = auto()
    """Nothing: the same request may be answered later."""
    OTHER = auto()
    """Nothing, and it will be refused again."""


def refusal_of(error: BaseException) -> Refusal:
    """The refusal in an error of web3 or its transport."""
    if isinstance(error, HTTPError) and error.response is not None:
        return _of_status(error.response.status_code, error.response.text)
    if isinstance(error, ConnectTimeout):
        return Refusal.WEATHER
    if isinstance(error, (Timeout, RequestTimedOut)):
        return Refusal.SLOW
    if isinstance(error, (RequestException, TooManyRequests)):
        return Refusal.WEATHER
    if isinstance(error, Web3RPCError):
        return Refusal.WEATHER if is_rate(_code(error), words_of(error)) else Refusal.WIDE
    return Refusal.WIDE if isinstance(error, Web3Exception) else Refusal.OTHER


def is_rate(code: Any, words: str) -> bool:
    """Whether an error of JSON-RPC is about the number of requests."""
    return code == 429 or _RATE.search(words) is not None


def words_of(error: BaseException) -> str:
    """The node's own sentence on one line, not the object around it. Of HTTP only the status: an address bears keys."""
    if isinstance(error, HTTPError) and error.response is not None:
        return f"HTTP {error.response.status_code}"
    if isinstance(error, Timeout):
        return "no answer in time"
    message: Any = _inner(error).get("message") if isinstance(error, Web3RPCError) else None
    return storable(" ".join(str(message or error).split()))[:LONGEST]


def _of_status(status: int, body: str) -> Refusal:
    if status in _SLOW:
        return Refusal.SLOW
    if status in CLOSED:
        return Refusal.OTHER
    return Refusal.WEATHER if status in _WEATHER or _RATE.search(body[:4096]) else Refusal.WIDE


def _code(error: Web3RPCError) -> Any:
    return _inner(error).get("code")


def _inner(error: Web3RPCError) -> Mapping[str, Any]:
    response: Any = error.rpc_response
    inner = response.get("error") if isinstance(response, dict) else None
    return inner if isinstance(inner, dict) else {"message": inner}
