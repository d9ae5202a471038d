"""Routes of epochs: their lines, their signatures, and claims."""

from __future__ import annotations

from collections.abc import Sequence

from eth_utils import to_checksum_address
from fastapi import APIRouter, Depends, Query
from sqlmodel import col, select

from api.access import get_ledger
from api.wire import Number
from contracts.ids import as_address, from_hex, to_hex
from contracts.messages import for_contracts as messages
from contracts.messages.for_contracts import from_json
from contracts.protocol.judge.entries import Line
from contracts.wire import epochs as wire
from contracts.wire.fields import LARGEST, PAGE, EthAddress
from contracts.wire.requests import ClaimBody, EpochRootBody, SignedClaimBody
from contracts.wire.states import EpochStage, MintState
from ledger import cosign
from ledger.books import payouts
from ledger.chainread import reorgs
from ledger.context import Ledger
from ledger.epochs import settlement, signed_claims
from ledger.epochs.signed_claims import SignedClaim
from ledger.storage.tables import Epoch, PayoutRow

router = APIRouter()


@router.get("/epochs")
def list_epochs(
    run: str | None = Query(None, pattern="^0x[0-9a-f]{64}$"),
    after: int = Query(-1, ge=-1, le=LARGEST),
    limit: int = Query(PAGE, ge=1, le=PAGE),
    ledger: Ledger = Depends(get_ledger),
) -> list[wire.Epoch]:
    """List the closed epochs after a number, of one run or of all runs, with the verifiers that signed each root."""
    query = select(Epoch).where(col(Epoch.number) > after)
    query = query if run is None else query.where(Epoch.run == run)
    with ledger.store.read() as session:
        rows = list(session.exec(query.order_by(col(Epoch.number)).limit(limit)))
        roots = [settlement.root_message(ledger, row) for row in rows]
        signers = cosign.signers_of_each(ledger, session, roots)
    return [_epoch(row, signed) for row, signed in zip(rows, signers, strict=True)]


@router.get("/epochs/{number}/payouts")
def epoch_payouts(
    number: Number,
    start: int = Query(0, ge=0, le=LARGEST),
    limit: int = Query(500, ge=1, le=1000),
    ledger: Ledger = Depends(get_ledger),
) -> wire.Payouts:
    """List payout lines of an epoch: those of the final root, or of the newest root while none is final."""
    with ledger.store.read() as session:
        epoch = settlement.require_epoch(session, number)
        if epoch.state == EpochStage.FINAL:
            return wire.Payouts(payouts=[_line(line) for line in payouts.lines(session, number, start, limit)])
        coming = list(enumerate(settlement.lines(session, epoch).lines))[start : start + limit]
    return wire.Payouts(payouts=[_coming(index, line) for index, line in coming])


@router.post("/epochs/{number}/signatures")
def sign_epoch(number: Number, body: EpochRootBody, ledger: Ledger = Depends(get_ledger)) -> wire.SignedEpoch:
    """Send a verifier's signature under an epoch's root. With k signatures the root goes to the chain."""
    message = from_json(messages.EpochRoot, body.message)
    settlement.sign(ledger, number, message, body.signature_bytes(), as_address(body.signer))
    return wire.SignedEpoch(epoch=number)


@router.get("/epochs/{number}/claims/{account}")
def show_claim(number: Number, account: EthAddress, ledger: Ledger = Depends(get_ledger)) -> list[wire.ClaimLine]:
    """Show an account's payout lines with the Merkle proofs that the contract checks, and the state of each mint."""
    with ledger.store.read() as session:
        lines = payouts.lines_of(session, number, as_address(account))
        paths = payouts.proofs(
            ledger.blobs, session, settlement.require_epoch(session, number), [x.leaf for x in lines]
        )
        return [_claim(x, path, reorgs.mint_state(session, x.leaf)) for x, path in zip(lines, paths, strict=True)]


@router.post("/epochs/{number}/claims")
def claim(number: Number, body: ClaimBody, ledger: Ledger = Depends(get_ledger)) -> wire.QueuedClaims:
    """Mint an account's payout lines at the relayer's cost. Anybody may ask for it; only the account is paid."""
    return wire.QueuedClaims(transactions=settlement.claim(ledger, number, as_address(body.account)))


@router.post("/epochs/{number}/signed-claims")
def signed_claim(number: Number, body: SignedClaimBody, ledger: Ledger = Depends(get_ledger)) -> wire.QueuedCall:
    """Mint one payout line to the address that its account signed, at the relayer's cost."""
    signature = from_hex(body.signature)
    claim = SignedClaim(number, body.index, as_address(body.account), body.to, body.deadline, signature)
    return wire.QueuedCall(transaction=signed_claims.claim_to(ledger, claim))


def _epoch(row: Epoch, signers: list[str]) -> wire.Epoch:
    return wire.Epoch(
        epoch=row.number,
        run=row.run,
        state=EpochStage(row.state),
        attempt=row.attempt,
        first_round=row.first_round,
        last_round=row.last_round,
        root=row.root,
        total=str(row.total),
        count=row.count,
        log_size=row.log_size,
        log_root=row.log_root,
        settled_at=row.settled_at,
        deadline=row.deadline,
        ours=row.ours,
        signatures=signers,
    )


def _line(line: PayoutRow) -> wire.PayoutLine:
    return wire.PayoutLine(
        index=line.index, account=line.account, kind=line.kind, amount=str(line.amount), leaf=line.leaf
    )


def _claim(line: PayoutRow, path: Sequence[bytes], minted: MintState | None) -> wire.ClaimLine:
    return wire.ClaimLine(
        index=line.index,
        account=line.account,
        kind=line.kind,
        amount=str(line.amount),
        leaf=line.leaf,
        proof=[to_hex(node) for node in path],
        minted=minted,
    )


def _coming(index: int, line: Line) -> wire.PayoutLine:
    """A line that no final root pays yet."""
    account = to_checksum_address(line.account)
    return wire.PayoutLine(index=index, account=account, kind=line.kind, amount=str(line.amount), leaf=None)
