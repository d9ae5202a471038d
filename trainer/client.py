"""The HTTP side of every worker: typed calls, signed messages, blobs checked against their names.

Retries cover lost connections and a server that is busy (503): a POST is idempotent by its message digest, any other
refusal is final.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
from blake3 import blake3
from eth_account import Account
from eth_account.signers.local import LocalAccount

from contracts.errors import CommonweightError
from contracts.messages import Message
from contracts.protocol.log.leaf import write as leaf_text
from contracts.protocol.log.signed import Envelope
from contracts.recursion import bound_recursion
from contracts.signing import Domain, sign

MOST_BYTES = 2**29
"""Of one answer: no file of a run that a server takes is larger."""
PATIENCE_SECONDS = 30.0
BUSY = 503
_BLOB_NAME = re.compile(r"[0-9a-f]{64}")


class ApiProblem(CommonweightError):
    """The server refused; `code` is the problem document's."""

    def __init__(self, status: int, code: str, detail: str) -> None:
        super().__init__(detail)
        self.status, self.code = status, code


class ApiUnreachable(CommonweightError):
    """Nothing answered at the address for half a minute."""

    code = "api-unreachable"


class BlobCorrupt(CommonweightError):
    """Downloaded bytes do not hash to the name that they were asked by."""

    code = "blob-corrupt"


class ApiClient:
    """A server as one key sees it; without a key only reading works. `cache` keeps blobs on disk."""

    def __init__(self, base_url: str, key: bytes | str | None = None, cache: Path | None = None) -> None:
        bound_recursion()
        self._http = httpx.Client(base_url=base_url.rstrip("/") + "/v1", timeout=60.0)
        self.base_url, self._cache = base_url, cache
        self._account: LocalAccount | None = None if key is None else Account.from_key(key)
        self.network: dict[str, Any] = self.get("/network")
        deployment = self.network["deployment"]
        self.domain = Domain(int(self.network["chain_id"]), deployment["model_registry"])
        if cache is not None:
            cache.mkdir(parents=True, exist_ok=True)

    @property
    def account(self) -> LocalAccount:
        """The signing key. Raises ApiProblem without one."""
        if self._account is None:
            raise ApiProblem(401, "no-key", "this needs a key; give a keystore")
        return self._account

    @property
    def address(self) -> str:
        """Checksum address of the key."""
        return str(self.account.address)

    def get(self, path: str, **query: Any) -> Any:
        """GET and decode. Raises ApiProblem and ApiUnreachable."""
        return _decoded(self._patiently(lambda: self._call("GET", path, params=query)))

    def post(self, path: str, body: dict[str, Any]) -> Any:
        """POST as JSON and decode. Raises ApiProblem and ApiUnreachable."""
        return _decoded(self._patiently(lambda: self._call("POST", path, json=body)))

    def give(self, message: Message, **beside: Any) -> dict[str, Any]:
        """Sign a message of judgement and hand it to the server in its one text. Raises ApiProblem, ApiUnreachable."""
        signature = sign(message, self.domain, bytes(self.account.key))
        text = leaf_text(Envelope(message, (signature,), beside)).encode()
        return dict(_decoded(self._patiently(lambda: self._call("POST", "/messages", content=text))))

    def blob(self, name: str) -> bytes:
        """Bytes that hash to their name, from the cache where they lie there. Raises BlobCorrupt and ApiProblem.

        A disk flips bits as a network does: what was kept is hashed too, and fetched again where it is spoilt.
        """
        if not _BLOB_NAME.fullmatch(name):
            raise BlobCorrupt(f"{name[:80]!r} is not the name of a blob")
        kept = None if self._cache is None else self._cache / name
        data = None if kept is None else _kept(kept, name)
        if data is not None:
            return data
        answer = self._patiently(lambda: self._call("GET", f"/blobs/{name}"))
        if answer.status_code >= 400:
            _decoded(answer)
        if blake3(answer.content).hexdigest() != name:
            raise BlobCorrupt(f"{name} came with other bytes")
        if kept is not None:
            _write(kept, answer.content)
        return answer.content

    def news(self, size: int, seconds: float) -> int:
        """Wait until the log has more than `size` entries, `seconds` at the most; returns its size."""
        return int(self.get("/log/size", above=size, wait=seconds)["size"])

    def _call(self, method: str, path: str, **options: Any) -> httpx.Response:
        """The whole answer, of MOST_BYTES at most. Raises ApiProblem."""
        data = bytearray()
        with self._http.stream(method, path, **options) as answer:
            for chunk in answer.iter_bytes():
                data += chunk
                if len(data) > MOST_BYTES:
                    raise ApiProblem(answer.status_code, "http-error", f"the answer has more than {MOST_BYTES} bytes")
        return httpx.Response(answer.status_code, content=bytes(data))

    def _patiently(self, call: Callable[[], httpx.Response]) -> httpx.Response:
        end = time.monotonic() + PATIENCE_SECONDS
        while True:
            try:
                answer = call()
            except httpx.TransportError as error:
                if time.monotonic() > end:
                    raise ApiUnreachable(f"{self.base_url} does not answer: {error}") from error
            else:
                if answer.status_code != BUSY or time.monotonic() > end:
                    return answer
            time.sleep(0.3)


def octets(text: str) -> bytes:
    """0x-hex to bytes."""
    return bytes.fromhex(text.removeprefix("0x"))


def _decoded(answer: httpx.Response) -> Any:
    try:
        body = answer.json()
    except (ValueError, RecursionError) as error:
        if answer.status_code < 400:
            raise ApiProblem(answer.status_code, "http-error", "the answer is not JSON; ask another server") from error
        body = {}
    if answer.status_code < 400:
        return body
    body = body if isinstance(body, dict) else {}
    raise ApiProblem(answer.status_code, body.get("code", "http-error"), body.get("detail", answer.text[:300]))


def _kept(path: Path, name: str) -> bytes | None:
    """What lies in the cache, if it is what its name says."""
    try:
        data = path.read_bytes()
    except OSError:
        return None
    return data if blake3(data).hexdigest() == name else None


def _write(path: Path, data: bytes) -> None:
    scratch = path.with_name(f"{path.name}.{time.monotonic_ns()}")
    scratch.write_bytes(data)
    scratch.replace(path)
