"""`corpus`: from a folder of text to shards, as its maker sees it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.commonweight.conftest import Command
from tests.trainer.data import corpora
from trainer.data.corpora import INDEX
from trainer.data.index import TOKENIZER

pytestmark = pytest.mark.integration


@pytest.fixture
def text(tmp_path: Path) -> Path:
    return corpora.written(tmp_path / "text")


def test_a_corpus_is_made_shown_and_compared(commonweight: Command, tmp_path: Path, text: Path) -> None:
    out, prose = tmp_path / "out", f"prose={text / 'one.txt'}"
    sources = ("--source", prose, "--source", f"code={text / 'two.txt'}")
    made = commonweight(
        "corpus", "make", out, *sources, "--licence", "code=GPL-2.0", "--vocab", 300, "--shard-tokens", 5000
    )
    assert made.status == 0, made.err
    code, spoken, held_out, vocabulary, digest = made.out.splitlines()
    assert code.startswith("code: ")
    assert code.endswith(f"of 1 documents with {(text / 'two.txt').stat().st_size:,} bytes; licence: GPL-2.0")
    assert spoken.endswith("licence: not given")
    assert held_out.startswith("held out: ")
    assert vocabulary == "vocabulary: 300 tokens"
    shown = commonweight("corpus", "show", out, "--json")
    assert digest == f"digest: {shown.objects[0]['digest']}"
    assert {INDEX, TOKENIZER} < {path.name for path in out.iterdir()}
    compared = commonweight("corpus", "check", out, "--source", prose)
    assert compared.out == "prose: all 1 files agree with the corpus\n"


def test_a_second_make_from_the_tokenizer_is_the_same(commonweight: Command, tmp_path: Path, text: Path) -> None:
    source = ("--source", f"prose={text}")
    first = commonweight("corpus", "make", tmp_path / "a", *source, "--vocab", 300, "--json")
    tokenizer = tmp_path / "a" / TOKENIZER
    second = commonweight("corpus", "make", tmp_path / "b", *source, "--tokenizer", tokenizer, "--json")
    assert first.objects[0]["digest"] == second.objects[0]["digest"]


def test_another_text_is_refused_by_its_first_difference(commonweight: Command, tmp_path: Path, text: Path) -> None:
    commonweight("corpus", "make", tmp_path / "out", "--source", f"prose={text}")
    (text / "two.txt").write_bytes((text / "two.txt").read_bytes().replace(b"\n", b"\r\n"))
    said = commonweight("corpus", "check", tmp_path / "out", "--source", f"prose={text}")
    assert (said.status, said.err) == (1, "wrong-corpus: prose: two.txt has other line ends here\n")


@pytest.mark.parametrize(
    ("options", "status", "words"),
    [
        (("--source", "prose"), 2, "name=value"),
        (("--source", "prose=nowhere"), 1, "unusable-corpus: nowhere does not exist"),
        (("--source", "Prose=text"), 1, "unusable-corpus: 'Prose' is no name of a source"),
        (("--source", "prose=text", "--licence", "code=MIT"), 2, "code is not the name of a --source"),
        (("--source", "prose=text", "--vocab", "20"), 1, "at least 257 tokens"),
        (("--source", "prose=text", "--vocab", "300", "--tokenizer", "text/one.txt"), 2, "give one of the two"),
        (("--source", "prose=text", "--tokenizer", "text/one.txt"), 1, "is no file of a tokenizer"),
    ],
)
def test_what_cannot_be_made_is_one_line(
    commonweight: Command,
    tmp_path: Path,
    text: Path,
    monkeypatch: pytest.MonkeyPatch,
    options: tuple[str, ...],
    status: int,
    words: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    said = commonweight("corpus", "make", "out", *options)
    assert said.status == status
    assert words in " ".join(said.err.split())
    assert text.exists()
    assert not (tmp_path / "out" / INDEX).exists()
