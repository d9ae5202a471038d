"""A house whose nodes work on rented machines, and the invoices for them, signed by renters and maintainers."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from eth_account.signers.local import LocalAccount

from contracts.messages.for_log import Invoice
from contracts.messages.signatures import sign
from contracts.protocol.log.leaf import write
from contracts.protocol.log.signed import Envelope
from tests.deployed import key_of
from tests.house import House

MIA, MO = key_of("mia"), key_of("mo")
USD, TOKEN, HOUR = 10**6, 10**18, 3600
CAPITAL: dict[str, Any] = {
    "maintainers": f"2:{','.join(sorted((MIA.address, MO.address)))}",
    "code_weight": 0,
    "data_weight": 0,
    "capital_weight": 30,
    "capital_cap": 1_000 * USD,
    "token_price": USD,
    "payback_budget": 1_000 * USD,
}


def opened(house: House, **config: Any) -> House:
    """Four nodes on rented machines; 100 tokens of a dollar an epoch."""
    return house.start(4, 4, emission=100 * TOKEN, config={**CAPITAL, **config})


def worked(house: House) -> int:
    """A round that takes an hour of its own; the hour."""
    run = house.run
    hour = run.round.opened_at // HOUR
    run.commit_all()
    run.see()
    run.read_all()
    run.block(seconds=HOUR)
    run.merge()
    return hour


def invoice(house: House, node: int, hour: int, **changes: Any) -> Invoice:
    """The cost of one machine, 30 dollars."""
    base = Invoice(
        run=house.run.run,
        renter=key_of(f"renter {node}").address,
        account=house.wallets[node].address,
        provider="lambda",
        machine=f"i-{node}",
        bill=b"\7" * 32,
        nodes=(house.run.nodes[node].address,),
        fromHour=hour,
        toHour=hour + 1,
        amount=30 * USD,
        payback=False,
    )
    return replace(base, **changes)


def signed(house: House, message: Invoice, *keys: LocalAccount) -> bytes:
    """By these, in the order of their addresses."""
    ordered = sorted(keys, key=lambda one: one.address)
    domain = house.ledger.chain.domain
    return write(Envelope(message, tuple(sign(message, domain, bytes(one.key)) for one in ordered), {})).encode()


def hand(house: House, message: Invoice, *keys: LocalAccount) -> Any:
    """Post it to the server."""
    headers = {"content-type": "application/json"}
    return house.client.post("/v1/messages", content=signed(house, message, *keys), headers=headers)


def handed(house: House, hour: int, nodes: range = range(4), **changes: Any) -> None:
    """Each renter's own, with its account's and both maintainers' signatures."""
    for node in nodes:
        answer = hand(
            house, invoice(house, node, hour, **changes), MIA, MO, key_of(f"renter {node}"), house.wallets[node]
        )
        assert answer.status_code < 300, answer.text
    house.run.read_on()
