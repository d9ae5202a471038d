"""The board of suppliers' hosts: what is taken, what each newcomer displaces, and what a reader is given."""

from __future__ import annotations

from typing import Any

import pytest
from eth_account import Account
from httpx import Response
from sqlmodel import select

from contracts.hosts.signed import LONGEST_OFFER, Model
from contracts.messages.fields import to_json
from ledger import hosts
from ledger.storage.tables import HostOfferRow
from tests.contracts.hosts import offered
from tests.deployed import verifier_keys
from tests.holds import Threat, holds
from tests.house import House, accepted, check_refused

pytestmark = pytest.mark.unit


@pytest.fixture
def model(house: House) -> Model:
    """The model of the server."""
    return hosts.model_of(house.ledger)


def _offer(house: House, account: Any = offered.SUPPLIER, **changes: Any) -> Response:
    now = house.clock.now
    times = {"issuedAt": now, "expiresAt": now + 3600}
    one = offered.offer(account, hosts.model_of(house.ledger), **(times | changes))
    answer: Response = house.client.post("/v1/market/offers", json=one.to_json())
    return answer


def _report(house: House, verifier: Any, **changes: Any) -> Response:
    given = {"measuredAt": house.clock.now} | changes
    one = offered.report(verifier, place=hosts.model_of(house.ledger), **given)
    answer: Response = house.client.post("/v1/market/reports", json=one.to_json())
    return answer


def _listed(house: House) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = house.get("/market/hosts")
    return found


def test_an_offer_is_listed_as_it_was_signed_until_it_ends(house: House) -> None:
    accepted(_offer(house))
    (line,) = _listed(house)
    assert line["offer"]["message"]["supplier"] == offered.SUPPLIER.address
    assert line["reports"] == []
    house.clock.now += 3600
    assert _listed(house) == []


def test_one_key_has_one_offer_and_an_older_one_never_returns(house: House) -> None:
    first = _offer(house)
    accepted(first)
    house.clock.now += hosts.LEAST_PAUSE
    accepted(_offer(house, price=200_000))
    assert [line["offer"]["message"]["price"] for line in _listed(house)] == [200_000]
    check_refused(_offer(house, issuedAt=house.clock.now - 1), 422, "host-message-old")
    sent_again = _offer(house, price=200_000)
    accepted(sent_again)
    assert len(_listed(house)) == 1


def test_offers_that_cannot_stand_are_refused(house: House) -> None:
    now = house.clock.now
    check_refused(_offer(house, url="http://169.254.169.254"), 422, "bad-host-message")
    check_refused(_offer(house, expiresAt=now + LONGEST_OFFER + 1), 422, "bad-host-message")
    check_refused(_offer(house, supplier=offered.OTHER.address), 401, "bad-signature")
    assert _listed(house) == []


def test_reports_are_taken_of_verifiers_about_hosts_on_offer(house: House) -> None:
    verifier = verifier_keys()[0]
    check_refused(_report(house, verifier), 404, "host-unknown")
    accepted(_offer(house))
    check_refused(_report(house, offered.OTHER), 403, "not-a-verifier")
    check_refused(_report(house, verifier, url="https://faster.example"), 422, "bad-host-message")
    accepted(_report(house, verifier, tokens=7))
    accepted(_report(house, verifier, tokens=9_999, measuredAt=house.clock.now - 60))
    (line,) = _listed(house)
    assert [one["message"]["tokens"] for one in line["reports"]] == [7], "an older report changes nothing"


def test_reports_of_another_address_are_not_shown_with_an_offer(house: House) -> None:
    """A supplier that moves has to be measured again."""
    accepted(_offer(house))
    accepted(_report(house, verifier_keys()[0]))
    house.clock.now += hosts.LEAST_PAUSE
    accepted(_offer(house, url="https://slower.example"))
    assert [line["reports"] for line in _listed(house)] == [[]]


def test_an_offer_that_was_withdrawn_never_returns(house: House) -> None:
    """Its row has ended, and others came since; somebody kept a copy of the offer, which would stand for hours."""
    now = house.clock.now
    accepted(_offer(house))
    house.clock.now += 60
    accepted(_offer(house, expiresAt=house.clock.now + 1))
    house.clock.now += 60
    accepted(_offer(house, offered.OTHER))
    check_refused(_offer(house, issuedAt=now, expiresAt=now + 3600), 422, "host-message-old")
    assert [line["offer"]["message"]["supplier"] for line in _listed(house)] == [offered.OTHER.address]


def test_offers_that_ended_are_remembered_up_to_a_number(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hosts, "MOST_ENDED", 2)
    for number in range(5):
        now = house.clock.now
        accepted(_offer(house, Account.from_key(bytes([6, number]) * 16), expiresAt=now + 1))
        house.clock.now += 5
    accepted(_offer(house))
    with house.ledger.store.read() as session:
        assert len(session.exec(select(HostOfferRow)).all()) == 3


@holds(
    "Strangers' offers of hosts fill a part of the server's board, and displace nobody with a stake or a measured host",
    by="ledger/hosts.py:offer",
    against=Threat.FLOOD,
)
def test_strangers_fill_their_part_and_no_more(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who has a stake, or was measured by k verifiers, is let in beside them."""
    monkeypatch.setattr(hosts, "MOST_OF_STRANGERS", 2)
    accepted(_offer(house))
    for verifier in verifier_keys()[:2]:
        accepted(_report(house, verifier))
    strangers = [Account.from_key(bytes([9, number]) * 16) for number in range(3)]
    for stranger in strangers[:2]:
        accepted(_offer(house, stranger))
    check_refused(_offer(house, strangers[2]), 429, "board-full")
    accepted(_offer(house, verifier_keys()[1]))
    house.clock.now += hosts.LEAST_PAUSE
    accepted(_offer(house, strangers[0]))
    accepted(_offer(house))
    assert len(_listed(house)) == 4
    house.clock.now += 3600
    accepted(_offer(house, strangers[2]))


def test_one_verifier_alone_lifts_no_stranger(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """It could sign reports for any number of keys of its own, and fill the part of those with a stake."""
    monkeypatch.setattr(hosts, "MOST_OF_STRANGERS", 1)
    first, second = (Account.from_key(bytes([5, number]) * 16) for number in range(2))
    accepted(_offer(house, first))
    accepted(_report(house, verifier_keys()[0], supplier=first.address))
    accepted(_report(house, verifier_keys()[0], supplier=first.address, measuredAt=house.clock.now + 1))
    check_refused(_offer(house, second), 429, "board-full")
    accepted(_report(house, verifier_keys()[1], supplier=first.address))
    accepted(_offer(house, second))


def test_pages_of_hosts_follow_their_addresses(house: House) -> None:
    for number in range(3):
        accepted(_offer(house, Account.from_key(bytes([7, number]) * 16)))
    first = house.get("/market/hosts", limit=2)
    last = first[-1]["offer"]["message"]["supplier"]
    rest = house.get("/market/hosts", after=last)
    names = [line["offer"]["message"]["supplier"] for line in first + rest]
    assert names == sorted(names)
    assert len(names) == 3


def test_a_body_of_another_form_is_refused(house: House) -> None:
    body = offered.offer().to_json()
    for broken in ({}, {**body, "more": 1}, {**body, "message": {}}, {**body, "signature": "0x00"}):
        assert house.client.post("/v1/market/offers", json=broken).status_code in (401, 422)
    assert to_json(offered.offer().message)["rents"] is True
