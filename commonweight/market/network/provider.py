"""This model's own suppliers as a provider: hosts of anybody, measured by verifiers, rented by the renter's key.

Nothing is paid here. Renter and supplier settle the price between them, or the supplier is paid as the nodes are that
run there. A host has no account of its renter's: what was ordered where is in a file beside the journal.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from commonweight.market.errors import (
    OutOfStock,
    PriceRose,
    ProviderAway,
    ProviderError,
    RequestRefused,
)
from commonweight.market.gpus import CPU, gpu_name
from commonweight.market.money import MicroUsd, for_seconds
from commonweight.market.network.board import Board, OfferedHost
from commonweight.market.network.calling import HostCalls, NoSuchMachine
from commonweight.market.network.orders import Ordered, Orders
from commonweight.market.offers import NETWORK, Level, Offer, OfferKind, Price, Query, Security
from commonweight.market.provider import Bootstrap, Machine, MachineState, Noted, ProviderFacts
from commonweight.model.trusted import trusted
from contracts.hosts.signed import Model
from contracts.ids import from_hex, to_hex
from contracts.messages.for_market import NOTHING as UNSAID
from contracts.messages.for_market import HostOffer
from contracts.messages.signatures import Domain
from contracts.mirrors.places import is_loopback

DEPLOYMENT_VARIABLE = "COMMONWEIGHT_MARKET_NETWORK_DEPLOYMENT"
RPC_VARIABLE = "COMMONWEIGHT_MARKET_NETWORK_RPC_URL"
TRUST_SECONDS = 600.0
"""For so long the verifiers of the chain are remembered."""
DAY_SECONDS = 86_400
"""A machine's time where its script names none."""
LAG_SECONDS = 120
LOST_SECONDS = 600
"""A host that has not answered for so long has lost its machines."""
ASKED_AT_ONCE = 64
"""So that a hundred silent hosts take no longer than one list may (commonweight/market/calling/guarded.py)."""

FACTS = ProviderFacts(
    name=NETWORK,
    tagged=True,
    kyc="none: any key offers",
    pays=("as renter and supplier agree; nothing is paid here",),
    api="this model's own messages (contracts/messages/for_market.py)",
    lag_seconds=LAG_SECONDS,
)
_SECURITY = Security(Level.COMMUNITY, "any key; kind and sizes are its word", "a process group of the supplier's")


@dataclass
class Network:
    """One renter (`key`, a private key without funds) at one model's server; `folder` is the market's."""

    url: str
    key: str = field(repr=False)
    folder: Path
    now: Callable[[], int] = lambda: int(time.time())
    clock: Callable[[], float] = time.monotonic
    _board: Board | None = None
    _known_at: float = 0.0
    _orders: Orders | None = None
    _silent: dict[str, float] = field(default_factory=dict)
    _ran: dict[str, int] = field(default_factory=dict)

    @property
    def facts(self) -> ProviderFacts:
        """What is known of it before any call."""
        return FACTS

    def offers(self, query: Query) -> list[Offer]:
        """Hosts on the server's list. Those that fewer than k verifiers measured, and those that run nothing of
        renters, are of kinds that nobody rents by."""
        now = self.now()

        def wanted(offer: HostOffer) -> bool:
            return _fits(query, offer_of(OfferedHost(offer, None), now))

        shown = [offer_of(host, now) for host in self.board().hosts(wanted)]
        return [offer for offer in shown if query.takes(offer)]

    def launch(self, offer: Offer, bootstrap: Bootstrap, tag: str, noted: Noted) -> str:  # noqa: ARG002
        """Order it of the host itself, at the price that it names now."""
        model = self.board().model
        calls = self._calls_of(model)
        host = calls.offer(offer.place)
        if host.supplier != offer.name or not host.rents:
            raise OutOfStock(f"{offer.place} is not offered by {offer.name} any more")
        if not _still_is(offer_of(OfferedHost(host, None), self.now()), offer):
            raise OutOfStock(f"{offer.place} offers another machine now, or on other terms")
        if host.price * max(1, host.gpus) > offer.price.total:
            raise PriceRose(f"{offer.place} costs {host.price} micro-USD an hour and GPU")
        now = self.now()
        ends_at = now + (bootstrap.seconds or DAY_SECONDS)
        price = MicroUsd(host.price * max(1, host.gpus))
        order = Ordered(
            model=to_hex(model.model),
            chain_id=model.domain.chain_id,
            registry=model.domain.verifying_contract,
            tag=tag,
            url=host.url,
            supplier=host.supplier,
            gpu=offer.gpu,
            gpus=offer.gpus,
            price=price,
            sent_at=now,
            ends_at=ends_at,
        )
        self._kept().keep(order)
        try:
            calls.order(host, tag, bootstrap.script, ends_at, host.price)
        except ProviderError as error:
            if not error.sent:
                self._kept().gone(order)
            raise
        return tag

    def machines(self) -> list[Machine]:
        """Of each host that something was ordered of; one that does not answer is shown as it was, and lost after ten
        minutes. The prices are those that were agreed."""
        orders = [order for order in self._kept().all() if not order.is_over(self.now())]
        places = {(order.url, order.supplier): self._calls(order) for order in orders}
        with ThreadPoolExecutor(ASKED_AT_ONCE) as pool:
            found = pool.map(lambda place: _asked(places[place], *place), places)
            answers = dict(zip(places, found, strict=True))
        shown = [self._machine(order, answers[order.url, order.supplier]) for order in orders]
        return [machine for machine in shown if machine is not None]

    def terminate(self, machine: str) -> None:
        """End it. What was never ordered, or is gone, has ended; a host that took the end bills nothing more, whatever
        it lists."""
        order = self._kept().named(machine)
        if order is None or order.is_over(self.now()):
            return
        with suppress(NoSuchMachine):
            self._calls(order).end(order.url, order.supplier, machine)
        self._kept().told(order, self.now())

    def spent(self, machine: str) -> MicroUsd | None:
        """The agreed price for the time that the host says, no more than has passed: no host's word ends a fleet."""
        order = self._kept().named(machine)
        if order is None or machine not in self._ran:
            return None
        return for_seconds(order.price, min(self._ran[machine], order.most_seconds(self.now())))

    def logs(self, machine: str) -> str:
        """The last lines of its output, as the host has them."""
        order = self._kept().named(machine)
        if order is None:
            raise RequestRefused(f"nothing was ordered under the name {machine[:64]}")
        return self._calls(order).output(order.url, order.supplier, machine)

    def board(self) -> Board:
        """The server's list, and whose word counts for it."""
        if self._board is None or self.clock() - self._known_at > TRUST_SECONDS:
            file, rpc = os.environ.get(DEPLOYMENT_VARIABLE), os.environ.get(RPC_VARIABLE)
            found = trusted(self.url, Path(file) if file else None, rpc or None)
            self._board = Board(found, self.now, is_loopback(self.url))
            self._known_at = self.clock()
        return self._board

    def _calls(self, order: Ordered) -> HostCalls:
        """As its order was signed, without a question to the server: it may be away while machines are to be ended."""
        return self._calls_of(Model(from_hex(order.model), Domain(order.chain_id, order.registry)))

    def _calls_of(self, model: Model) -> HostCalls:
        return HostCalls(model, from_hex(self.key), is_loopback(self.url), self.now)

    def _kept(self) -> Orders:
        self._orders = self._orders or Orders(self.folder / "network.db")
        return self._orders

    def _machine(self, order: Ordered, answer: Sequence[Mapping[str, Any]] | ProviderError) -> Machine | None:
        if isinstance(answer, ProviderError):
            since = self._silent.setdefault(order.url, self.clock())
            state = MachineState.FAILED if self.clock() - since > LOST_SECONDS else MachineState.LOADING
            return self._shown(order, state, f"{order.url} does not answer: {answer.detail}")
        self._silent.pop(order.url, None)
        found = next((one for one in answer if one.get("tag") == order.tag), None)
        if found is not None and not found.get("ended_at"):
            self._ran[order.tag] = self.now() - order.sent_at
            return self._shown(order, MachineState.RUNNING, "")
        if found is not None or self.now() - order.sent_at > LAG_SECONDS:
            self._kept().gone(order)
        return None

    def _shown(self, order: Ordered, state: MachineState, detail: str) -> Machine:
        return Machine(
            name=order.tag,
            state=state,
            tag=order.tag,
            gpu=order.gpu,
            gpus=order.gpus,
            price=order.price,
            started_at=order.sent_at,
            detail=detail,
        )


def offer_of(host: OfferedHost, now: int) -> Offer:
    """A host in the words of all providers: its name is its supplier's address, its place where it answers."""
    said, measured = host.offer, host.measured
    kind = OfferKind.LIVE if measured is not None else OfferKind.UNMEASURED
    return Offer(
        provider=NETWORK,
        name=said.supplier,
        gpu=CPU if said.gpu == UNSAID or not said.gpus else gpu_name(said.gpu),
        gpus=max(1, said.gpus),
        price=Price(MicroUsd(said.price * max(1, said.gpus))),
        security=_SECURITY,
        seen_at=now,
        kind=kind if said.rents else OfferKind.LIST,
        variant=f"contact {said.contact}, paid to {said.payout}",
        gpu_memory_gb=said.gpuMemory,
        country=said.country,
        place=said.url,
        cpus=said.cpus,
        memory_gb=said.memory,
        disk_gb=said.disk,
        down_mbps=measured.received * 8 // 1_000_000 if measured is not None else 0,
        up_mbps=measured.sent * 8 // 1_000_000 if measured is not None else 0,
        available=1,
        measured=measured,
        sharing=host.sharing,
    )


def _still_is(now: Offer, then: Offer) -> bool:
    """Whether a host is no other than the one that was chosen: not what was measured, but all that it says."""
    same = (now.gpu, now.gpus, now.country, now.variant) == (then.gpu, then.gpus, then.country, then.variant)
    sizes = (
        (now.gpu_memory_gb, then.gpu_memory_gb),
        (now.cpus, then.cpus),
        (now.memory_gb, then.memory_gb),
        (now.disk_gb, then.disk_gb),
    )
    return same and all(present >= chosen for present, chosen in sizes)


def _fits(query: Query, offer: Offer) -> bool:
    """Whether a host may be wanted before its reports are read: what they change is the kind."""
    is_cpu = offer.gpu == CPU and CPU not in query.gpus
    return not is_cpu and any(query.takes(replace(offer, kind=kind)) for kind in OfferKind)


def _asked(calls: HostCalls, url: str, supplier: str) -> Sequence[Mapping[str, Any]] | ProviderError:
    try:
        return calls.machines(url, supplier)
    except ProviderAway as error:
        return error
    except ProviderError as error:  # it refuses its own renter: it has nothing
        return ProviderAway(error.detail)
