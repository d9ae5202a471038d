"""A folder of another key, run, chain or process is refused by name, and nothing in it is changed."""

from __future__ import annotations

import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from contracts.ids import NO_RUN, RunId
from contracts.process.own_folder import FolderForeign, FolderInUse, FolderUnwritable, Owner, take_folder

pytestmark = pytest.mark.unit
NODE = Owner("node", "0x" + "11" * 20, 31337, "0x" + "22" * 32, RunId("0x" + "33" * 32))
HOLD = """
import sys, time
from pathlib import Path
from contracts.process.own_folder import Owner, take_folder
take_folder(Path(sys.argv[1]), Owner(*sys.argv[2:4], int(sys.argv[4]), *sys.argv[5:]))
print("held", flush=True)
time.sleep(600)
"""


def holder(folder: Path, owner: Owner = NODE) -> subprocess.Popen[str]:
    """Another process that has the folder."""
    words = [owner.part, owner.key, str(owner.chain_id), owner.model, owner.run]
    made = subprocess.Popen([sys.executable, "-c", HOLD, folder, *words], stdout=subprocess.PIPE, text=True)
    assert made.stdout is not None
    assert made.stdout.readline() == "held\n"
    return made


def killed(process: subprocess.Popen[str]) -> None:
    process.send_signal(signal.SIGKILL)
    process.communicate()


def contents(folder: Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in folder.rglob("*") if file.is_file()}


def test_a_folder_is_its_owners_after_every_end_of_the_process(tmp_path: Path) -> None:
    first = holder(tmp_path / "node")
    killed(first)
    second = holder(tmp_path / "node")
    killed(second)


def test_two_processes_do_not_share_a_nodes_folder(tmp_path: Path) -> None:
    first = holder(tmp_path)
    with pytest.raises(FolderInUse, match=f"process {first.pid} uses {tmp_path}: end it, or give another --folder"):
        take_folder(tmp_path, NODE)
    killed(first)


def test_processes_of_one_server_share_its_folder(tmp_path: Path) -> None:
    server = replace(NODE, part="server", run=NO_RUN)
    first, second = holder(tmp_path, server), holder(tmp_path, server)
    killed(first)
    killed(second)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"key": "0x" + "44" * 20}, "not to the node 0x4444"),
        ({"run": "0x" + "55" * 32}, "in run 0x5555"),
        ({"chain_id": 1}, "on chain 1: give another --folder"),
        ({"model": "0x" + "66" * 32}, "of model 0x6666"),
        ({"part": "verifier"}, "not to the verifier"),
    ],
)
def test_a_strangers_folder_is_left_as_it_is(tmp_path: Path, change: dict[str, object], words: str) -> None:
    killed(holder(tmp_path))
    (tmp_path / "outbox").write_text("what the other has to hand")
    before = contents(tmp_path)
    with pytest.raises(FolderForeign, match=words):
        take_folder(tmp_path, replace(NODE, **change))  # type: ignore[arg-type]
    assert contents(tmp_path) == before


def test_a_spoilt_owner_file_is_nobodys(tmp_path: Path) -> None:
    (tmp_path / "owner.json").write_text("{")
    with pytest.raises(FolderForeign, match="does not say whose"):
        take_folder(tmp_path, NODE)
    assert (tmp_path / "owner.json").read_text() == "{"


def test_a_place_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder")
    for place in (tmp_path / "file", tmp_path / "file" / "below", Path("/sys/commonweight")):
        with pytest.raises(FolderUnwritable, match=f"{place} cannot be written .*give --folder a place"):
            take_folder(place, NODE)
