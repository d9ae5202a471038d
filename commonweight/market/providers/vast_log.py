"""The file into which Vast.ai writes an instance's log: at another host, and there only after some seconds."""

from __future__ import annotations

import time
from urllib.parse import urlsplit

import httpx

from commonweight.market.calling.allowance import Unpacking
from commonweight.market.errors import ProviderAway

MOST_BYTES = 256 * 1024
MOST_UNPACKED = 2**24
PAUSE_SECONDS = 0.5


def log_text(address: str, provider_url: str, seconds: float) -> str:
    """The file's text, asked for without the key until it is there. Raises ProviderAway after `seconds`."""
    _require_safe(address, provider_url)
    end = time.monotonic() + seconds
    with httpx.Client(timeout=seconds, trust_env=False) as client:
        while True:
            found = _try(client, address, end)
            if found is not None:
                return found
            if time.monotonic() + PAUSE_SECONDS > end:
                raise ProviderAway("vast has not written the log yet", sent=True)
            time.sleep(PAUSE_SECONDS)


def _require_safe(address: str, provider_url: str) -> None:
    """Over TLS, or at the provider's own address: nobody else on this machine's network is asked."""
    there, own = urlsplit(address), urlsplit(provider_url)
    if there.scheme != "https" and (there.scheme, there.netloc) != (own.scheme, own.netloc):
        raise ProviderAway("vast names an address for the log that is not asked", sent=True)


def _try(client: httpx.Client, address: str, end: float) -> str | None:
    data = bytearray()
    try:
        with client.stream("GET", address) as answer:
            if answer.status_code != 200:
                return None
            unpack = Unpacking(answer.headers.get("Content-Encoding", ""), MOST_UNPACKED, "vast's log")
            for chunk in answer.iter_raw():
                data += unpack(chunk)
                if len(data) > MOST_BYTES or time.monotonic() > end:
                    break
    except httpx.HTTPError:
        return None
    return bytes(data[:MOST_BYTES]).decode("utf-8", "replace")
