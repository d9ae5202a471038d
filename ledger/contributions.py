"""Code and data: credited when a quorum of the run's maintainers has signed for them, paid by the run's next epoch.

The quorum is the one in the configuration of the round that is open, so that the log tells who could vouch when.
"""

from __future__ import annotations

from collections.abc import Mapping

from eth_utils import to_checksum_address
from sqlmodel import Session, col, func, select

from contracts.contribution import Contribution, check_quorum, check_weight, kind_of, subject_of
from contracts.log_audit import Kind
from contracts.messages import to_json
from contracts.run_config import RunConfig
from ledger import journal, log
from ledger.enrolment import require_run
from ledger.errors import AlreadyDecided, BindingMismatch
from ledger.service import Ledger
from ledger.tables import ContributionRow, Epoch, Run, Transfer


def credit(ledger: Ledger, run_id: str, message: Contribution, signatures: Mapping[str, bytes]) -> str:
    """Credit a contribution under its maintainers' signatures; the same again changes nothing. Returns its id.

    Raises BadSignature, MessageExpired, WeightRefused, BindingMismatch, NotMaintainer and
    AlreadyDecided.
    """
    if message.model != ledger.chain.model:
        raise BindingMismatch(f"model must be {ledger.chain.deployment.model}")
    check_weight(message)
    key = ""
    for signer, signature in sorted(signatures.items()):
        key = ledger.check(message, signature, signer)
    signers = {str(to_checksum_address(name)): "0x" + given.hex() for name, given in sorted(signatures.items())}
    with ledger.store.write() as session:
        run = require_run(session, run_id)
        check_quorum(RunConfig.from_json(run.config), frozenset(signers))
        _record(ledger, session, run, message, key, signers)
    return key


def since_last_epoch(session: Session, run: Run) -> dict[Kind, dict[str, int]]:
    """Weights by lower-case account of what was credited after the run's last epoch was closed."""
    last = select(func.coalesce(func.max(Epoch.log_size), 0)).where(Epoch.run == run.id)
    paid_up_to = int(session.exec(last).one())
    rows = session.exec(
        select(ContributionRow).where(ContributionRow.run == run.id, col(ContributionRow.log_index) >= paid_up_to)
    )
    totals: dict[Kind, dict[str, int]] = {}
    for row in rows:
        given = totals.setdefault(Kind(row.kind), {})
        given[row.author.lower()] = given.get(row.author.lower(), 0) + row.weight
    return totals


def _record(
    ledger: Ledger, session: Session, run: Run, message: Contribution, key: str, signers: Mapping[str, str]
) -> None:
    subject, kind, author = subject_of(message), kind_of(message), to_checksum_address(message.author)
    known = session.get(ContributionRow, subject)
    if known is not None and (known.message, known.run) == (key, run.id):
        return
    if known is not None:
        where = f"in run {known.run}, to {known.author} with weight {known.weight}"
        raise AlreadyDecided(f"this is credited already, {where}; the model's runs share what was contributed")
    first = next(iter(signers))
    ledger.keep(session, message, bytes.fromhex(signers[first][2:]), first, key)
    index = log.append(
        session, "contribution-credited", run=run.id, contribution=type(message).__name__, message=to_json(message),
        signatures=dict(signers),
    )  # fmt: skip
    session.add(
        ContributionRow(
            run=run.id, subject=subject, kind=int(kind), author=author, weight=message.weight, message=key,
            log_index=index,
        )
    )  # fmt: skip
    journal.record(
        session,
        Transfer(
            id=f"contribution:{run.id}:{subject}", book=kind.name.lower(), debit=f"run:{run.id}", credit=author,
            amount=message.weight, pending=False, made=ledger.now(),
        ),
    )  # fmt: skip
