"""Every table. Digests and ids are 0x-hex, addresses checksummed, times Unix seconds, amounts whole units.

Tables in APPEND_ONLY take inserts alone: triggers in the database refuse the rest (see ledger/append_only.py).
"""

from __future__ import annotations

from ledger.tables.audit import AppealRow as AppealRow
from ledger.tables.audit import FaultRow as FaultRow
from ledger.tables.audit import MoveRow as MoveRow
from ledger.tables.audit import NodeFaultRow as NodeFaultRow
from ledger.tables.audit import RevealRow as RevealRow
from ledger.tables.audit import WitnessRow as WitnessRow
from ledger.tables.audit import WorkAuditRow as WorkAuditRow
from ledger.tables.chain import AbsenceRow as AbsenceRow
from ledger.tables.chain import Attempt as Attempt
from ledger.tables.chain import BallotRow as BallotRow
from ledger.tables.chain import ChainEvent as ChainEvent
from ledger.tables.chain import Cursor as Cursor
from ledger.tables.chain import DecisionRow as DecisionRow
from ledger.tables.chain import Header as Header
from ledger.tables.chain import LeaseRow as LeaseRow
from ledger.tables.chain import Outgoing as Outgoing
from ledger.tables.chain import PendingEvent as PendingEvent
from ledger.tables.chain import Proposal as Proposal
from ledger.tables.columns import Units as Units
from ledger.tables.judgement import AnnouncedRow as AnnouncedRow
from ledger.tables.judgement import ClosingRow as ClosingRow
from ledger.tables.judgement import MirrorRow as MirrorRow
from ledger.tables.money import ContributionRow as ContributionRow
from ledger.tables.money import Cosignature as Cosignature
from ledger.tables.money import Epoch as Epoch
from ledger.tables.money import LogEntry as LogEntry
from ledger.tables.money import LogNode as LogNode
from ledger.tables.money import PayoutRow as PayoutRow
from ledger.tables.money import Resolution as Resolution
from ledger.tables.money import Transfer as Transfer
from ledger.tables.training import Anchor as Anchor
from ledger.tables.training import ChallengeRow as ChallengeRow
from ledger.tables.training import MergeRow as MergeRow
from ledger.tables.training import Node as Node
from ledger.tables.training import OpeningRow as OpeningRow
from ledger.tables.training import PanelRow as PanelRow
from ledger.tables.training import Participant as Participant
from ledger.tables.training import PledgeRow as PledgeRow
from ledger.tables.training import Proof as Proof
from ledger.tables.training import Round as Round
from ledger.tables.training import Run as Run
from ledger.tables.training import Seat as Seat
from ledger.tables.training import SignedMessage as SignedMessage
from ledger.tables.training import VerdictRow as VerdictRow
from ledger.tables.views import ProofView as ProofView
from ledger.tables.views import RoundView as RoundView
from ledger.tables.views import RunView as RunView

APPEND_ONLY: tuple[str, ...] = (
    "signedmessage",
    "panel",
    "challenge",
    "opening",
    "pledge",
    "verdict",
    "merge",
    "transfer",
    "resolution",
    "contribution",
    "logentry",
    "lognode",
    "payout",
    "cosignature",
    "attempt",
    "chainevent",
    "ballot",
    "witness",
    "workaudit",
    "reveal",
    "fault",
    "nodefault",
    "move",
    "closing",
)
