"""The index of a tokenised corpus: its tokenizer, sources, shards and what is held out, each file by its digest.

A run's `corpus_digest` is the BLAKE3 of these bytes. Nothing in it is believed beyond that: a shard is hashed, and its
header, length and largest token are looked at, before a step reads it.
"""

from __future__ import annotations

import json
from typing import Annotated, ClassVar, Literal, Self

from blake3 import blake3
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from contracts.protocol.mixture import MOST_SOURCES, SOURCE_NAME
from trainer.data.corpus import WrongCorpus

MOST_INDEX = 16_000_000
"""Bytes of an index; a hundred thousand shards take as many."""
MOST_SHARD, MOST_FILE = 2**30, 2**40
"""Tokens of a shard, and bytes of a file."""
TOKENIZER = "tokenizer.json"
"""The tokenizer's file under the name that other programs look for."""
BYTES = 256
"""The vocabulary of a corpus without a tokenizer."""
_Blob = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
_Count = Annotated[int, Field(ge=0, le=2**60)]


class _Part(BaseModel):
    model_config: ClassVar[ConfigDict] = ConfigDict(extra="forbid", frozen=True, strict=True)


class IndexedFile(_Part):
    """A file: the BLAKE3 of its bytes, which is its name, and how many these are."""

    blob: _Blob
    size: Annotated[int, Field(ge=1, le=MOST_FILE)]


class IndexedShard(IndexedFile):
    """A safetensors file of one tensor, `tokens`, of so many."""

    tokens: Annotated[int, Field(ge=1, le=MOST_SHARD)]


class IndexedTokenizer(IndexedFile):
    """A file of the `tokenizers` library: so many tokens, of which `document_end` ends each document."""

    vocab: Annotated[int, Field(ge=1, le=262_144)]
    document_end: _Count


class IndexedSource(_Part):
    """A part that a mixture weighs: where it is from in words, under which licence, how many documents and bytes of
    text, and the list of its documents (trainer/data/listing.py)."""

    name: Annotated[str, Field(pattern=f"^{SOURCE_NAME.pattern}$")]
    licence: Annotated[str, Field(max_length=200)]
    documents: _Count
    text_bytes: _Count
    tokens: _Count
    listing: IndexedFile
    shards: Annotated[tuple[IndexedShard, ...], Field(min_length=1, strict=False)]


class CorpusIndex(_Part):
    """All of it; `tokenizer` is None where a byte is a token."""

    format: Literal["commonweight corpus 1"] = "commonweight corpus 1"
    tokenizer: IndexedTokenizer | None
    sources: Annotated[tuple[IndexedSource, ...], Field(min_length=1, max_length=MOST_SOURCES, strict=False)]
    held_out: IndexedShard

    @model_validator(mode="after")
    def _is_whole(self) -> Self:
        names = [source.name for source in self.sources]
        if names != sorted(set(names)):
            raise ValueError("sources are sorted by name, each once")
        for source in self.sources:
            if source.tokens != sum(shard.tokens for shard in source.shards):
                raise ValueError(f"the tokens of {source.name} are not those of its shards")
        return self

    @property
    def vocab(self) -> int:
        """How many tokens there are."""
        return self.tokenizer.vocab if self.tokenizer else BYTES

    @property
    def dtype(self) -> str:
        """The safetensors dtype of its shards."""
        return dtype_of(self.vocab)

    def to_bytes(self) -> bytes:
        """Canonical JSON: keys sorted, no spaces, ASCII."""
        return json.dumps(self.model_dump(mode="json"), sort_keys=True, separators=(",", ":")).encode("ascii")

    def digest(self) -> str:
        """BLAKE3 of the canonical JSON, 64 hex digits."""
        return blake3(self.to_bytes()).hexdigest()


def dtype_of(vocab: int) -> str:
    """The smallest safetensors dtype that holds so many tokens."""
    return "U8" if vocab <= BYTES else "U16" if vocab <= 2**16 else "U32"


def read_index(data: bytes, where: str) -> CorpusIndex:
    """Parse strictly; `where` names the file in the error. Raises WrongCorpus."""
    if len(data) > MOST_INDEX:
        raise WrongCorpus(f"{where} has {len(data):,} bytes, and an index has at most {MOST_INDEX:,}")
    try:
        index = CorpusIndex.model_validate_json(data)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        field = ".".join(map(str, first["loc"])) or "the whole"
        raise WrongCorpus(f"{where} is no index of a corpus: {field}: {first['msg']}") from error
    if index.to_bytes() != data:
        raise WrongCorpus(f"{where} is no index of a corpus as this release writes them")
    return index
