"""Addresses of mirrors: the newest of each verifier counts."""

from __future__ import annotations

from pathlib import Path

import pytest

from contracts.errors import BadField
from contracts.mirrors.urls import NOWHERE, InvalidMirrorAddress
from tests.lock_order import elsewhere
from tests.verifier.mirror.world import NODE, READER, VERIFIERS, address, has
from verifier.mirror.errors import NotWelcome
from verifier.mirror.store.addresses import AddressBook

pytestmark = pytest.mark.unit

ONE, TWO, *_ = (str(key.address) for key in VERIFIERS)


def book(folder: Path, loopback: bool = False) -> AddressBook:
    names = [str(key.address) for key in VERIFIERS]
    first = {ONE.lower(): "https://first.example"}
    return AddressBook(folder / "addresses.db", READER, lambda verifier: verifier in names, loopback, first)


def take(kept: AddressBook, data: bytes) -> bool:
    return kept.take(READER.read(data))


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


def test_the_machine_is_asked_while_the_book_is_free(tmp_path: Path) -> None:
    free: list[bool] = []

    def machine(_verifier: str) -> bool:
        free.append(elsewhere(lambda: kept._known()))
        return True

    kept = AddressBook(tmp_path / "addresses.db", READER, machine, first={ONE: "https://first.example"})
    assert take(kept, address("https://b.example", 2))
    assert kept.reachable() == {ONE: "https://b.example"}
    assert set(free) == {True}
