"""Every table. Digests and ids are 0x-hex, addresses checksummed, times Unix seconds, amounts whole units.

Tables in APPEND_ONLY take inserts alone: triggers in the database refuse the rest (see ledger/storage/append_only.py).
"""

from __future__ import annotations

from ledger.storage.tables.chain import FINAL as FINAL
from ledger.storage.tables.chain import OPEN_PROPOSALS as OPEN_PROPOSALS
from ledger.storage.tables.chain import UNWEIGHED as UNWEIGHED
from ledger.storage.tables.chain import Attempt as Attempt
from ledger.storage.tables.chain import BallotRow as BallotRow
from ledger.storage.tables.chain import ChainEvent as ChainEvent
from ledger.storage.tables.chain import Cursor as Cursor
from ledger.storage.tables.chain import DecisionRow as DecisionRow
from ledger.storage.tables.chain import DelegationRow as DelegationRow
from ledger.storage.tables.chain import Header as Header
from ledger.storage.tables.chain import LeaseRow as LeaseRow
from ledger.storage.tables.chain import Outgoing as Outgoing
from ledger.storage.tables.chain import PendingEvent as PendingEvent
from ledger.storage.tables.chain import Proposal as Proposal
from ledger.storage.tables.chain import RelayDay as RelayDay
from ledger.storage.tables.chain import RelaySpending as RelaySpending
from ledger.storage.tables.chain import Vote as Vote
from ledger.storage.tables.columns import Units as Units
from ledger.storage.tables.identity import IdentityRow as IdentityRow
from ledger.storage.tables.judgement import AnnouncedRow as AnnouncedRow
from ledger.storage.tables.judgement import ClosingRow as ClosingRow
from ledger.storage.tables.judgement import MirrorRow as MirrorRow
from ledger.storage.tables.market import HostOfferRow as HostOfferRow
from ledger.storage.tables.market import HostReportRow as HostReportRow
from ledger.storage.tables.money import OPEN_EPOCHS as OPEN_EPOCHS
from ledger.storage.tables.money import Balance as Balance
from ledger.storage.tables.money import Cosignature as Cosignature
from ledger.storage.tables.money import Epoch as Epoch
from ledger.storage.tables.money import LogEntry as LogEntry
from ledger.storage.tables.money import LogNode as LogNode
from ledger.storage.tables.money import PayoutRow as PayoutRow
from ledger.storage.tables.money import Resolution as Resolution
from ledger.storage.tables.money import Transfer as Transfer
from ledger.storage.tables.views import CreditView as CreditView
from ledger.storage.tables.views import FaultView as FaultView
from ledger.storage.tables.views import NodeView as NodeView
from ledger.storage.tables.views import ProofView as ProofView
from ledger.storage.tables.views import RoundView as RoundView
from ledger.storage.tables.views import RunView as RunView
from ledger.storage.tables.views import TakenView as TakenView

APPEND_ONLY: tuple[str, ...] = (
    "transfer",
    "resolution",
    "logentry",
    "lognode",
    "payout",
    "cosignature",
    "attempt",
    "chainevent",
    "ballot",
    "closing",
    "identity",
)
