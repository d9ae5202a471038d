"""Proposals before a vote: as a server shows them, held against their ids; the Governor is asked where it can be.

With a chain node nobody depends on the server for what there is: who votes on what others are not shown decides alone.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Container, Iterator
from itertools import chain

from commonweight.governance import proposal_state
from commonweight.governance.proposal_state import OVER, ProposalStanding
from commonweight.governance.proposals import all_proposals, as_document, lines_of, standing_lines
from commonweight.governance.proven import ProposalDiffers, Proven, asked, of_chain, well_formed
from commonweight.model.known_model import checked, home
from contracts.bindings.governor import ModelGovernor
from contracts.chain.connection import connect
from contracts.genesis.remembered import is_remembered
from contracts.wire.fields import Object
from trainer.client import ApiClient, ApiProblem, ApiUnreachable

WATCH_SECONDS = 5.0


class ProposalReader:
    """A server, and with `rpc_url` a chain node whose word on states and counts is taken in place of the server's."""

    def __init__(self, api_url: str, rpc_url: str = "") -> None:
        """Raises ApiUnreachable, OtherApi and, of a model that the chain node does not bear out, GenesisRefused."""
        self.client = ApiClient(api_url)
        self.deployment = self.client.deployment
        self.governor: ModelGovernor | None = None
        folder = home()
        self.names_checked = folder is not None and is_remembered(self.deployment, folder)
        if rpc_url:
            w3 = connect(rpc_url)
            checked(w3, self.deployment)
            self.governor = ModelGovernor(w3, self.deployment.governor)
            self.names_checked = True

    def read(self, proposal: str) -> tuple[Proven, ProposalStanding]:
        """One proposal, and where it stands; what the server does not show as its id proves it, from the Governor where
        a chain node was given. Raises ApiProblem, ApiUnreachable, BadField and ProposalDiffers."""
        try:
            found = asked(self.client, proposal)
        except (ApiProblem, ApiUnreachable, ProposalDiffers):
            if self.governor is None:
                raise
            found = of_chain(self.governor, proposal, self.deployment.block)
        return found, self.standing(found)

    def standing(self, found: Proven) -> ProposalStanding:
        """By the Governor where a chain node was given. Raises ProposalDiffers for what says nothing of a state."""
        if self.governor is not None:
            return proposal_state.by_chain(self.governor, int(found.id), self.deployment.block)
        with well_formed("state of a proposal"):
            return proposal_state.by_server(found.said)

    def all(self, open_only: bool) -> Iterator[tuple[Proven, ProposalStanding]]:
        """Every proposal that the server names, each held against its id; with a chain node first those that the
        Governor has, which no row of the server's keeps back, and what is over is the Governor's word."""
        made = [] if self.governor is None else map(str, self.governor.ids(self.deployment.block))
        known = dict.fromkeys(made)
        for proposal in chain(known, self._named(open_only, known)):
            found, at = self.read(proposal)
            if not (self.governor is not None and open_only and at.state in OVER):
                yield found, at

    def _named(self, open_only: bool, known: Container[str]) -> Iterator[str]:
        """Ids that the server names beside those."""
        with well_formed("list of proposals"):
            rows = all_proposals(self.client)
            named = [row.id for row in rows if self.governor is not None or not (open_only and row.over)]
        yield from dict.fromkeys(name for name in named if name not in known)

    def lines(self, found: Proven, at: ProposalStanding) -> Iterator[str]:
        """For a terminal."""
        yield from lines_of(found, at, self.deployment, self.names_checked)

    def standing_lines(self, found: Proven, at: ProposalStanding) -> Iterator[str]:
        """For a terminal that has shown it before."""
        yield from standing_lines(at, found.id)

    def document(self, found: Proven, at: ProposalStanding) -> Object:
        """For scripts."""
        return as_document(found, at, self.deployment)

    def watch(
        self, proposal: str, sleep: Callable[[float], None] = time.sleep
    ) -> Iterator[tuple[Proven, ProposalStanding]]:
        """One proposal now, and again whenever its state or a count is another, until it is over."""
        before: tuple[object, ...] | None = None
        while True:
            found, at = self.read(proposal)
            now = (at.state, at.against, at.in_favour, at.abstain, at.deadline, at.eta, at.objections)
            if now != before:
                yield found, at
            if at.state in OVER:
                return
            before = now
            sleep(WATCH_SECONDS)
