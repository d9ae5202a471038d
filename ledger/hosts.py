"""The board of suppliers' hosts: one offer a key, one report a verifier and host, for as long as each counts.

Nothing follows from it: no rule, no share and no pay. So it is no part of the log, and ends by itself. Strangers have a
bounded part of it; keys with a stake, and hosts that k verifiers have measured, are never put out by theirs: one
verifier alone lifts nobody out of the strangers' part.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass

from sqlmodel import Session, col, delete, func, select

from contracts.hosts.errors import BoardFull, HostMessageOld, HostUnknown
from contracts.hosts.signed import (
    ENDED_SECONDS,
    LONGEST_OFFER,
    Model,
    Signed,
    read_signed,
    require_offer,
    require_report,
)
from contracts.ids import Address, from_hex
from contracts.messages.for_market import HostOffer, MeasuredHost
from contracts.messages.signatures import Domain
from contracts.mirrors.places import is_loopback
from ledger.context import Ledger
from ledger.intake.admitted import admitted
from ledger.storage.tables import HostOfferRow, HostReportRow

MOST_OFFERS, MOST_OF_STRANGERS = 1_024, 512
"""Offers in all, and of keys without a stake whose host nobody has measured."""
MOST_ENDED = 4_096
"""Ended offers that are remembered, so that no older one takes their place."""
LEAST_PAUSE = 30
"""Seconds from one offer of a key to its next: each takes a writer's turn."""


@dataclass(frozen=True)
class ListedHost:
    """An offer and the reports about it, as they were signed."""

    offer: Signed[HostOffer]
    reports: tuple[Signed[MeasuredHost], ...]


def model_of(ledger: Ledger) -> Model:
    """The model of this ledger."""
    deployment = ledger.chain.deployment
    return Model(from_hex(deployment.model), Domain(deployment.chain_id, deployment.model_registry))


def offer(ledger: Ledger, one: Signed[HostOffer]) -> HostOffer:
    """Take a supplier's offer in the place of its last one. Sent again it changes nothing.

    Raises BadHostMessage, HostMessageOld, BadSignature and BoardFull.
    """
    now = ledger.now()
    message = require_offer(one, model_of(ledger), now, _is_local(ledger))
    with ledger.store.read() as session:
        held = session.get(HostOfferRow, message.supplier)
        if held is not None and held.text == _text(one):
            return message
        stands = _stands(ledger, session, message.supplier, now)
        _require_newer(held, message)
        _require_room(session, message.supplier, stands, now)
    with ledger.store.write(quiet=True) as session:
        _drop_ended(session, now)
        _require_newer(session.get(HostOfferRow, message.supplier), message)
        _require_room(session, message.supplier, stands, now)
        row = HostOfferRow(
            supplier=message.supplier,
            issued_at=message.issuedAt,
            expires_at=message.expiresAt,
            stands=stands,
            text=_text(one),
        )
        session.merge(row)
    return message


def report(ledger: Ledger, one: Signed[MeasuredHost]) -> MeasuredHost:
    """Take a verifier's report in the place of its last one about that host; an older one changes nothing.

    Raises BadHostMessage, HostMessageOld, HostUnknown, NotAVerifier and BadSignature.
    """
    now, said = ledger.now(), one.message
    with ledger.store.read() as session:
        verifiers, k = admitted(ledger, session)
        about = _offer_of(session, said.supplier, now)
        message = require_report(one, model_of(ledger), verifiers, now, about)
    with ledger.store.write(quiet=True) as session:
        held = session.get(HostReportRow, (message.supplier, message.verifier))
        if held is not None and held.measured_at >= message.measuredAt:
            return message
        row = HostReportRow(
            supplier=message.supplier, verifier=message.verifier, measured_at=message.measuredAt, text=_text(one)
        )
        session.merge(row)
        session.flush()
        listed = session.get(HostOfferRow, message.supplier)
        if listed is not None and _is_measured(session, message.supplier, verifiers, k, now):
            listed.stands = True
            session.add(listed)
    return message


def hosts(ledger: Ledger, after: str = "", limit: int = MOST_OFFERS) -> list[ListedHost]:
    """Hosts whose offers stand now, by their suppliers' addresses after one."""
    now = ledger.now()
    with ledger.store.read() as session:
        query = select(HostOfferRow).where(col(HostOfferRow.expires_at) > now, col(HostOfferRow.supplier) > after)
        rows = session.exec(query.order_by(col(HostOfferRow.supplier)).limit(limit)).all()
        suppliers = [row.supplier for row in rows]
        found = session.exec(select(HostReportRow).where(col(HostReportRow.supplier).in_(suppliers))).all()
    return [_listed(row, found, now) for row in rows]


def _listed(row: HostOfferRow, reports: Sequence[HostReportRow], now: int) -> ListedHost:
    offered = read_signed(HostOffer, json.loads(row.text))
    own = [read_signed(MeasuredHost, json.loads(one.text)) for one in reports if one.supplier == row.supplier]
    counted = [
        one for one in own if one.message.url == offered.message.url and one.message.measuredAt + ENDED_SECONDS > now
    ]
    return ListedHost(offered, tuple(counted))


def _offer_of(session: Session, supplier: str, now: int) -> HostOffer:
    row = session.get(HostOfferRow, supplier)
    if row is None or row.expires_at <= now:
        raise HostUnknown(f"{supplier} offers no host here now")
    return read_signed(HostOffer, json.loads(row.text)).message


def _require_newer(held: HostOfferRow | None, message: HostOffer) -> None:
    """An offer that was withdrawn or corrected does not come back."""
    if held is not None and message.issuedAt < held.issued_at + LEAST_PAUSE:
        raise HostMessageOld(f"a newer offer of this key is held, or one of less than {LEAST_PAUSE} s before")


def _stands(ledger: Ledger, session: Session, supplier: Address, now: int) -> bool:
    verifiers, k = admitted(ledger, session)
    if supplier in verifiers or _is_measured(session, supplier, verifiers, k, now):
        return True
    with ledger.judge.view(session) as state:
        return bool(state.stakes.get(supplier))


def _is_measured(session: Session, supplier: str, verifiers: Sequence[str], k: int, now: int) -> bool:
    own = select(HostReportRow).where(
        col(HostReportRow.supplier) == supplier, col(HostReportRow.measured_at) + ENDED_SECONDS > now
    )
    return sum(row.verifier in verifiers for row in session.exec(own).all()) >= max(1, k)


def _require_room(session: Session, supplier: str, stands: bool, now: int) -> None:
    """Raises BoardFull."""
    others = select(func.count()).select_from(HostOfferRow)
    others = others.where(col(HostOfferRow.expires_at) > now, col(HostOfferRow.supplier) != supplier)
    strangers = session.exec(others.where(col(HostOfferRow.stands) == False)).one()  # noqa: E712 - a column
    if not stands and strangers >= MOST_OF_STRANGERS:
        raise BoardFull(f"there are {strangers} offers of keys without a stake, whose hosts nobody has measured")
    if session.exec(others).one() >= MOST_OFFERS:
        raise BoardFull(f"there are {MOST_OFFERS} offers")


def _drop_ended(session: Session, now: int) -> None:
    """An offer that has ended stays, unseen, for as long as an older one of its key could stand: whoever kept a copy of
    that could bring it back. Of these the newest stay."""
    ended = col(HostOfferRow.expires_at) <= now
    session.exec(delete(HostOfferRow).where(ended, col(HostOfferRow.issued_at) + LONGEST_OFFER <= now))
    newest = select(HostOfferRow.supplier).where(ended).order_by(col(HostOfferRow.issued_at).desc())
    over = session.exec(newest.offset(MOST_ENDED).limit(MOST_ENDED)).all()
    if over:
        session.exec(delete(HostOfferRow).where(col(HostOfferRow.supplier).in_(over)))
    session.exec(delete(HostReportRow).where(col(HostReportRow.measured_at) + ENDED_SECONDS <= now))


def _text(one: Signed[HostOffer] | Signed[MeasuredHost]) -> str:
    return json.dumps(one.to_json(), sort_keys=True, separators=(",", ":"))


def _is_local(ledger: Ledger) -> bool:
    """Hosts of this machine are offered where the chain is on it: in a demo, and in tests."""
    provider = ledger.chain.w3.provider
    return is_loopback(str(getattr(provider, "endpoint_uri", "")))
