"""A log read back out of its tiles: every proof holds, and no changed byte is believed."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pymerkle import InmemoryTree

from contracts.errors import InvalidTree
from contracts.merkle.positional_tree import SHA256_TREE
from contracts.merkle.stored_tree import node_number
from contracts.tlog.tile_tree import KEPT, TileReader, check_tiles, node_place, tile_bytes
from contracts.tlog.tiles import InvalidTile, Tile, tiles_of
from tests.contracts.tlog.vectors import Shelf

pytestmark = pytest.mark.unit

SIZE = 66_000
SHELF = Shelf([place.to_bytes(3, "big") for place in range(SIZE)])
SIZES = st.integers(1, 600) | st.integers(1, SIZE) | st.sampled_from([256, 257, 65_535, 65_536, 65_537])


def reader(size: int) -> TileReader:
    return TileReader(SHELF.read, size, SHELF.root(size))


@given(st.integers(0, 40), st.integers(0, 2**40))
def test_every_number_has_its_place(level: int, index: int) -> None:
    assert node_place(node_number(level, index)) == (level, index)


def test_numbers_in_order_have_places_in_order() -> None:
    assert [node_number(*node_place(number)) for number in range(2000)] == list(range(2000))


@settings(max_examples=60, deadline=None)
@given(SIZES, st.data())
def test_inclusion_proofs_from_tiles_hold(size: int, data: st.DataObject) -> None:
    index = data.draw(st.integers(0, size - 1))
    proof = reader(size).tree().inclusion_proof(index, size)
    SHA256_TREE.check_inclusion(SHELF.entries[index], index, size, proof, SHELF.root(size))
    assert proof == SHELF.tree.inclusion_proof(index, size)


@settings(max_examples=40, deadline=None)
@given(SIZES, st.data())
def test_consistency_proofs_from_tiles_hold(size: int, data: st.DataObject) -> None:
    first = data.draw(st.integers(1, size))
    found = reader(size).tree()
    assert found.root(first) == SHELF.root(first)
    SHA256_TREE.check_consistency(
        first, size, SHELF.root(first), SHELF.root(size), found.consistency_proof(first, size)
    )


def test_tiles_give_the_root_that_pymerkle_has() -> None:
    theirs = InmemoryTree(algorithm="sha256")
    for entry in SHELF.entries[:300]:
        theirs.append_entry(entry)
    assert TileReader(SHELF.read, 300, theirs.get_state()).tree().root(300) == theirs.get_state()


def test_a_tile_holds_what_the_rule_says() -> None:
    """Hash i of tile n at level l is the root over the entries from (256n + i)·256^l, 256^l of them."""
    for level, index, at in [(0, 3, 17), (1, 0, 5), (1, 1, 0)]:
        width = 256 if (level, index) != (1, 1) else 1
        first = (256 * index + at) * 256**level
        expected = SHA256_TREE.root(SHELF.entries[first : first + 256**level])
        assert SHELF.read(Tile(level, index, width))[32 * at :][:32] == expected


@pytest.mark.parametrize("size", [0, 1, 255, 256, 257, 700, 65_536, SIZE])
def test_a_whole_log_of_tiles_is_checked(size: int) -> None:
    check_tiles(SHELF.read, size, SHELF.root(size))


def test_no_changed_byte_of_any_tile_is_believed() -> None:
    size = 700
    for tile in tiles_of(size):
        for at in (0, 31, tile.width * 16, tile.width * 32 - 1):
            with pytest.raises(InvalidTile):
                check_tiles(_changing(tile, at), size, SHELF.root(size))


def test_a_changed_tile_gives_no_proof() -> None:
    broken = TileReader(_changing(Tile(0, 1), 5), 700, SHELF.root(700)).tree()
    assert broken.inclusion_proof(600, 700)
    for index in (256, 300, 511):
        with pytest.raises(InvalidTile, match="place in the tile above"):
            broken.inclusion_proof(index, 700)


def test_an_edge_that_misses_the_root_is_refused() -> None:
    with pytest.raises(InvalidTile, match="do not lead"):
        TileReader(SHELF.read, 700, SHELF.root(699))
    with pytest.raises(InvalidTile, match="do not lead"):
        TileReader(SHELF.read, 0, SHELF.root(1))


@pytest.mark.parametrize("change", [lambda data: data[:-1], lambda data: data + b"x", lambda data: b""])
def test_a_tile_of_another_length_is_refused(change: Callable[[bytes], bytes]) -> None:
    with pytest.raises(InvalidTile, match="must have"):
        TileReader(lambda tile: change(SHELF.read(tile)), 700, SHELF.root(700))


def test_nodes_beyond_the_log_are_not_there() -> None:
    found = reader(700)
    assert found.fetch([node_number(0, 699), node_number(0, 700), node_number(2, 174), node_number(2, 175)]).keys() == {
        node_number(0, 699),
        node_number(2, 174),
    }
    with pytest.raises(InvalidTree, match="lacks node"):
        found.tree().inclusion_proof(700, 702)
    with pytest.raises(InvalidTile):
        found.tile(Tile(0, 2, 189))


def test_narrower_tiles_are_cut_from_verified_ones() -> None:
    assert reader(700).tile(Tile(0, 2, 100)) == SHELF.read(Tile(0, 2, 100))
    assert reader(700).tile(Tile(0, 1)) == SHELF.read(Tile(0, 1))


def test_a_stored_tree_that_lacks_a_node_makes_no_tile() -> None:
    with pytest.raises(InvalidTree, match="lacks node"):
        tile_bytes(lambda numbers: {}, Tile(0, 0, 1))


def test_each_tile_is_read_once_and_few_are_kept() -> None:
    read: list[Tile] = []

    def counting(tile: Tile) -> bytes:
        read.append(tile)
        return SHELF.read(tile)

    check_tiles(counting, SIZE, SHELF.root())
    assert len(read) == len(set(read)) == len(list(tiles_of(SIZE)))
    found = TileReader(SHELF.read, SIZE, SHELF.root())
    for place in range(KEPT + 10):
        found._keep(Tile(0, place), b"")
    assert len(found._full) == KEPT


def _changing(wanted: Tile, at: int) -> Callable[[Tile], bytes]:
    def read(tile: Tile) -> bytes:
        data = bytearray(SHELF.read(tile))
        if tile == wanted:
            data[at] ^= 1
        return bytes(data)

    return read
