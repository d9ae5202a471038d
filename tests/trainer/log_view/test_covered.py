"""How much of the log a node acts on, whatever server and mirrors show: an in-memory log, no socket."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from contracts.files.whole_file import DiskFull
from contracts.mirrors.peer import PeerUnreachable
from contracts.protocol.judge.errors import Differs
from contracts.protocol.judge.snapshot import dump
from contracts.protocol.log.follower import Follower
from contracts.tlog.checkpoint import Checkpoint, sign_checkpoint
from contracts.tlog.keys import SigningKey
from contracts.tlog.tile_tree import Read
from contracts.tlog.tiles import Tile
from tests.contracts.protocol.log.signed_run import DOMAIN
from tests.holds import Threat, holds
from tests.trainer.world import LOG, ORIGIN, Village, write_text
from trainer.log_view.admitted import Admitted
from trainer.log_view.covered import CoveredLog

pytestmark = pytest.mark.unit


class Desk:
    """A node's log, and what it warned of."""

    def __init__(self, folder: Path, village: Village) -> None:
        self.village, self.folder = village, folder
        self.warnings: list[tuple[str, str]] = []
        self.fetched: list[Tile] = []
        self.names = [str(v.address) for v in village.verifiers]
        self.log = CoveredLog(folder, LOG, village.functions, DOMAIN, lambda *said: self.warnings.append(said))

    def look(
        self, *heads: int, notes: Mapping[str, bytes] | None = None, of: Mapping[str, Village] | None = None, k: int = 2
    ) -> int:
        """Verifiers show heads of these sizes in the order of their keys; returns what is covered."""
        shown = {self.names[number]: self.village.cosigned(number, size) for number, size in enumerate(heads)}
        lent = of or {}

        def read(name: str) -> Read:
            return lambda tile: self._tile(lent.get(name, self.village), tile)

        admitted = Admitted(frozenset(self.names), k)
        self.log.look(shown | dict(notes or {}), read, lambda: admitted)
        return self.log.size

    def by_log(self) -> Admitted:
        """As trainer/log_view/admitted.py:ByLog."""
        return Admitted(frozenset(self.log.gleaned.admitted), self.log.gleaned.k)

    def again(self) -> Desk:
        """After a restart."""
        self.log.close()
        return Desk(self.folder, self.village)

    def codes(self) -> list[str]:
        return [code for code, _ in self.warnings]

    def _tile(self, village: Village, tile: Tile) -> bytes:
        self.fetched.append(tile)
        return village.tile(tile)


@pytest.fixture
def village(tmp_path: Path) -> Village:
    return Village(write_text(tmp_path))


@pytest.fixture
def desk(tmp_path: Path, village: Village) -> Desk:
    village.block()
    return Desk(tmp_path / "log", village)


@holds(
    "A node acts on entries that k verifiers cosigned, and on no others",
    by="trainer/log_view/covered.py:CoveredLog",
    against=Threat.REWRITTEN_LOG,
)
def test_what_k_verifiers_cosigned_is_taken_and_no_more(desk: Desk) -> None:
    size = desk.village.tree.size
    assert desk.look(size, size - 2) == size - 2
    assert desk.log.view.size == size - 2, "and nothing more is fetched"
    assert desk.look(size, size - 2, size) == size


def test_one_verifier_alone_covers_nothing(desk: Desk) -> None:
    assert desk.look(desk.village.tree.size) == 0
    assert not desk.log.current


def test_the_servers_head_covers_nothing(desk: Desk) -> None:
    assert desk.look(notes={"": desk.village.head().format()}) == 0
    assert desk.log.view.size == 0


def test_who_is_not_admitted_covers_nothing(desk: Desk) -> None:
    size = desk.village.tree.size
    desk.names[2] = "0x" + "00" * 20
    shown = {str(v.address): desk.village.cosigned(n, size) for n, v in enumerate(desk.village.verifiers)}
    desk.names[1] = desk.names[2]
    assert desk.look(notes=shown) == 0


def test_a_head_under_another_verifiers_name_counts_for_nobody(desk: Desk) -> None:
    size = desk.village.tree.size
    assert desk.look(size, notes={desk.names[1]: desk.village.cosigned(0, size)}) == 0
    assert desk.codes() == ["bad-head"]


def _refuse_writes(*_: object) -> int:
    raise OSError(errno.ENOSPC, "No space left on device")


def test_a_full_disk_is_named_and_no_sources_fault(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    size = desk.village.tree.size
    with monkeypatch.context() as full:
        full.setattr(os, "pwrite", _refuse_writes)
        with pytest.raises(DiskFull, match="no room is left for leaves"):
            desk.look(size, size)
    assert desk.look(size, size) == size


def test_a_head_that_the_operator_did_not_sign_is_named(desk: Desk) -> None:
    stranger = SigningKey(b"\x05" * 32)
    forged = sign_checkpoint(Checkpoint(ORIGIN, 3, b"\1" * 32), stranger).format()
    assert desk.look(notes={"": forged}) == 0
    assert desk.codes() == ["bad-head"]


def test_a_head_of_another_log_is_named_and_counts_for_nothing(desk: Desk) -> None:
    size = desk.village.tree.size
    assert desk.look(size, size) == size
    desk.village.block()
    more = desk.village.tree.size
    lie = desk.village.cosigned(2, more, root=b"\1" * 32)
    assert desk.look(more, size, notes={desk.names[2]: lie}) == size
    assert desk.codes() == ["two-logs"]
    assert desk.look(more, more, notes={desk.names[2]: lie}) == more


def test_a_log_that_only_the_server_shows_yields_to_the_mirrors(tmp_path: Path, desk: Desk) -> None:
    """Who asks no chain for the verifiers reads the server's log before it knows any."""
    fork = Village(write_text(tmp_path))
    for _ in range(5):
        fork.block(seconds=3)
    fork_head = {"": fork.head().format()}
    desk.log.look(fork_head, lambda _: fork.tile, desk.by_log)
    assert desk.log.view.root(fork.tree.size) == fork.tree.root(fork.tree.size)
    size = desk.village.tree.size
    for _ in range(3):
        desk.look(size, size, size, notes=fork_head, of={"": fork})
    assert desk.log.size == size
    assert "two-logs" in desk.codes()
    assert desk.log.state.block == desk.village.state.block


def test_one_mirror_that_helps_the_operator_stops_no_node(tmp_path: Path, desk: Desk) -> None:
    fork = Village(write_text(tmp_path))
    fork.block(seconds=3)
    lie = {desk.names[0]: fork.cosigned(0, fork.tree.size)}
    size = desk.village.tree.size
    shown = {name: desk.village.cosigned(n, size) for n, name in enumerate(desk.names) if n}
    for _ in range(4):
        desk.look(notes=lie | shown, of={desk.names[0]: fork})
    assert desk.log.size == size


def lost_end(folder: Path, desk: Desk) -> Village:
    """The node acted on an end that k verifiers had signed; the log goes on without it."""
    desk.village.block()
    size = desk.village.tree.size
    assert desk.look(size, size) == size
    other = Village(write_text(folder))
    other.block()
    for _ in range(3):
        other.block(seconds=3)
    return other


def test_a_node_that_acted_on_an_end_that_is_lost_goes_on_with_k(tmp_path: Path, desk: Desk) -> None:
    """It stood still for ever over its own cache: k verifiers restored older folders, and went on."""
    other = lost_end(tmp_path, desk)
    log, stood = desk.log, desk.log.size
    shown = {name: other.cosigned(n) for n, name in enumerate(desk.names[:2])}
    lent = dict.fromkeys(desk.names, other)
    acted_on = []
    for _ in range(4):
        desk.look(notes=shown, of=lent)
        acted_on += [log.size] if log.current else []
    assert "log-left" in desk.codes()
    assert log.size == other.tree.size != stood
    assert log.state.block == other.state.block
    assert set(acted_on) <= {other.tree.size}
    after = desk.again()
    assert after.look() == other.tree.size


def test_fewer_than_k_move_no_node_off_its_log(tmp_path: Path, desk: Desk) -> None:
    other = lost_end(tmp_path, desk)
    stood = desk.log.size
    for _ in range(3):
        desk.look(notes={desk.names[0]: other.cosigned(0)}, of={desk.names[0]: other})
        desk.look(notes={"": other.head().format()}, of={"": other})
    assert desk.log.size == stood
    assert "log-left" not in desk.codes()


def test_between_k_and_k_a_node_stays_and_says_so(tmp_path: Path, desk: Desk) -> None:
    """One of them signed both; people decide."""
    other = lost_end(tmp_path, desk)
    size = desk.log.size
    ours = {name: desk.village.cosigned(n, size) for n, name in enumerate(desk.names) if n}
    for _ in range(3):
        desk.look(notes=ours | {desk.names[0]: other.cosigned(0)}, of={desk.names[0]: other})
    assert desk.log.size == size
    assert "two-logs" in desk.codes()
    assert "log-left" not in desk.codes()


def test_a_restart_fetches_nothing_again(desk: Desk) -> None:
    size = desk.village.tree.size
    desk.look(size, size)
    after = desk.again()
    assert after.look() == size
    assert after.log.current
    assert not after.fetched
    assert after.log.state.block == desk.village.state.block


def test_after_a_restart_nothing_is_done_on_less_than_before(desk: Desk) -> None:
    size = desk.village.tree.size
    desk.look(size, size)
    (desk.folder / "leaves").unlink()
    after = desk.again()
    after.look(size - 2, size - 2)
    assert not after.log.current
    after.look(size, size)
    assert after.log.current


@pytest.mark.parametrize("spoil", [lambda data: data[:-1], lambda data: data[:40] + b"\0" + data[41:], lambda _: b""])
def test_what_is_spoilt_on_the_disk_is_fetched_again(desk: Desk, spoil: Callable[[bytes], bytes]) -> None:
    size = desk.village.tree.size
    desk.look(size, size)
    path = desk.folder / "leaves"
    path.write_bytes(spoil(path.read_bytes()))
    after = desk.again()
    assert after.look(size, size) == size
    assert after.fetched


def test_entries_beyond_the_kept_head_are_fetched_again(desk: Desk) -> None:
    size = desk.village.tree.size
    desk.look(size, size)
    with (desk.folder / "leaves").open("ab") as file:
        file.write(b"\0\3abc\0")
    assert desk.again().look() == size


def test_a_source_that_breaks_off_is_weather(desk: Desk) -> None:
    size = desk.village.tree.size

    def broken(_: str) -> Read:
        def read(tile: Tile) -> bytes:
            raise PeerUnreachable("broke off")

        return read

    note = desk.village.cosigned(0, size)
    desk.log.look({desk.names[0]: note}, broken, lambda: Admitted(frozenset(desk.names), 2))
    assert (desk.log.view.size, desk.warnings) == (0, [])


def test_bytes_that_are_not_the_logs_are_not_taken(tmp_path: Path, desk: Desk) -> None:
    size = desk.village.tree.size
    fork = Village(write_text(tmp_path))
    fork.block(seconds=3)
    assert desk.look(size, size, of=dict.fromkeys(desk.names, fork)) == 0
    assert desk.log.view.size == 0


def test_a_cosigned_entry_that_does_not_follow_ends_the_node(desk: Desk) -> None:
    """k verifiers signed what the machine does not derive."""
    village = desk.village
    village.leaves.append('{"kind":"run-over","run":"0x00"}')
    village.tree.append([__import__("hashlib").sha256(b"\0" + village.leaves[-1].encode()).digest()])
    with pytest.raises(Differs):
        desk.look(village.tree.size, village.tree.size)


def test_a_log_of_more_than_one_bundle_is_followed(tmp_path: Path) -> None:
    village = Village(write_text(tmp_path))
    for _ in range(600):
        village.block()
    desk = Desk(tmp_path / "log", village)
    assert desk.look(300, 290) == 290
    assert desk.look(village.tree.size, village.tree.size) == village.tree.size
    assert desk.again().look() == village.tree.size


def test_a_restart_goes_on_from_where_the_machine_stood(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    desk.village.block()
    size = desk.village.tree.size
    assert desk.look(size, size) == size
    kept = dump(desk.log.state)
    monkeypatch.setattr(Follower, "take", lambda *_: pytest.fail("it reads an entry again"))
    again = desk.again()
    assert (again.log.size, dump(again.log.state)) == (size, kept)
    assert again.log.current


def test_where_the_machine_stood_in_another_log_is_forgotten(desk: Desk) -> None:
    size = desk.village.tree.size
    assert desk.look(size, size) == size
    desk.log.close()
    (desk.folder / "leaves").write_bytes(b"")
    assert Desk(desk.folder, desk.village).log.size == 0
