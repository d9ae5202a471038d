"""The client of commands: typed calls, signed messages, blobs checked against their names.

A request without an answer of ours (contracts/wire/answers.py) is sent again, with growing pauses, since every request
is idempotent; a refusal of ours is final. Processes that are left running use trainer/exchange/network.py instead.
"""

from __future__ import annotations

import json
import logging
import math
import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import GenericAlias
from typing import Any, TypeVar
from urllib.request import getproxies

import httpx
from blake3 import blake3
from eth_account import Account
from eth_account.signers.local import LocalAccount
from tenacity import RetryCallState, Retrying, retry_if_exception_type, wait_random_exponential

from contracts.chain.deployment import Deployment
from contracts.errors import CommonweightError
from contracts.ids import Address
from contracts.messages.for_contracts import Message
from contracts.messages.signatures import Domain, sign
from contracts.process.outage import Outage
from contracts.protocol.log.leaf import write as leaf_text
from contracts.protocol.log.signed import Envelope
from contracts.recursion import bound_recursion
from contracts.wire.answers import Problem, problem_in, refusal_in, retry_after
from contracts.wire.fields import AnswerMisfit, Body, Object, read_as
from contracts.wire.log import Accepted, LogSize
from contracts.wire.network import Network

MOST_BYTES = 2**29
"""The largest answer: no file of a run that a server takes is larger."""
PATIENCE_SECONDS = 30.0
"""For so long a request is sent again in weather."""
FIRST_WAIT = 0.3
LONGEST_WAIT = 10.0
OCTETS = "application/octet-stream"
PACKED = "gzip"
"""What is asked for. An answer that is packed twice has a million times its bytes, all of them at once."""
T = TypeVar("T")
Kind = TypeVar("Kind")
_BLOB_NAME = re.compile(r"[0-9a-f]{64}")

logger = logging.getLogger(__name__)


class ApiProblem(CommonweightError):
    """The server refused; `code` is the problem document's."""

    def __init__(self, status: int, code: str, detail: str) -> None:
        super().__init__(detail)
        self.status = status
        self.code = code


class ApiUnreachable(CommonweightError):
    """Nothing answered at the address for half a minute, or something else than a server of this software."""

    code = "api-unreachable"


class OtherApi(CommonweightError):
    """The server at the address is not one of this software."""

    code = "other-api"


class BlobCorrupt(CommonweightError):
    """Downloaded bytes do not hash to the name that they were asked by."""

    code = "blob-corrupt"


@dataclass(frozen=True)
class _Answer:
    """A whole response."""

    status: int
    media_type: str
    body: bytes


class _Weather(Exception):
    """No answer, or none of ours. `problem` is the document of a server in trouble, `least` its Retry-After in
    seconds."""

    def __init__(self, why: str, status: int = 0, problem: Problem | None = None, least: float | None = None) -> None:
        super().__init__(why)
        self.status = status
        self.problem = problem
        self.least = least or 0.0


class ApiClient:
    """A server for one key; without a key only reading works. `cache` is a folder of blobs.

    For `patience` seconds a request is sent again in weather, and `say` takes a line about it now and then.
    """

    def __init__(
        self,
        base_url: str,
        key: bytes | str | None = None,
        cache: Path | None = None,
        patience: float | None = None,
        say: Callable[[str], None] = logger.warning,
    ) -> None:
        """Raises ApiUnreachable and OtherApi."""
        bound_recursion()
        self._http = _http_client(base_url)
        self.base_url = base_url
        self._cache = cache
        self._say = say
        self._patience = PATIENCE_SECONDS if patience is None else patience
        self._account: LocalAccount | None = None if key is None else Account.from_key(key)
        self.network = self._network()
        self.domain = Domain(self.network.chain_id, self.network.deployment.model_registry)
        if cache is not None:
            cache.mkdir(parents=True, exist_ok=True)

    @property
    def account(self) -> LocalAccount:
        """The signing key. Raises ApiProblem without one."""
        if self._account is None:
            raise ApiProblem(401, "no-key", "this needs a key; give a keystore")
        return self._account

    @property
    def address(self) -> Address:
        """Checksum address of the key."""
        return self.account.address

    @property
    def deployment(self) -> Deployment:
        """The model that the server names. Raises InvalidDeployment."""
        return Deployment.from_mapping(self.network.deployment.to_json())

    def read(self, kind: type[Kind], path: str, **query: Any) -> Kind:
        """GET, as a class of contracts/wire/. Raises ApiProblem, ApiUnreachable and AnswerMisfit."""
        return read_as(kind, self.get(path, **query))

    def read_list(self, kind: type[Kind], path: str, **query: Any) -> list[Kind]:
        """GET, as a list of a class of contracts/wire/. Raises ApiProblem, ApiUnreachable and AnswerMisfit."""
        lines: type[list[Kind]] = GenericAlias(list, (kind,))  # type: ignore[assignment]
        return self.read(lines, path, **query)

    def send(self, kind: type[Kind], path: str, body: Body) -> Kind:
        """POST, and the answer as a class of contracts/wire/. Raises ApiProblem, ApiUnreachable and AnswerMisfit."""
        return read_as(kind, self.post(path, body.to_json()))

    def get(self, path: str, **query: Any) -> Any:
        """GET and decode. Raises ApiProblem and ApiUnreachable."""
        return self._patiently(_json, "GET", path, params=query)

    def post(self, path: str, body: Object) -> Any:
        """POST as JSON and decode. Raises ApiProblem and ApiUnreachable."""
        return self._patiently(_json, "POST", path, json=body)

    def give(self, message: Message, **beside: Any) -> Accepted:
        """Sign a message for the log and hand it to the server in its one text. Raises ApiProblem, ApiUnreachable."""
        signature = sign(message, self.domain, bytes(self.account.key))
        return self.hand(leaf_text(Envelope(message, (signature,), beside)))

    def hand(self, text: str) -> Accepted:
        """Hand a signed message to the server, as it is. Raises ApiProblem, ApiUnreachable, AnswerMisfit."""
        return read_as(Accepted, self._patiently(_json, "POST", "/messages", content=text.encode()))

    def blob(self, name: str) -> bytes:
        """Bytes that hash to their name, from the cache where it has them. Raises BlobCorrupt and ApiProblem.

        A disk flips bits as a network does: a cached file is hashed too, and fetched again where it is spoilt.
        """
        if not _BLOB_NAME.fullmatch(name):
            raise BlobCorrupt(f"{name[:80]!r} is not the name of a blob")
        file = None if self._cache is None else self._cache / name
        data = None if file is None else _kept(file, name)
        if data is not None:
            return data
        data = self._patiently(_octets, "GET", f"/blobs/{name}")
        if blake3(data).hexdigest() != name:
            raise BlobCorrupt(f"{name} came with other bytes")
        if file is not None:
            _write(file, data)
        return data

    def news(self, size: int, seconds: float) -> int:
        """Wait until the log has more than `size` entries, `seconds` at the most; returns its size."""
        return self.read(LogSize, "/log/size", above=size, wait=seconds).size

    def _network(self) -> Network:
        """Raises OtherApi."""
        try:
            return self.read(Network, "/network")
        except AnswerMisfit:
            raise OtherApi(f"{self.base_url} answers, but is no server of a model; check --api") from None

    def _patiently(self, read: Callable[[_Answer], T], method: str, path: str, **options: Any) -> T:
        """An answer of ours, decoded by `read`. Raises ApiProblem, and ApiUnreachable where weather lasts."""
        end = time.monotonic() + self._patience
        outage = Outage(self.base_url, self._say, grace=0.0)
        tries = Retrying(
            retry=retry_if_exception_type(_Weather),
            wait=_pause,
            stop=lambda state: time.monotonic() + state.upcoming_sleep > end,
            before_sleep=lambda state: outage.failed(str(_weather_of(state))),
            reraise=True,
        )
        try:
            result = tries(lambda: read(self._answered(method, path, **options)))
        except _Weather as weather:
            raise self._lasting(weather) from None
        outage.ended()
        return result

    def _answered(self, method: str, path: str, **options: Any) -> _Answer:
        """One try. Raises ApiProblem for a refusal of ours, and _Weather for any other failure."""
        try:
            answer, least = self._call(method, path, **options)
        except httpx.HTTPError as error:
            raise _Weather(f"{type(error).__name__} ({error})") from error
        if 200 <= answer.status < 300:
            return answer
        refusal = refusal_in(answer.status, answer.media_type, answer.body)
        if refusal is not None:
            raise ApiProblem(answer.status, refusal.code, refusal.detail)
        problem = problem_in(answer.media_type, answer.body)
        detail = f"{problem.code}: {problem.detail}" if problem else _glimpse(answer)
        raise _Weather(f"status {answer.status}, {detail}", answer.status, problem, least)

    def _call(self, method: str, path: str, **options: Any) -> tuple[_Answer, float | None]:
        """The whole answer, of MOST_BYTES at most, and its Retry-After. Raises ApiProblem, _Weather, httpx's errors."""
        data = bytearray()
        with self._http.stream(method, path, **options) as response:
            if response.headers.get("Content-Encoding", "identity") not in ("identity", PACKED):
                raise _Weather("the answer is packed as nobody asked", response.status_code)
            for chunk in response.iter_bytes():
                data += chunk
                if len(data) > MOST_BYTES:
                    raise ApiProblem(response.status_code, "http-error", f"the answer has more than {MOST_BYTES} bytes")
        headers = response.headers
        answer = _Answer(response.status_code, headers.get("Content-Type", ""), bytes(data))
        return answer, retry_after(headers.get("Retry-After"))

    def _lasting(self, weather: _Weather) -> CommonweightError:
        """The error when the patience ends: the server's own problem document, where it sent one."""
        if weather.problem is not None:
            return ApiProblem(weather.status, weather.problem.code, weather.problem.detail)
        return ApiUnreachable(f"{self.base_url} does not answer: {weather}{_through()}; check --api")


def _http_client(base_url: str) -> httpx.Client:
    """Raises ApiUnreachable for an address or a proxy that no waiting makes usable here."""
    try:
        packed = {"Accept-Encoding": PACKED}
        return httpx.Client(base_url=base_url.rstrip("/") + "/v1", timeout=60.0, headers=packed)
    except (httpx.InvalidURL, ValueError, ImportError) as error:  # ImportError: packages for SOCKS are missing
        raise ApiUnreachable(f"{base_url} cannot be asked: {error}{_through()}; check --api") from error
    except OSError as error:  # of SSL_CERT_FILE and SSL_CERT_DIR
        raise ApiUnreachable(f"{base_url} cannot be asked: {error}; check SSL_CERT_FILE") from error


def _through() -> str:
    """The environment's proxies, as the end of a sentence."""
    proxies = {name: url for name, url in getproxies().items() if name in ("http", "https", "all")}
    return f"; the environment sends it through the proxy {', '.join(proxies.values())}" if proxies else ""


def _json(answer: _Answer) -> Any:
    """Raises _Weather for a body that is no JSON, as NaN is none: every answer of ours is JSON."""
    try:
        return json.loads(answer.body, parse_constant=_finite, parse_float=_finite)
    except (ValueError, RecursionError):
        raise _Weather(f"status {answer.status}, {_glimpse(answer)}") from None


def _finite(text: str) -> float:
    """Raises ValueError."""
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(f"{text:.20} is no number of JSON")
    return number


def _octets(answer: _Answer) -> bytes:
    """Raises _Weather for another media type than blobs have: a proxy in between sent a page."""
    if answer.media_type != OCTETS:
        raise _Weather(f"status {answer.status}, {_glimpse(answer)}")
    return answer.body


def _weather_of(state: RetryCallState) -> _Weather:
    error = state.outcome.exception() if state.outcome is not None else None
    assert isinstance(error, _Weather), "nothing else is tried again"
    return error


_backoff = wait_random_exponential(FIRST_WAIT, max=LONGEST_WAIT)


def _pause(state: RetryCallState) -> float:
    """Growing and spread, and no shorter than the server's Retry-After."""
    return max(_weather_of(state).least, FIRST_WAIT / 3, _backoff(state))


def _glimpse(answer: _Answer) -> str:
    """The media type and the beginning of a response that is none of ours."""
    text = " ".join(answer.body[:2_000].decode(errors="replace").split())[:80]
    return f"{answer.media_type or 'no media type'}, {text!r}"


def _kept(path: Path, name: str) -> bytes | None:
    """The bytes of a cached file, if they hash to its name."""
    try:
        data = path.read_bytes()
    except OSError:
        return None
    return data if blake3(data).hexdigest() == name else None


def _write(path: Path, data: bytes) -> None:
    scratch = path.with_name(f"{path.name}.{time.monotonic_ns()}")
    scratch.write_bytes(data)
    scratch.replace(path)
