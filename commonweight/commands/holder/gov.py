"""`commonweight gov`: propose, vote, tally. Signatures only; the relayer pays the gas."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from commonweight.keystore import open_keystore
from commonweight.terminal.console import one_line, tell
from commonweight.terminal.options import (
    DEFAULT_API,
    DEFAULT_RPC,
    Account,
    Api,
    ChainRpc,
    Keystore,
    ProposalId,
    Rpc,
    RunId,
    read_address,
)
from contracts import ids
from contracts.amounts import VOTES, amount
from contracts.ids import as_address

if TYPE_CHECKING:  # commands load what they need when they run, so that --help is quick
    from verifier.log.settled_paybacks import Payback

app = typer.Typer(no_args_is_help=True, help="Decide together what the run does next.")
Dollars = Annotated[
    str,
    typer.Option(
        "--currency", parser=read_address, metavar="ADDRESS", help="ERC-20 of the treasury whose whole is a US dollar."
    ),
]
BEFORE = {"waiting": ": handed in already, and on its way", "counted": ": counted already"}
"""By the state of an earlier ballot, the end of the line about it."""
LONGEST_DESCRIPTION = 3_900
"""Characters: with its proposer's mark a server takes 4,000."""
CALL_HELP = "Contract.function name=value ..., for instance 'VerifierRegistry.admit verifier=0x...'; repeat for more."


@app.command("propose")
def propose(
    keystore: Keystore,
    description: Annotated[str, typer.Option(help="What and why; make it unique, ids follow from it.")],
    decide: Annotated[
        list[str] | None, typer.Option(help="key=value, for instance inner_lr=0.001; repeat for more.")
    ] = None,
    call: Annotated[list[str] | None, typer.Option(help=CALL_HELP)] = None,
    api: Api = DEFAULT_API,
    rpc_url: Rpc = DEFAULT_RPC,
) -> None:
    """Propose decisions for the run, and calls of the model's contracts.

    Votable: inner_lr, outer_lr, outer_momentum, weight_decay, clip, rounds, maintainers, token_price, payback_budget,
    and the weights of an emission's split: compute_weight, code_weight, data_weight, capital_weight. `gov powers` lists
    what can be called, and `gov simulate` shows what would change.
    """
    from commonweight.governance.ballots import GovernanceClient
    from contracts.protocol.run_config import RunConfig

    _require_text(description)
    decisions = [_pair(text) for text in decide or ()]
    if not decisions and not call:
        raise typer.BadParameter("give at least one --decide or --call", param_hint="--decide")
    for key, value in decisions:
        RunConfig().with_decision(key, value)  # before anything is signed; the server looks again
    client = GovernanceClient(api, rpc_url)
    proposal = client.propose(open_keystore(keystore), description, decisions, client.calls(call or ()))
    tell({"proposal": proposal}, [proposal])


@app.command("payback")
def payback(
    keystore: Keystore,
    run: RunId,
    currency: Dollars,
    description: Annotated[str, typer.Option(help="What and why; make it unique, ids follow from it.")],
    invoice: Annotated[
        list[str] | None, typer.Option(help="Id of an invoice; repeat for more; default: all that are open.")
    ] = None,
    api: Api = DEFAULT_API,
    rpc_url: Rpc = DEFAULT_RPC,
) -> None:
    """Propose to pay renters back from the treasury, up to eight invoices at once.

    Taken are invoices that asked for it and whose worth is in the log under a final epoch's root, within the voted
    payback_budget. Each is marked on the chain by its id, so that no other proposal can pay it again.
    """
    from commonweight.governance.ballots import GovernanceClient
    from commonweight.governance.paybacks import MOST, Paybacks, chosen
    from verifier.log.settled_paybacks import settled_paybacks

    _require_text(description)
    client = GovernanceClient(api, rpc_url)
    w3 = client.governor.w3
    paybacks = Paybacks(w3, client.deployment, as_address(currency))
    due = chosen(paybacks.open(settled_paybacks(client.client, client.deployment, w3, ids.RunId(run))), invoice or ())
    calls = paybacks.calls(due[:MOST])
    proposal = client.propose(open_keystore(keystore), description, (), calls)
    lines = [_payback_line(one) for one in due[:MOST]]
    left = [f"{len(due) - MOST} more are left for another proposal"] if len(due) > MOST else []
    tell({"proposal": proposal, "invoices": [one.invoice for one in due[:MOST]]}, [proposal, *lines, *left])


@app.command("check-payback")
def check_payback(
    proposal: ProposalId, run: RunId, currency: Dollars, api: Api = DEFAULT_API, rpc_url: Rpc = DEFAULT_RPC
) -> None:
    """Check that a proposal pays back what the log says of a run's invoices, in this currency, and does nothing else.

    Take the currency's address from elsewhere than the proposal: who wrote that may have named a token that is worth
    more than a dollar.
    """
    from commonweight.governance.ballots import GovernanceClient
    from commonweight.governance.paybacks import Paybacks, check
    from verifier.log.settled_paybacks import settled_paybacks

    client = GovernanceClient(api, rpc_url)
    w3 = client.governor.w3
    actions = client.asked(proposal).actions
    paybacks = Paybacks(w3, client.deployment, as_address(currency))
    found = check(paybacks, actions, settled_paybacks(client.client, client.deployment, w3, ids.RunId(run)))
    tell({"proposal": proposal, "invoices": [one.invoice for one in found]}, [_payback_line(one) for one in found])


@app.command("release")
def release(
    keystore: Keystore,
    run: RunId,
    round_number: Annotated[int, typer.Option("--round", min=1, help="Round after which the weights stand.")],
    version: Annotated[str, typer.Option(help="Name of the release, for instance 1.0.0.")],
    licence: Annotated[str, typer.Option(help="Licence of the weights, for instance Apache-2.0.")],
    description: Annotated[str, typer.Option(help="What and why; make it unique, ids follow from it.")],
    api: Api = DEFAULT_API,
    rpc_url: Rpc = DEFAULT_RPC,
) -> None:
    """Propose to release settled weights: those of a round whose epoch is final, proven by the epoch's log root."""
    from commonweight.governance.ballots import GovernanceClient

    _require_text(description)
    client = GovernanceClient(api, rpc_url)
    proposal, theta = client.release(
        open_keystore(keystore), description, (ids.RunId(run), round_number), version, licence
    )
    tell({"proposal": proposal, "weights": theta}, [proposal])


@app.command("powers")
def powers() -> None:
    """What holders can decide about the model's contracts: each call, and what it does."""
    from contracts.calls.words import WORDS

    calls = sorted(WORDS.items())
    tell(({"call": name, "words": words} for name, words in calls), (f"{name:<45} {words}" for name, words in calls))


@app.command("simulate")
def simulate(
    call: Annotated[list[str], typer.Option(help=CALL_HELP)],
    api: Api = DEFAULT_API,
    rpc_url: Rpc = DEFAULT_RPC,
) -> None:
    """What calls would change: in words, the state now, and whether the timelock could make each of them now.

    Each is judged by itself. What the Governor takes only while it executes a proposal cannot be judged before.
    """
    from dataclasses import asdict

    from commonweight.governance.ballots import GovernanceClient
    from contracts.calls.effects import verdict

    client = GovernanceClient(api, rpc_url)
    previews = client.previews(client.calls(call))
    for number, preview in enumerate(previews, 1):
        lines = [f"{number}. {one_line(preview.call.words, 400)}"]
        if preview.reads:
            lines.append(f"   now {preview.reads} is {one_line(preview.now)}")
        tell(asdict(preview), [*lines, f"   {one_line(verdict(preview, alone=len(previews) == 1), 500)}"])


@app.command("vote")
def vote(
    proposal: ProposalId,
    support: Annotated[str, typer.Argument(help="for, against or abstain.")],
    keystore: Keystore,
    api: Api = DEFAULT_API,
    rpc_url: Rpc = DEFAULT_RPC,
) -> None:
    """Sign a ballot and hand it in; it weighs what you held at the proposal's snapshot.

    What you vote on is shown first: the calls from which the proposal's id follows. The same vote twice is a success;
    another one is refused, since the first ballot counts.
    """
    from commonweight.governance.ballots import GovernanceClient
    from commonweight.governance.proposals import SUPPORT, title_of
    from commonweight.governance.proven import words_of

    if support not in SUPPORT:
        raise typer.BadParameter("must be for, against or abstain", param_hint="support")
    client = GovernanceClient(api, rpc_url)
    proven = client.asked(proposal)
    words = list(words_of(proven, client.deployment))
    tell((), [f"{title_of(proven)}: {len(proven.actions)} calls"])
    tell((), (f"  {number}. {line}" for number, line in enumerate(words, 1)))
    ballot = client.vote(open_keystore(keystore), proven, SUPPORT[support])
    document = {"proposal": proposal, "support": support, "calls": words, "ballot": ballot}
    tell(document, [f"voted {support}{BEFORE.get(ballot, '')}"])


@app.command("list")
def list_proposals(
    api: Api = DEFAULT_API,
    rpc_url: ChainRpc = "",
    open_only: Annotated[bool, typer.Option("--open", help="Those that are not over.")] = False,
) -> None:
    """All proposals of the Governor, wherever they were made; each is held against its id.

    Which there are is the server's word. With --rpc-url the Governor is asked, and what the server leaves out is shown.
    """
    from commonweight.governance.proposal_reader import ProposalReader
    from commonweight.governance.proposals import list_lines, word_of

    reader = ProposalReader(api, rpc_url)
    nobody = True
    for proven, status in reader.all(open_only):
        head = [f"states and times are by {word_of(status)}"] if nobody else []
        tell(reader.document(proven, status), (*head, *list_lines(proven, status)))
        nobody = False
    if nobody:
        tell((), ["no proposal is open" if open_only else "no proposal was made yet"])


@app.command("show")
def show(
    proposal: ProposalId,
    api: Api = DEFAULT_API,
    rpc_url: ChainRpc = "",
    watch: Annotated[
        bool, typer.Option("--watch", help="Show it again whenever it changes, until it is over.")
    ] = False,
) -> None:
    """One proposal: each call that it would make in words, its text, where it stands, and what may still turn it.

    The id is computed from what is shown. State and counts are the server's word, or the Governor's with --rpc-url.
    """
    from itertools import chain, islice

    from commonweight.governance.proposal_reader import ProposalReader
    from commonweight.governance.proposals import voter_lines

    reader = ProposalReader(api, rpc_url)
    for number, (proven, status) in enumerate(islice(reader.watch(proposal), None if watch else 1)):
        lines = reader.standing_lines(proven, status) if number else reader.lines(proven, status)
        voters = () if proven.of_chain else voter_lines(reader.client, proposal)
        tell(reader.document(proven, status), chain(lines, voters))


@app.command("votes")
def list_votes(proposal: ProposalId, api: Api = DEFAULT_API) -> None:
    """Each vote on a proposal, in the order of the chain, with its weight, by the server's word."""
    from commonweight.governance.proposals import all_votes, vote_line
    from commonweight.governance.proven import asked, well_formed
    from trainer.client import ApiClient

    client = ApiClient(api)
    asked(client, proposal)
    with well_formed("list of votes"):
        votes = list(all_votes(client, proposal))
        lines = [vote_line(row) for row in votes]
    tell(votes, lines)


@app.command("decisions")
def decisions(api: Api = DEFAULT_API) -> None:
    """What holders decided, and what each run made of it, by the server's word: obeyed, or refused and why."""
    from commonweight.governance.proposals import all_decisions, decision_lines
    from trainer.client import ApiClient

    rows = list(all_decisions(ApiClient(api)))
    tell(rows, decision_lines(rows))


@app.command("relay")
def relay(account: Account, api: Api = DEFAULT_API) -> None:
    """For whom the relayer pays, and what gas is left of its budget today."""
    from contracts.wire.relay import RelayBudget
    from trainer.client import ApiClient

    budget = ApiClient(api).read(RelayBudget, f"/relay/{account}")
    lines = (
        f"proposals from {budget.proposal_ppm} millionths of the tokens on, ballots from {budget.ballot_ppm}",
        f"today is weighed at second {budget.weighed_at}: {budget.share_ppm} millionths of the votes are its own",
        f"left today: {budget.gas_left} of {budget.gas_a_day} gas for {account}",
        f"            {budget.gas_left_everybody} of {budget.gas_a_day_everybody} gas for all together",
    )
    tell(budget, lines)


@app.command("object")
def object_to(
    proposal: ProposalId,
    keystore: Keystore,
    api: Api = DEFAULT_API,
    rpc_url: Rpc = DEFAULT_RPC,
) -> None:
    """Object to a proposal that passed, until it is executed; you pay the gas.

    More objections than there were votes for it cancel it at once.
    """
    from commonweight.governance.ballots import GovernanceClient

    votes, needed, state = GovernanceClient(api, rpc_url).object_to(open_keystore(keystore), proposal)
    document = {"proposal": proposal, "objections": str(votes), "needed": str(needed), "state": state}
    tell(document, [f"{amount(votes, VOTES)} object, more than {amount(needed, VOTES)} stop it: {state}"])


@app.command("tally")
def tally(proposal: ProposalId, api: Api = DEFAULT_API, rpc_url: ChainRpc = "") -> None:
    """The API's own count beside the Governor's, which is the server's word too unless a chain node is asked."""
    from commonweight.governance.proposal_reader import ProposalReader
    from commonweight.governance.proposals import SUPPORT, word_of
    from commonweight.governance.proven import well_formed
    from contracts.wire.votes import Tally

    reader = ProposalReader(api, rpc_url)
    _, status = reader.read(proposal)
    with well_formed("tally"):
        counts = reader.client.read(Tally, f"/proposals/{proposal}/tally")
    ours = counts.api.to_json()
    theirs = counts.governor.to_json()
    block = counts.block
    if status.of_chain:
        theirs = {"against": str(status.against), "for": str(status.in_favour), "abstain": str(status.abstain)}
        block = None
    waiting = f", {counts.unweighed} not weighed yet" if counts.unweighed else ""
    lines = [f"state {one_line(status.state)}, by {word_of(status)}; {counts.votes} votes{waiting}"]
    for name in SUPPORT:
        api_votes, governor_votes = (amount(str(side[name]), VOTES) for side in (ours, theirs))
        lines.append(f"{name:<8} api {api_votes:>34}   governor {governor_votes:>34}")
    fields = {"proposal": proposal, "state": status.state, "word": "chain" if status.of_chain else "server"}
    tell({**fields, **counts.to_json(), "governor": theirs, "block": block}, lines)


def _require_text(description: str) -> None:
    """Raises BadParameter for a description that the server would refuse."""
    from contracts.bindings.governor import PROPOSER_MARK

    if not 0 < len(description) <= LONGEST_DESCRIPTION:
        raise typer.BadParameter(f"must have 1 to {LONGEST_DESCRIPTION} characters", param_hint="--description")
    if any(0xD800 <= ord(character) < 0xE000 for character in description):
        raise typer.BadParameter("holds bytes that are no UTF-8 text", param_hint="--description")
    if PROPOSER_MARK in description.lower():
        raise typer.BadParameter(f"must not hold {PROPOSER_MARK}: yours is put at its end", param_hint="--description")


def _pair(text: str) -> tuple[str, str]:
    key, separator, value = text.partition("=")
    if not separator or not key:
        raise typer.BadParameter(f"{text} must be key=value", param_hint="--decide")
    return key, value


def _payback_line(payback: Payback) -> str:
    dollars = amount(payback.amount, "US dollars", 6)
    return f"{dollars} to {payback.account} for invoice {payback.invoice}: entry {payback.entry}, epoch {payback.epoch}"
