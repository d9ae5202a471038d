"""The view over HTTP: what it shows, to whom, and what it says to a question that it cannot answer."""

from __future__ import annotations

from pathlib import Path

import pytest
from starlette.testclient import TestClient

from commonweight.market.accounts import Accounts
from commonweight.market.money import MicroUsd
from commonweight.market.renting.journal import Fleet, Journal
from commonweight.market.renting.launching import launch
from commonweight.market.serving import market_app
from commonweight.market.view.measured import Yield
from tests.commonweight.market.renting.simulated import BOOTSTRAP, Clock, Simulated, away, offer

pytestmark = pytest.mark.unit


@pytest.fixture
def provider() -> Simulated:
    return Simulated(Clock(), shelf=[offer("dear", price=9_000_000), offer("cheap", price=1_000_000)])


@pytest.fixture
def client(provider: Simulated, tmp_path: Path) -> TestClient:
    app = market_app(Accounts({"sim": provider}, {}), tmp_path, seconds=5.0)
    return TestClient(app, base_url="http://127.0.0.1:8870")


def test_offers_come_cheapest_first(client: TestClient) -> None:
    answer = client.get("/market/offers", params={"gpu": "H100", "max_price": "9"}).json()
    assert [row["name"] for row in answer["offers"]] == ["cheap", "dear"]
    assert (answer["offers"][0]["price_per_gpu_hour"], answer["failed"]) == (1_000_000, [])


def test_a_provider_that_fails_is_named(client: TestClient, provider: Simulated) -> None:
    def fail(_: object) -> list[object]:
        raise away(sent=False)

    provider.offers = fail  # type: ignore[assignment]
    answer = client.get("/market/offers").json()
    assert (answer["offers"], [row["code"] for row in answer["failed"]]) == ([], ["provider-away"])


def test_machines_are_the_journals(client: TestClient, provider: Simulated, tmp_path: Path) -> None:
    journal = Journal(tmp_path / "journal.db", provider.clock)
    journal.fleet_begins(Fleet("f", MicroUsd(10**8), provider.clock.now + 3600))
    rental = launch(journal, provider, offer("cheap", price=1_000_000), "f", lambda _: BOOTSTRAP)
    (row,) = client.get("/market/machines").json()["machines"]
    assert (row["rental"], row["machine"], row["standing"]) == (rental.tag, "m1", "loading")


@pytest.mark.parametrize(
    ("parameters", "code"),
    [
        ({"gpu": "H1000"}, "bad-query"),
        ({"where": "Atlantis"}, "bad-query"),
        ({"max_price": "2 EUR"}, "bad-price"),
        ({"disk": "-1"}, "bad-query"),
        ({"colour": "red"}, "bad-query"),
        ({"sort": "colour"}, "bad-query"),
    ],
)
def test_a_question_that_has_no_answer_is_refused(client: TestClient, parameters: dict[str, str], code: str) -> None:
    answer = client.get("/market/offers", params=parameters)
    assert (answer.status_code, answer.json()["code"]) == (400, code)


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example", ""])
def test_a_page_under_another_name_gets_nothing(client: TestClient, host: str) -> None:
    answer = client.get("/market/machines", headers={"Host": host})
    assert answer.json()["code"] == "foreign-host"


@pytest.mark.parametrize("headers", [{"Sec-Fetch-Site": "cross-site"}, {"Origin": "https://evil.example"}])
def test_no_strangers_page_asks_providers(client: TestClient, provider: Simulated, headers: dict[str, str]) -> None:
    """It cannot read the answer, and each question is one under the renter's key."""
    provider.offers = lambda _: pytest.fail("it was asked")  # type: ignore[assignment,method-assign]
    assert client.get("/market/offers", headers=headers).json()["code"] == "foreign-host"


def test_a_page_of_this_machine_is_answered(client: TestClient) -> None:
    headers = {"Sec-Fetch-Site": "same-site", "Origin": "http://localhost:3000"}
    assert client.get("/market/offers", headers=headers).json()["offers"]


def test_tokens_are_priced_where_a_run_is_named(provider: Simulated, tmp_path: Path) -> None:
    seen = {"H100": Yield("H100", 1, 2_000_000, 2_000_000, 2_000_000)}
    app = market_app(Accounts({"sim": provider}, {}), tmp_path, seconds=5.0, rates=lambda: seen)
    client = TestClient(app, base_url="http://127.0.0.1:8870")
    rows = client.get("/market/offers", params={"sort": "token-price"}).json()["offers"]
    assert [row["price_per_million_tokens"] for row in rows] == [500_000, 4_500_000]
