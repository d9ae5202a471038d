"""Governance for a holder: build the same actions as the server, sign them, hand them in."""

from __future__ import annotations

from collections.abc import Sequence

from eth_account.signers.local import LocalAccount
from eth_utils import keccak

from commonweight.governance.proven import ProposalDiffers, Proven, asked
from commonweight.model.known_model import checked
from contracts.bindings.governor import Action, ModelGovernor, description_of, proposal_id_of
from contracts.bindings.model_registry import ModelRegistry
from contracts.bindings.token import Delegation, ModelToken
from contracts.calls.effects import Preview, preview
from contracts.calls.text import parse_call
from contracts.chain.connection import connect, send
from contracts.genesis.creation import first_block
from contracts.ids import Address, RunId, from_hex, to_hex
from contracts.wire.epochs import QueuedCall
from contracts.wire.requests import BallotBody, CallBody, DelegationBody, ProposalBody
from contracts.wire.votes import QueuedProposal, TakenBallot
from trainer.client import ApiClient
from verifier.log.settled_weights import settled_weights

MOST_SECONDS = 64
"""Seconds of other objections that are compared: those with most votes."""


class GovernanceClient:
    """One model's governor through API and chain; the chain gives nonces and ids, so the API cannot swap them."""

    def __init__(self, api_url: str, rpc_url: str) -> None:
        self.client = ApiClient(api_url)
        w3 = connect(rpc_url)
        self.deployment = checked(w3, self.client.deployment)
        self.governor = ModelGovernor(w3, self.deployment.governor)
        self.token = ModelToken(w3, self.deployment.token)
        self._models = ModelRegistry(w3, self.deployment.model_registry)
        self._model = from_hex(self.deployment.model)

    def calls(self, texts: Sequence[str]) -> list[Action]:
        """The calls of these texts, on the contracts that the server names. Raises BadField."""
        return [parse_call(self.governor.w3, self.deployment, text) for text in texts]

    def previews(self, actions: Sequence[Action]) -> list[Preview]:
        """The changes that each call would make now."""
        return [preview(self.governor.w3, self.deployment, action) for action in actions]

    def propose(
        self,
        account: LocalAccount,
        description: str,
        decisions: Sequence[tuple[str, str]],
        calls: Sequence[Action] = (),
    ) -> str:
        """Sign and hand in a proposal under its proposer's mark; returns its id, which is computed here.

        Raises ApiProblem, and ProposalDiffers where the server names another id.
        """
        description = description_of(description, account.address)
        actions = [
            Action.of(self._models.decide(self._model, keccak(text=f"{description}\n{index}"), key, value))
            for index, (key, value) in enumerate(decisions)
        ] + list(calls)
        until = self._in_an_hour()
        signature = self.governor.sign_proposal(account, actions, description, until)
        body = ProposalBody.made(
            proposer=account.address,
            description=description,
            decisions=list(decisions),
            deadline=until,
            calls=[CallBody.made(target=c.target, value=str(c.value), data=to_hex(c.data)) for c in calls],
            signature=to_hex(signature),
        )
        proposal = str(proposal_id_of(actions, keccak(text=description)))
        answer = self._handed_in(body)
        if answer != proposal:
            raise ProposalDiffers(f"the proposal was sent as {proposal}; the server calls it {answer[:80]}")
        return proposal

    def _handed_in(self, body: ProposalBody) -> str:
        return self.client.send(QueuedProposal, "/proposals", body).proposal

    def release(
        self, account: LocalAccount, description: str, weights: tuple[RunId, int], version: str, licence: str
    ) -> tuple[str, str]:
        """Propose to release the weights after a round (run, number); returns the proposal's id and their digest.

        Raises NotSettled, ApiProblem, and the errors of reading the log.
        """
        settled = settled_weights(self.client, self.deployment, self.governor.w3, *weights)
        call = self._models.record_release(self._model, version, from_hex(settled.theta), licence)
        return self.propose(account, description, (), [Action.of(call)]), settled.theta

    def asked(self, proposal: str) -> Proven:
        """The proposal that the server shows under an id, checked against it. Raises ApiProblem and ProposalDiffers."""
        return asked(self.client, proposal)

    def vote(self, account: LocalAccount, proven: Proven, support: int) -> str:
        """Sign and hand in a ballot on a proposal whose calls were seen: a ballot names the id alone.

        Returns the server's word: taken, or for a repeated vote waiting or counted. Raises ApiProblem.
        """
        ballot = self.governor.sign_ballot(account, int(proven.id), support)
        body = BallotBody.made(voter=account.address, support=support, signature=to_hex(ballot.signature))
        return self.client.send(TakenBallot, f"/proposals/{proven.id}/ballots", body).ballot

    def object_to(self, account: LocalAccount, proposal: str) -> tuple[int, int, str]:
        """Object with the account's own gas; returns objections, votes for the proposal, and its state then.

        The calls are the chain's, not the server's. Raises BadField, ProposalDiffers and ContractRejected.
        """
        number = int(proposal)
        start_block = first_block(self.governor.w3, self.deployment)
        actions, digest = self.governor.calls_of(number, start_block)
        if proposal_id_of(actions, digest) != number:
            raise ProposalDiffers(f"the chain node shows the calls of another proposal under {proposal}")
        second = self._second(account.address, number, start_block)
        send(self.governor.w3, account, self.governor.object_to(actions, digest, second))
        votes = self.governor.objections_to(number, second)
        return votes, self.governor.votes(number)[1], self.governor.state(number).name.lower()

    def _second(self, account: Address, number: int, start_block: int) -> int:
        """The second at which this objection and the earlier ones have most votes together.

        Anybody may name a second, without votes or with few: the sum counts. A second at which the account objected
        already is passed over, so that a repeated objection counts at another one.
        """
        objections = self.governor.objected(number, start_block)
        done = {line.second for line in objections if line.holder == account}
        sums = {line.second: line.total for line in objections if line.total and line.second not in done}
        largest = sorted(sums, key=lambda second: sums[second], reverse=True)[:MOST_SECONDS]
        newest = int(self.governor.w3.eth.get_block("latest")["timestamp"]) - 1
        own = {second: self.token.past_votes(account, second) for second in {newest, *largest} - done}
        seconds = [second for second in own if own[second]]
        return max(seconds, key=lambda second: (own[second] + sums.get(second, 0), sums.get(second, 0)), default=newest)

    def _in_an_hour(self) -> int:
        """Unix seconds of the chain, whose contracts judge the deadline: this machine's clock has no part in it."""
        return int(self.governor.w3.eth.get_block("latest")["timestamp"]) + 3600

    def delegate(self, account: LocalAccount, delegatee: str) -> str:
        """Sign and hand in a delegation of votes; returns the id of the relayer's transaction. Raises ApiProblem."""
        delegation = Delegation(delegatee, self.token.nonce(account.address), self._in_an_hour())
        body = DelegationBody.made(
            delegator=account.address,
            delegatee=delegation.to,
            nonce=delegation.nonce,
            expiry=delegation.expiry,
            signature=to_hex(self.token.sign_delegation(account, delegation)),
        )
        return self.client.send(QueuedCall, "/delegations", body).transaction
