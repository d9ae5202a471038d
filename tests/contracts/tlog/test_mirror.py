"""How entries reach a mirror: packages, their proofs, and bodies that are broken or endless."""

from __future__ import annotations

import hashlib
import io
from dataclasses import replace
from itertools import islice

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contracts.errors import CommonweightError, InvalidTree
from contracts.merkle.positional_tree import SHA256_TREE
from contracts.tlog.bundles import EntryTooLarge
from contracts.tlog.mirror import (
    MAX_FIELD,
    MAX_PACKAGES,
    EntryPackage,
    MirrorInfo,
    Package,
    UploadHeader,
    format_upload,
    origin_hash,
    parse_mirror_info,
    read_header,
    read_packages,
)
from contracts.tlog.subtree import subtree_proof
from contracts.tlog.text import MAX_SIZE
from contracts.tlog.witness import InvalidMirrorMessage
from tests.contracts.tlog.vectors import ORIGIN, Shelf

pytestmark = pytest.mark.unit

SIZE = 1000
SHELF = Shelf([f"entry {place}".encode() for place in range(SIZE)])
LEAVES = [SHA256_TREE.leaf_hash(entry) for entry in SHELF.entries]
HEADERS = st.builds(
    lambda origin, a, b, ticket: UploadHeader(origin, min(a, b), max(a, b), ticket),
    st.text(st.characters(codec="utf-8", min_codepoint=32), min_size=1, max_size=20),
    st.integers(0, MAX_SIZE),
    st.integers(0, MAX_SIZE),
    st.binary(max_size=30),
)


def package(place: Package, size: int) -> EntryPackage:
    entries = tuple(SHELF.entries[place.start : place.end])
    return EntryPackage(entries, tuple(subtree_proof(SHELF.tree, place.base, place.end, size)))


def upload(start: int, end: int) -> tuple[UploadHeader, list[EntryPackage]]:
    header = UploadHeader(ORIGIN, start, end, b"ticket")
    return header, [package(place, end) for place in header.packages()]


@given(HEADERS)
def test_headers_round_trip(header: UploadHeader) -> None:
    assert read_header(io.BytesIO(header.format()).read) == header


def test_a_header_has_the_bytes_of_the_specification() -> None:
    data = UploadHeader("abc", 1, 258, b"\xff").format()
    assert data == b"\x00\x03abc" + bytes(7) + b"\x01" + bytes(6) + b"\x01\x02" + b"\x00\x01\xff"


@pytest.mark.parametrize(
    ("start", "end", "expected"),
    [
        (0, 0, []),
        (5, 5, []),
        (0, 1, [(0, 0, 1)]),
        (0, 256, [(0, 0, 256)]),
        (0, 257, [(0, 0, 256), (256, 256, 257)]),
        (300, 310, [(256, 300, 310)]),
        (255, 513, [(0, 255, 256), (256, 256, 512), (512, 512, 513)]),
    ],
)
def test_packages_end_at_multiples_of_256(start: int, end: int, expected: list[tuple[int, int, int]]) -> None:
    found = [(place.base, place.start, place.end) for place in UploadHeader(ORIGIN, start, end).packages()]
    assert found == expected


@settings(max_examples=25, deadline=None)
@given(st.integers(0, SIZE), st.integers(0, SIZE))
def test_an_upload_is_read_and_every_package_checked(first: int, second: int) -> None:
    start, end = sorted((first, second))
    header, packages = upload(start, end)
    take = io.BytesIO(format_upload(header, packages)).read
    assert read_header(take) == header
    found = list(read_packages(take, header))
    assert [read for _, read in found] == packages
    for place, read in found:
        read.check(place, LEAVES[place.base : place.start], end, SHELF.root(end))


def test_a_package_for_another_place_is_refused() -> None:
    header, packages = upload(100, 700)
    root = SHELF.root(700)
    places = list(header.packages())
    kept = LEAVES[:100]
    packages[0].check(places[0], kept, 700, root)
    false = replace(packages[0], entries=(b"other", *packages[0].entries[1:]))
    for wrong in (false, replace(packages[0], proof=packages[0].proof[1:]), replace(packages[0], proof=())):
        with pytest.raises(InvalidTree):
            wrong.check(places[0], kept, 700, root)
    with pytest.raises(InvalidTree):
        packages[0].check(places[0], [*kept[1:], kept[0]], 700, root)
    with pytest.raises(InvalidTree):
        packages[0].check(places[0], kept, 701, SHELF.root(701))
    with pytest.raises(InvalidMirrorMessage, match="other entries"):
        packages[1].check(places[0], kept, 700, root)
    with pytest.raises(InvalidMirrorMessage, match="other entries"):
        packages[0].check(places[0], kept[:-1], 700, root)


def test_a_body_may_end_after_any_package() -> None:
    header, packages = upload(0, SIZE)
    for count in range(len(packages) + 1):
        take = io.BytesIO(format_upload(header, packages[:count])).read
        assert [read for _, read in read_packages(take, read_header(take))] == packages[:count]


def test_a_body_that_ends_within_a_package_is_refused() -> None:
    header, packages = upload(300, 310)
    whole = format_upload(header, packages)
    for length in range(len(whole)):
        take = io.BytesIO(whole[:length]).read
        if length == len(header.format()):
            assert list(read_packages(take, read_header(take))) == []
            continue
        with pytest.raises(InvalidMirrorMessage, match="early"):
            list(read_packages(take, read_header(take)))


def test_what_came_before_a_break_is_kept() -> None:
    header, packages = upload(0, 600)
    take = io.BytesIO(format_upload(header, packages)[:-1]).read
    found = read_packages(take, read_header(take))
    assert [read for _, read in islice(found, 2)] == packages[:2]
    with pytest.raises(InvalidMirrorMessage):
        next(found)


def test_bytes_after_the_upload_are_refused() -> None:
    header, packages = upload(300, 310)
    take = io.BytesIO(format_upload(header, packages) + b"x").read
    with pytest.raises(InvalidMirrorMessage, match="after the last"):
        list(read_packages(take, read_header(take)))


@settings(max_examples=60)
@given(st.data())
def test_a_changed_body_is_refused_or_checked_false(data: st.DataObject) -> None:
    header, packages = upload(300, 310)
    body = format_upload(header, packages)
    changed = bytearray(body)
    changed[data.draw(st.integers(0, len(body) - 1))] = data.draw(st.integers(0, 255))
    take = io.BytesIO(bytes(changed)).read
    try:
        found = read_header(take)
        for place, read in islice(read_packages(take, found), MAX_PACKAGES):
            read.check(place, LEAVES[place.base : place.start], found.end, SHELF.root(min(found.end, SIZE)))
    except CommonweightError:
        return
    assert replace(found, origin=ORIGIN, ticket=b"ticket") == header or found.start == found.end


def test_an_endless_header_is_walked_no_further_than_its_bytes() -> None:
    header = UploadHeader(ORIGIN, 0, MAX_SIZE)
    assert len(list(islice(header.packages(), 3))) == 3
    assert list(read_packages(io.BytesIO(b"").read, header)) == []


def test_of_one_request_32_packages_are_read_and_no_more() -> None:
    body = EntryPackage((b"",) * 256, ()).format()
    header = UploadHeader(ORIGIN, 0, 256 * 100)
    stream = io.BytesIO(body * (MAX_PACKAGES + 1))
    assert len(list(read_packages(stream.read, header))) == 32
    assert stream.tell() == len(body) * 32
    with pytest.raises(InvalidMirrorMessage, match="at most 32"):
        format_upload(header, [EntryPackage((b"",) * 256, ())] * 33)


def test_packages_of_another_upload_are_not_written() -> None:
    header, packages = upload(100, 700)
    for wrong in (packages[1:], [*packages, packages[-1]]):
        with pytest.raises(InvalidMirrorMessage, match="not the packages"):
            format_upload(header, wrong)


def test_an_entry_of_65536_bytes_is_not_written() -> None:
    assert EntryPackage((bytes(65_535),), ()).format()
    with pytest.raises(EntryTooLarge):
        EntryPackage((bytes(65_536),), ()).format()


def test_a_package_of_64_hashes_is_refused() -> None:
    one = EntryPackage((b"a",), (bytes(32),) * 63)
    header = UploadHeader(ORIGIN, 0, 1)
    data = bytearray(one.format() + bytes(32))
    with pytest.raises(InvalidMirrorMessage, match="63 hashes, not 64"):
        EntryPackage((b"a",), (bytes(32),) * 64)
    data[3] = 64
    with pytest.raises(InvalidMirrorMessage, match="63 hashes, not 64"):
        list(read_packages(io.BytesIO(bytes(data)).read, header))


@pytest.mark.parametrize("count", [0, 257])
def test_a_package_of_another_number_is_not_made(count: int) -> None:
    with pytest.raises(InvalidMirrorMessage, match="1 to 256"):
        EntryPackage((b"",) * count, ())


@pytest.mark.parametrize(
    "made", [("", 0, 1), ("a\nb", 0, 1), ("a", 2, 1), ("a", -1, 1), ("a", 0, 2**63), ("a" * 65_536, 0, 1)]
)
def test_headers_that_say_nothing_are_refused(made: tuple[str, int, int]) -> None:
    with pytest.raises(InvalidMirrorMessage):
        UploadHeader(*made)
    with pytest.raises(InvalidMirrorMessage):
        UploadHeader("a", 0, 1, bytes(MAX_FIELD + 1))


def test_an_upload_beyond_63_bits_is_refused() -> None:
    data = bytearray(UploadHeader("a", 0, 1).format())
    data[3] = 0x80
    with pytest.raises(InvalidMirrorMessage, match="the start"):
        read_header(io.BytesIO(bytes(data)).read)


@given(st.builds(MirrorInfo, st.integers(0, MAX_SIZE), st.integers(0, MAX_SIZE), st.binary(max_size=50)))
def test_infos_round_trip(info: MirrorInfo) -> None:
    assert parse_mirror_info(info.format()) == info


def test_an_info_is_three_lines() -> None:
    assert MirrorInfo(700, 256, b"ticket").format() == b"700\n256\ndGlja2V0\n"
    assert MirrorInfo(0, 0).format() == b"0\n0\n\n"


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"1\n2\n",
        b"1\n2\n\n\n",
        b"1\n2\nAA==",
        b"01\n2\n\n",
        b"1\n-2\n\n",
        b"1\n2\nAB==\n",
        b"1\n2\n!\n",
        b"1\r\n2\r\n\r\n",
        b"1\n2\n" + b"A" * (2 * MAX_FIELD) + b"\n",
        b"1\n2\n" + b"A" * 4 * 21_846 + b"\n",
    ],
)
def test_malformed_infos_are_refused(data: bytes) -> None:
    with pytest.raises(InvalidMirrorMessage):
        parse_mirror_info(data)


def test_a_log_stands_under_the_hash_of_its_origin() -> None:
    assert origin_hash(ORIGIN) == hashlib.sha256(ORIGIN.encode()).hexdigest()
