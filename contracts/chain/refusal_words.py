"""The meaning of each error of the contracts, as a sentence with a remedy: the error's own name stands after it.

The name of an error of ours begins with the contract in whose source it is declared: `EpochRootsWrongBond`.

`{argument:kind}` shows an argument: `time` (Unix seconds as UTC), `coins` and `tokens` (units of 1e-18), `pool`,
`epoch` and `proposal` (a state by its name). Source of the names: the ABIs, OpenZeppelin 5 and ERC-6093.
"""

from __future__ import annotations

import string
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from contracts.amounts import digits
from contracts.ids import to_hex

_STATES = {
    "pool": ("open", "closed with success", "failed: less stayed than the least sum"),
    "epoch": ("unknown", "proposed", "disputed", "final"),
    "proposal": ("pending", "active", "cancelled", "defeated", "succeeded", "queued", "expired", "executed"),
}

_SIGNATURE = "sign again with the account's own key, for this chain and contract"
_OWN_ROLES = "roles are fixed when a model is made; nothing to do"
_BUG = "report it: no call of ours does this"
_ROLE_FIXED = ("no vote gives or takes this role", _OWN_ROLES)
_AMOUNT_CHANGED = ("{received} units came of {sent}", "use a currency that takes nothing off")
_BALANCE_MISSING = (
    "{balance} units are there, and {held} belong to others",
    "nothing here: the currency took some away",
)

WORDS: dict[str, tuple[str, str]] = {
    # money and the token
    "ModelTokenBudgetExceeded": (
        "{minter} may mint {budget:tokens} tokens more, and {amount:tokens} were asked for",
        "ask for less, or have the holders vote a larger budget",
    ),
    "ModelTokenCapExceeded": (
        "{allotted:tokens} tokens are more than the model's cap of {cap:tokens}",
        "choose a budget of at most the cap; what others have of it is taken off",
    ),
    "ModelTokenReserveExceeded": ("{minter} has reserved {reserved:tokens} tokens, not {amount:tokens}", _BUG),
    "EpochDistributorLeafPaid": (
        "line {index} of epoch {epoch} was paid already",
        "nothing: see `commonweight wallet show`",
    ),
    "EpochDistributorLeafEmpty": ("line {index} of epoch {epoch} pays nothing", "audit the epoch"),
    "EpochDistributorNoLines": ("no line was named", "name one at least"),
    "ModelTokenMintingPaused": ("minting is paused until {until:time}", "claim then; nothing is lost"),
    "ModelTokenPauseTooSoon": ("minting can be paused again from {earliest:time} on", "wait, or let claims go on"),
    "ERC20InsufficientAllowance": (
        "{spender} may move {allowance} units, and {needed} are needed",
        "approve the amount first, or use a currency with permits",
    ),
    "ERC20InsufficientBalance": (
        "{sender} has {balance} units, and {needed} are needed",
        "send less, or get more first",
    ),
    "ERC20InvalidApprover": ("{approver} cannot approve", "use another account"),
    "ERC20InvalidReceiver": ("{receiver} cannot receive", "name another account"),
    "ERC20InvalidSender": ("{sender} cannot send", "use another account"),
    "ERC20InvalidSpender": ("{spender} cannot be allowed to spend", "name another account"),
    "ERC2612ExpiredSignature": ("the permit ended at {deadline:time}", "sign a new one; check the clock"),
    "ERC2612InvalidSigner": ("the permit is signed by {signer}, not by {owner}", _SIGNATURE),
    "ERC5805FutureLookup": ("the chain stands at {clock:time}, before {timepoint:time}", "ask for a past second"),
    "ERC6372InconsistentClock": ("the token's clock is not what its mode says", _BUG),
    "SafeERC20FailedOperation": (
        "the currency {token} refused the transfer",
        "check balance and allowance, and that the address is a currency",
    ),
    "SafeCastOverflowedUintDowncast": ("{value} does not fit into {bits} bits", "use a smaller number"),
    "PullPaymentsTransferFailed": ("{to} did not take {amount:coins} coins", "name an account that takes coins"),
    "PullPaymentsNothingOwed": ("{account} has nothing to withdraw", "nothing: see `commonweight wallet show`"),
    "BalanceHistorySpanTooLong": ("from {from:time} to {until:time} is no span of a past", "ask for a shorter one"),
    "CheckpointUnorderedInsertion": ("a balance would be written into the past", _BUG),
    # epochs and claims
    "EpochDistributorClaimExpired": ("the signed claim ended at {deadline:time}", "sign it again; check the clock"),
    "EpochDistributorClaimNotSigned": ("the claim is not signed by {account}", _SIGNATURE),
    "EpochDistributorEpochNotFinal": (
        "epoch {epoch} is not final yet",
        "claim when its window has passed: `commonweight wallet show`",
    ),
    "EpochDistributorProofRefused": (
        "the proof does not lead to the root of epoch {epoch}",
        "save the receipt again, from another server",
    ),
    "EpochDistributorPayeeRefused": ("{to} cannot be paid", "name another account"),
    "EpochDistributorTotalExceeded": (
        "epoch {epoch} pays {total:tokens} tokens in all, less than {paid:tokens}",
        "audit the epoch",
    ),
    "EpochRootsTotalTooLarge": (
        "the epoch would pay {total:tokens} tokens, and the most is {limit:tokens}",
        "have the holders raise the most per epoch, or run with a smaller emission",
    ),
    "EpochDistributorNotRegistry": ("{caller} is not the verifier registry", _BUG),
    "EpochRootsWrongEpoch": ("the next epoch is {expected}, not {epoch}", "bring the epochs in their order"),
    "EpochRootsWrongAttempt": ("the next attempt is {expected}, not {attempt}", "sign the root of the newest attempt"),
    "EpochRootsWrongStatus": (
        "epoch {epoch} is {status:epoch}",
        "look at it with `commonweight wallet show` or `GET /v1/epochs`",
    ),
    "VerifierSetWrongModel": ("it is signed for the model {model}", "check --deployment"),
    "EpochRootsWrongBond": ("the bond is {bond:coins} coins, and {given:coins} were sent", "send exactly the bond"),
    "EpochRootsWrongDispute": (
        "no dispute of this epoch, root and second was ever opened",
        "look at it again before deciding",
    ),
    "EpochRootsDisputeOpen": ("the dispute may be decided until {lapsesAt:time}", "wait until then"),
    "EpochRootsWindowClosed": ("the window to dispute closed at {closesAt:time}", "nothing: what is final stays"),
    "EpochRootsWindowOpen": ("the window to dispute closes at {closesAt:time}", "wait until then"),
    "EpochRootsSettledInFuture": (
        "the root settles {settledAt:time}, and it is {timestamp:time}",
        "check the clocks; sign it later",
    ),
    "VerifierSetDeadlinePassed": ("what was signed ended at {deadline:time}", "have it signed again"),
    # verifiers, nodes and stakes
    "VerifierSetTooFewSignatures": (
        "{given} signatures, and {needed} are needed",
        "collect more verifiers' signatures",
    ),
    "VerifierSetSignersNotSorted": ("signatures stand in the wrong order at {signer}", _BUG),
    "VerifierSetNotVerifier": (
        "{account} is no admitted verifier with a stake",
        "the holders admit verifiers; see docs/verify.md",
    ),
    "VerifierSetVerifierKnown": ("{account} is a verifier already", "nothing"),
    "VerifierSetOwnCase": ("{signer} cannot judge its own case", "have others sign"),
    "VerifierSetThresholdOutOfRange": (
        "{threshold} of {verifiers} verifiers cannot decide, those counted who gave up their seats",
        "choose a threshold of 1 to the number of verifiers, and admit before removing",
    ),
    "VerifierSetStakeLocked": (
        "the stake of {verifier} may still have to answer for what it signed",
        "see `commonweight model unstake`",
    ),
    "VerifierSetStakeTooSmall": (
        "{verifier} would have {stake:coins} coins staked, below the least stake",
        "stake more at once",
    ),
    "NodeStakesStakeTooSmall": (
        "{node} has {stake:coins} coins staked, and {requested:coins} were asked for",
        "ask for what is there: `commonweight wallet show`",
    ),
    "NodeStakesStepTooSmall": (
        "a node's stake changes by {least:coins} coins at least, and {amount:coins} were given",
        "give more at once, or ask all of it back",
    ),
    "NodeStakesWithdrawalLocked": (
        "the stake of {node} was asked back at {requestedAt:time} and is free at {availableAt:time} at the latest",
        "wait, or until two epochs are final in which all of then is settled",
    ),
    "NodeStakesNoWithdrawal": ("{node} has asked for nothing back", "ask with `commonweight model unstake-node`"),
    "NodeStakesReceiverMissing": ("no account to pay is named", "name one"),
    "HeldMoneyNothingHeld": ("nothing of {account} is held on this ground", "see `commonweight model held`"),
    "HeldMoneyNothingTaken": ("nothing was taken of {account} on this ground", "see `commonweight model held`"),
    "HeldMoneyStillHeld": (
        "it is held until {freeAt:time}, and until the holders could have decided",
        "wait; see `commonweight model held`",
    ),
    "VerifierRegistryRulesRefused": ("a span, stake, bond or cap of the rules is zero or too long", "choose others"),
    # the governor and the timelock
    "GovernorAlreadyCastVote": ("{voter} has voted on this proposal", "nothing: the first ballot counts"),
    "GovernorAlreadyQueuedProposal": ("the proposal is queued already", "nothing"),
    "GovernorDisabledDeposit": ("the governor takes nothing", "send it to the timelock"),
    "GovernorInsufficientProposerVotes": (
        "{proposer} has {votes:tokens} votes, and proposing takes {threshold:tokens}",
        "get votes delegated first: `commonweight wallet delegate`",
    ),
    "GovernorInvalidProposalLength": ("a proposal needs as many targets as values and calls, and one at least", _BUG),
    "GovernorInvalidQuorumFraction": ("a quorum of {quorumNumerator} of {quorumDenominator} is none", "at most all"),
    "GovernorInvalidSignature": ("the ballot or proposal is not signed by {voter}", _SIGNATURE),
    "GovernorInvalidVoteParams": ("a ballot carries parameters that mean nothing here", "vote without parameters"),
    "GovernorInvalidVoteType": ("a ballot is against, for, or abstains", "choose one of the three"),
    "GovernorInvalidVotingPeriod": ("{votingPeriod} seconds are no time to vote", "choose another within the bounds"),
    "GovernorNonexistentProposal": ("there is no such proposal", "see `commonweight gov list`"),
    "GovernorOnlyExecutor": ("only what the holders decided may do this, and {account} asks", "propose it"),
    "GovernorPreventLateQuorumVoteExtensionTooLarge": (
        "an extension by {newVoteExtension} seconds is too long",
        "at most {maxVoteExtension}",
    ),
    "GovernorProposalQueueingFailed": (
        "the proposal could not be queued",
        "look at its state: `commonweight gov show`",
    ),
    "GovernorProposalQueueingNotRequired": ("the proposal needs no queue", "execute it"),
    "GovernorRestrictedProposer": (
        "the text reserves this proposal for another account, not {proposer}",
        "change the text",
    ),
    "GovernorUnableToCancel": (
        "{account} cannot cancel the proposal",
        "vote against it, or object: `commonweight gov object`",
    ),
    "GovernorUnexpectedProposalState": ("the proposal is {current:proposal}", "see `commonweight gov show`"),
    "InvalidAccountNonce": ("{account} signs number {currentNonce} next", "sign it again: another one came before"),
    "ModelGovernorRelayClosed": ("the governor calls nothing itself", "propose the call: the timelock makes it"),
    "ModelGovernorTimelockFixed": (
        "the governor keeps its timelock, and {newTimelock} is another address",
        "nothing: it is for ever",
    ),
    "ModelGovernorNobodyHolds": (
        "no tokens exist yet, so that nobody could vote",
        "propose when the first shares are claimed",
    ),
    "ModelGovernorMintingPausedLately": (
        "minting was paused since {since:time}, and who is owed tokens could not object",
        "execute it when minting has gone on for the timelock's delay",
    ),
    "ModelTimelockClosed": ("the timelock takes no single operations", "propose it"),
    "ModelTimelockNotGovernor": (
        "the timelock executes for its governor, not for {caller}",
        "execute it with the governor",
    ),
    "ModelGovernorObjectionCast": ("{holder} has objected at this second", "nothing: it counts"),
    "ModelGovernorObjectionTooEarly": (
        "{second:time} is before the vote's end, {deadline:time}",
        "name a second after it",
    ),
    "ModelGovernorOutOfBounds": ("{value} is not between {least} and {most}", "choose one that is"),
    "ModelTimelockDelayOutOfBounds": ("{delay} seconds are not between {least} and {most}", "choose one that is"),
    "ModelGovernorProposalExpired": ("the signed proposal ended at {deadline:time}", "sign it again; check the clock"),
    "ModelGovernorProposalNotSigned": ("the proposal is not signed by {proposer}", _SIGNATURE),
    "ModelGovernorBallotGasMissing": ("{left} gas are left, too few for a ballot", "send fewer ballots, or more gas"),
    "TimelockInsufficientDelay": ("{delay} seconds are below the least delay of {minDelay}", _BUG),
    "TimelockInvalidOperationLength": ("an operation needs as many targets as values and calls", _BUG),
    "TimelockUnauthorizedCaller": ("{caller} may not do this with the timelock", "propose it"),
    "TimelockUnexecutedPredecessor": ("another operation has to be executed first", "execute that one"),
    "TimelockUnexpectedOperationState": (
        "the operation is not waiting, or not ready yet",
        "see `commonweight gov show`",
    ),
    "AccessControlBadConfirmation": ("a role is given up by its holder alone", _OWN_ROLES),
    "AccessControlUnauthorizedAccount": ("{account} has no power over this", "propose it: `commonweight gov propose`"),
    "FixedRolesRoleFixed": _ROLE_FIXED,
    "ModelTimelockRoleFixed": _ROLE_FIXED,
    "ModelRegistryNotTimelock": ("{caller} is not the timelock of the model", "propose it"),
    # funding rounds and revenue
    "CapitalPoolAccountMustClaim": (
        "{account} claims by itself as long as it can leave, a contract for one settlement longer",
        "let it call `claim`, or wait",
    ),
    "CapitalPoolAmountChanged": _AMOUNT_CHANGED,
    "RevenueSplitterAmountChanged": _AMOUNT_CHANGED,
    "CapitalPoolBalanceMissing": _BALANCE_MISSING,
    "RevenueSplitterBalanceMissing": _BALANCE_MISSING,
    "CapitalPoolBuyersMayLeave": ("buyers may leave until {until:time}", "wait until then"),
    "CapitalPoolDepositsStay": (
        "deposits stay until {until:time}, for the round's last quarter",
        "leave after it: `commonweight fund leave`",
    ),
    "CapitalPoolDepositTooSmall": (
        "a deposit of {deposit} units buys nothing, or the round is full",
        "deposit more, or less than is left",
    ),
    "CapitalPoolMoneyReleased": ("the money is the model's since {since:time}", "claim the tokens"),
    "CapitalPoolNothingDeposited": (
        "{account} has nothing in this round, or has had it back or claimed",
        "see `commonweight fund show`",
    ),
    "RevenueSplitterSharedInPause": (
        "minting was paused since {since:time}, and who is owed tokens would have no share",
        "share it half a pause after the pause's end: seven days, or the window where that is shorter",
    ),
    "CapitalPoolTermsRefused": ("a price, cap, deadline or settlement of the round cannot be kept", "choose others"),
    "CapitalPoolWrongStatus": (
        "the round is {status:pool}; this needs one that is {needed:pool}",
        "see `commonweight fund show`",
    ),
    "RevenueSplitterAlreadyReleased": ("distribution {id} was paid to {account}", "nothing"),
    "RevenueSplitterDistributionUnknown": ("there is no distribution {id}", "see `commonweight revenue show`"),
    "RevenueSplitterNoShare": (
        "{account} has no share of distribution {id}",
        "shares are of tokens held in the window before it",
    ),
    "RevenueSplitterNobodyHeld": ("nobody held tokens since {since:time}", "wait until shares are claimed"),
    "RevenueSplitterNothingToDistribute": ("nothing new of {currency} is there to distribute", "wait for revenue"),
    "RevenueSplitterWindowRefused": ("a window of {window} seconds is none, or too long", "choose another"),
    # the registry of models
    "ModelRegistryCheckpointKnown": ("the checkpoint of round {round} is recorded already", "nothing"),
    "ModelRegistryDecisionServed": ("the decision was written down already", "nothing"),
    "ModelRegistryDigestMissing": ("a digest is zero", "name what is recorded"),
    "ModelRegistryModelKnown": ("the model is registered already", "use another creator or nonce"),
    "ModelRegistryModelUnknown": ("no model {model} is registered", "check --deployment"),
    "ModelRegistryReleaseKnown": ("version {version} is released already", "name another version"),
    # signatures, texts and calls
    "ECDSAInvalidSignature": ("the signature is none", _SIGNATURE),
    "ECDSAInvalidSignatureLength": ("a signature has 65 bytes, not {length}", _SIGNATURE),
    "ECDSAInvalidSignatureS": ("the signature is malleable", _SIGNATURE),
    "VotesExpiredSignature": ("the delegation ended at {expiry:time}", "sign it again; check the clock"),
    "InvalidShortString": ("a name does not fit", _BUG),
    "StringTooLong": ("the name is too long", "use at most 31 bytes"),
    "FailedCall": ("a call of the proposal failed without a reason", "try it with `commonweight gov simulate`"),
    "ReentrancyGuardReentrantCall": ("the currency calls back in the middle", "use another currency"),
    "Error": ("the contract says: {reason}", "read what it says"),
    "Panic": ("a contract failed by panic {panic}", _BUG),
}


class _Shown(string.Formatter):
    """Arguments as people read them."""

    def format_field(self, value: Any, kind: str) -> str:
        """By the kind after the colon."""
        if kind == "time":
            return utc(int(value))
        if kind in ("coins", "tokens"):
            return digits(int(value))
        if kind in _STATES:
            names = _STATES[kind]
            return names[int(value)] if 0 <= int(value) < len(names) else f"in state {value}"
        return to_hex(value) if isinstance(value, bytes) else str(value)


def utc(seconds: int) -> str:
    """Unix seconds for people; what no calendar has stays a number."""
    try:
        return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
    except (ValueError, OverflowError, OSError):
        return f"second {seconds}"


def sentence(error: str, arguments: Mapping[str, Any]) -> str | None:
    """The meaning of an error and its remedy; None for one that is not ours, or came with other arguments."""
    if error not in WORDS:
        return None
    try:
        meaning, remedy = (_Shown().vformat(text, (), arguments) for text in WORDS[error])
    except (KeyError, ValueError, TypeError):
        return None
    return f"{meaning}; {remedy}"
