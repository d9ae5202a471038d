"""Addresses of mirrors: which may be reached, the newest of each verifier, and a name that means something else."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from contracts.errors import BadField
from tests.verifier.mirror.world import NODE, READER, VERIFIERS, address, has
from verifier.mirror.addresses import NOWHERE, AddressBook, Target, Url, check_public, find, parse_url
from verifier.mirror.errors import InvalidMirrorAddress, NotWelcome

pytestmark = pytest.mark.unit

ONE, TWO, *_ = (str(key.address) for key in VERIFIERS)


def book(folder: Path, loopback: bool = False) -> AddressBook:
    names = [str(key.address) for key in VERIFIERS]
    first = {ONE.lower(): "https://first.example"}
    return AddressBook(folder / "addresses.db", READER, lambda verifier: verifier in names, loopback, first)


def take(kept: AddressBook, data: bytes) -> bool:
    return kept.take(READER.read(data))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("https://mirror.example", Url("https", "mirror.example", 443, "")),
        ("http://mirror.example:8080/a/b/", Url("http", "mirror.example", 8080, "/a/b")),
        ("http://9.9.9.9", Url("http", "9.9.9.9", 80, "")),
        ("https://[2620:fe::fe]:1/", Url("https", "2620:fe::fe", 1, "")),
    ],
)
def test_a_plain_url_is_taken_apart(text: str, expected: Url) -> None:
    assert parse_url(text, loopback=False) == expected


@pytest.mark.parametrize(
    "text",
    [
        "",
        "mirror.example",
        "ftp://mirror.example",
        "file:///etc/passwd",
        "https://",
        "https://user@mirror.example",
        "https://user:word@mirror.example",
        "https://mirror.example@9.9.9.9",
        "https://mirror.example?x=1",
        "https://mirror.example/#x",
        "https://mirror.example/a b",
        "https://mirror.example\\@9.9.9.9",
        "https://mirror.example:x",
        "https://mirror.example:70000",
        "https://[::1",
        "https://mirr%2e.example",
        "https://mirror.example/" + "a" * 200,
        "https://mirrör.example",
        "http://127.0.0.1:80",
        "http://10.0.0.1",
        "http://[::1]",
    ],
)
def test_any_other_url_is_refused(text: str) -> None:
    with pytest.raises(InvalidMirrorAddress):
        parse_url(text, loopback=False)


@pytest.mark.parametrize(
    "ip",
    [
        "127.0.0.1",
        "127.8.8.8",
        "::1",
        "::ffff:127.0.0.1",
        "0.0.0.0",
        "::",
        "10.1.2.3",
        "172.16.0.1",
        "192.168.1.1",
        "100.64.0.1",
        "100.100.100.200",
        "169.254.169.254",
        "::ffff:169.254.169.254",
        "168.63.129.16",
        "fe80::1",
        "fc00::1",
        "fd00:ec2::254",
        "fec0::1",
        "64:ff9b::7f00:1",
        "2002:7f00:1::",
        "::7f00:1",
        "224.0.0.1",
        "ff02::1",
        "240.0.0.1",
        "255.255.255.255",
    ],
)
def test_an_address_that_is_not_public_is_refused(ip: str) -> None:
    with pytest.raises(InvalidMirrorAddress):
        check_public(ip, loopback=False)


@pytest.mark.parametrize("ip", ["127.0.0.1", "::1", "::ffff:127.0.0.1", "9.9.9.9", "2620:fe::fe"])
def test_loopback_is_taken_where_the_deployment_says_so(ip: str) -> None:
    check_public(ip, loopback=True)


def test_private_addresses_stay_refused_beside_loopback() -> None:
    with pytest.raises(InvalidMirrorAddress):
        check_public("10.0.0.1", loopback=True)


def test_a_name_goes_to_the_address_that_was_checked() -> None:
    target = asyncio.run(find("https://mirror.example:1/a", False, lambda host, port: ["9.9.9.9"]))
    assert target == Target(Url("https", "mirror.example", 1, "/a"), "9.9.9.9")
    assert (target.base(), target.host_header()) == ("https://9.9.9.9:1/a", "mirror.example:1")


@pytest.mark.parametrize("found", [["127.0.0.1"], ["9.9.9.9", "10.0.0.1"], []], ids=["own", "one of two", "none"])
def test_a_name_that_means_a_private_machine_is_refused(found: list[str]) -> None:
    with pytest.raises(InvalidMirrorAddress):
        asyncio.run(find("https://mirror.example", False, lambda host, port: found))


def test_an_ipv6_address_stands_in_brackets() -> None:
    target = asyncio.run(find("http://[2620:fe::fe]:8080", False, lambda host, port: [host]))
    assert (target.base(), target.host_header()) == ("http://[2620:fe::fe]:8080", "[2620:fe::fe]:8080")


def test_the_newest_address_of_each_verifier_counts(tmp_path: Path) -> None:
    kept = book(tmp_path)
    assert kept.reachable() == {ONE: "https://first.example"}
    assert take(kept, address("https://b.example", 2))
    assert not take(kept, address("https://a.example", 1))
    assert take(kept, address("https://c.example", 1, VERIFIERS[1]))
    assert kept.reachable() == {ONE: "https://b.example", TWO: "https://c.example"}
    assert kept.reachable(but=ONE.lower()) == {TWO: "https://c.example"}


def test_two_addresses_of_one_number_end_alike_everywhere(tmp_path: Path) -> None:
    one, two = address("https://a.example"), address("https://b.example")
    forth, back = book(tmp_path / "a"), book(tmp_path / "b")
    for data in (one, two):
        take(forth, data)
    for data in (two, one):
        take(back, data)
    assert forth.reachable() == back.reachable()


def test_an_address_of_no_verifier_is_refused(tmp_path: Path) -> None:
    with pytest.raises(NotWelcome):
        take(book(tmp_path), address("https://a.example", 1, NODE))


def test_another_message_is_no_address(tmp_path: Path) -> None:
    with pytest.raises(NotWelcome):
        take(book(tmp_path), has(1))


def test_a_private_address_is_not_kept(tmp_path: Path) -> None:
    kept = book(tmp_path)
    with pytest.raises(InvalidMirrorAddress):
        take(kept, address("http://192.168.0.1"))
    assert kept.reachable() == {ONE: "https://first.example"}


def test_an_address_above_200_characters_is_no_message() -> None:
    with pytest.raises(BadField):
        address("https://a.example/" + "a" * 200)


def test_nowhere_is_an_address_that_nobody_asks(tmp_path: Path) -> None:
    kept = book(tmp_path)
    take(kept, address(NOWHERE, 5))
    assert kept.reachable() == {}
    assert kept.newest()[ONE].url == NOWHERE


def test_a_restart_keeps_the_newest(tmp_path: Path) -> None:
    kept = book(tmp_path)
    take(kept, address("https://b.example", 2))
    kept.close()
    assert book(tmp_path).reachable() == {ONE: "https://b.example"}
