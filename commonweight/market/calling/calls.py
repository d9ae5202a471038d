"""HTTP calls to a provider: bounded in bytes and time, numbers read exactly, failures by what they mean for money.

Reading is repeated through weather. A call that changes something is sent once: whoever sent it looks at the account's
list where it is not certain what became of it.
"""

from __future__ import annotations

import asyncio
import json
import ssl
from collections.abc import Callable, Mapping
from contextlib import suppress
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any, TypeAlias

import httpx
from tenacity import (
    RetryCallState,
    Retrying,
    retry_if_exception_type,
    stop_after_delay,
    wait_random_exponential,
)
from tenacity.stop import stop_base

from commonweight.market.calling.allowance import Unpacking, seconds_left
from commonweight.market.errors import KeyMissing, KeyRefused, ProviderAway, ProviderError, RateLimited, RequestRefused
from contracts.recursion import bound_recursion
from contracts.wire.answers import retry_after

Json: TypeAlias = Any
Refuse = Callable[[int, Json], ProviderError | None]
"""A provider's own errors by status and body; None leaves them to the rules here."""

MOST_BYTES = 16 * 2**20
"""Of one answer, unpacked."""
CALL_SECONDS = 15.0
BUDGET_SECONDS = 30.0
"""For one reading with all its tries."""
LONGEST_PAUSE = 5.0
LEAST_SECRET = 8
"""A word of a header with so many letters is taken for a key; `Bearer` is none."""


def read_key(file: Path, provider: str) -> str:
    """A provider's key: the first line of a file. Raises KeyMissing, which says where it is looked for."""
    try:
        key = file.read_text().strip().partition("\n")[0].strip()
    except (OSError, UnicodeDecodeError):
        raise KeyMissing(f"no key of {provider} in {file}: write the key to this file, and nowhere else") from None
    if not key or not key.isascii() or not key.isprintable() or " " in key:
        raise KeyMissing(f"{file} holds no key of {provider}: one line of letters and digits")
    return key


class _Over(stop_base):
    """When the budget of a call, or of the command that makes it, is used up."""

    def __init__(self, budget: float) -> None:
        self._budget, self._delay = budget, stop_after_delay(budget)

    def __call__(self, retry_state: RetryCallState) -> bool:
        return self._delay(retry_state) or seconds_left(self._budget) <= 0


class Calls:
    """One provider's HTTP interface at `url`, with the headers that carry its key. Errors never name the key."""

    def __init__(
        self,
        name: str,
        url: str,
        headers: Mapping[str, str],
        refuse: Refuse | None = None,
        seconds: float = CALL_SECONDS,
        budget: float = BUDGET_SECONDS,
    ) -> None:
        bound_recursion()  # deep JSON must not end the process
        self._name = name
        self._refuse = refuse
        self._seconds = seconds
        self._budget = budget
        self._secrets = [word for value in headers.values() for word in value.split() if len(word) >= LEAST_SECRET]
        self._url = url.rstrip("/")
        self._headers = dict(headers) | {"Accept-Encoding": Unpacking.ASKED, "Connection": "close"}

    def get(self, path: str, **params: str | int) -> Json:
        """A reading: tried again through weather. Raises ProviderError."""
        return self.read("GET", path, params=params)

    def read(self, method: str, path: str, body: Json = None, params: Mapping[str, str | int] | None = None) -> Json:
        """As `get`, for a reading that its provider has under another method."""
        tries = Retrying(
            retry=retry_if_exception_type((ProviderAway, RateLimited)),
            wait=_pause,
            stop=_Over(self._budget),
            reraise=True,
        )
        return tries(self.send, method, path, body, params)

    def send(self, method: str, path: str, body: Json = None, params: Mapping[str, str | int] | None = None) -> Json:
        """One try. Raises ProviderError; `sent` is set where the request may have had its effect."""
        try:
            return self._sent(method, path, body, params)
        except ProviderError as error:  # a provider may repeat the key in its words
            error.detail = self._without_key(error.detail)
            error.args = (error.detail,)
            raise

    def _sent(self, method: str, path: str, body: Json, params: Mapping[str, str | int] | None) -> Json:
        try:
            status, data, headers = self._answer(method, path, body, params)
        except (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout) as error:
            raise ProviderAway(f"{self._name} cannot be reached: {_reason(error)}") from None
        except httpx.HTTPError as error:
            raise ProviderAway(f"{self._name} broke off: {_reason(error)}", sent=True) from None
        return self._judge(status, data, headers)

    def _without_key(self, text: str) -> str:
        for secret in self._secrets:
            text = text.replace(secret, "(key)")
        return text

    def tail(self, path: str, **params: str | int) -> str:
        """The text of a stream that may have no end, as far as it comes in one call's time. Raises ProviderError."""
        data = bytearray()
        head: list[tuple[int, httpx.Headers]] = []
        # A stream that falls silent, or is cut, or has no end, has said what it had to say.
        with suppress(httpx.HTTPError, TimeoutError, ProviderAway):
            asyncio.run(self._come("GET", path, None, params, data, head))
        if not head:
            raise ProviderAway(f"{self._name} gives no stream")
        status, headers = head[0]
        if not 200 <= status < 300:
            self._judge(status, bytes(data), headers)
        return data.decode(errors="replace")

    def _answer(
        self, method: str, path: str, body: Json, params: Mapping[str, str | int] | None
    ) -> tuple[int, bytes, httpx.Headers]:
        data = bytearray()
        head: list[tuple[int, httpx.Headers]] = []
        try:
            asyncio.run(self._come(method, path, body, params, data, head))
        except TimeoutError:
            raise ProviderAway(f"{self._name} sends more slowly than is read", sent=True) from None
        status, headers = head[0]
        return status, bytes(data), headers

    async def _come(
        self,
        method: str,
        path: str,
        body: Json,
        params: Mapping[str, str | int] | None,
        data: bytearray,
        head: list[tuple[int, httpx.Headers]],
    ) -> None:
        """Status and headers into `head`, the body into `data` as it comes. The time is that of all of it: a provider
        that sends a letter of its headers now and then would be waited for for days. Raises TimeoutError and httpx's
        errors."""
        async with (
            self._client() as client,
            asyncio.timeout(seconds_left(self._seconds)),
            client.stream(method, path, json=body, params=params) as answer,
        ):
            unpack = Unpacking(answer.headers.get("Content-Encoding", ""), MOST_BYTES, self._name)
            head.append((answer.status_code, answer.headers))
            async for chunk in answer.aiter_raw():
                data += unpack(chunk)

    def _client(self) -> httpx.AsyncClient:
        return httpx.AsyncClient(
            base_url=self._url,
            headers=self._headers,
            timeout=httpx.Timeout(self._seconds, connect=self._seconds / 2),
            verify=_tls(),
            follow_redirects=False,
            trust_env=False,
        )

    def _judge(self, status: int, data: bytes, headers: httpx.Headers) -> Json:
        body = _read(data)
        if 200 <= status < 300:
            if body is _NO_JSON:
                raise ProviderAway(f"{self._name} answers {status} without JSON", sent=True)
            return body
        known = self._refuse(status, None if body is _NO_JSON else body) if self._refuse else None
        if known is not None:
            raise known
        if status in (401, 403):
            raise KeyRefused(
                f"{self._name} refuses the key ({status}): check that it is this provider's key and has not expired"
            )
        if status == 429:
            raise RateLimited(
                f"{self._name} answers that it was asked too often", retry_after(headers.get("Retry-After"))
            )
        if status >= 500 or status == 408 or body is _NO_JSON or 300 <= status < 400:
            raise ProviderAway(f"{self._name} answers {status}", sent=True)
        raise RequestRefused(f"{self._name} refuses ({status}): {words(body)}")


@cache
def _tls() -> ssl.SSLContext:
    """Reading the list of authorities takes longer than a call."""
    return httpx.create_ssl_context(trust_env=False)


_NO_JSON = object()


def words(body: Json) -> str:
    """The sentence in an error's body, whatever its field is called; at most 200 characters."""
    if isinstance(body, Mapping):
        for name in ("msg", "message", "detail", "error", "error_message"):
            inner = body.get(name)
            if inner:
                return words(inner)
    text = body if isinstance(body, str) else json.dumps(body, default=str)
    return " ".join(text.split())[:200]


def _read(data: bytes) -> Json:
    try:
        return json.loads(data, parse_float=Decimal, parse_constant=_refuse_constant)
    except (ValueError, RecursionError):
        return _NO_JSON


def _refuse_constant(text: str) -> None:
    raise ValueError(f"{text} is no JSON")


def _pause(state: RetryCallState) -> float:
    error = state.outcome.exception() if state.outcome else None
    if isinstance(error, RateLimited) and error.retry_after is not None:
        return min(LONGEST_PAUSE, max(0.0, error.retry_after))
    return float(wait_random_exponential(multiplier=0.2, max=LONGEST_PAUSE)(state))


def _reason(error: Exception) -> str:
    return type(error).__name__ if not str(error) else str(error)[:120]
