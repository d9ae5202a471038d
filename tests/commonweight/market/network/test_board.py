"""The server's list is a claim: what its suppliers and k verifiers did not sign is not shown."""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

import pytest
from eth_account import Account

from commonweight.market.network.hosting import measured
from commonweight.market.network.provider import offer_of
from commonweight.market.offers import OfferKind, Query, query_of
from commonweight.market.provider import Provider
from commonweight.market.view.rows import document, table
from contracts.hosts.wire import HostLine
from tests.commonweight.market.network.world import STANDARD, Renter, measured_by
from tests.contracts.hosts import offered
from tests.contracts.hosts.offered import NOW, OTHER, SUPPLIER, VERIFIERS
from tests.holds import Threat, holds
from verifier.hosts.errors import HostAway
from verifier.hosts.measuring import Measuring

pytestmark = pytest.mark.unit
EVERY = Query(kinds=frozenset(OfferKind))


@pytest.fixture
def renter(tmp_path: Path) -> Renter:
    return Renter(tmp_path)


def test_k_verifiers_make_a_host_one_that_is_rented(renter: Renter) -> None:
    renter.listing.add(offered.offer(), *measured_by(2, received=10**7, sent=5 * 10**6))
    (offer,) = renter.network().offers(Query())
    assert (offer.name, offer.gpu, offer.gpus, offer.price.total) == (SUPPLIER.address, "4090", 1, 300_000)
    assert (offer.down_mbps, offer.up_mbps, offer.kind) == (80, 40, OfferKind.LIVE)
    assert offer.measured is not None
    assert set(offer.measured.signers) == {one.address for one in VERIFIERS[:2]}


@holds(
    "What is shown as measured of a supplier's host was signed by k verifiers of the chain, for this host",
    by="commonweight/market/network/board.py:Board.checked",
    against=Threat.SILENT_SERVER,
    also="tests/contracts/hosts/test_signed.py:test_no_k_minus_one_lift_a_figure_above_the_honest",
)
@pytest.mark.parametrize("count", [0, 1])
def test_fewer_than_k_leave_it_not_measured(renter: Renter, count: int) -> None:
    renter.listing.add(offered.offer(), *measured_by(count))
    assert renter.network().offers(Query()) == []
    (offer,) = renter.network().offers(EVERY)
    assert (offer.kind, offer.measured, offer.down_mbps) == (OfferKind.UNMEASURED, None, 0)


@pytest.mark.parametrize(
    "reports",
    [
        [*measured_by(1), offered.report(OTHER, standard=STANDARD)],
        [*measured_by(1), *measured_by(1, tokens=5)],
        measured_by(2, about=OTHER),
        measured_by(2, url="https://faster.example"),
        measured_by(2, measuredAt=NOW - 31 * 86_400),
        measured_by(2, standard=b"easier".ljust(32)),
        measured_by(2, model=b"m" * 32),
    ],
    ids=["a stranger's", "one verifier twice", "another host's", "another address", "ended", "easier", "other model"],
)
def test_reports_that_say_nothing_of_this_host_are_not_counted(renter: Renter, reports: list[Any]) -> None:
    renter.listing.add(offered.offer(), *reports)
    assert [offer.measured for offer in renter.network().offers(EVERY)] == [None]


def test_a_server_makes_up_no_host(renter: Renter) -> None:
    """It changes a price, gives an ended offer, and puts in what is no offer at all."""
    changed = offered.offer().to_json()
    changed["message"]["price"] = 1
    renter.listing.lines = [
        HostLine(offer=changed, reports=[]),
        HostLine(offer={}, reports=[]),
        HostLine(offer={"message": {}, "signature": "0x"}, reports=[{}]),
        HostLine(offer=offered.offer(OTHER, issuedAt=NOW - 7200, expiresAt=NOW - 1).to_json(), reports=[]),
    ]
    assert renter.network().offers(EVERY) == []


def test_what_is_declared_is_never_shown_as_measured(renter: Renter) -> None:
    """A supplier says H100: the kind is its word, and measured is only what verifiers signed."""
    renter.listing.add(offered.offer(gpu="H100", gpuMemory=80), *measured_by(2, tokens=5_000))
    (host,) = renter.board.hosts()
    offer = offer_of(host, NOW)
    shown = document(offer, None, {}, NOW)
    assert set(shown["measured"]) == {"tokens", "memory", "received", "sent", "profile", "standard", "signers", "at"}
    assert "its word" in offer.security.ground
    assert "5 std tokens/s" in str(next(iter(table([offer], {}, NOW).columns[-1].cells)))


def test_an_old_report_is_marked(renter: Renter) -> None:
    renter.listing.add(offered.offer(), *measured_by(2, measuredAt=NOW - 8 * 86_400))
    (offer,) = renter.network().offers(Query())
    assert document(offer, None, {}, NOW)["measured_old"] is True
    assert "old: " in str(next(iter(table([offer], {}, NOW).columns[-1].cells)))


def test_two_measured_offers_of_one_host_name_are_marked(renter: Renter) -> None:
    """Under two keys at two ports, as two kinds: also where only one of them is asked for."""
    at: dict[str, Any] = {"url": "https://host.example.:8443"}
    renter.listing.add(offered.offer(), *measured_by(2))
    renter.listing.add(offered.offer(OTHER, gpu="H100", **at), *measured_by(2, OTHER, **at))
    assert {offer.name: offer.sharing for offer in renter.network().offers(Query())} == {
        SUPPLIER.address: 1,
        OTHER.address: 1,
    }
    assert [offer.sharing for offer in renter.network().offers(query_of("4090"))] == [1]


def test_a_strangers_offer_at_ones_own_host_name_marks_nobody(renter: Renter) -> None:
    """Anybody can sign one; verifiers find one key there, and the other is never measured."""
    renter.listing.add(offered.offer(), *measured_by(2))
    renter.listing.add(offered.offer(OTHER, price=1))
    found = {offer.name: offer for offer in renter.network().offers(EVERY)}
    assert (found[SUPPLIER.address].sharing, found[OTHER.address].sharing) == (0, 1)
    assert found[OTHER.address].kind is OfferKind.UNMEASURED


def test_a_server_that_repeats_an_offer_shows_one(renter: Renter) -> None:
    """The newest counts, whatever the order; nobody's host shares its name with itself."""
    newer = offered.offer(issuedAt=NOW + 60, price=400_000)
    for one in (offered.offer(), newer, offered.offer(issuedAt=NOW - 60, price=1), newer):
        renter.listing.add(one, *measured_by(2))
    (offer,) = renter.network().offers(Query())
    assert (offer.price.total, offer.sharing) == (400_000, 0)


def test_reports_of_others_crowd_none_of_the_verifiers_out(renter: Renter) -> None:
    """Verifiers that have left, or that a server made up."""
    others = [offered.report(Account.from_key(bytes([8, number]) * 16), standard=STANDARD) for number in range(40)]
    renter.listing.add(offered.offer(), *others, *measured_by(2))
    (offer,) = renter.network().offers(Query())
    assert offer.measured is not None


def test_a_round_of_measuring_reaches_what_a_flood_would_hide(renter: Renter, monkeypatch: pytest.MonkeyPatch) -> None:
    """Cheap offers of strangers: measured hosts come first, and of the others each has its chance."""
    monkeypatch.setattr("commonweight.market.network.board.MOST_SHOWN", 3)
    for number in range(1, 6):
        renter.listing.add(offered.offer(Account.from_key(bytes([9, number]) * 16), price=0))
    renter.listing.add(offered.offer(OTHER), *measured_by(2, OTHER))
    renter.listing.add(offered.offer())
    asked: list[str] = []

    class Asked:
        def measure(self, place: str, supplier: str) -> Any:
            asked.append(supplier)
            raise HostAway("no")

    list(measured(cast(Measuring, Asked()), renter.board))
    assert asked[0] == OTHER.address
    assert SUPPLIER.address in asked


def test_a_machine_without_gpus_comes_only_to_who_asks_for_it(renter: Renter) -> None:
    renter.listing.add(offered.offer(gpu="-", gpus=0, gpuMemory=0), *measured_by(2))
    assert renter.network().offers(Query()) == []
    (offer,) = renter.network().offers(query_of("CPU"))
    assert (offer.gpu, offer.gpus) == ("CPU", 1)


def test_a_host_that_runs_nothing_of_renters_is_a_list_price(renter: Renter) -> None:
    renter.listing.add(offered.offer(rents=False), *measured_by(2))
    assert [offer.kind for offer in renter.network().offers(EVERY)] == [OfferKind.LIST]


def test_the_network_is_a_provider_of_the_market(renter: Renter) -> None:
    provider: Provider = renter.network()
    assert provider.facts.tagged
