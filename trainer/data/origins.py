"""Where the files of a corpus lie: a folder, an address of HTTP, or a bucket of S3. No origin is believed."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from time import monotonic
from typing import Any, Protocol
from urllib.parse import urlsplit

from contracts.mirrors.peer import Limits, Peer, PeerMisbehaved, PeerUnreachable
from contracts.mirrors.urls import InvalidMirrorAddress
from trainer.data.corpus import CorpusUnreachable, WrongCorpus

LEAST_RATE = 100_000
"""Bytes a second below which an origin is given up, from CALL_SECONDS after the first."""
CALL_SECONDS = 30.0
_CHUNK = 2**20
_SLOW_CHUNK = 2**16
"""What boto3 waits for before the pace is looked at."""
Sink = Callable[[bytes], None]


class Origin(Protocol):
    """A place that has files by name; `str` of it is how a person reads it."""

    def read(self, name: str, size: int, sink: Sink) -> None:
        """Hand the bytes of a file of `size` bytes at most to the sink, which bounds them.

        Raises CorpusUnreachable, and what the sink raises.
        """


class FolderOrigin:
    """A folder of this machine, or one that is mounted."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __str__(self) -> str:
        return str(self.folder)

    def read(self, name: str, size: int, sink: Sink) -> None:  # noqa: ARG002 - a disk is not slow
        """As Origin."""
        try:
            with (self.folder / name).open("rb") as file:
                while chunk := file.read(_CHUNK):
                    sink(chunk)
        except OSError as error:
            raise CorpusUnreachable(f"{self.folder / name} cannot be read: {error.strerror}") from error


class HttpOrigin:
    """Files below an address. One that its user has `chosen` may be any machine's; a run's own hint means a public one,
    or this one where `loopback` is set."""

    def __init__(self, url: str, chosen: bool, loopback: bool = False) -> None:
        self._url = url.rstrip("/")
        self._chosen, self._loopback = chosen, loopback

    def __str__(self) -> str:
        return self._url

    def read(self, name: str, size: int, sink: Sink) -> None:
        """As Origin."""
        seconds = CALL_SECONDS + size / LEAST_RATE
        peer = Peer(self._url, self._loopback, Limits(call=seconds), chosen=self._chosen)
        try:
            status = asyncio.run(peer.read(f"/{name}", _paced(sink, f"{self._url}/{name}"), seconds))
        except (PeerUnreachable, PeerMisbehaved, InvalidMirrorAddress) as error:
            raise CorpusUnreachable(f"{self._url}/{name}: {error.detail}") from error
        if status != 200:
            raise CorpusUnreachable(f"{self._url}/{name} answered {status}")


class S3Origin:
    """A bucket, with the credentials and the endpoint that the environment names, as every tool of S3 reads them.
    Raises CorpusUnreachable where boto3 is not installed."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self._bucket, self._prefix = parts.netloc, parts.path.strip("/")
        self._client = _s3_client()

    def __str__(self) -> str:
        return "/".join(filter(None, ("s3:/", self._bucket, self._prefix)))

    def read(self, name: str, size: int, sink: Sink) -> None:  # noqa: ARG002 - its pace is looked at
        """As Origin."""
        from botocore.exceptions import BotoCoreError, ClientError

        key = "/".join(filter(None, (self._prefix, name)))
        try:
            body = self._client.get_object(Bucket=self._bucket, Key=key)["Body"]
            take = _paced(sink, f"{self}/{name}")
            for chunk in body.iter_chunks(_SLOW_CHUNK):
                take(chunk)
        except (BotoCoreError, ClientError) as error:
            raise CorpusUnreachable(f"{self}/{name}: {error}") from error


class NoOrigin:
    """Where nothing lies: a run that named an address does so no more, and its user names none."""

    def __str__(self) -> str:
        return "nowhere"

    def read(self, name: str, size: int, sink: Sink) -> None:  # noqa: ARG002 - nothing lies there
        """As Origin."""
        raise CorpusUnreachable(
            "the run does not say any more where its text lies: name a folder or address (--corpus)"
        )


def _paced(sink: Sink, what: str) -> Sink:
    """The sink, which raises CorpusUnreachable as soon as bytes come too slowly: an origin that drips holds nobody up
    for the hours that a large file may take."""
    began, count = monotonic(), 0

    def take(chunk: bytes) -> None:
        nonlocal count
        sink(chunk)
        count += len(chunk)
        if monotonic() - began > CALL_SECONDS + count / LEAST_RATE:
            raise CorpusUnreachable(f"{what} gives fewer than {LEAST_RATE:,} bytes a second")

    return take


def small_file(origin: Origin, name: str, most: int) -> bytes:
    """A file of at most so many bytes, whole. Raises CorpusUnreachable, also where it is empty, and WrongCorpus for
    more bytes."""
    data = bytearray()

    def take(chunk: bytes) -> None:
        data.extend(chunk)
        if len(data) > most:
            raise WrongCorpus(f"{origin}/{name} has more than {most:,} bytes")

    origin.read(name, most, take)
    if not data:
        raise CorpusUnreachable(f"{origin}/{name} is empty")
    return bytes(data)


def origin_of(address: str) -> Origin:
    """The origin that a user names: an address of http, https or s3, else a folder. Raises CorpusUnreachable."""
    scheme = address.partition("://")[0] if "://" in address else ""
    if scheme in ("http", "https"):
        return HttpOrigin(address, chosen=True)
    if scheme == "s3":
        return S3Origin(address)
    if scheme:
        raise CorpusUnreachable(f"{address!r} is neither a folder nor an address of http, https or s3")
    return FolderOrigin(Path(address))


def _s3_client() -> Any:
    try:
        import boto3
        from botocore.config import Config
    except ImportError as error:
        raise CorpusUnreachable("reading from S3 needs boto3: pip install 'commonweight[s3]'") from error
    return boto3.client("s3", config=Config(connect_timeout=CALL_SECONDS, read_timeout=CALL_SECONDS))
