from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.trainer.data import corpora
from trainer.data.corpus import UnusableCorpus, WrongCorpus
from trainer.data.index import TOKENIZER
from trainer.data.making.comparing import compare_source
from trainer.data.making.tokenizing import CorpusTokenizer, read_tokenizer, trained
from trainer.data.making.writing import SourceSpec, make_corpus, sample
from trainer.data.origins import origin_of

pytestmark = pytest.mark.unit


@pytest.fixture
def text(tmp_path: Path) -> Path:
    return corpora.written(tmp_path / "text", 2000)


def spec(text: Path, name: str = "prose") -> SourceSpec:
    return SourceSpec(name, (text,))


def crlf(text: Path) -> None:
    (text / "two.txt").write_bytes((text / "two.txt").read_bytes().replace(b"\n", b"\r\n"))


def longer(text: Path) -> None:
    with (text / "two.txt").open("a") as file:
        file.write("more")


def other(text: Path) -> None:
    data = (text / "two.txt").read_bytes()
    (text / "two.txt").write_bytes(data[:-1] + b"!")


def renamed(text: Path) -> None:
    (text / "one.txt").rename(text / "three.txt")


def gone(text: Path) -> None:
    (text / "two.txt").unlink()


def one_more(text: Path) -> None:
    (text / "zwei.txt").write_text("more")


@pytest.mark.parametrize(
    ("change", "difference"),
    [
        (crlf, "two.txt has other line ends here"),
        (longer, r"two.txt has [\d,]+ bytes, and [\d,]+ here"),
        (other, "two.txt has as many bytes here, and others"),
        (renamed, "one.txt comes next, and here it is three.txt"),
        (gone, "two.txt, and here it is missing"),
        (one_more, "zwei.txt is here, and prose does not have it"),
    ],
)
def test_the_first_difference_is_named(tmp_path: Path, text: Path, change, difference: str) -> None:  # type: ignore[no-untyped-def]
    index = corpora.made(tmp_path / "corpus", text)
    origin = origin_of(str(tmp_path / "corpus"))
    assert compare_source(index, origin, tmp_path / "cache", spec(text)) == 2
    change(text)
    with pytest.raises(WrongCorpus, match=difference):
        compare_source(index, origin, tmp_path / "cache", spec(text))


def test_a_source_that_the_corpus_has_not_is_named(tmp_path: Path, text: Path) -> None:
    index = corpora.made(tmp_path / "corpus", text)
    with pytest.raises(WrongCorpus, match="no source code; it has prose"):
        compare_source(index, origin_of(str(tmp_path / "corpus")), tmp_path / "cache", spec(text, "code"))


def test_a_tokenizer_from_a_file_is_the_same(tmp_path: Path, text: Path) -> None:
    index = corpora.made(tmp_path / "corpus", text, trained(sample([spec(text)], 50_000), 320))
    again = read_tokenizer(tmp_path / "corpus" / TOKENIZER)
    assert again.indexed() == index.tokenizer
    assert corpora.made(tmp_path / "again", text, again).digest() == index.digest()


def test_a_file_that_is_no_tokenizer_is_refused(tmp_path: Path) -> None:
    (tmp_path / "no.json").write_text('{"model": 1}')
    with pytest.raises(UnusableCorpus, match="is no file of a tokenizer"):
        read_tokenizer(tmp_path / "no.json")


def test_a_tokenizer_without_an_end_asks_for_one(tmp_path: Path) -> None:
    value = json.loads(trained(["text"], 300).file)
    value["added_tokens"][0]["content"] = "[END]"
    value["model"]["vocab"]["[END]"] = value["model"]["vocab"].pop("<|endoftext|>")
    (tmp_path / "t.json").write_text(json.dumps(value))
    with pytest.raises(UnusableCorpus, match="--document-end"):
        read_tokenizer(tmp_path / "t.json")
    assert read_tokenizer(tmp_path / "t.json", "[END]").document_end == 0


def test_sources_that_cannot_be_are_refused(tmp_path: Path, text: Path) -> None:
    def make(*specs: SourceSpec) -> None:
        make_corpus(tmp_path / "out", specs, CorpusTokenizer(), lambda *_: None)

    with pytest.raises(UnusableCorpus, match="names of their own"):
        make(spec(text), spec(text))
    with pytest.raises(UnusableCorpus, match="no name of a source"):
        spec(text, "Prose!")
    (tmp_path / "small").write_text("small")
    with pytest.raises(UnusableCorpus, match="the source prose has too little text: 5 bytes"):
        make(spec(tmp_path / "small"))
    with pytest.raises(UnusableCorpus, match="at least 257 tokens"):
        trained(["text"], 256)


def test_progress_ends_with_all_bytes(tmp_path: Path, text: Path) -> None:
    told: list[tuple[str, int, int]] = []
    make_corpus(tmp_path / "out", [spec(text)], CorpusTokenizer(), lambda *line: told.append(line))
    size = sum(path.stat().st_size for path in text.iterdir())
    assert told[-1] == ("prose", size, size)
    assert all(done <= of == size for _, done, of in told)
