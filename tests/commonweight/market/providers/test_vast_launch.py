"""Launches at Vast.ai: once, and for no more than the offer's price."""

from __future__ import annotations

import gzip
import re
import subprocess
from base64 import b64decode
from dataclasses import replace
from hashlib import sha256
from typing import Any

import pytest

from commonweight.market.errors import (
    CreditShort,
    KeyRefused,
    OutOfStock,
    PriceRose,
    ProviderAway,
    ProviderError,
    RateLimited,
    RequestRefused,
)
from commonweight.market.provider import Bootstrap
from commonweight.market.providers.vast import Vast, _with_key
from tests.commonweight.market.providers.vast_account import (
    BOOT,
    bid,
    fixed,
    launch,
    refused,
)
from tests.commonweight.market.stand_ins.stand_in import AFTER, Fault
from tests.commonweight.market.stand_ins.vast import VastStandIn

pytestmark = pytest.mark.integration


class TestLaunch:
    def test_order(self, vast: Vast, stand_in: VastStandIn) -> None:
        name = launch(vast, fixed(vast))
        body = stand_in.calls("PUT", "/api/v0/asks/4001")[0].body
        assert stand_in.rented[name]["label"] == "cw-1"
        assert (body["image"], body["disk"], body["cancel_unavail"]) == (BOOT.image, 100, True)
        assert body["env"] == {"-p 8443:8443": "1"}
        assert BOOT.script in body["onstart"]
        assert BOOT.public_key in body["onstart"]
        assert "price" not in body

    def test_a_bid_pays_what_the_offer_says(self, vast: Vast, stand_in: VastStandIn) -> None:
        stand_in.offers[4001]["min_bid"] = 0.123457
        name = launch(vast, bid(vast))
        assert stand_in.rented[name]["is_bid"] is True
        assert stand_in.calls("PUT", "/api/v0/asks")[0].body["price"] == 0.123457

    @pytest.mark.parametrize(
        "changes", [{"dph_base": 0.360001}, {"storage_cost": 0.2}, {"inet_up_cost": 0.01}, {"inet_down_cost": 0.01}]
    )
    def test_a_price_that_rose(self, vast: Vast, stand_in: VastStandIn, changes: dict[str, float]) -> None:
        offer = fixed(vast)
        stand_in.offers[4001] |= changes
        assert refused(vast, offer, PriceRose).sent is False
        assert stand_in.calls("PUT", "/api/v0/asks") == []

    def test_a_least_bid_that_rose(self, vast: Vast, stand_in: VastStandIn) -> None:
        offer = bid(vast)
        stand_in.offers[4001] |= {"min_bid": 0.13, "inet_up_cost": 0}
        refused(vast, offer, PriceRose)
        assert stand_in.calls("PUT", "/api/v0/asks") == []

    def test_a_bid_that_is_too_low_by_now(self, vast: Vast, stand_in: VastStandIn) -> None:
        """The price rises between the question and the order."""
        offer = bid(vast)
        old = list(map(dict, stand_in.offers.values()))
        stand_in._found = lambda search: old  # type: ignore[method-assign]
        stand_in.offers[4001]["min_bid"] = 0.5
        assert refused(vast, offer, PriceRose).sent is False
        assert stand_in.rented == {}

    def test_a_price_that_fell_is_taken(self, vast: Vast, stand_in: VastStandIn) -> None:
        offer = fixed(vast)
        stand_in.offers[4001]["dph_base"] = 0.3
        assert launch(vast, offer) in stand_in.rented

    def test_an_offer_that_is_gone(self, vast: Vast, stand_in: VastStandIn) -> None:
        offer = fixed(vast)
        del stand_in.offers[4001]
        assert refused(vast, offer, OutOfStock).sent is False

    def test_an_offer_that_goes_meanwhile(self, vast: Vast, stand_in: VastStandIn) -> None:
        offer = fixed(vast)
        row = stand_in.offers.pop(4001)
        stand_in._found = lambda search: [row]  # type: ignore[method-assign]
        assert refused(vast, offer, OutOfStock).sent is False

    @pytest.mark.parametrize(
        ("status", "body", "error"),
        [
            (410, {"success": False, "error": "no_such_ask", "msg": "no longer available."}, OutOfStock),
            (400, {"success": False, "error": "invalid_args", "msg": "Invalid args"}, RequestRefused),
            (403, {"success": False, "error": "invalid_args", "msg": "Offer 1 is not your own."}, RequestRefused),
            (401, {"success": False, "error": "auth_error", "msg": "no"}, KeyRefused),
            (404, {"success": False, "error": "auth_error", "msg": "Invalid user key"}, KeyRefused),
            (429, {"detail": "API requests too frequent endpoint threshold=4.5"}, RateLimited),
            (200, {"success": False, "error": "no_such_ask", "msg": "gone"}, OutOfStock),
        ],
    )
    def test_refusal(self, vast: Vast, stand_in: VastStandIn, status: int, body: Any, error: type) -> None:
        offer = fixed(vast)
        stand_in._rent = lambda *_: (status, body)  # type: ignore[method-assign]
        assert refused(vast, offer, error).sent is False

    @pytest.mark.parametrize(
        ("status", "body"),
        [
            (200, {"success": True}),
            (200, {"success": True, "new_contract": "soon"}),
            (200, {"new_contract": 5}),
            (200, {"success": False, "error": "what", "msg": "who knows"}),
            (200, []),
            (500, {"error": "oops"}),
            (502, {"success": False, "error": "no_such_ask"}),
            (302, {}),
        ],
    )
    def test_an_answer_that_says_nothing(self, vast: Vast, stand_in: VastStandIn, status: int, body: Any) -> None:
        offer = fixed(vast)
        stand_in._rent = lambda *_: (status, body)  # type: ignore[method-assign]
        assert refused(vast, offer, ProviderAway).sent is True

    def test_no_credit(self, vast: Vast, stand_in: VastStandIn) -> None:
        offer = fixed(vast)
        stand_in.credit = False
        assert refused(vast, offer, CreditShort).sent is False

    @pytest.mark.parametrize("how", list(Fault))
    def test_sent_once(self, stand_in: VastStandIn, how: Fault) -> None:
        account = Vast(stand_in.url, stand_in.key, seconds=0.3 if how is Fault.SLOW else 5.0)
        offer = fixed(account)
        stand_in.fail("PUT", "/api/v0/asks", how)
        with pytest.raises(ProviderError) as caught:
            launch(account, offer)
        assert len(stand_in.calls("PUT", "/api/v0/asks")) == 1
        if how in AFTER or how is Fault.SLOW:
            assert (caught.value.sent, stand_in.launches) == (True, 1)
            assert [one.tag for one in account.machines()] == ["cw-1"]
        else:
            assert stand_in.launches == 0

    def test_trouble_with_the_question_has_sent_no_order(self, stand_in: VastStandIn) -> None:
        account = Vast(stand_in.url, stand_in.key)
        offer = fixed(account)
        stand_in._found = lambda search: None  # type: ignore[method-assign, assignment, return-value]
        assert refused(account, offer, ProviderAway).sent is False
        assert stand_in.calls("PUT", "/api/v0/asks") == []

    def test_a_long_script_is_packed(self, vast: Vast, stand_in: VastStandIn) -> None:
        script = "#!/bin/bash\n" + "echo a long way\n" * 1000
        name = launch(vast, fixed(vast), Bootstrap(script, "image"))
        onstart = stand_in.rented[name]["onstart"]
        packed = re.fullmatch(r"echo (\S+)\|base64 -d\|gunzip >/root/start.sh;bash /root/start.sh", onstart)
        assert packed is not None
        assert gzip.decompress(b64decode(packed[1])).decode() == script

    def test_a_script_that_no_packing_shortens(self, vast: Vast, stand_in: VastStandIn) -> None:
        script = "".join(sha256(bytes([n])).hexdigest() for n in range(200))
        with pytest.raises(RequestRefused, match="4048 characters"):
            launch(vast, fixed(vast), Bootstrap(script, "image"))
        assert stand_in.launches == 0


def test_the_comment_of_a_key_breaks_no_script() -> None:
    """Each machine would be paid for, and run nothing."""
    script = _with_key(replace(BOOT, public_key="ssh-ed25519 AAAA ann's $(laptop)"))
    assert subprocess.run(["/bin/sh", "-n"], input=script.encode(), check=False).returncode == 0
    assert "'ssh-ed25519 AAAA ann'" in script
