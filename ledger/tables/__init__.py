"""Every table. Digests and ids are 0x-hex, addresses checksummed, times Unix seconds, amounts whole units.

Tables in APPEND_ONLY take inserts alone: triggers in the database refuse the rest (see ledger/append_only.py).
"""

from __future__ import annotations

from ledger.tables.chain import OPEN_PROPOSALS as OPEN_PROPOSALS
from ledger.tables.chain import UNWEIGHED as UNWEIGHED
from ledger.tables.chain import Attempt as Attempt
from ledger.tables.chain import BallotRow as BallotRow
from ledger.tables.chain import ChainEvent as ChainEvent
from ledger.tables.chain import Cursor as Cursor
from ledger.tables.chain import DecisionRow as DecisionRow
from ledger.tables.chain import DelegationRow as DelegationRow
from ledger.tables.chain import Header as Header
from ledger.tables.chain import LeaseRow as LeaseRow
from ledger.tables.chain import Outgoing as Outgoing
from ledger.tables.chain import PendingEvent as PendingEvent
from ledger.tables.chain import Proposal as Proposal
from ledger.tables.chain import RelayDay as RelayDay
from ledger.tables.chain import RelaySpending as RelaySpending
from ledger.tables.chain import Vote as Vote
from ledger.tables.columns import Units as Units
from ledger.tables.identity import IdentityRow as IdentityRow
from ledger.tables.judgement import AnnouncedRow as AnnouncedRow
from ledger.tables.judgement import ClosingRow as ClosingRow
from ledger.tables.judgement import MirrorRow as MirrorRow
from ledger.tables.money import OPEN_EPOCHS as OPEN_EPOCHS
from ledger.tables.money import Balance as Balance
from ledger.tables.money import Cosignature as Cosignature
from ledger.tables.money import Epoch as Epoch
from ledger.tables.money import LogEntry as LogEntry
from ledger.tables.money import LogNode as LogNode
from ledger.tables.money import PayoutRow as PayoutRow
from ledger.tables.money import Resolution as Resolution
from ledger.tables.money import Transfer as Transfer
from ledger.tables.views import CreditView as CreditView
from ledger.tables.views import FaultView as FaultView
from ledger.tables.views import NodeView as NodeView
from ledger.tables.views import ProofView as ProofView
from ledger.tables.views import RoundView as RoundView
from ledger.tables.views import RunView as RunView
from ledger.tables.views import TakenView as TakenView

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
