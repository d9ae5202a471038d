"""Two heads of one operator: what convicts, in either order of their sizes, and what does not."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from contracts.mirrors.places import FolderPlace
from contracts.mirrors.reading import LogReader
from contracts.protocol.log.codec import InvalidLeaf
from tests.verifier.log.files import OPERATOR, head_of, write_log
from verifier.log.two_logs import contradiction, shown_evidence

pytestmark = pytest.mark.unit

LEAVES = [f'{{"leaf":{number}}}' for number in range(300)]
OTHER = [*LEAVES[:40], "another", *LEAVES[41:]]
LOG = OPERATOR.public


def reader_of(folder: Path, leaves: list[str]) -> LogReader:
    return LogReader(FolderPlace(write_log(folder, leaves)), LOG)


@pytest.mark.parametrize("sizes", [(300, 300), (300, 100), (100, 300), (300, 41), (41, 300)])
def test_heads_of_two_logs_convict(tmp_path: Path, sizes: tuple[int, int]) -> None:
    mine, theirs = reader_of(tmp_path / "mine", LEAVES[: sizes[0]]), reader_of(tmp_path / "other", OTHER[: sizes[1]])
    found = contradiction(mine, theirs.note, theirs.place)
    assert found is not None
    found.check(LOG)
    smaller, larger = sorted((mine, theirs), key=lambda reader: reader.size)
    if sizes[0] != sizes[1]:
        assert (found.smaller, found.larger) == (smaller.note.format(), larger.note.format())


@pytest.mark.parametrize("size", [0, 1, 40, 299, 300])
def test_heads_of_one_log_do_not(tmp_path: Path, size: int) -> None:
    mine = reader_of(tmp_path / "mine", LEAVES)
    assert contradiction(mine, head_of(LEAVES[:size]), mine.place) is None
    if size:
        less = reader_of(tmp_path / "less", LEAVES[:size])
        assert contradiction(less, mine.note, mine.place) is None


def test_what_the_logs_share_convicts_nobody(tmp_path: Path) -> None:
    mine = reader_of(tmp_path, LEAVES)
    assert contradiction(mine, head_of(OTHER[:40]), mine.place) is None


def evidence(tmp_path: Path) -> dict[str, Any]:
    mine, theirs = reader_of(tmp_path / "mine", LEAVES), reader_of(tmp_path / "other", OTHER[:90])
    found = contradiction(mine, theirs.note, theirs.place)
    assert found is not None
    return found.body()


def test_evidence_is_read_from_mirrors_as_far_as_it_convicts(tmp_path: Path) -> None:
    body = evidence(tmp_path)
    harmless = body | {"prefix": body["proof"][0]}
    answer = {"mirrors": [], "evidence": [harmless, 7, {}, body | {"proof": 3}, body]}
    (found,) = shown_evidence(json.dumps(answer).encode(), LOG)
    assert found.body() == body
    assert list(shown_evidence(b"", LOG)) == []


@pytest.mark.parametrize("answer", [b"[]", b'{"evidence": 7}'])
def test_another_form_is_refused(answer: bytes) -> None:
    with pytest.raises(InvalidLeaf):
        list(shown_evidence(answer, LOG))
