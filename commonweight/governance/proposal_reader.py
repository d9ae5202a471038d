"""Proposals before a vote: as a server shows them, checked against their ids; with a chain node the Governor is asked.

With a chain node no voter depends on the server's list: votes on a proposal that others are not shown decide it alone.
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
    """A server, and with `rpc_url` a chain node whose states and counts replace the server's."""

    def __init__(self, api_url: str, rpc_url: str = "") -> None:
        """Raises ApiUnreachable, OtherApi and, for a model that the chain node does not confirm, GenesisRefused."""
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
        """One proposal, and its status; a proposal that the server does not show as its id proves it is read from the
        Governor where a chain node was given. Raises ApiProblem, ApiUnreachable, BadField and ProposalDiffers."""
        try:
            proven = asked(self.client, proposal)
        except (ApiProblem, ApiUnreachable, ProposalDiffers):
            if self.governor is None:
                raise
            proven = of_chain(self.governor, proposal, self.deployment.block)
        return proven, self.standing(proven)

    def standing(self, proven: Proven) -> ProposalStanding:
        """The status, by the Governor where a chain node was given. Raises ProposalDiffers for an unreadable one."""
        if self.governor is not None:
            return proposal_state.by_chain(self.governor, int(proven.id), self.deployment.block)
        with well_formed("state of a proposal"):
            return proposal_state.by_server(proven.said)

    def all(self, open_only: bool) -> Iterator[tuple[Proven, ProposalStanding]]:
        """Every proposal that the server names, each checked against its id. With a chain node those of the Governor
        come first, which no row of the server keeps back, and the Governor decides which are over."""
        on_chain = [] if self.governor is None else map(str, self.governor.ids(self.deployment.block))
        ids = dict.fromkeys(on_chain)
        for proposal in chain(ids, self._named(open_only, ids)):
            proven, status = self.read(proposal)
            if not (self.governor is not None and open_only and status.state in OVER):
                yield proven, status

    def _named(self, open_only: bool, ids: Container[str]) -> Iterator[str]:
        """Ids that the server names beside `ids`."""
        with well_formed("list of proposals"):
            rows = all_proposals(self.client)
            names = [row.id for row in rows if self.governor is not None or not (open_only and row.over)]
        yield from dict.fromkeys(name for name in names if name not in ids)

    def lines(self, proven: Proven, status: ProposalStanding) -> Iterator[str]:
        """Lines for a terminal."""
        yield from lines_of(proven, status, self.deployment, self.names_checked)

    def standing_lines(self, proven: Proven, status: ProposalStanding) -> Iterator[str]:
        """Lines for a terminal that has shown the proposal before."""
        yield from standing_lines(status, proven.id)

    def document(self, proven: Proven, status: ProposalStanding) -> Object:
        """The proposal for scripts."""
        return as_document(proven, status, self.deployment)

    def watch(
        self, proposal: str, sleep: Callable[[float], None] = time.sleep
    ) -> Iterator[tuple[Proven, ProposalStanding]]:
        """One proposal now, and again whenever its state or a count is another, until it is over."""
        before: tuple[object, ...] | None = None
        while True:
            proven, view = self.read(proposal)
            now = (view.state, view.against, view.in_favour, view.abstain, view.deadline, view.eta, view.objections)
            if now != before:
                yield proven, view
            if view.state in OVER:
                return
            before = now
            sleep(WATCH_SECONDS)
