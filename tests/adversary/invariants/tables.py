"""Where the reading puts the entries that need no more than their own proof, round or run; and what is a message."""

from __future__ import annotations

from contracts.protocol.judge import entries as derived
from contracts.protocol.judge import facts

OF_PROOF = {
    facts.Opened: "opened",
    derived.SeatsFilled: "filled",
    derived.Drawn: "drawn",
    derived.OpeningsClosed: "openings",
    facts.TraceShown: "traces",
    derived.BenchCalled: "benches",
    derived.SecondLook: "looks",
    derived.SegmentDecided: "decided",
    derived.PanelSpoken: "spoken",
    facts.PledgeOpened: "pledges",
    derived.FaultDerived: "faults",
    derived.PanelDrawn: "panels",
    derived.Undecided: "ends",
}
OF_ROUND = {
    facts.Seen: "seen",
    facts.Secret: "secrets",
    derived.BeaconFixed: "fixed",
    derived.BeaconMissed: "missed",
    derived.MergeSet: "merge_sets",
    facts.MergeSigned: "signed",
    derived.RoundMerged: "merged",
}
OF_RUN = {
    facts.RunCreated: "created",
    facts.Anchored: "anchored",
    facts.Enrolled: "enrolled",
    facts.Left: "left",
    facts.Returned: "returned",
    facts.Credited: "credited",
    facts.Invoiced: "invoiced",
    derived.InvoicesAssessed: "assessed",
    derived.DecisionTaken: "taken",
    derived.Overruled: "overruled",
    derived.VerifierFault: "verifier_faults",
    derived.RunOver: "over",
}
MESSAGES = frozenset(
    {
        facts.Anchored,
        facts.Enrolled,
        facts.Left,
        facts.Returned,
        facts.Committed,
        facts.Has,
        facts.Seen,
        facts.Secret,
        facts.Opened,
        facts.Words,
        facts.PledgeOpened,
        facts.TraceShown,
        facts.Lapse,
        facts.MergeSigned,
    }
)
"""What nodes and verifiers send."""
