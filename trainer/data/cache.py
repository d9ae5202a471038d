"""Files of a corpus on this machine: fetched when they are needed, hashed before they are used, removed for others."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from stat import S_ISREG

from blake3 import blake3
from tenacity import RetryCallState, Retrying, retry_if_exception_type, stop_after_attempt, wait_random_exponential

from contracts.files.blob_files import BlobFiles
from trainer.data.corpus import CorpusUnreachable, WrongCorpus
from trainer.data.index import IndexedFile
from trainer.data.mirrors import Mirrors, mirrors_of
from trainer.data.origins import Origin
from trainer.data.place import DEFAULT_LIMIT

TRIES = 3
FIRST_WAIT = 0.5
logger = logging.getLogger(__name__)


class CorpusFiles:
    """The files of an origin elsewhere, or of several. They come into the folder `cache`, of which `limit` bytes are
    kept: what was used longest ago goes first, and never what is being asked for. An origin that gives other bytes is
    as good as one that gives none: whoever holds an address ends no process by it."""

    def __init__(self, origin: Origin | Mirrors, cache: Path, limit: int = DEFAULT_LIMIT) -> None:
        self._mirrors = mirrors_of(origin)
        self._limit = limit
        self._files = BlobFiles(cache)
        self._files.start()

    def path(self, file: IndexedFile) -> Path:
        """A file whose bytes have its name. Raises CorpusUnreachable, DiskFull, and FileNotFoundError where another
        process made room in between."""
        if not self._files.is_sound(file.blob):
            self._make_room(file)
            self._fetch(file)
        path = self._files.folder / file.blob
        version = path.stat().st_mtime_ns
        os.utime(path, ns=(time.time_ns(), version))  # the time of its last use is the first one
        return path

    def _fetch(self, file: IndexedFile) -> None:
        for attempt in Retrying(
            retry=retry_if_exception_type(CorpusUnreachable),
            wait=wait_random_exponential(multiplier=FIRST_WAIT, max=10),
            stop=stop_after_attempt(-(-TRIES // len(self._mirrors))),
            before_sleep=_note,
            reraise=True,
        ):
            with attempt:
                self._mirrors.first(lambda origin: self._fetch_once(origin, file))

    def _fetch_once(self, origin: Origin, file: IndexedFile) -> None:
        with self._files.arriving() as arriving:

            def take(chunk: bytes) -> None:
                if arriving.count + len(chunk) > file.size:
                    raise CorpusUnreachable(f"{file.blob} of {origin} has more than the index' {file.size} bytes")
                arriving.write(chunk)

            origin.read(file.blob, file.size, take)
            if arriving.count < file.size:
                raise CorpusUnreachable(f"{file.blob} of {origin} broke off after {arriving.count} bytes")
            if arriving.name != file.blob:
                raise CorpusUnreachable(f"{file.blob} of {origin} has other bytes than the index names")
            arriving.stay(self._files.folder)

    def _make_room(self, file: IndexedFile) -> None:
        stats = dict(self._stats())
        used = sum(stat.st_size for stat in stats.values())
        for name in sorted(stats, key=lambda name: stats[name].st_atime_ns):
            if used + file.size <= self._limit:
                return
            self._files.remove(name)  # a file that is mapped stays readable until nobody maps it
            used -= stats[name].st_size

    def check(self, file: IndexedFile) -> None:
        """Nothing: nobody else writes into this process' own folder, and a file comes whole."""

    def _stats(self) -> Iterator[tuple[str, os.stat_result]]:
        """The files that are here; another process may be making room, too."""
        for name in self._files.names():
            with suppress(FileNotFoundError):
                yield name, (self._files.folder / name).stat()


class FolderFiles:
    """The files of a folder of its user's: read where they lie, and never removed. Raises CorpusUnreachable and
    WrongCorpus."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._hashed: dict[str, tuple[int, int, int]] = {}

    def path(self, file: IndexedFile) -> Path:
        """A file whose bytes have its name; they are hashed once, and again when the file changed."""
        path = self._folder / file.blob
        try:
            stat = path.stat()
            if not S_ISREG(stat.st_mode) or stat.st_size != file.size:
                raise WrongCorpus(f"{path} is no file of {file.size} bytes, as the index says")
            version = (stat.st_ino, stat.st_size, stat.st_mtime_ns)
            if self._hashed.get(file.blob) != version and blake3().update_mmap(path).hexdigest() != file.blob:
                raise WrongCorpus(f"{path} has other bytes than its name says: it changed on disk")
        except OSError as error:
            raise CorpusUnreachable(f"{path} cannot be read: {error.strerror}") from error
        self._hashed[file.blob] = version
        return path

    def check(self, file: IndexedFile) -> None:
        """That a mapped file is as it was hashed: a mapping shows what is written later. Raises WrongCorpus and
        CorpusUnreachable."""
        self.path(file)


def files_at(origin: Origin | Mirrors, cache: Path, limit: int) -> CorpusFiles | FolderFiles:
    """The files of an origin, or of several."""
    mirrors = mirrors_of(origin)
    folder = mirrors.only_folder()
    return CorpusFiles(mirrors, cache, limit) if folder is None else FolderFiles(folder.folder)


def _note(state: RetryCallState) -> None:
    error = state.outcome.exception() if state.outcome else None
    logger.warning("a shard did not come, it is asked for again: %s", error)
