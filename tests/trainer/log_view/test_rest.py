"""Where a follower stood is believed only if it fits the log that is at hand."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from contracts.errors import InvalidTree
from contracts.merkle.positional_tree import SHA256_TREE
from contracts.protocol.judge.snapshot import dump
from tests.contracts.protocol.log.signed_run import SignedRun
from trainer.log_view import rest
from trainer.log_view.rest import RestFile

pytestmark = pytest.mark.unit


@pytest.fixture(scope="module")
def made() -> SignedRun:
    run = SignedRun(nodes=1)
    run.play()
    return run


def root_of(made: SignedRun) -> Callable[[int], bytes]:
    def root(size: int) -> bytes:
        if size > len(made.leaves):
            raise InvalidTree("fewer entries")
        return SHA256_TREE.root([leaf.encode() for leaf in made.leaves[:size]])

    return root


def test_a_state_comes_back_with_what_stood_beside_it(made: SignedRun, tmp_path: Path) -> None:
    file = RestFile(tmp_path / "rest.json", root_of(made))
    file.write(made.state, lambda: {"kept": 1}, now=True)
    found = RestFile(tmp_path / "rest.json", root_of(made)).read(made.functions, len(made.leaves))
    assert found is not None
    assert (dump(found.state), found.beside) == (dump(made.state), {"kept": 1})


def test_it_is_written_now_and_then(made: SignedRun, tmp_path: Path) -> None:
    path = tmp_path / "rest.json"
    RestFile(path, root_of(made), every=len(made.leaves) + 1).write(made.state, dict)
    assert not path.exists()
    RestFile(path, root_of(made), every=len(made.leaves)).write(made.state, dict)
    assert path.exists()


def spoil(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-1] + b" ")


def other_root(path: Path) -> None:
    head, _, body = path.read_bytes().partition(b"\n")
    path.write_bytes(json.dumps({**json.loads(head), "root": "07" * 32}).encode() + b"\n" + body)


@pytest.mark.parametrize("change", [spoil, other_root, Path.unlink, lambda path: path.write_bytes(b"[")])
def test_what_does_not_fit_is_ignored(made: SignedRun, tmp_path: Path, change: Callable[[Path], object]) -> None:
    file = RestFile(tmp_path / "rest.json", root_of(made))
    file.write(made.state, dict, now=True)
    change(tmp_path / "rest.json")
    assert file.read(made.functions, len(made.leaves)) is None


def test_a_rest_of_other_code_or_beyond_the_own_head_is_ignored(
    made: SignedRun, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = RestFile(tmp_path / "rest.json", root_of(made))
    file.write(made.state, dict, now=True)
    assert file.read(made.functions, len(made.leaves) - 1) is None
    monkeypatch.setattr(rest, "code_version", lambda: "0" * 64)
    assert file.read(made.functions, len(made.leaves)) is None
