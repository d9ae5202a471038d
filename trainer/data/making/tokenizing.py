"""Tokenizers of byte-level BPE: trained on a sample, or taken from a file; and a byte as a token without one.

The library is Hugging Face's `tokenizers`, so that a trained model and its tokenizer load elsewhere as they are.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from blake3 import blake3

from trainer.data.corpus import Tokens, UnusableCorpus
from trainer.data.index import BYTES, IndexedTokenizer
from trainer.data.making.documents import Piece

DOCUMENT_END = "<|endoftext|>"
_ENDS = (DOCUMENT_END, "<|end_of_text|>", "</s>", "<eos>", "<|im_end|>")
"""How well-known tokenizers call the token that ends a document."""
SMALLEST_VOCAB = 257


@dataclass(frozen=True)
class CorpusTokenizer:
    """A tokenizer and its place in the index; `file` is what `tokenizers` reads. Without a `model`, bytes."""

    model: Any = None
    file: bytes = b""
    document_end: int = 0

    @property
    def vocab(self) -> int:
        """How many tokens there are."""
        return BYTES if self.model is None else int(self.model.get_vocab_size())

    def indexed(self) -> IndexedTokenizer | None:
        """As the index names it."""
        if self.model is None:
            return None
        name = blake3(self.file).hexdigest()
        return IndexedTokenizer(blob=name, size=len(self.file), vocab=self.vocab, document_end=self.document_end)

    def encode(self, pieces: list[Piece], dtype: np.dtype[Any]) -> Iterator[Tokens]:
        """The tokens of each piece; those of a document's last one end with `document_end`."""
        if self.model is None:
            yield from (np.frombuffer(piece.text, np.uint8) for piece in pieces)
            return
        texts = [piece.text.decode("utf-8", "replace") for piece in pieces]
        for piece, encoding in zip(pieces, self.model.encode_batch_fast(texts, add_special_tokens=False), strict=True):
            yield np.asarray([*encoding.ids, self.document_end] if piece.ends else encoding.ids, dtype=dtype)


def trained(texts: Iterable[str], vocab: int) -> CorpusTokenizer:
    """A byte-level BPE of so many tokens. Raises UnusableCorpus."""
    tokenizers = _library()
    if vocab < SMALLEST_VOCAB:
        raise UnusableCorpus(f"a tokenizer has at least {SMALLEST_VOCAB} tokens: all bytes, and the end of a document")
    model = tokenizers.Tokenizer(tokenizers.models.BPE())
    model.pre_tokenizer = tokenizers.pre_tokenizers.ByteLevel(add_prefix_space=False)
    model.decoder = tokenizers.decoders.ByteLevel()
    trainer = tokenizers.trainers.BpeTrainer(
        vocab_size=vocab,
        special_tokens=[DOCUMENT_END],
        initial_alphabet=tokenizers.pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    model.train_from_iterator(texts, trainer)
    return _of(model, DOCUMENT_END)


def read_tokenizer(path: Path, document_end: str = "") -> CorpusTokenizer:
    """The tokenizer of a file. Raises UnusableCorpus, also where no token is known to end a document."""
    tokenizers = _library()
    try:
        model = tokenizers.Tokenizer.from_str(path.read_text())
    except Exception as error:  # the library raises Exception itself
        raise UnusableCorpus(f"{path} is no file of a tokenizer: {error}") from error
    ends = (document_end,) if document_end else _ENDS
    known = next((token for token in ends if model.token_to_id(token) is not None), None)
    if known is None:
        raise UnusableCorpus(
            f"the tokenizer of {path} has no token {' or '.join(ends)}: name the one that ends a document with "
            "--document-end"
        )
    return _of(model, known)


def _of(model: Any, document_end: str) -> CorpusTokenizer:
    return CorpusTokenizer(model, model.to_str().encode(), int(model.token_to_id(document_end)))


def _library() -> Any:
    try:
        import tokenizers
        import tokenizers.decoders
        import tokenizers.models
        import tokenizers.pre_tokenizers
        import tokenizers.trainers
    except ImportError as error:
        raise UnusableCorpus("a tokenizer needs its library: pip install 'commonweight[corpus]'") from error
    return tokenizers
