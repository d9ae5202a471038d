"""A server with a long past: finished proofs, epochs, runs and proposals in its tables, its log and its machine.

The rows are written directly, as those leave them that are over, beside a few that are open. What is asked about a
place in them (one epoch, one round, the last page of a list) has the same size in every past, so that what two of them
cost may be compared.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import Any, TypeAlias

from eth_utils import to_checksum_address
from sqlalchemy import insert, text
from sqlmodel import Session

from contracts.ids import Address, ProofId, RunId, as_address
from contracts.messages.signatures import digest
from contracts.protocol.judge import facts
from contracts.protocol.judge.entries import EpochClosed, Line, Posted
from contracts.protocol.judge.rules.roots import grow
from contracts.protocol.judge.state import NodeState, RunState, State
from contracts.protocol.log.leaf import write
from contracts.protocol.run_config import RunConfig
from contracts.wire.states import TransferEnd
from ledger.books import journal, log, payouts
from ledger.epochs import settlement
from ledger.machine.effects import payouts_of, promise_id
from ledger.storage.seals import SealedRow, sealed
from ledger.storage.store import Store
from ledger.storage.tables import (
    Attempt,
    ChainEvent,
    ClosingRow,
    Cosignature,
    CreditView,
    Cursor,
    DecisionRow,
    DelegationRow,
    Epoch,
    FaultView,
    NodeView,
    Outgoing,
    ProofView,
    Proposal,
    RoundView,
    RunView,
    TakenView,
    Vote,
)
from ledger.views import projection
from tests.contracts.protocol.judge.court import TERMS
from tests.house import House

RUN = RunId("0x" + "a1" * 32)
OF_ONE, PAGE, AT_ONCE = 3, 50, 500
PROFILE = "0x" + "e0" * 32
"""Proofs of each round but the last, lines of a page, and rows of a statement."""
DIGEST = "0x" + "44" * 32
"""Of whatever nobody looks at."""
BOOKED, LARGE = 10**24, 10**18
UNITS = {"book": "units", "amount": LARGE, "made": 1}
Booked: TypeAlias = dict[str, Any]


@dataclass(frozen=True)
class Past:
    """How much is over: of each kind at least twice a page."""

    proofs: int
    epochs: int
    nodes: int
    proposals: int

    @property
    def open_epoch(self) -> int:
        """The one that the chain has not made final."""
        return self.epochs + 1


@cache
def address(number: int) -> Address:
    """Of a node, or of a wallet that is paid."""
    return as_address(str(to_checksum_address(f"0x{0xABC0 + number:040x}")))


def proof(number: int) -> ProofId:
    """Its id."""
    return ProofId(f"0x{number:064x}")


def run(number: int) -> RunId:
    """Runs that are over; the first has all the nodes, proofs and epochs."""
    return RUN if number == 0 else RunId(f"0x{0xB2 << 200 | number:064x}")


def fill(house: House, past: Past) -> None:
    """Give a server that has no run this past; it is started anew on it."""
    house.step()
    with house.ledger.store.write() as session:
        _proofs(session, past)
        closings = _log(house, session, past)
        _epochs(house, session, past, closings)
        _views(session, past)
        _governance(session, past, house.clock())
        _read_to_the_end(session)
    _machine(house, past)
    analyze(house.ledger.store)
    house.restart()


def analyze(store: Store) -> None:
    """Statistics, as PostgreSQL makes them by itself in time."""
    if store.engine.dialect.name == "postgresql":
        with store.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.execute(text("VACUUM ANALYZE"))


def payee(past: Past) -> str:
    """Whose first proof is of the round a quarter through; all contributions are its."""
    return address((past.epochs // 4 - 1) * OF_ONE % past.nodes)


def near_the_end(past: Past) -> str:
    """The address after which a page of addresses is the last one."""
    return sorted(address(n) for n in range(past.nodes))[-PAGE - 1]


def round_of(past: Past, number: int) -> int:
    """Of a proof: the last round has what is too much for the others."""
    return min(number // OF_ONE + 1, past.epochs)


def _insert(session: Session, table: type[Any], rows: Iterable[dict[str, Any]]) -> None:
    made = [sealed(table, row) if issubclass(table, SealedRow) else row for row in rows]
    for start in range(0, len(made), AT_ONCE):
        session.execute(insert(table), made[start : start + AT_ONCE])


def _proofs(session: Session, past: Past) -> None:
    """Work that was posted, and the documents about it."""
    work = [
        {
            "id": proof(n),
            "book": "work",
            "debit": f"run:{RUN}",
            "credit": address(n % past.nodes),
            "amount": 1_000,
            "pending": True,
            "made": 1,
        }
        for n in range(past.proofs)
    ]
    journal.record_new(session, work)
    journal.resolve_all(session, [str(row["id"]) for row in work], TransferEnd.POSTED, 2)
    _insert(session, ProofView, (_proof_view(past, n) for n in range(past.proofs)))


def _proof_view(past: Past, number: int) -> dict[str, Any]:
    node, current = address(number % past.nodes), round_of(past, number)
    said = {"state": "posted", "stage": "posted", "audited": True, "reason": None, "measured": "0", "limit": "0"}
    own = {"proof": proof(number), "run": RUN, "round": current, "node": node, "payout": node, "work": 1_000}
    none = {"segment": None, "at_fault": None, "costs_stake": None, "pledge": None}
    lists: dict[str, list[Any]] = {
        name: [] for name in ("has", "panel", "words", "bench", "faults", "overruled", "lapses")
    }
    maps: dict[str, dict[str, Any]] = {name: {} for name in ("draws", "openings", "decided", "traces")}
    signed = {"message": {}, "signature": "0x" + "55" * 65, "gradient_blob": DIGEST, "segments": 8}
    body = {**own, **said, **none, **lists, **maps, **signed}
    return {"proof": proof(number), "run": RUN, "number": current, "body": body}


def _lines(past: Past, epoch: int) -> tuple[Line, ...]:
    """The first account is paid in every epoch."""
    return tuple(Line(as_address(address(n).lower()), 2, LARGE) for n in (0, 1 + epoch % (past.nodes - 1)))


def _log(house: House, session: Session, past: Past) -> dict[int, EpochClosed]:
    """Each epoch's proofs, and the entry that closes it; by index of the latter."""
    leaves: list[tuple[str, str | None]] = []
    first, closings, functions = log.size(session), dict[int, EpochClosed](), house.ledger.judge.functions
    for number in range(1, past.open_epoch + 1):
        for n in range((number - 1) * OF_ONE, past.proofs if number == past.epochs else number * OF_ONE):
            if n < past.proofs:
                leaves.append((write(Posted(proof(n), as_address(address(n % past.nodes).lower()), 1_000)), proof(n)))
        lines = _lines(past, number)
        root, last = functions.root(number, lines), min(number, past.epochs)
        closed = EpochClosed(number, 0, RUN, last, last, 2 * LARGE, 2 * LARGE, lines, root, 900, 800)
        closings[first + len(leaves)] = closed
        leaves.append((write(closed), None))
    for start in range(0, len(leaves), AT_ONCE):
        log.extend(session, leaves[start : start + AT_ONCE])
    return closings


def _epochs(house: House, session: Session, past: Past, closings: dict[int, EpochClosed]) -> None:
    """Their rows, roots under two signatures, lines that are owed and minted, and the calls that did it."""
    functions, calls, owed, paid = house.ledger.judge.functions, 0, list[Booked](), list[Booked]()
    for index, closed in closings.items():
        number, final = closed.epoch, closed.epoch <= past.epochs
        columns: dict[str, Any] = {
            "epoch": number,
            "attempt": 0,
            "root": closed.root,
            "total": closed.total,
            "count": 2,
            "settled_at": 800,
            "deadline": 900,
        }
        session.add(ClosingRow(log_index=index, block=0, **columns))
        columns.pop("epoch")
        row = Epoch(
            number=number,
            run=RUN,
            state="final" if final else "closed",
            first_round=closed.first_round,
            last_round=closed.last_round,
            log_size=index + 1,
            log_root="0x" + "11" * 32,
            ours=True if final else None,
            **columns,
        )
        session.add(row)
        if not final:
            continue
        name = "0x" + digest(settlement.root_message(house.ledger, row), house.ledger.chain.epoch_domain).hex()
        session.add_all(Cosignature(digest=name, signer=address(n), signature="0x" + "22" * 65) for n in (1, 2))
        found = payouts_of(functions, number, closed.lines)
        payouts.write(session, number, found)
        for payout in found:
            calls += 1
            leaf, account = "0x" + payout.leaf().hex(), to_checksum_address(payout.account)
            debt = {"debit": f"emission:{number}", "credit": f"owed:{account}", "pending": True}
            owed.append({"id": promise_id(number, closed.root, payout.index), **UNITS, **debt})
            mint = {"debit": f"owed:{account}", "credit": f"minted:{account}", "pending": False}
            paid.append({"id": f"minted:{leaf}", **UNITS, **mint})
            _relay(session, calls, leaf)
    journal.record_new(session, [*owed, *paid])
    journal.resolve_all(session, [one["id"] for one in owed], TransferEnd.POSTED, 2)


def _relay(session: Session, order: int, leaf: str) -> None:
    """A call that is done, the transaction that did it, and what the chain said."""
    hashed = f"0x{order:064x}"
    session.add(
        Outgoing(
            id=f"claim:{leaf}",
            order=order,
            to=address(1),
            data="0x" + "33" * 100,
            value=0,
            state="final",
            signer=address(2),
            nonce=order,
            hash=hashed,
            block=order,
            block_hash=hashed,
        )
    )
    session.add(
        Attempt(
            hash=hashed,
            call=f"claim:{leaf}",
            signer=address(2),
            nonce=order,
            raw="0x",
            max_fee=1,
            tip=1,
            cancels=False,
            made=1,
            final=1,
            token=1,
        )
    )
    said = {"receipt": leaf, "to": address(1), "amount": "5", "ours": True}
    place: dict[str, Any] = {"block": -order, "log_index": 0, "transaction": hashed}
    session.add(ChainEvent(contract="ModelToken", name="Minted", arguments=said, **place))


def _views(session: Session, past: Past) -> None:
    """What people read of runs, rounds, nodes, decisions, contributions and faults."""
    counts = {
        "nodes": past.nodes,
        "active_nodes": past.nodes,
        "epochs": past.epochs,
        "decisions": past.proposals,
        "contributions": past.proposals,
        "faults": past.proposals,
    }
    start = {"theta": DIGEST, "momentum": DIGEST, "theta_blob": None, "momentum_blob": None}
    terms = {"creator": address(1), "manifest": {}, "config": "{}", "outer": start, "verifiers": []}
    body = {**terms, "phase": "over", "round": past.epochs, "counts": counts, "last_epoch": past.epochs}
    _insert(session, RunView, ({"run": run(n), "body": {"run": run(n), **body}} for n in range(past.epochs)))
    _insert(session, RoundView, (_round_view(past, n) for n in range(1, past.epochs + 1)))
    enrolled = {"from_round": 1, "profile": DIGEST, "active": True}
    nodes = [{"node": address(n), "payout": address(n), **enrolled, "entry": n} for n in range(past.nodes)]
    _insert(session, NodeView, ({"run": RUN, "node": body["node"], "body": body} for body in nodes))
    subject = {"kind": 1, "source": "code", "subject": "a commit", "licence": "MIT", "weight": "1", "signers": []}
    credit = {"account": payee(past), **subject}
    fault = {"verifier": address(1), "proof": "", "fault": "fell-silent", "round": 1}
    for table, own in ((CreditView, credit), (FaultView, fault)):
        lines = [{"entry": 2 * n, **own} for n in range(past.proposals)]
        _insert(session, table, ({"run": RUN, "entry": body["entry"], "body": body} for body in lines))


def _round_view(past: Past, number: int) -> dict[str, Any]:
    names = [proof(n) for n in range((number - 1) * OF_ONE, number * OF_ONE) if n < past.proofs]
    nodes = [_round_node(address(int(name, 16) % past.nodes)) for name in names]
    start = {"digest": DIGEST, "blob": None}
    body = {
        "run": RUN,
        "round": number,
        "entry": 2 * number,
        "phase": "closed",
        "config": "{}",
        "config_digest": DIGEST,
        "data_seed": DIGEST,
        "theta": start,
        "momentum": start,
        "verifiers": [address(1)],
        "threshold": 1,
        "block": number,
        "lapses": [],
        "beacon": {"block": number, "hash": DIGEST},
        "merges": {},
        "nodes": nodes,
        "proofs": names,
        "merge_set": names,
        "merge": None,
        "closed_by": 0,
    }
    return {"run": RUN, "number": number, "entry": 2 * number, "body": body}


def _round_node(node: str) -> dict[str, Any]:
    flags = {"awaited": True, "staked": False, "lapsed": False}
    return {"node": node, "payout": node, "enrolment": 0, "inner": DIGEST, "profile": DIGEST, "rate": 0, **flags}


def _governance(session: Session, past: Past, now: int) -> None:
    """Proposals that are over and one that is not due yet, each with a vote; the last one has many."""
    for n in range(past.proposals + 1):
        over = n < past.proposals
        session.add(
            Proposal(
                id=f"{n:078d}",
                proposer=address(1),
                description=f"number {n}",
                hash=DIGEST,
                actions=[],
                over=over,
                state="executed" if over else "queued",
                block=n,
                snapshot=1,
                deadline=2,
                eta=now + 10**6,
                again=now + 60,
                weighed=1,
            )
        )
        session.add(_vote(n, 0))
    session.add_all(_vote(past.proposals, n) for n in range(1, past.nodes))
    for n in range(past.proposals):
        session.add(DecisionRow(sequence=n, key="clip", value="1", block=n))
        body = {"sequence": n, "applied": True, "detail": "", "entry": 2 * n}
        session.add(TakenView(run=RUN, entry=2 * n, sequence=n, body=body))
    session.add_all(DelegationRow(delegator=address(n), to=address(0), block=n) for n in range(past.nodes))
    session.flush()


def _vote(proposal: int, voter: int) -> Vote:
    return Vote(
        proposal=f"{proposal:078d}", voter=address(voter), support=1, weight=BOOKED, block=proposal, log_index=voter
    )


def _read_to_the_end(session: Session) -> None:
    """The documents stand at the end of the log."""
    row = session.get(Cursor, projection.NAME) or Cursor(name=projection.NAME, block=0, hash="")
    row.block = log.size(session)
    session.add(row)


def _machine(house: House, past: Past) -> None:
    """A snapshot of the machine at the end of the log: with its runs, which are over."""
    ledger = house.ledger
    with ledger.store.read() as session:
        size = log.size(session)
        rows = log.bodies(session, 0, size)
    with ledger.store.write() as session:  # a writer's session, as the machine reads no further than it stands
        state = _state_at(house, [row.body for row in rows], past)
    with ledger.store.read() as session:
        assert ledger.judge.snapshots is not None
        ledger.judge.snapshots.keep(session, state)


def _state_at(house: House, bodies: Sequence[str], past: Past) -> State:
    committed = house.ledger.judge._committed
    assert committed is not None, "the keeper has looked"
    state = committed.state
    for body in bodies[state.size :]:
        state.size += 1
        grow(state, None, body)
    for n in range(past.epochs):
        state.runs[run(n)] = _run_state(run(n), past.nodes if n == 0 else 0, past)
        state.nonces.add((address(1), n))
    state.epoch = past.open_epoch
    return state


def _run_state(name: RunId, nodes: int, past: Past) -> RunState:
    created = facts.RunCreated(
        name, address(1), 1, replace(TERMS, profiles=(PROFILE,)), RunConfig().to_json(), "0x01", "0x02", "0x03"
    )
    made = RunState(created, created.config, "0x01", "0x02", round=past.epochs, merged=past.epochs, over=True)
    for n in range(nodes):
        enrolled = facts.Enrolled(name, address(n), address(n), 1, PROFILE, 1)
        made.nodes[address(n)] = NodeState(enrolled, n, "0x03", 1)
    return made


def pages(past: Past) -> dict[str, tuple[str, dict[str, Any]]]:
    """What people ask for: path and query by a name; lists at their end, where a past is longest."""
    epoch, quarter, wallet = past.epochs // 2, past.epochs // 4, address(0)
    last, entries = PAGE + 1, 2 * past.proposals
    limit = {"limit": PAGE}
    return {
        "runs": ("/v1/runs", limit),
        "run": (f"/v1/runs/{RUN}", {}),
        "nodes of a run": (f"/v1/runs/{RUN}/nodes", {"after": near_the_end(past), **limit}),
        "decisions of a run": (f"/v1/runs/{RUN}/decisions", {"after": entries - 2 * last, **limit}),
        "contributions of a run": (f"/v1/runs/{RUN}/contributions", {"after": entries - 2 * last, **limit}),
        "faults of a run": (f"/v1/runs/{RUN}/faults", {"after": entries - 2 * last, **limit}),
        "profiles of a run": (f"/v1/runs/{RUN}/profiles", {}),
        "what a run waits for": (f"/v1/runs/{RUN}/waiting", {}),
        "round": (f"/v1/runs/{RUN}/rounds/{quarter}", {}),
        "proofs": (f"/v1/runs/{RUN}/proofs", {"first": 2, **limit}),
        "proof": (f"/v1/proofs/{proof(past.proofs - 1)}", {}),
        "lineage": (f"/v1/runs/{RUN}/lineage", {"first": 3, "limit": 10}),
        "epochs": ("/v1/epochs", {"after": past.epochs - last, **limit}),
        "epochs of a run": ("/v1/epochs", {"run": RUN, "after": past.epochs - last, **limit}),
        "lines of an epoch": (f"/v1/epochs/{epoch}/payouts", {}),
        "an account's claims": (f"/v1/epochs/{epoch}/claims/{wallet}", {}),
        "a receipt": (f"/v1/receipts/{quarter}/{payee(past)}", {}),
        "balances of work": ("/v1/balances/work", limit),
        "balances of units": ("/v1/balances/units", {"after": "n", **limit}),
        "balances of accounts": ("/v1/balances/units", {"account": [wallet, f"emission:{epoch}"]}),
        "transactions": ("/v1/transactions", {"after": 2 * past.epochs - last, **limit}),
        "proposals": ("/v1/proposals", {"after": f"{past.proposals - last:078d}", **limit}),
        "votes": (
            f"/v1/proposals/{past.proposals:078d}/votes",
            {"block": past.proposals, "log_index": past.nodes - last, **limit},
        ),
        "decisions": ("/v1/decisions", {"after": past.proposals - last, **limit}),
        "delegations": (f"/v1/delegations/{wallet}", {"after": near_the_end(past), **limit}),
        "faults to sign": ("/v1/faults", {}),
        "network": ("/v1/network", {}),
        "log": ("/v1/log/entries", {"start": past.epochs, **limit}),
        "checkpoint": ("/log/checkpoint", {}),
        "metrics": ("/metrics", {}),
    }
