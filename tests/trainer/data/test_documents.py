from __future__ import annotations

import json
from pathlib import Path

import pyarrow as arrow
import pyarrow.parquet as parquet
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trainer.data.corpus import UnusableCorpus
from trainer.data.making import documents
from trainer.data.making.documents import InputFile, input_files

pytestmark = pytest.mark.unit
TEXTS = ["first", "", "second é", "third " * 40_000]


def joined(file: InputFile, column: str = "text") -> list[str]:
    """The documents of a file, put together from their pieces."""
    found, held = [], b""
    for piece in file.pieces(column):
        piece.text.decode()
        held += piece.text
        if piece.ends:
            found.append(held.decode())
            held = b""
    assert not held
    return found


@given(text=st.text(alphabet="aé€𝄞\n", max_size=400), size=st.integers(4, 60))
def test_pieces_are_whole_characters_and_all_of_the_text(
    tmp_path_factory: pytest.TempPathFactory, text: str, size: int
) -> None:
    path = tmp_path_factory.mktemp("piece") / "text"
    path.write_bytes(text.encode())
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(documents, "PIECE_BYTES", size)
        assert "".join(joined(InputFile("text", path, "text"))) == text


def test_a_column_of_parquet_is_documents(tmp_path: Path) -> None:
    parquet.write_table(arrow.table({"text": TEXTS, "n": [1, 2, 3, 4]}), tmp_path / "a.parquet")
    (file,) = input_files([tmp_path])
    assert joined(file) == [text for text in TEXTS if text]


def test_a_saved_dataset_is_documents(tmp_path: Path) -> None:
    """As `datasets.save_to_disk` leaves it: a stream of record batches, and two files that describe it."""
    table = arrow.table({"text": arrow.array(TEXTS, arrow.large_string())})
    path = str(tmp_path / "data-00000-of-00001.arrow")
    with arrow.OSFile(path, "wb") as sink, arrow.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    for name in ("dataset_info.json", "state.json"):
        (tmp_path / name).write_text(json.dumps({}))
    (file,) = input_files([tmp_path])
    assert joined(file) == [text for text in TEXTS if text]


@pytest.mark.parametrize(
    ("column", "error"),
    [("n", "the column 'n' of .* is int64, not text"), ("body", "has no column 'body'; it has text, n")],
)
def test_a_column_that_is_no_text_is_named(tmp_path: Path, column: str, error: str) -> None:
    parquet.write_table(arrow.table({"text": ["a"], "n": [1]}), tmp_path / "a.parquet")
    (file,) = input_files([tmp_path])
    with pytest.raises(UnusableCorpus, match=error):
        list(file.pieces(column))


@pytest.mark.parametrize("name", ["a.parquet", "a.arrow"])
def test_a_file_that_is_none_of_its_kind_is_named(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(b"PAR1 no PAR1")
    (file,) = input_files([tmp_path])
    with pytest.raises(UnusableCorpus, match=f"{name} cannot be read"):
        list(file.pieces("text"))


def test_an_empty_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UnusableCorpus, match="no file lies in"):
        input_files([tmp_path])
