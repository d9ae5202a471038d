"""What machines cost, from signed invoices through a real ledger to tokens on its chain (ADR 61)."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from contracts.ids import as_address, to_hex
from contracts.protocol.judge.entries import EpochClosed
from contracts.protocol.log.leaf import Entry, read
from contracts.protocol.log_audit import PayoutKind
from ledger.epochs.receipts import receipt_of
from ledger.fsck.examine import require_sound
from tests.deployed import key_of
from tests.house import House, check_refused
from tests.ledger.invoiced import MIA, MO, TOKEN, USD, hand, handed, invoice, opened, worked
from verifier.receipt.errors import WorkDiffers
from verifier.receipt.work import ReceiptReader

pytestmark = pytest.mark.integration


def test_a_cost_becomes_tokens_on_the_chain(tmp_path: Path) -> None:
    """30 dollars a machine, 25 of them paid as compute: 5 are capital, and 5 tokens of capital are minted."""
    with House(tmp_path / "house") as house:
        opened(house)
        hour = worked(house)
        handed(house, hour)
        worked(house)
        (assessed,) = house.log("invoices-assessed")
        assert {line["credited"] for line in assessed["lines"]} == {5 * USD}
        lines = house.get(f"/runs/{to_hex(house.run.run)}/contributions")
        assert {line["weight"] for line in lines} == {str(5 * USD)}
        seen = lines[0]["invoice"]["assessed"]
        assert (seen["tokens"], seen["median_amount"], seen["median_tokens"]) == (256, "234375", 2)
        paid = [line for line in house.payouts(2) if line["kind"] == PayoutKind.CAPITAL]
        assert [line["amount"] for line in paid] == [str(5 * TOKEN)] * 4
        for number in (1, 2):
            house.settle_epoch(number)
        token = house.ledger.chain.token
        before = token.balance_of(house.wallets[0].address)
        house.claim(house.wallets[0].address, 2)
        assert token.balance_of(house.wallets[0].address) - before == 25 * TOKEN
        require_sound(house.ledger)


def shown(house: House, epoch: int, account: str) -> dict[int, Entry]:
    """The entries of a receipt that are about money, read again with their signatures."""
    indices = receipt_of(house.ledger, epoch, account).entries
    kinds = {index: json.loads(house.run.leaves[index])["kind"] for index in indices}
    wanted = ("invoice", "invoices-assessed", "run-terms", "epoch-closed", "round-opened")
    domain = house.ledger.chain.domain
    return {i: read(house.run.leaves[i], domain, as_address) for i, kind in kinds.items() if kind in wanted}


def told(account: str, entries: dict[int, Entry]) -> list[str]:
    """What a reader finds in them, with nothing unchecked."""
    closing = max(index for index, entry in entries.items() if isinstance(entry, EpochClosed))
    reader = ReceiptReader(as_address(account), entries[closing])  # type: ignore[arg-type]
    found = reader.check(entries, closing)
    assert reader.unchecked == []
    return found


def test_a_receipt_of_capital_shows_its_invoice(tmp_path: Path) -> None:
    with House(tmp_path / "house") as house:
        opened(house)
        handed(house, worked(house))
        worked(house)
        account = house.wallets[1].address
        lines = told(account, shown(house, 2, account))
        assert lines[0].startswith("invoice: 30000000 micro-USD for hours")
        assert lines[1].startswith("capital: 5000000 micro-USD")
        assert (
            lines[2]
            == f"capital: {5 * TOKEN} units are worth 5000000 micro-USD, of 5000000 credited that waited for pay"
        )
        assert lines[3].startswith("capital: 5000000 of 5000000 micro-USD of invoice 0x")


def test_a_receipt_of_credit_that_waited_shows_where_from(tmp_path: Path) -> None:
    """35 dollars are credited and 7.50 paid an epoch: each later receipt shows invoice, assessment and earlier pay."""
    with House(tmp_path / "house") as house:
        opened(house)
        handed(house, worked(house), amount=60 * USD)
        for _ in range(3):
            worked(house)
        account = house.wallets[1].address
        assert not any(line.startswith("capital") for line in told(account, shown(house, 1, account)))
        for epoch, waited in ((2, 35_000_000), (3, 27_500_000), (4, 20_000_000)):
            entries = shown(house, epoch, account)
            closed = {entry.epoch for entry in entries.values() if isinstance(entry, EpochClosed)}
            assert closed == set(range(2, epoch + 1))
            lines = told(account, entries)
            assert lines[2].endswith(f"are worth 7500000 micro-USD, of {waited} credited that waited for pay")
            assert lines[3].startswith(f"capital: {waited} of 35000000 micro-USD of invoice 0x")
            assert {MIA.address, account} <= set(lines[3].replace(",", " ").replace(")", " ").split())
        missing = next(index for index, entry in entries.items() if isinstance(entry, EpochClosed) and entry.epoch == 2)
        with pytest.raises(WorkDiffers, match="left out"):
            told(account, {index: entry for index, entry in entries.items() if index != missing})


def test_the_door_refuses_what_the_rule_refuses(tmp_path: Path) -> None:
    """With stable codes, and without a trace."""
    with House(tmp_path / "house") as house:
        opened(house)
        hour = worked(house)
        renter, wallet = key_of("renter 0"), house.wallets[0]
        message = invoice(house, 0, hour)
        before = house.get("/log/size")["size"]
        check_refused(hand(house, message, MIA, MO, wallet), 403, "not-asked")
        check_refused(hand(house, message, MIA, MO, renter), 403, "not-asked")
        check_refused(hand(house, message, MIA, renter, wallet), 422, "not-bound")
        check_refused(hand(house, message, key_of("stranger"), renter, wallet), 422, "not-bound")
        check_refused(hand(house, replace(message, toHour=hour + 2), MIA, MO, renter, wallet), 409, "out-of-time")
        check_refused(hand(house, replace(message, account=renter.address), MIA, MO, renter), 422, "not-bound")
        assert house.get("/log/size")["size"] == before
        assert hand(house, message, MIA, MO, renter, wallet).status_code < 300
        other = replace(message, payback=True, machine="another")
        check_refused(hand(house, other, MIA, MO, renter, wallet), 409, "already-said")
        require_sound(house.ledger)


def test_all_maintainers_sign_beside_renter_and_account(tmp_path: Path) -> None:
    """Thirty-two of thirty-two: with renter and account an invoice has thirty-four signatures."""
    crowd = [key_of(f"maintainer {number}") for number in range(32)]
    names = ",".join(sorted(key.address for key in crowd))
    with House(tmp_path / "house") as house:
        opened(house, maintainers=f"32:{names}")
        message = invoice(house, 0, worked(house))
        own = (key_of("renter 0"), house.wallets[0])
        check_refused(hand(house, message, *crowd[1:], *own), 422, "not-bound")
        check_refused(hand(house, message, *crowd, *own, key_of("stranger")), 422, "invalid-leaf")
        answer = hand(house, message, *crowd, *own)
        assert answer.status_code < 300, answer.text
        require_sound(house.ledger)


def test_an_invoice_outlives_a_restart(tmp_path: Path) -> None:
    """From a snapshot, or from the log: the same assessment."""
    with House(tmp_path / "house") as house:
        opened(house)
        hour = worked(house)
        handed(house, hour, range(2))
        house.restart()
        handed(house, hour, range(2, 4))
        house.restart()
        worked(house)
        (assessed,) = house.log("invoices-assessed")
        assert len(assessed["lines"]) == 4
        require_sound(house.ledger)
