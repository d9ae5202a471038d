"""One chain node over HTTP: an answer of JSON-RPC, or an exception that says whether it is worth asking again."""

from __future__ import annotations

import json
from email.utils import parsedate_to_datetime
from time import time
from typing import Any

from requests.exceptions import ConnectionError as NotConnected
from requests.exceptions import HTTPError, ReadTimeout, RequestException
from urllib3.exceptions import ReadTimeoutError
from web3 import HTTPProvider
from web3.types import RPCEndpoint, RPCResponse

from contracts.evm.errors import NoJsonRpc, RateLimited
from contracts.evm.forms import as_answer, as_result
from contracts.evm.log_refusals import Refusal, is_rate, refusal_of
from contracts.evm.transport import BoundedAdapter, bounded_session

LOGS = "eth_getLogs"
"""No answer in time may mean too wide a range here: contracts/evm/log_ranges.py gets such failures, and narrows it."""
_FOR_LATER = (408, 425, 429)
CONNECT_SECONDS = 10.0
"""For a connection; nobody can hang up on one that is not made yet."""


class AskLater(Exception):
    """A request that may be answered later: `cause` says why it was not, `wait` for how many seconds not to ask, and
    `alone` that one node did answer, where two have to."""

    def __init__(self, cause: RequestException, wait: float = 0.0, alone: bool = False) -> None:
        super().__init__(str(cause))
        self.cause = cause
        self.wait = wait
        self.alone = alone


class OneNode(HTTPProvider):
    """A chain node behind any proxies: an answer of somebody else fails as a lost connection does.

    The whole of an answer has `timeout` seconds. Threads may share it.
    """

    def __init__(self, url: str, timeout: float) -> None:
        self._adapter = BoundedAdapter()
        super().__init__(
            url,
            request_kwargs={"timeout": (min(timeout, CONNECT_SECONDS), timeout)},
            session=bounded_session(self._adapter),
            exception_retry_configuration=None,
            cache_allowed_requests=True,
            cacheable_requests={RPCEndpoint("eth_chainId")},
        )

    @staticmethod
    def decode_rpc_response(raw_response: bytes) -> RPCResponse:
        """Raises NoJsonRpc."""
        try:
            return as_answer(json.loads(raw_response))
        except (ValueError, RecursionError) as error:
            raise NoJsonRpc("the answer is no JSON: is this address a chain node's?") from error

    def hang_up(self) -> None:
        """End all that is awaited: it fails at once, as a lost connection does."""
        self._adapter.hang_up()

    def _make_request(self, method: RPCEndpoint, request_data: bytes) -> bytes:
        """Raises RequestException, also where the transport's own parsers break over an address or a length."""
        try:
            return super()._make_request(method, request_data)
        except NotConnected as error:
            if error.args and isinstance(error.args[0], ReadTimeoutError):  # in the midst of the body
                raise ReadTimeout(*error.args) from error
            raise
        except RequestException:
            raise
        except ValueError as error:
            raise NoJsonRpc("the answer is no HTTP: is this address a chain node's?") from error

    def ask(self, method: RPCEndpoint, params: Any) -> RPCResponse:
        """The answer, which may be an error of JSON-RPC. Raises AskLater, RequestException where asking again is of no
        use, and ChainUnfit for a result that the method does not have."""
        try:
            answer = self.make_request(method, params)
        except RequestException as error:
            if _passes(method, error):
                raise AskLater(error, _asked_to_wait(error)) from error
            raise
        error_body: Any = answer.get("error")
        if isinstance(error_body, dict) and is_rate(error_body.get("code"), str(error_body.get("message"))):
            raise AskLater(RateLimited(str(error_body.get("message"))[:200]))
        return as_result(method, answer)


def _passes(method: str, error: RequestException) -> bool:
    """Whether the same request may be answered later."""
    if method == LOGS:
        return refusal_of(error) is Refusal.WEATHER
    if isinstance(error, HTTPError) and error.response is not None:
        return error.response.status_code >= 500 or error.response.status_code in _FOR_LATER
    return True


def _asked_to_wait(error: RequestException) -> float:
    """Seconds of a Retry-After, which is a number or a date (RFC 9110, 10.2.3); 0 without one."""
    header = error.response.headers.get("Retry-After", "") if error.response is not None else ""
    if header.isascii() and header.isdigit() and len(header) < 10:
        return float(header)
    try:
        return max(0.0, parsedate_to_datetime(header).timestamp() - time())
    except (ValueError, TypeError, OverflowError):
        return 0.0
