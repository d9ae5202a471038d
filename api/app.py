"""The application: routes over one ledger, with the keeper beside them unless it runs elsewhere."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from eth_account import Account
from fastapi import Depends, FastAPI

from api import (
    announced_blobs,
    blobs,
    contributions,
    disputes,
    epochs,
    faults,
    growth,
    log_tiles,
    messages,
    ownership,
    problems,
    receipts,
    runs,
    training,
    views,
)
from api.access import get_ledger, get_settings
from api.body_size import JsonBodyLimit
from api.growth import LogGrowth
from api.settings import ServerSettings
from contracts.chain import connect
from contracts.deploy import Deployment
from ledger import absences, keeper
from ledger.blobs import BlobFolder
from ledger.chain import ModelChain
from ledger.judgement.opening import judged
from ledger.relay_rules import RelayRules
from ledger.service import Ledger
from ledger.store import Store

OLD = (training, blobs, contributions, disputes, growth, ownership, receipts)
JUDGED = (messages, runs, announced_blobs, epochs, faults, growth, ownership)


def open_ledger(settings: ServerSettings) -> Ledger:
    """The ledger that these settings describe."""
    deployment = Deployment.from_json(settings.deployment.read_text())
    chain = ModelChain(connect(settings.rpc_url), deployment)
    operator = Account.from_key(settings.operator_key)
    rules = RelayRules(
        replace_seconds=settings.replace_seconds, max_fee=settings.max_fee_per_gas, attempts=settings.attempts,
        lease_seconds=settings.lease_seconds,
    )  # fmt: skip
    opened = Ledger(Store(settings.database_url), BlobFolder(settings.blobs), chain, operator, relay=rules)
    return judged(opened) if deployment.log else opened


def create_app(settings: ServerSettings | None = None, ledger: Ledger | None = None) -> FastAPI:
    """The server; uvicorn calls it without arguments, tests hand it a ledger."""
    chosen = settings or ServerSettings.from_environment()
    app = FastAPI(title="Commonweight", version="1", lifespan=_lifespan)
    app.state.settings = chosen
    app.state.ledger = ledger or open_ledger(chosen)
    problems.install(app)
    app.add_middleware(JsonBodyLimit)
    for part in JUDGED if app.state.ledger.replica is not None else OLD:
        app.include_router(part.router, prefix="/v1")
    if app.state.ledger.replica is not None:
        app.include_router(log_tiles.router)
    app.get("/v1/network")(_network)
    return app


def _network(
    ledger: Ledger = Depends(get_ledger), settings: ServerSettings = Depends(get_settings)
) -> dict[str, object]:
    """Chain, contracts, verifiers and limits."""
    return views.network(ledger, settings.max_blob_bytes)


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    stop = threading.Event()
    thread = threading.Thread(target=keeper.run, args=(app.state.ledger, stop), name="keeper", daemon=True)
    app.state.growth = LogGrowth(app.state.ledger)
    watcher = asyncio.create_task(app.state.growth.watch())
    if app.state.ledger.replica is None:
        await asyncio.to_thread(absences.end, app.state.ledger)
    if app.state.settings.keeper:
        thread.start()
    yield
    watcher.cancel()
    stop.set()
    if thread.is_alive():
        thread.join(timeout=10)
