"""Offers and reports of suppliers' hosts: each thing that is wrong with one is refused, by name."""

from __future__ import annotations

from typing import Any

import pytest

from contracts.errors import BadField, BadSignature, CommonweightError
from contracts.hosts.errors import BadHostMessage, HostMessageOld, NotAVerifier
from contracts.hosts.measured import combined
from contracts.hosts.signed import (
    ENDED_SECONDS,
    LONGEST_OFFER,
    Model,
    Signed,
    parse_signed,
    read_signed,
    require_challenge,
    require_offer,
    require_report,
)
from contracts.messages.for_market import HostOffer, MeasuredHost
from contracts.messages.signatures import Domain
from contracts.recursion import bound_recursion
from tests.contracts.hosts.offered import MODEL, NAMES, NOW, OTHER, SUPPLIER, URL, VERIFIERS, challenge, offer, report

pytestmark = pytest.mark.unit


def test_an_offer_comes_through_as_it_was_signed() -> None:
    one = offer()
    assert require_offer(read_signed(HostOffer, one.to_json()), MODEL, NOW) == one.message


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1:8080",
        "http://10.0.0.4",
        "http://169.254.169.254",
        "http://[::1]:80",
        "http://[::ffff:10.0.0.1]",
        "ftp://host.example",
        "https://host.example/",
        "https://host.example/admin",
        "https://user@host.example",
        "https://host.example?x=1",
    ],
)
def test_an_address_that_is_not_public_is_refused(url: str) -> None:
    """A verifier and a renter would ask it from within their own networks."""
    with pytest.raises(BadHostMessage):
        require_offer(offer(url=url), MODEL, NOW)


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"expiresAt": NOW + LONGEST_OFFER + 1}, BadHostMessage),
        ({"expiresAt": NOW}, BadHostMessage),
        ({"issuedAt": NOW - 7200, "expiresAt": NOW - 1}, HostMessageOld),
        ({"issuedAt": NOW + 3000}, HostMessageOld),
        ({"country": "Sweden"}, BadHostMessage),
        ({"gpus": 129}, BadHostMessage),
        ({"price": 10**10 + 1}, BadHostMessage),
        ({"model": b"m" * 32}, BadHostMessage),
        ({"supplier": SUPPLIER.address.lower()}, BadHostMessage),
        ({"supplier": OTHER.address}, BadSignature),
    ],
)
def test_an_offer_that_cannot_stand_is_refused(changes: dict[str, Any], error: type[CommonweightError]) -> None:
    with pytest.raises(error):
        require_offer(offer(**changes), MODEL, NOW)


def test_of_an_offer_that_nobody_signed_nothing_else_is_said() -> None:
    wrong = offer(url="a few words", country="Sweden")
    with pytest.raises(BadSignature):
        require_offer(Signed(wrong.message, b"\x1f" * 64 + b"\x1b"), MODEL, NOW)


def test_an_offer_of_another_chain_is_refused() -> None:
    elsewhere = Model(MODEL.model, Domain(1, MODEL.domain.verifying_contract))
    with pytest.raises(BadSignature):
        require_offer(offer(place=elsewhere), MODEL, NOW)


def test_a_changed_field_ends_the_signature() -> None:
    """A server that lowers the price, or names a better GPU, has no offer of the supplier's."""
    one = offer()
    for name, value in (("price", 1), ("gpu", "H100"), ("url", "https://elsewhere.example")):
        body = one.to_json()
        body["message"][name] = value
        with pytest.raises(BadSignature):
            require_offer(read_signed(HostOffer, body), MODEL, NOW)


@pytest.mark.parametrize("data", [b"", b"[]", b"{}", b'{"message": {}, "signature": "0x"}', b"[" * 100_000])
def test_what_is_no_message_is_refused(data: bytes) -> None:
    bound_recursion()
    with pytest.raises((BadHostMessage, BadField)):
        parse_signed(HostOffer, data)


def test_a_report_counts_only_of_a_verifier_about_this_host() -> None:
    about = offer().message
    assert require_report(report(), MODEL, NAMES, NOW, about).tokens == 1_000_000
    with pytest.raises(NotAVerifier):
        require_report(report(OTHER), MODEL, NAMES, NOW, about)
    with pytest.raises(BadHostMessage):
        require_report(report(about=OTHER), MODEL, NAMES, NOW, about)
    with pytest.raises(BadHostMessage):
        require_report(report(url="https://faster.example"), MODEL, NAMES, NOW, about)
    with pytest.raises(HostMessageOld):
        require_report(report(measuredAt=NOW - ENDED_SECONDS), MODEL, NAMES, NOW, about)
    forged = report(OTHER, verifier=VERIFIERS[0].address)
    with pytest.raises(BadSignature):  # a stranger names a verifier
        require_report(forged, MODEL, NAMES, NOW, about)


def test_a_challenge_for_another_host_or_time_is_refused() -> None:
    about = offer().message
    require_challenge(challenge(), MODEL, NAMES, NOW, about)
    for other in (challenge(url="https://elsewhere.example"), challenge(supplier=OTHER.address)):
        with pytest.raises(BadHostMessage):
            require_challenge(other, MODEL, NAMES, NOW, about)
    with pytest.raises(HostMessageOld):
        require_challenge(challenge(), MODEL, NAMES, NOW + 301, about)
    with pytest.raises(NotAVerifier):
        require_challenge(challenge(OTHER), MODEL, NAMES, NOW, about)


# -- together ----------------------------------------------------------------------------------------------------------


def _reports(*tokens: int, **changes: Any) -> list[MeasuredHost]:
    return [report(one, tokens=count, **changes).message for one, count in zip(VERIFIERS, tokens, strict=False)]


def test_fewer_than_k_say_nothing() -> None:
    assert combined(_reports(5), 2) is None
    assert combined([], 1) is None
    twice = [report(tokens=5).message, report(tokens=6, measuredAt=NOW + 1).message]
    assert combined(twice, 2) is None


def test_no_k_minus_one_lift_a_figure_above_the_honest() -> None:
    found = combined(_reports(10**9, 100, 90), 2)
    assert found is not None
    assert found.tokens == 100
    low = combined(_reports(0, 100, 90), 2)
    assert low is not None
    assert low.tokens == 90


def test_reports_of_other_bits_are_not_counted_together() -> None:
    mixed = [*_reports(100), report(VERIFIERS[1], profile=b"q" * 32).message]
    assert combined(mixed, 2) is None
    assert combined(_reports(100, 100), 2, standard=b"another standard segment".ljust(32)) is None


def test_a_newer_report_of_a_verifier_takes_the_older_ones_place() -> None:
    one = [report(tokens=5).message, report(tokens=3, measuredAt=NOW + 9).message, report(tokens=4).message]
    found = combined(one, 1)
    assert found is not None
    assert (found.tokens, found.at, found.is_old(NOW), found.is_old(NOW + 8 * 86_400)) == (3, NOW + 9, False, True)


def test_a_host_of_this_machine_needs_leave() -> None:
    local: Signed[HostOffer] = offer(url="http://127.0.0.1:9999")
    assert require_offer(local, MODEL, NOW, loopback=True).url != URL
