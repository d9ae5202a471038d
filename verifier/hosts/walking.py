"""Memory that is really held: pages that cost far more to make than to read, walked in an order that nobody knows.

A page is PBKDF2 (RFC 8018) of seed and index, so that no page has a shorter form that is as quick. The buffer is filled
first; then the verifier draws where a walk begins, and each step's digest says which page comes next. Who holds the
buffer reads a page for each step. Who does not makes it, which takes about thirty times as long. The verifier makes the
pages of the walk alone: it needs no memory, and its own time is the measure.

A host that is many times faster than the verifier, or has many processors, can make some of the pages in time: what is
measured is at least (1 - LEEWAY) of the bytes at equal speed.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from blake3 import blake3

PAGE_BYTES = 65_536
STEPS = 8_192
"""Steps of a walk: 512 MiB read by who holds the buffer, seconds of work for who does not."""
LEEWAY = 0.25
"""Share of the verifier's own time for all pages of the walk that a host may take."""

Page = Callable[[int], bytes]


def pages_of(size: int) -> int:
    """How many pages a buffer of so many bytes has; at least one."""
    return max(1, size // PAGE_BYTES)


def page(seed: bytes, index: int) -> bytes:
    """One page, made anew."""
    return hashlib.pbkdf2_hmac("sha512", seed, index.to_bytes(8), 1, PAGE_BYTES)


def filled(seed: bytes, size: int, workers: int) -> bytearray:
    """The buffer of so many bytes, in whole pages. Raises MemoryError."""
    buffer = bytearray(pages_of(size) * PAGE_BYTES)

    def fill(index: int) -> None:
        buffer[index * PAGE_BYTES : (index + 1) * PAGE_BYTES] = page(seed, index)

    with ThreadPoolExecutor(max(1, workers)) as pool:  # the hash lets other threads run
        for _ in pool.map(fill, range(pages_of(size))):
            pass
    return buffer


def walk(begin: bytes, pages: int, steps: int, read: Page) -> bytes:
    """The digest (32 bytes) after so many steps from `begin`: each hashes the page that the digest before it names."""
    digest = begin
    for _ in range(steps):
        index = int.from_bytes(digest[:8]) % pages
        digest = blake3(digest + read(index)).digest()
    return digest


def reader(buffer: bytearray) -> Page:
    """Pages of a buffer."""
    view = memoryview(buffer)
    return lambda index: bytes(view[index * PAGE_BYTES : (index + 1) * PAGE_BYTES])


def maker(seed: bytes) -> Page:
    """Pages that are made as they are asked for."""
    return lambda index: page(seed, index)
