"""kill -9 at random points of API, settlement worker, indexer and chain node, while claims are made and minted.

    python -m benchmarks.kills [--kills N] [--seed S]      random kills, claims all the while
    python -m benchmarks.kills --naive                     a relayer that sends first and notes later, on the same bench

After every restart supply, ledger and Transfer events must agree; at the end each claim is paid once. The chain node
loses what it had not written down when it is killed, so its blocks are taken back like by a reorg.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import random
import shutil
import signal
import sqlite3
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import httpx
from eth_utils import keccak, to_checksum_address
from requests.exceptions import ConnectionError as ChainUnreachable
from sqlmodel import col, select

from api.settings import ServerSettings
from benchmarks import kill_workers
from benchmarks.record import progress, write_result
from commonweight.demo.processes import free_port
from contracts.ids import ZERO_ADDRESS
from contracts.wire.states import CallState
from ledger.books import journal
from ledger.storage.tables import ChainEvent, Outgoing
from tests.anvil import Anvil
from tests.paid_epoch import PaidEpoch

CLAIMS_PER_KILL = 8
BLOCK_SECONDS = 0.25
SLOTS = 8  # finality is 16 blocks behind: more than a killed node forgets
VICTIMS = {"api": 6, "settlement": 8, "indexer": 5, "chain": 1}
PATIENCE = 300.0
PATIENCE_EACH = 0.1
"""Seconds a claim: a settlement worker that is killed twice a second leaves thousands to be looked up at the end."""
CONTEXT = multiprocessing.get_context("forkserver")
CONTEXT.set_forkserver_preload(["__main__", "benchmarks.kill_workers"])


class Worker:
    """A process that is killed and started again."""

    def __init__(self, target: Callable[..., None], *args: Any) -> None:
        self._target, self._args = target, args
        self.start()

    def start(self, crash: str = "") -> None:
        """Start it; `crash` arms a crash point in it."""
        self.process = CONTEXT.Process(target=self._target, args=(*self._args, crash), daemon=True)
        self.process.start()

    def kill(self) -> None:
        """SIGKILL."""
        if self.process.pid is not None:
            with suppress(ProcessLookupError):
                os.kill(self.process.pid, signal.SIGKILL)
        self.process.join()


class Bench:
    """Chain node, API and two keepers as processes, an epoch of `claims` payees, and a client that claims for them."""

    def __init__(self, folder: Path, claims: int, seed: int) -> None:
        self.folder, self.rng = folder, random.Random(seed)  # noqa: S311 - not a secret
        self.anvil = Anvil(SLOTS, folder / "chain.json", history=4 * SLOTS)
        self.anvil.start()
        self.place = PaidEpoch(self.anvil, claims)
        self.anvil.mine(2 * SLOTS + 2)
        self.ledger = self.place.ledger(folder)
        deployment = folder / "deployment.json"
        deployment.write_text(self.place.deployment.to_json())
        settings = ServerSettings(
            rpc_url=self.anvil.url,
            deployment=deployment,
            operator_key=self.place.operator.key.hex(),
            database_url=f"sqlite:///{folder / 'ledger.db'}",
            blobs=folder / "blobs",
            keeper=False,
        )
        self.port = free_port()
        self.workers = {
            "api": Worker(kill_workers.serve, settings, self.port),
            "settlement": Worker(kill_workers.keep, settings, "settlement"),
            "indexer": Worker(kill_workers.keep, settings, "indexer"),
        }
        self.allowed, self.claimed, self._over = 0, 0, threading.Event()
        self.chain = threading.Lock()
        self._threads = [threading.Thread(target=run, daemon=True) for run in (self._claim, self._mine)]
        for thread in self._threads:
            thread.start()

    def close(self) -> None:
        """End everything."""
        self._over.set()
        for thread in self._threads:
            thread.join()
        for worker in self.workers.values():
            worker.kill()
        self.anvil.kill()

    def kill(self, victim: str) -> None:
        """SIGKILL and start again."""
        if victim != "chain":
            self.workers[victim].kill()
            self.workers[victim].start()
            return
        with self.chain:
            self.anvil.write()
            written = self.anvil.w3.eth.block_number
        forgets = self.rng.randint(0, SLOTS)  # blocks that come from now on, fewer than finality is behind
        self.until(lambda: self.anvil.w3.eth.block_number >= written + forgets, "the chain goes on")
        with self.chain:
            self.anvil.kill()
            self.anvil.start()

    def keep_up(self) -> None:
        """Wait until the client is not far behind: kills must come among claims, not before them."""
        self.until(lambda: self.claimed >= self.allowed - 4 * CLAIMS_PER_KILL, "the client keeps up")

    def check(self) -> None:
        """Events, journal and supply at one moment. Raises AssertionError."""
        with self.ledger.store.read() as session:
            events = list(session.exec(select(ChainEvent).where(ChainEvent.contract == "ModelToken")))
            balances = journal.balances(session, "units")
        receipts = Counter(e.arguments["receipt"] for e in events if e.name == "Minted")
        assert not [receipt for receipt, times in receipts.items() if times > 1], "a receipt was minted twice"
        minted = sum(int(e.arguments["amount"]) for e in events if e.name == "Minted")
        moved = sum(
            int(e.arguments["value"]) for e in events if e.name == "Transfer" and e.arguments["from"] == ZERO_ADDRESS
        )
        booked = sum(amount for account, amount in balances.items() if account.startswith("minted:"))
        assert minted == moved == booked, f"minted {minted}, Transfer events {moved}, ledger {booked}"
        assert sum(balances.values()) == 0, "the book is out of balance"
        with suppress(ChainUnreachable):
            assert self.place.model.token.total_supply() >= minted, "events of more units than the supply"

    def settle(self) -> dict[str, Any]:
        """Wait until every claim is final and read, then compare the whole. Raises AssertionError and TimeoutError."""
        self.allowed = len(self.place.payees)
        self.until(lambda: self.claimed == len(self.place.payees), "all claims are in")
        self.until(lambda: self._states() == {CallState.FINAL: len(self.place.payees)}, "all claims are final")
        self.until(lambda: self._minted() == self.place.total, "all mints are read")
        self.check()
        supply = self.place.model.token.total_supply()
        assert supply == self.place.total == self._minted()
        wrong = [
            line.account
            for line in self.place.lines
            if self.place.model.token.balance_of(to_checksum_address(line.account)) != line.amount
        ]
        assert not wrong, f"{len(wrong)} accounts hold another amount than their line"
        return {"claims": self.claimed, "supply": str(supply), "lost": 0, "paid twice": 0}

    def _claim(self) -> None:
        """One claim after the other until the server says yes; every eighth is asked for twice."""
        with httpx.Client(base_url=f"http://127.0.0.1:{self.port}/v1", timeout=10) as http:
            for payee in self.place.payees:
                while self.claimed >= self.allowed and not self._over.wait(0.005):
                    pass
                for _ in range(2 if self.claimed % 8 == 0 else 1):
                    while not self._over.is_set() and not _accepted(http, payee.address):
                        time.sleep(0.02)
                if self._over.is_set():
                    return
                self.claimed += 1

    def _mine(self) -> None:
        while not self._over.wait(BLOCK_SECONDS):
            with self.chain, suppress(ChainUnreachable):
                self.anvil.mine()

    def _states(self) -> dict[str, int]:
        with self.ledger.store.read() as session:
            return dict(Counter(session.exec(select(Outgoing.state).where(col(Outgoing.id).startswith("claim:")))))

    def _minted(self) -> int:
        with self.ledger.store.read() as session:
            minted = journal.balances(session, "units")
        return sum(amount for account, amount in minted.items() if account.startswith("minted:"))

    def until(self, holds: Callable[[], bool], what: str) -> None:
        patience = PATIENCE + PATIENCE_EACH * len(self.place.payees)
        end = time.monotonic() + patience
        while not holds():
            if time.monotonic() > end:
                raise TimeoutError(f"not within {patience:.0f} s: {what}; {self._states()}")
            time.sleep(0.02)


def kills(count: int, seed: int, folder: Path) -> dict[str, Any]:
    """Random kills with claims all the while."""
    bench, killed, started = Bench(folder, count * CLAIMS_PER_KILL, seed), Counter[str](), time.monotonic()
    try:
        for number in range(count):
            bench.allowed += CLAIMS_PER_KILL
            bench.keep_up()
            time.sleep(bench.rng.uniform(0.01, 0.25))
            victim = bench.rng.choices(list(VICTIMS), weights=list(VICTIMS.values()))[0]
            bench.kill(victim)
            bench.check()
            killed[victim] += 1
            if (number + 1) % 50 == 0:
                progress(
                    f"{number + 1} kills {dict(killed)}, {bench.claimed} claims, {time.monotonic() - started:.0f} s"
                )
        found = bench.settle()
    finally:
        bench.close()
    return {"kills": count, "killed": dict(killed), "seconds": round(time.monotonic() - started)} | found


def naive(count: int, payments: int, seed: int, folder: Path) -> dict[str, Any]:
    """The bench must be able to see a double payment: it counts those of a relayer that notes after sending."""
    rng, database = random.Random(seed), folder / "naive.db"  # noqa: S311 - not a secret
    names = [to_checksum_address(keccak(text=f"naive {n}")[:20]) for n in range(payments)]
    with closing(sqlite3.connect(database)) as rows, rows:
        rows.execute("CREATE TABLE payment (name TEXT PRIMARY KEY, done INTEGER NOT NULL)")
        rows.executemany("INSERT INTO payment VALUES (?, 0)", [(name,) for name in names])
    with Anvil(SLOTS) as anvil:
        anvil.automine(True)
        key = keccak(text="naive relayer").hex()
        from eth_account import Account

        anvil.rpc("anvil_setBalance", Account.from_key(key).address, hex(10**22))
        for _ in range(count):
            process = CONTEXT.Process(target=kill_workers.pay_naively, args=(anvil.url, key, database), daemon=True)
            before = _done(database)
            process.start()
            while process.is_alive() and _done(database) == before:
                time.sleep(0.005)
            process.join(rng.uniform(0, 0.1))
            process.kill()
            process.join()
        process = CONTEXT.Process(target=kill_workers.pay_naively, args=(anvil.url, key, database), daemon=True)
        process.start()
        process.join()
        balances = Counter(int(anvil.w3.eth.get_balance(name)) for name in names)
    twice = sum(times for wei, times in balances.items() if wei > 1)
    return {"kills": count, "payments": payments, "paid twice": twice, "not paid": balances[0]}


def _done(database: Path) -> int:
    with closing(sqlite3.connect(database, timeout=30)) as rows:
        return int(rows.execute("SELECT sum(done) FROM payment").fetchone()[0])


def _accepted(http: httpx.Client, account: str) -> bool:
    with suppress(httpx.TransportError):
        return http.post("/epochs/1/claims", json={"account": account}).status_code == 200
    return False


def main() -> None:
    """Entry point."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=1_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--naive", action="store_true")
    args = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="commonweight-kills-"))
    try:
        if args.naive:
            name, found = "kills_naive", naive(120, 960, args.seed, folder)
        else:
            name, found = "kills", kills(args.kills, args.seed, folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    progress(str(found))
    write_result(name, found)


if __name__ == "__main__":
    main()
