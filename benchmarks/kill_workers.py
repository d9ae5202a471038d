"""The processes that benchmarks/kills.py kills: API server, keepers, and a relayer that sends first and notes later."""

from __future__ import annotations

import logging
import os
import sqlite3
import threading
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import uvicorn
from eth_account import Account

from api.app import create_app, open_ledger
from api.settings import ServerSettings
from contracts.chain.connection import connect
from contracts.process.spawner import die_with_parent
from ledger import crash_points
from ledger.clock import keeper
from ledger.relay_rules import RelayRules

RULES = RelayRules(replace_seconds=3, resend_seconds=1, backoff_seconds=1, attempts=1_000, lease_seconds=2)
INTERVAL = 0.05


REACHED = "reached"
"""Name of the file, beside the blobs, that says that the armed crash point was reached."""


def serve(settings: ServerSettings, port: int, crash: str = "") -> None:
    """The API, with no keeper in it; `crash` is a setting of ledger/crash_points.py."""
    logging.disable()
    die_with_parent(os.getppid())  # the fork server, which ends with the bench
    _arm(crash, settings.blobs.with_name(REACHED))
    uvicorn.run(create_app(settings), host="127.0.0.1", port=port, log_level="critical")


def keep(settings: ServerSettings, part: str, crash: str = "") -> None:
    """One part of the keeper."""
    logging.disable()
    die_with_parent(os.getppid())  # the fork server, which ends with the bench
    _arm(crash, settings.blobs.with_name(REACHED))
    keeper.run(replace(open_ledger(settings), relay=RULES), threading.Event(), INTERVAL, (part,))


def _arm(crash: str, mark: Path) -> None:
    if not crash:
        return
    act, point = crash_points._from_environment(crash), crash.split(":")[0]
    assert act is not None

    def at(reached: str) -> None:
        if reached == point:
            mark.touch()
        act(reached)

    crash_points._armed = at


def pay_naively(url: str, key: str, database: Path) -> None:
    """Send a wei to each who waits, see it mined, then note that it is done: what an outbox is there to avoid."""
    w3, account = connect(url), Account.from_key(key)
    with closing(sqlite3.connect(database, timeout=30)) as rows:
        for (name,) in rows.execute("SELECT name FROM payment WHERE done = 0").fetchall():
            transaction = {
                "to": name,
                "value": 1,
                "gas": 21_000,
                "gasPrice": w3.eth.gas_price,
                "chainId": w3.eth.chain_id,
                "nonce": w3.eth.get_transaction_count(account.address, "pending"),
            }
            sent = w3.eth.send_raw_transaction(account.sign_transaction(transaction).raw_transaction)
            w3.eth.wait_for_transaction_receipt(sent, poll_latency=0.01)
            rows.execute("UPDATE payment SET done = 1 WHERE name = ?", (name,))
            rows.commit()
