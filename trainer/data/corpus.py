"""A run's text as tokens: sources of shards to train on, and what nobody trains on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from contracts.errors import CommonweightError

Tokens = NDArray[np.unsignedinteger[Any]]
"""uint8, uint16 or uint32, one dimension; a shard's may be mapped from a file."""


class WrongCorpus(CommonweightError):
    """The data on this machine is not the run's."""

    code = "wrong-corpus"


class UnusableCorpus(CommonweightError):
    """The data cannot be read, or is too small to train and evaluate on."""

    code = "unusable-corpus"


class CorpusUnreachable(CommonweightError):
    """The run's text cannot be fetched from where it lies, now."""

    code = "corpus-unreachable"


class OtherVocabulary(CommonweightError):
    """The run's model has fewer tokens than the tokenizer of its corpus."""

    code = "other-vocabulary"


@dataclass(frozen=True)
class Shard:
    """So many tokens under a name; `read` fetches them where they are not here, and raises CorpusUnreachable,
    WrongCorpus and DiskFull."""

    name: str
    tokens: int
    read: Callable[[], Tokens]


@dataclass(frozen=True)
class Source:
    """A part of the corpus that a mixture weighs."""

    name: str
    shards: tuple[Shard, ...]

    @cached_property
    def tokens(self) -> int:
        """Of all its shards."""
        return sum(shard.tokens for shard in self.shards)


@dataclass(frozen=True)
class Corpus:
    """What a run trains on; `digest` (64 hex digits) names it, `origin` says in words where it is from, and `held_out`
    reads the tokens that nobody trains on."""

    digest: str
    sources: tuple[Source, ...]
    held_out: Callable[[], Tokens]
    origin: str = "this text"

    @cached_property
    def tokens(self) -> int:
        """That can be trained on."""
        return sum(source.tokens for source in self.sources)

    def require_windows(self, context: int) -> None:
        """That every round can draw from it, and measure its loss; the held-out text is read for it. Raises
        UnusableCorpus, and what reading raises."""
        longest = max(shard.tokens for source in self.sources for shard in source.shards)
        if longest < 2 * context:  # a round's phase takes up to context - 1 tokens, and targets one more
            raise UnusableCorpus(
                f"the longest shard of {self.origin} has {longest} tokens: a context of {context} needs {2 * context}, "
                "or some rounds have no window"
            )
        if (held_out := len(self.held_out())) <= context:
            raise UnusableCorpus(f"{held_out} tokens are held out, and a context of {context} needs {context + 1}")

    def require(self, digest: str) -> None:
        """That this is the text of a run with this `corpus_digest`. Raises WrongCorpus."""
        if self.digest != digest:
            raise WrongCorpus(
                f"the run trains on the text {digest}, and {self.origin} is {self.digest}: give the run's own text "
                "with --data, the same files in the same order, or its shards with --corpus; without either, the run's "
                "release of Python has the default text"
            )
