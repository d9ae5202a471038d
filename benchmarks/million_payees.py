"""A payout tree of a million payees: payouts, root, rows in the ledger, a proof on demand; OpenZeppelin's tree beside.

That many no epoch has (its lines stand in one entry of the log, ledger/machine/effects.py): the tree, its file and
the lines' table are measured far beyond what they are asked for.

Each part runs in a process of its own, so that its peak of memory is its own. `--payees` scales it down.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import astuple
from pathlib import Path
from typing import Any

from eth_account import Account

from benchmarks.record import progress, write_result
from contracts.ids import Address, as_address, to_hex
from contracts.merkle.payout_tree import LEAF_TYPES, Payout, PayoutTree, check_proof
from contracts.protocol.log_audit import PayoutKind, epoch_payouts
from ledger.books import payouts
from ledger.context import Ledger
from ledger.storage.blobs import BlobFolder
from ledger.storage.store import Store
from ledger.storage.tables import Epoch, PayoutRow

ROOT = Path(__file__).parent.parent
EMISSION, CHAIN, DISTRIBUTOR = 10**24, 31337, "0x" + "d1" * 20
PROOFS = 200


def work_of(payees: int) -> dict[Address, int]:
    """Verified tokens by account; the same at each run."""
    digests = (hashlib.sha256(b"payee %d" % place).digest() for place in range(payees))
    return {as_address("0x" + d[:20].hex()): 1 + int.from_bytes(d[20:24], "big") for d in digests}


def lines_of(payees: int) -> list[Payout]:
    """The epoch's lines."""
    return epoch_payouts(
        {PayoutKind.COMPUTE: work_of(payees)}, {PayoutKind.COMPUTE: 1}, EMISSION, CHAIN, DISTRIBUTOR, 1
    )


def compute(payees: int, _folder: Path) -> dict[str, Any]:
    """Work to root, nothing kept: what a verifier rebuilds before it signs."""
    work, started = work_of(payees), time.perf_counter()
    due = epoch_payouts({PayoutKind.COMPUTE: work}, {PayoutKind.COMPUTE: 1}, EMISSION, CHAIN, DISTRIBUTOR, 1)
    root = PayoutTree.of([line.leaf() for line in due]).root
    return {"seconds": time.perf_counter() - started, "root": to_hex(root)}


def tree(payees: int, _folder: Path) -> dict[str, Any]:
    """Lines to root: what OpenZeppelin's library is timed on."""
    due, started = lines_of(payees), time.perf_counter()
    root = PayoutTree.of([line.leaf() for line in due]).root
    return {"seconds": time.perf_counter() - started, "root": to_hex(root)}


def rows(payees: int, folder: Path) -> dict[str, Any]:
    """Lines to rows in the ledger, in one transaction, and the first proof (which builds the tree's file)."""
    ledger, due = _ledger(folder), lines_of(payees)
    started = time.perf_counter()
    with ledger.store.write() as session:
        root = PayoutTree.of([line.leaf() for line in due]).root
        payouts.write(session, 1, due)
        session.add(_epoch(root, due))
    written = time.perf_counter()
    with ledger.store.read() as session:
        row = session.get_one(PayoutRow, (1, 0))
        payouts.proofs(ledger.blobs, session, session.get_one(Epoch, 1), [row.leaf])
    return {"seconds": written - started, "first_proof": time.perf_counter() - written, "root": to_hex(root)}


def proofs(payees: int, folder: Path) -> dict[str, Any]:
    """Median and worst of what an account asks for: its lines and their proofs, each from a cold session, checked."""
    ledger, times, accounts = _ledger(folder), [], list(work_of(payees))
    for account in accounts[:: max(1, payees // PROOFS)]:
        started = time.perf_counter()
        with ledger.store.read() as session:
            epoch = session.get_one(Epoch, 1)
            (row,) = payouts.lines_of(session, 1, account)
            (path,) = payouts.proofs(ledger.blobs, session, epoch, [row.leaf])
        times.append(time.perf_counter() - started)
        check_proof(bytes.fromhex(row.leaf[2:]), path, bytes.fromhex(epoch.root[2:]))
    return {"median_ms": 1e3 * statistics.median(times), "worst_ms": 1e3 * max(times), "count": len(times)}


def openzeppelin(payees: int, folder: Path) -> dict[str, Any]:
    """The same lines through @openzeppelin/merkle-tree."""
    file = folder / "lines.json"
    values = [[v if isinstance(v, str) else str(v) for v in _values(line)] for line in lines_of(payees)]
    file.write_text(json.dumps({"types": LEAF_TYPES, "values": values}))
    command = ["node", "--max-old-space-size=12000", "million.js", str(file)]
    done = subprocess.run(command, cwd=ROOT / "tests" / "cross", capture_output=True, text=True, check=True)
    return dict(json.loads(done.stdout))


PARTS = {part.__name__: part for part in (compute, tree, openzeppelin, rows, proofs)}


def measure(payees: int, folder: Path, parts: list[str]) -> dict[str, Any]:
    """Each part in a fresh process, with the peak of its memory."""
    found: dict[str, Any] = {"payees": payees}
    for part in parts:
        command = [sys.executable, "-m", "benchmarks.million_payees", "--payees", str(payees), "--part", part]
        done = subprocess.run([*command, "--folder", str(folder)], cwd=ROOT, capture_output=True, text=True, check=True)
        found[part] = json.loads(done.stdout)
        progress(f"{part}: {found[part]}")
    return found


def _values(line: Payout) -> tuple[Any, ...]:
    return astuple(line)


def _ledger(folder: Path) -> Ledger:
    """Database and blobs alone: nothing here asks a chain or a rule."""
    none: Any = None
    store, blobs = Store(f"sqlite:///{folder / 'ledger.db'}"), BlobFolder(folder / "blobs")
    return Ledger(store, blobs, none, Account.create(), none, none)


def _epoch(root: bytes, due: list[Payout]) -> Epoch:
    return Epoch(
        number=1,
        run="0x",
        first_round=1,
        last_round=1,
        root=to_hex(root),
        total=sum(p.amount for p in due),
        count=len(due),
        log_size=0,
        log_root="0x",
        settled_at=0,
        deadline=0,
    )


def main() -> None:
    """Entry point."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--payees", type=int, default=1_000_000)
    parser.add_argument("--part", choices=PARTS)
    parser.add_argument("--folder", type=Path)
    args = parser.parse_args()
    if args.part:
        found = PARTS[args.part](args.payees, args.folder)
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
        print(json.dumps(found | {"peak_gib": round(peak, 3)}))
        return
    with tempfile.TemporaryDirectory() as scratch:
        found = measure(args.payees, Path(scratch), list(PARTS))
        database = os.path.getsize(Path(scratch) / "ledger.db") / 2**20
    roots = {found[part]["root"] for part in ("compute", "tree", "openzeppelin", "rows")}
    assert len(roots) == 1, f"the roots differ: {roots}"
    speedup = found["openzeppelin"]["seconds"] / found["tree"]["seconds"]
    write_result("million_payees", found | {"times_faster": round(speedup, 2), "database_mib": round(database)})
    progress(f"same root four times; {speedup:.1f} times faster than @openzeppelin/merkle-tree")


if __name__ == "__main__":
    main()
