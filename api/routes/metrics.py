"""Route of the metrics: numbers in the format of Prometheus, made when they are asked for."""

from __future__ import annotations

from collections.abc import Iterator

from fastapi import APIRouter, Depends, Response
from fastapi.responses import PlainTextResponse
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector
from requests.exceptions import RequestException

from api.access import get_ledger
from contracts.evm.errors import ChainAtFault
from ledger.books import log
from ledger.context import Ledger
from ledger.relay import outbox, relayer_money

router = APIRouter()


class Numbers(Collector):
    """The numbers of one ledger now. Where the chain does not answer, its numbers are left out."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """Each number with its meaning."""
        with self._ledger.store.read() as session:
            entries = log.size(session)
            waiting = outbox.counts(session)
        yield GaugeMetricFamily("commonweight_log_entries", "Entries of the log.", value=entries)
        calls = GaugeMetricFamily("commonweight_outbox_calls", "Calls that are owed to the chain.", labels=["state"])
        for state, number in waiting.items():
            calls.add_metric([state], number)
        yield calls
        yield from self._of_chain()

    def _of_chain(self) -> Iterator[GaugeMetricFamily]:
        up = GaugeMetricFamily("commonweight_chain_up", "Whether the chain node answers.")
        try:
            money = relayer_money.look(self._ledger)
        except (RequestException, ChainAtFault):
            up.add_metric([], 0)
            yield up
            return
        up.add_metric([], 1)
        yield up
        for name, meaning, value in (
            ("commonweight_relayer_balance_wei", "What the relayer holds, in wei.", money.balance),
            ("commonweight_relayer_calls", "Calls that this is enough for at the fees of now.", money.calls),
        ):
            family = GaugeMetricFamily(name, meaning, labels=["address"])
            family.add_metric([money.address], value)
            yield family


@router.get("/metrics", response_class=PlainTextResponse)
def metrics(ledger: Ledger = Depends(get_ledger)) -> Response:
    """Read the metrics of the server, in the format of Prometheus."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(Numbers(ledger))
    return Response(generate_latest(registry), media_type=CONTENT_TYPE_LATEST)
