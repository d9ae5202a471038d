"""Entry bundles: round trips, the largest entry, and broken files."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contracts.tlog.bundles import MAX_ENTRY, EntryTooLarge, check_bundle, format_bundle, format_entry, parse_bundle
from contracts.tlog.tiles import InvalidTile, Tile
from tests.contracts.tlog.vectors import Shelf

pytestmark = pytest.mark.unit

ENTRIES = st.lists(st.binary(max_size=40), min_size=1, max_size=20)


@given(ENTRIES)
@settings(deadline=None)
def test_bundles_round_trip(entries: list[bytes]) -> None:
    assert parse_bundle(format_bundle(entries), len(entries)) == entries


def test_the_length_stands_before_each_entry() -> None:
    assert format_bundle([b"ab", b"", b"c" * 258]) == b"\x00\x02ab\x00\x00\x01\x02" + b"c" * 258


@given(st.binary(max_size=60), st.integers(1, 8))
@settings(deadline=None)
def test_what_is_read_is_written_alike(data: bytes, width: int) -> None:
    try:
        entries = parse_bundle(data, width)
    except InvalidTile:
        return
    assert format_bundle(entries) == data


def test_the_largest_entry_fits_and_one_byte_more_does_not() -> None:
    assert parse_bundle(format_bundle([bytes(MAX_ENTRY)]), 1) == [bytes(65_535)]
    with pytest.raises(EntryTooLarge, match="65536"):
        format_entry(bytes(65_536))
    with pytest.raises(EntryTooLarge):
        format_bundle([b"", bytes(65_536)])
    assert (EntryTooLarge.code, EntryTooLarge.status) == ("entry-too-large", 413)


@pytest.mark.parametrize("count", [0, 257])
def test_a_bundle_of_another_number_is_not_written(count: int) -> None:
    with pytest.raises(InvalidTile):
        format_bundle([b""] * count)


@given(ENTRIES, st.data())
@settings(deadline=None)
def test_a_bundle_cut_short_is_refused(entries: list[bytes], data: st.DataObject) -> None:
    whole = format_bundle(entries)
    with pytest.raises(InvalidTile, match="ends within"):
        parse_bundle(whole[: data.draw(st.integers(0, len(whole) - 1))], len(entries))


def test_bytes_after_the_last_entry_are_refused() -> None:
    with pytest.raises(InvalidTile, match="2 bytes after"):
        parse_bundle(format_bundle([b"a", b""]), 1)


def test_entries_are_those_of_the_tile() -> None:
    shelf = Shelf([f"entry {place}".encode() for place in range(300)])
    for tile in (Tile(0, 0), Tile(0, 1, 44)):
        hashes = shelf.read(tile)
        entries = parse_bundle(shelf.read(Tile(0, tile.index, tile.width, entries=True)), tile.width)
        check_bundle(entries, hashes)
        with pytest.raises(InvalidTile, match="entry 3 "):
            check_bundle([*entries[:3], b"other", *entries[4:]], hashes)
        with pytest.raises(InvalidTile, match=f"entry {tile.width - 1} "):
            check_bundle(entries[:-1], hashes)
        with pytest.raises(InvalidTile, match=f"entry {tile.width} "):
            check_bundle([*entries, b"more"], hashes)
