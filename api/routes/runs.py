"""Routes of runs, rounds and proofs for people: the entries about each in one document."""

from __future__ import annotations

from typing import Annotated, Any, TypeVar

from fastapi import APIRouter, Depends, Path, Query
from fastapi.responses import JSONResponse
from sqlmodel import col, select, tuple_
from sqlmodel.sql.expression import SelectOfScalar

from api.access import get_ledger
from api.wire import Number, as_it_is
from contracts.ids import RunId
from contracts.wire.fields import LARGEST, PAGE
from contracts.wire.proofs import Proof
from contracts.wire.rounds import LineageRound, ProofLine, Round
from contracts.wire.runs import Credit, NodeLine, ProfileLine, Run, RunLine, TakenDecision, VerifierFaultLine, Waiting
from ledger.context import Ledger
from ledger.errors import NotFound
from ledger.storage.tables import CreditView, FaultView, NodeView, ProofView, RoundView, RunView, TakenView
from ledger.storage.tables.columns import Document
from ledger.views.lineage import lineage
from ledger.views.profiles import admitted_profiles
from ledger.views.projection import catch_up
from ledger.views.waiting import waiting

router = APIRouter()
Hash = Annotated[str, Path(pattern="^0x[0-9a-f]{64}$")]
OfRun = TypeVar("OfRun", TakenView, CreditView, FaultView)
After = Annotated[int, Query(ge=-1, le=LARGEST)]
"""The `entry` of the last line of the page before."""
Limit = Annotated[int, Query(ge=1, le=PAGE)]


@router.get("/runs", response_model=list[RunLine])
def list_runs(
    after: str = Query("", max_length=100),
    limit: int = Query(PAGE, ge=1, le=PAGE),
    ledger: Ledger = Depends(get_ledger),
) -> JSONResponse:
    """List the runs by id, after the run `after`."""
    catch_up(ledger)
    with ledger.store.read() as session:
        rows = session.exec(select(RunView).where(col(RunView.run) > after).order_by(col(RunView.run)).limit(limit))
        return as_it_is([{name: row.body[name] for name in ("run", "phase", "round")} for row in rows])


@router.get("/runs/{run}", response_model=Run)
def show_run(run: Hash, ledger: Ledger = Depends(get_ledger)) -> JSONResponse:
    """Show one run: its terms, its verifiers, its phase, and the lengths of its lists."""
    catch_up(ledger)
    with ledger.store.read() as session:
        row = session.get(RunView, run)
        if row is None:
            raise NotFound(f"no run {run}")
        return as_it_is(row.body)


@router.get("/runs/{run}/nodes", response_model=list[NodeLine])
def list_nodes(
    run: Hash,
    after: str = Query("", max_length=100),
    limit: int = Query(PAGE, ge=1, le=PAGE),
    ledger: Ledger = Depends(get_ledger),
) -> JSONResponse:
    """List the nodes of a run by address, each with its newest enrolment, after the node `after`."""
    node = col(NodeView.node)
    query = select(NodeView).where(NodeView.run == run, node > after).order_by(node).limit(limit)
    return _rows(ledger, RunId(run), query)


@router.get("/runs/{run}/decisions", response_model=list[TakenDecision])
def list_taken(run: Hash, after: After = -1, limit: Limit = PAGE, ledger: Ledger = Depends(get_ledger)) -> JSONResponse:
    """List a run's answers to the holders' decisions, in the order of the log, after the entry `after`."""
    return _rows(ledger, RunId(run), _after_entry(TakenView, RunId(run), after, limit))


@router.get("/runs/{run}/contributions", response_model=list[Credit])
def list_credits(
    run: Hash, after: After = -1, limit: Limit = PAGE, ledger: Ledger = Depends(get_ledger)
) -> JSONResponse:
    """List a run's contributions and invoices, in the order of the log, after the entry `after`."""
    return _rows(ledger, RunId(run), _after_entry(CreditView, RunId(run), after, limit))


@router.get("/runs/{run}/faults", response_model=list[VerifierFaultLine])
def list_run_faults(
    run: Hash, after: After = -1, limit: Limit = PAGE, ledger: Ledger = Depends(get_ledger)
) -> JSONResponse:
    """List the faults of verifiers in a run, in the order of the log, after the entry `after`."""
    return _rows(ledger, RunId(run), _after_entry(FaultView, RunId(run), after, limit))


@router.get("/runs/{run}/waiting")
def show_waiting(run: Hash, ledger: Ledger = Depends(get_ledger)) -> Waiting:
    """Show the messages that a run awaits at the end of the log, and the obstacles to its next round."""
    return waiting(ledger, RunId(run))


@router.get("/runs/{run}/profiles")
def list_profiles(run: Hash, ledger: Ledger = Depends(get_ledger)) -> list[ProfileLine]:
    """List the numerics profiles that a run admits, each with the verifiers that read it and the nodes that use it."""
    return admitted_profiles(ledger, RunId(run))


@router.get("/runs/{run}/rounds/{number}", response_model=Round)
def show_round(run: Hash, number: Number, ledger: Ledger = Depends(get_ledger)) -> JSONResponse:
    """Show one round: its nodes and verifiers, one line for each proof, and its merge."""
    catch_up(ledger)
    with ledger.store.read() as session:
        row = session.get(RoundView, (run, number))
        if row is None:
            raise NotFound(f"round {number} of run {run} has not opened")
        proofs = session.exec(select(ProofView).where(ProofView.run == run, ProofView.number == number))
        lines = {proof.proof: _line(proof.body) for proof in proofs}
        return as_it_is({**row.body, "proofs": [lines[name] for name in row.body["proofs"]]})


@router.get("/proofs/{proof}", response_model=Proof)
def show_proof(proof: Hash, ledger: Ledger = Depends(get_ledger)) -> JSONResponse:
    """Show one proof with all messages and derived entries about it."""
    catch_up(ledger)
    with ledger.store.read() as session:
        row = session.get(ProofView, proof)
        if row is None:
            raise NotFound(f"no proof {proof}")
        return as_it_is(row.body)


@router.get("/runs/{run}/proofs", response_model=list[ProofLine])
def list_proofs(
    run: Hash,
    first: int = Query(1, ge=1, le=LARGEST),
    last: int = Query(LARGEST, ge=1, le=LARGEST),
    after: str = Query("", max_length=100),
    limit: int = Query(500, ge=1, le=1000),
    ledger: Ledger = Depends(get_ledger),
) -> JSONResponse:
    """List the proofs of the rounds from `first` to `last`, by round and id. The next page begins in the round of the
    last line (`first`), after its proof (`after`)."""
    catch_up(ledger)
    number = col(ProofView.number)
    position = tuple_(col(ProofView.number), col(ProofView.proof))
    query = select(ProofView).where(ProofView.run == run, position > (first, after), number <= last)
    with ledger.store.read() as session:
        rows = session.exec(query.order_by(number, col(ProofView.proof)).limit(limit))
        return as_it_is([_line(row.body) for row in rows])


@router.get("/runs/{run}/lineage")
def show_lineage(
    run: Hash,
    first: int = Query(1, ge=1, le=LARGEST),
    last: int = Query(LARGEST, ge=1, le=LARGEST),
    limit: int = Query(PAGE, ge=1, le=PAGE),
    ledger: Ledger = Depends(get_ledger),
) -> list[LineageRound]:
    """Show the lineage of weights: each round with its merged proofs, the decisions at its opening, the contributions
    during it, and the epoch that pays it."""
    catch_up(ledger)
    with ledger.store.read() as session:
        return lineage(session, RunId(run), first, last, limit)


def _after_entry(kind: type[OfRun], run: RunId, after: int, limit: int) -> SelectOfScalar[OfRun]:
    entry = col(kind.entry)
    return select(kind).where(kind.run == run, entry > after).order_by(entry).limit(limit)


def _rows(ledger: Ledger, run: str, query: SelectOfScalar[Any]) -> JSONResponse:
    """Raises NotFound for a run that is none."""
    catch_up(ledger)
    with ledger.store.read() as session:
        if session.get(RunView, run) is None:
            raise NotFound(f"no run {run}")
        return as_it_is([row.body for row in session.exec(query)])


def _line(body: Document) -> Document:
    return {name: body[name] for name in ProofLine.model_fields}
