"""The application: routes over one ledger, with the keeper beside them unless it runs elsewhere."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from eth_account import Account
from fastapi import Depends, FastAPI
from fastapi.middleware.cors import CORSMiddleware

from api.http import document, growth, problems
from api.http.body_size import JsonBodyLimit
from api.http.growth import LogGrowth
from api.http.known_query import known_query
from api.http.methods import HeadRequests
from api.http.uploads import Uploads
from api.routes import (
    blobs,
    claims,
    epochs,
    faults,
    hosts,
    log_tiles,
    messages,
    metrics,
    network,
    ownership,
    receipts,
    runs,
    typed_data,
)
from api.settings import ServerSettings
from contracts.chain.connection import connect
from contracts.chain.deployment import Deployment
from contracts.mirrors.places import is_loopback
from contracts.process.setting_errors import InvalidSetting
from ledger import opening
from ledger.chain import ModelChain
from ledger.clock import keeper
from ledger.context import Ledger
from ledger.intake import blocks as chain_blocks
from ledger.public_log import restoring
from ledger.relay_rules import RelayRules
from ledger.storage.blobs import BlobFolder
from ledger.storage.store import Store

logger = logging.getLogger(__name__)
LAST_SECONDS = 10
"""The longest wait for the keeper when the server ends."""
WATCHER_SECONDS = 1.0
"""The longest wait for the watcher, which may wait for a silent database."""
ROUTERS = (network, messages, blobs, runs, epochs, claims, faults, receipts, growth, ownership, typed_data, hosts)
"""Routers below /v1. The log's tiles are beside it, where readers of C2SP logs look for them."""


def open_ledger(settings: ServerSettings, makes: bool = False) -> Ledger:
    """The ledger that these settings describe; one that is not there is begun where it `makes` one.

    Raises OtherLog where the deployment names no log, DatabaseMissing and DatabaseForeign.
    """
    w3 = connect(settings.rpc_url, *settings.other_rpc_urls, finality_depth=settings.finality_depth)
    chain = ModelChain(w3, _deployment(settings))
    rules = RelayRules(
        replace_seconds=settings.replace_seconds,
        max_fee=settings.max_fee_per_gas,
        attempts=settings.attempts,
        lease_seconds=settings.lease_seconds,
        proposal_ppm=settings.proposal_ppm,
        ballot_ppm=settings.ballot_ppm,
        account_gas=settings.account_gas,
        daily_gas=settings.daily_gas,
    )
    store = Store(settings.database_url, makes=makes)
    operator = Account.from_key(settings.operator_key)
    return opening.open_ledger(store, BlobFolder(settings.blobs), chain, operator, relay=rules, makes=makes)


def _deployment(settings: ServerSettings) -> Deployment:
    """Raises InvalidDeployment, and InvalidSetting where there is no file."""
    try:
        return Deployment.of_file(settings.deployment)
    except OSError as error:
        field = f"deployment ({settings.variable_of('deployment')})"
        raise InvalidSetting(f"{field} cannot be read: {error}; `model deploy` writes such a file") from error


def create_app(settings: ServerSettings | None = None, ledger: Ledger | None = None) -> FastAPI:
    """The server; uvicorn calls it without arguments, tests hand it a ledger.

    Raises OtherLog unless the operator's key signs the log that the deployment names.
    """
    chosen = settings or ServerSettings.from_environment()
    app = bare_app()
    app.state.settings = chosen
    app.state.uploads = Uploads()
    app.state.begun = False
    app.state.ledger = ledger or _open_own(chosen)
    app.add_middleware(JsonBodyLimit)
    app.add_middleware(HeadRequests)
    if chosen.allow_origins:
        app.add_middleware(
            CORSMiddleware,
            allow_origins=chosen.allow_origins,
            allow_methods=["*"],
            allow_headers=["*"],
            expose_headers=["Retry-After"],
        )
    return app


def bare_app() -> FastAPI:
    """All routes over no ledger: enough for `/openapi.json`, which depends on no setting."""
    app = FastAPI(
        title="Commonweight", version="1", lifespan=_lifespan, generate_unique_id_function=document.operation_name
    )
    problems.install(app)
    document.install(app)
    for part in ROUTERS:
        app.include_router(part.router, prefix="/v1", dependencies=[Depends(known_query)])
    for router in (log_tiles.router, metrics.router):
        app.include_router(router, dependencies=[Depends(known_query)])
    return app


def _open_own(settings: ServerSettings) -> Ledger:
    """Raises OtherLog and DatabaseForeign."""
    opened = open_ledger(settings, makes=True)
    opening.require_own_log(opened.chain.deployment, opened.operator)
    return opened


def begin(app: FastAPI) -> None:
    """Prepare the log, once, before the first message comes. The command that runs the server calls it first, so that a
    refusal is one line. Raises LogEndLost and SecondLog."""
    if not app.state.begun:
        _begin(app.state.ledger, app.state.settings)
        app.state.begun = True


def _begin(ledger: Ledger, settings: ServerSettings) -> None:
    """The log as whole as the mirrors know it, and its first entry. Raises LogEndLost and SecondLog."""
    restoring.restore(ledger, is_loopback(settings.rpc_url), settings.accept_lost_end)
    chain_blocks.begin(ledger)


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    stop = threading.Event()
    ledger = app.state.ledger
    keeps = app.state.settings.keeper
    thread = threading.Thread(target=keeper.run, args=(ledger, stop), name="keeper", daemon=True)
    # one of the two says that the database is away
    app.state.growth = LogGrowth(ledger) if keeps else LogGrowth(ledger, logger.warning)
    watching = (stop, asyncio.get_running_loop())
    watcher = threading.Thread(target=app.state.growth.watch, args=watching, name="growth", daemon=True)
    watcher.start()
    await asyncio.to_thread(begin, app)
    if keeps:
        thread.start()
    yield
    stop.set()
    if thread.is_alive():
        await asyncio.to_thread(thread.join, timeout=LAST_SECONDS)
    await asyncio.to_thread(watcher.join, timeout=WATCHER_SECONDS)
