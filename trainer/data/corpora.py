"""The text of a run on this machine: plain text that its user gives, shards from an origin, or the default text."""

from __future__ import annotations

from functools import cached_property

from contracts.files.blob_files import BlobFiles
from contracts.protocol.run_config import RunConfig
from trainer.data.cache import files_at
from trainer.data.corpus import Corpus, CorpusUnreachable, OtherVocabulary, WrongCorpus
from trainer.data.index import MOST_INDEX, CorpusIndex, read_index
from trainer.data.mirrors import Mirrors, shuffled
from trainer.data.origins import HttpOrigin, NoOrigin, Origin, origin_of, small_file
from trainer.data.place import CorpusSettings
from trainer.data.shards import indexed_corpus
from trainer.data.text import corpus_of

INDEX = "corpus.json"


class Corpora:
    """The corpora of runs, each opened once."""

    def __init__(self, settings: CorpusSettings) -> None:
        self._settings = settings
        self._indexed: dict[tuple[str, str, str], Corpus] = {}
        self._kept = BlobFiles(settings.cache / "indexes")

    def of(self, config: RunConfig) -> Corpus:
        """The text of a run. Raises WrongCorpus, UnusableCorpus, CorpusUnreachable and OtherVocabulary."""
        key = config.corpus_digest, config.corpus_url, config.corpus_mirrors
        if key not in self._indexed:
            origins = self._origins(config)
            if not origins and not self._settings.data and self._kept.has(config.corpus_digest):
                origins = [NoOrigin()]  # the run's hint was voted away, and the index is here
            if not origins:
                self._text.require(config.corpus_digest)
                return self._text
            self._indexed[key] = self._open(Mirrors(origins), config)
        return self._indexed[key]

    @cached_property
    def _text(self) -> Corpus:
        return corpus_of(self._settings.data)

    def _origins(self, config: RunConfig) -> list[Origin]:
        """What its user chose, in that order, or else the run's hints, in any; none for plain text."""
        if self._settings.data:
            return []
        if chosen := self._settings.places():
            return [origin_of(address) for address in chosen]
        hints = filter(None, (config.corpus_url, *config.corpus_mirrors.split()))
        return shuffled([HttpOrigin(url, False, self._settings.loopback) for url in hints])

    def _open(self, mirrors: Mirrors, config: RunConfig) -> Corpus:
        index = self._index(mirrors, config.corpus_digest)
        if index.vocab > config.vocab:
            raise OtherVocabulary(
                f"the tokenizer of the corpus has {index.vocab} tokens, and the model's vocabulary {config.vocab}"
            )
        files = files_at(mirrors, self._settings.cache, self._settings.limit)
        return indexed_corpus(index, files, str(mirrors))

    def _index(self, mirrors: Mirrors, digest: str) -> CorpusIndex:
        """The index of this digest, kept in the cache: a start without its origin needs it once only."""
        data = self._kept.read(digest)
        if data is None:
            data = self._fetched(mirrors, digest)
            self._kept.start()
            self._kept.put(data)
        return read_index(data, f"the kept index {digest}")

    def _fetched(self, mirrors: Mirrors, digest: str) -> bytes:
        """The bytes of the index. Raises WrongCorpus where its user chose another corpus, and CorpusUnreachable where
        the run's own addresses have one: whoever holds such an address ends no process by it."""
        try:
            return mirrors.first(lambda origin: _index_of(origin, digest))
        except WrongCorpus as error:
            if self._settings.places():
                raise
            raise CorpusUnreachable(error.detail) from error


def _index_of(origin: Origin, digest: str) -> bytes:
    """Raises WrongCorpus and CorpusUnreachable."""
    data = index_bytes(origin)
    index = read_index(data, f"{origin}/{INDEX}")
    if index.digest() != digest:
        raise WrongCorpus(f"the run trains on the corpus {digest}, and {origin} has {index.digest()}")
    return data


def index_bytes(origin: Origin) -> bytes:
    """The index of an origin, not read yet. Raises CorpusUnreachable and WrongCorpus."""
    return small_file(origin, INDEX, MOST_INDEX)
