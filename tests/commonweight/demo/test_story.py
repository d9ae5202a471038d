from __future__ import annotations

from pathlib import Path

import pytest

from commonweight.demo.stage import DemoSettings
from commonweight.demo.story import MARK, FolderRefused, make_folder, run_demo

pytestmark = pytest.mark.unit


def test_a_folder_that_no_demo_wrote_is_not_emptied(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    letter = tmp_path / "letter.txt"
    letter.write_text("mine")
    assert run_demo(DemoSettings(1, (), tmp_path, "")) == 1
    assert capsys.readouterr().err.startswith("folder-refused: ")
    assert [path.name for path in tmp_path.iterdir()] == ["letter.txt"]
    with pytest.raises(FolderRefused):
        make_folder(letter)
    assert letter.read_text() == "mine"


def test_a_demo_folder_is_emptied_and_a_new_one_is_taken(tmp_path: Path) -> None:
    empty, new = tmp_path / "empty", tmp_path / "some" / "new"
    empty.mkdir()
    for folder in (empty, new):
        make_folder(folder)
        (folder / "keys").mkdir()
        (folder / "keys" / "ada.json").write_text("old")
        make_folder(folder)
        assert [path.name for path in folder.iterdir()] == [MARK]
