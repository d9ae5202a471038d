"""The tokenizer that comes beside weights is that of the run's corpus, and of no other."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.trainer.data import corpora
from trainer.data.corpus import CorpusUnreachable, WrongCorpus
from trainer.data.index import TOKENIZER
from trainer.data.making.tokenizing import trained
from trainer.data.tokenizer_file import tokenizer_of

pytestmark = pytest.mark.unit


def test_it_is_the_file_of_the_runs_corpus(tmp_path: Path) -> None:
    text = corpora.written(tmp_path / "text")
    index = corpora.made(tmp_path / "files", text, trained([(text / "one.txt").read_text()], 300))
    assert tokenizer_of(str(tmp_path / "files"), index.digest()) == (tmp_path / "files" / TOKENIZER).read_bytes()
    with pytest.raises(WrongCorpus, match="the run's is abab"):
        tokenizer_of(str(tmp_path / "files"), "ab" * 32)
    with pytest.raises(CorpusUnreachable):
        tokenizer_of(str(tmp_path / "nowhere"), index.digest())


def test_bytes_have_no_tokenizer(tmp_path: Path) -> None:
    index = corpora.made(tmp_path / "files", corpora.written(tmp_path / "text"))
    assert tokenizer_of(str(tmp_path / "files"), index.digest()) is None
