"""Capital in a receipt: what waited, what earlier epochs paid of it, and what a server cannot leave out."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from contracts.ids import RunId, as_address
from contracts.protocol.judge.entries import Assessed, EpochClosed, InvoicesAssessed, Line, RoundOpened
from contracts.protocol.judge.facts import Invoiced
from contracts.protocol.log.leaf import Entry
from contracts.protocol.run_config import RunConfig
from verifier.receipt.errors import WorkDiffers
from verifier.receipt.work import ReceiptReader

pytestmark = pytest.mark.unit

RUN, USD, TOKEN = RunId("0xrun"), 10**6, 10**18
ACCOUNT, RENTER, MIA = (as_address("0x" + digits * 20) for digits in ("11", "22", "33"))
CONFIG = RunConfig(maintainers=f"1:{MIA}", token_price=USD).to_json()
SIGNED = tuple(sorted((ACCOUNT, RENTER, MIA)))
INVOICE = Invoiced(RUN, "0xkey", RENTER, ACCOUNT, "vast", "i-1", "0xbill", (MIA,), 5, 6, 9 * USD, False, SIGNED)
LINE = Assessed("0xkey", 2, ACCOUNT, False, 9 * USD, 100, 1, 1, USD, 8 * USD)
ASSESSED = InvoicesAssessed(RUN, (LINE,), 8 * USD, 0)


def opened(number: int, config: str = CONFIG) -> RoundOpened:
    return RoundOpened(RUN, number, "", "", config, "", 1, 2, (), ())


def closed(epoch: int, tokens: int, **changes: Any) -> EpochClosed:
    """An epoch of one round, which pays so many tokens of capital."""
    lines = (Line(ACCOUNT, 0, 7), Line(ACCOUNT, 2, tokens * TOKEN)) if tokens else ()
    due = 7 + tokens * TOKEN
    return replace(EpochClosed(epoch, 0, RUN, epoch, epoch, due, due, lines, "0xroot", 2_000, 1_000), **changes)


def entries(*pays: int) -> dict[int, Entry]:
    """Epoch 2 assesses an invoice of 8 dollars, and it and the next ones pay so many tokens each."""
    found: dict[int, Entry] = {1: opened(1), 2: INVOICE, 3: opened(2), 10: ASSESSED, 11: closed(2, pays[0])}
    for number, tokens in enumerate(pays[1:], 3):
        found |= {10 * number: opened(number), 10 * number + 1: closed(number, tokens)}
    return found


def read(found: dict[int, Entry]) -> tuple[list[str], list[str]]:
    """The lines about capital, and what is left open, of the newest epoch's receipt."""
    closing = max(found)
    assert isinstance(found[closing], EpochClosed)
    reader = ReceiptReader(ACCOUNT, found[closing])  # type: ignore[arg-type]
    lines = reader.check(found, closing)
    return [line for line in lines if line.startswith("capital")][1:], reader.unchecked


@pytest.mark.parametrize(("pays", "worth", "waited"), [((3,), 3, 8), ((3, 3), 3, 5), ((3, 0, 2, 3), 3, 3)])
def test_what_waited_is_less_by_what_was_paid(pays: tuple[int, ...], worth: int, waited: int) -> None:
    told, unchecked = read(entries(*pays))
    assert told[0].endswith(f" are worth {worth * USD} micro-USD, of {waited * USD} credited that waited for pay")
    assert told[1].startswith(f"capital: {waited * USD} of {8 * USD} micro-USD of invoice 0xkey (entry 2, assessed in")
    assert unchecked == []


def test_a_wholly_paid_invoice_is_not_told_again() -> None:
    second = replace(INVOICE, key="0xother", machine="i-2")
    found = entries(3, 5, 4) | {35: second, 40: opened(4)}
    line = replace(LINE, key="0xother", entry=35)
    found |= {50: InvoicesAssessed(RUN, (line,), 16 * USD, 0), 51: closed(5, 2), 45: opened(5)}
    found[31] = closed(3, 5)
    found[41] = closed(4, 0)
    told, _ = read(found)
    assert [text.split(" of invoice ")[1].split(" ")[0] for text in told if " of invoice " in text] == ["0xother"]


@pytest.mark.parametrize("left_out", [11, 31, 30, 41])
def test_nothing_between_can_be_left_out(left_out: int) -> None:
    """A closing that paid, or the opening by whose price it did."""
    found = entries(3, 2, 1, 1)
    with pytest.raises(WorkDiffers, match="left out"):
        read({index: entry for index, entry in found.items() if index != left_out})


@pytest.mark.parametrize("pays", [(9,), (5, 4), (3, 3, 0, 3)], ids=["in-its-epoch", "in-the-next", "after-a-pause"])
def test_more_than_was_credited_is_refused(pays: tuple[int, ...]) -> None:
    with pytest.raises(WorkDiffers, match="were credited"):
        read(entries(*pays))


def test_what_is_anothers_or_told_twice_is_refused() -> None:
    wrong: list[dict[int, Entry]] = [
        {11: replace(closed(2, 3), run=RunId("0xother"))},
        {11: closed(4, 3)},
        {10: replace(ASSESSED, lines=(replace(LINE, amount=1),))},
        {9: ASSESSED},
        {2: replace(INVOICE, signers=tuple(sorted((MIA, RENTER))))},
    ]
    for change in wrong:
        with pytest.raises(WorkDiffers):
            read({**entries(3, 2), **change})


def test_what_a_receipt_cannot_show_is_said() -> None:
    """No invoice; a limit that cut a closing; an epoch that closed anew, with its first closing unseen."""
    found = entries(3, 2)
    assert "shows none" in read({index: entry for index, entry in found.items() if index not in (2, 10)})[1][0]
    assert "the limit cut epoch 2" in read(found | {11: closed(2, 3, total=1)})[1][0]
    assert read(entries(3) | {15: closed(2, 3)})[1] == []
    (said,) = read({index: entry for index, entry in entries(3).items() if index != 11} | {15: closed(2, 3)})[1]
    assert "closed anew" in said
