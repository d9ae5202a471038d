// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Governor} from "@openzeppelin/contracts/governance/Governor.sol";
import {GovernorSettings} from "@openzeppelin/contracts/governance/extensions/GovernorSettings.sol";
import {GovernorCountingSimple} from "@openzeppelin/contracts/governance/extensions/GovernorCountingSimple.sol";
import {GovernorVotes} from "@openzeppelin/contracts/governance/extensions/GovernorVotes.sol";
import {GovernorVotesQuorumFraction} from "@openzeppelin/contracts/governance/extensions/GovernorVotesQuorumFraction.sol";
import {GovernorTimelockControl} from "@openzeppelin/contracts/governance/extensions/GovernorTimelockControl.sol";
import {GovernorPreventLateQuorum} from "@openzeppelin/contracts/governance/extensions/GovernorPreventLateQuorum.sol";
import {GovernorNoncesKeyed} from "@openzeppelin/contracts/governance/extensions/GovernorNoncesKeyed.sol";
import {TimelockController} from "@openzeppelin/contracts/governance/TimelockController.sol";
import {ModelTimelock} from "./ModelTimelock.sol";
import {ModelToken} from "./ModelToken.sol";
import {IVotes} from "@openzeppelin/contracts/governance/utils/IVotes.sol";
import {Nonces} from "@openzeppelin/contracts/utils/Nonces.sol";
import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";
import {SignatureChecker} from "@openzeppelin/contracts/utils/cryptography/SignatureChecker.sol";

/// @title Votes of a model's holders
/// @notice Proposals and ballots may come by signature, so that holders need no coin for gas. What passed lives for a
/// stated time, and until it is executed holders stop it by objections that outweigh the votes for it, and a quorum.
contract ModelGovernor is
    Governor,
    GovernorSettings,
    GovernorCountingSimple,
    GovernorVotes,
    GovernorVotesQuorumFraction,
    GovernorTimelockControl,
    GovernorPreventLateQuorum,
    GovernorNoncesKeyed
{
    struct Ballot {
        uint256 proposalId;
        uint8 support;
        address voter;
        bytes signature;
    }

    error ModelGovernorProposalExpired(uint256 deadline);
    error ModelGovernorProposalNotSigned(address proposer);
    error ModelGovernorBallotGasMissing(uint256 left);
    error ModelGovernorObjectionCast(uint256 proposalId, address holder);
    error ModelGovernorObjectionTooEarly(uint48 second, uint256 deadline);
    error ModelGovernorOutOfBounds(uint256 value, uint256 least, uint256 most);
    error ModelGovernorRelayClosed(address target, uint256 value, bytes data);
    error ModelGovernorTimelockFixed(address newTimelock);
    error ModelGovernorNobodyHolds();
    error ModelGovernorMintingPausedLately(uint256 since);

    event BallotRefused(uint256 indexed proposalId, address indexed voter, bytes reason);

    /// @notice `objections` of `needed`, weighed at `second`, were cast against a proposal that passed.
    event Objected(
        uint256 indexed proposalId, address indexed holder, uint48 second, uint256 weight, uint256 objections, uint256 needed
    );

    /// @dev From half to twice of what genesis set: one batch must not make the next decision immediate, nor have
    /// proposals outlive the time for which a funding round's money waits.
    struct Bounds {
        uint256 least;
        uint256 most;
    }

    /// @dev When it was proposed, in Unix seconds, and whether all it does is to end a pause of minting.
    struct Draft {
        uint48 proposedAt;
        bool endsPause;
    }

    /// @dev Weighed at one second; each second that somebody names has objections of its own.
    struct Objections {
        uint256 votes;
        mapping(address holder => bool) cast;
    }

    /// @notice EIP-712 type of a signed proposal.
    bytes32 public constant PROPOSAL_TYPEHASH = keccak256(
        "Proposal(address proposer,bytes32 actionsHash,bytes32 descriptionHash,uint256 nonce,uint256 deadline)"
    );
    /// @notice Key of the nonces of signed proposals.
    uint192 public constant PROPOSAL_NONCE_KEY = uint192(uint256(keccak256("Commonweight.Proposal")));

    /// @notice Gas that one ballot of `relayVotes` may use: a contract's signature check must not use up the others'.
    uint256 public constant BALLOT_GAS = 400_000;

    /// @notice Seconds in which what passed can be queued, and what is queued can be executed.
    uint256 public immutable grace;
    Bounds private _delayBounds;
    Bounds private _periodBounds;
    Bounds private _quorumBounds;
    Bounds private _thresholdBounds;
    Bounds private _extensionBounds;
    mapping(uint256 proposalId => mapping(uint48 second => Objections)) private _objections;
    mapping(uint256 proposalId => bool) private _canceled;
    mapping(uint256 proposalId => Draft) private _drafts;

    /// @notice Votes below which nothing is decided, however few exist: the first claimer is not the quorum.
    uint256 public immutable quorumFloor;

    /// @param votingDelay_ Seconds between a proposal and its snapshot.
    /// @param votingPeriod_ Seconds for votes.
    /// @param proposalThreshold_ Votes that a proposer needs.
    /// @param quorumPercent Per cent of the supply that must vote for or abstain.
    /// @param quorumFloor_ Votes that it takes at least, in 1e-18 tokens, for ever.
    /// @param lateQuorumExtension_ Seconds that a vote goes on after a late quorum.
    constructor(
        string memory name_,
        IVotes token_,
        ModelTimelock timelock_,
        uint48 votingDelay_,
        uint32 votingPeriod_,
        uint256 proposalThreshold_,
        uint256 quorumPercent,
        uint256 quorumFloor_,
        uint48 lateQuorumExtension_
    )
        Governor(name_)
        GovernorSettings(votingDelay_, votingPeriod_, proposalThreshold_)
        GovernorVotes(token_)
        GovernorVotesQuorumFraction(quorumPercent)
        GovernorTimelockControl(timelock_)
        GovernorPreventLateQuorum(lateQuorumExtension_)
    {
        quorumFloor = quorumFloor_;
        grace = timelock_.GRACE();
        _delayBounds = _around(votingDelay_);
        _periodBounds = _around(votingPeriod_);
        _quorumBounds = _around(quorumPercent);
        _extensionBounds = _around(lateQuorumExtension_);
        _thresholdBounds = Bounds(0, Math.max(proposalThreshold_, quorumFloor_)); // who can decide can propose
    }

    /// @notice Bounds of voting delay, voting period, late quorum extension, quorum numerator and proposal threshold.
    function bounds() external view returns (Bounds[5] memory) {
        return [_delayBounds, _periodBounds, _extensionBounds, _quorumBounds, _thresholdBounds];
    }

    /// @notice Proposes for a holder who signed; anybody may relay.
    /// @dev A proposal's id carries neither chain nor governor: the description has to hold a unique decision id.
    /// @param proposer Who signed, and whose votes count for the threshold.
    /// @param targets Contracts that the timelock would call.
    /// @param values Wei with each call.
    /// @param calldatas Data of each call.
    /// @param description What the proposal says.
    /// @param deadline Last Unix second at which the signature counts.
    /// @param signature Over `Proposal`, by a key or by a contract (ERC-1271).
    /// @return The proposal's id.
    function proposeBySig(
        address proposer,
        address[] memory targets,
        uint256[] memory values,
        bytes[] memory calldatas,
        string memory description,
        uint256 deadline,
        bytes memory signature
    ) external returns (uint256) {
        if (block.timestamp > deadline) revert ModelGovernorProposalExpired(deadline);
        bytes32 actionsHash = keccak256(abi.encode(targets, values, calldatas));
        bytes32 digest = _proposalDigest(proposer, actionsHash, keccak256(bytes(description)), deadline);
        if (!SignatureChecker.isValidSignatureNow(proposer, digest, signature)) revert ModelGovernorProposalNotSigned(proposer);
        if (!_isValidDescriptionForProposer(proposer, description)) revert GovernorRestrictedProposer(proposer);
        uint256 votes = getVotes(proposer, clock() - 1);
        if (votes < proposalThreshold()) revert GovernorInsufficientProposerVotes(proposer, votes, proposalThreshold());
        return _propose(targets, values, calldatas, description, proposer);
    }

    /// @notice Casts many signed ballots; one that is refused does not stop the rest. Anybody may relay.
    /// @dev Each ballot's nonce is of its proposal (keyed), so that ballots relayed out of order do not break each other.
    /// Without enough gas for a whole ballot all is taken back: a relayer cannot have one refused by giving too little.
    /// @param ballots One refused is told of in `BallotRefused`.
    function relayVotes(Ballot[] calldata ballots) external {
        for (uint256 i = 0; i < ballots.length; ++i) {
            Ballot calldata b = ballots[i];
            if (gasleft() * 63 / 64 < BALLOT_GAS) revert ModelGovernorBallotGasMissing(gasleft());
            try this.castVoteBySig{gas: BALLOT_GAS}(b.proposalId, b.support, b.voter, b.signature) {}
            catch (bytes memory reason) {
                emit BallotRefused(b.proposalId, b.voter, reason);
            }
        }
    }

    /// @notice Objects to a proposal that passed; more objections than there were votes for it, and than a quorum, cancel it
    /// at once.
    /// @dev A vote against it would take longer than the timelock waits. Objections weigh what was held at a past second
    /// since the vote ended, so that nobody borrows them in the same block, and buyers since the vote have theirs. Each
    /// second is counted for itself: one that is named by who has nothing weighs down no other.
    /// @param targets Contracts that the timelock would call.
    /// @param values Wei with each call.
    /// @param calldatas Data of each call.
    /// @param descriptionHash Of the proposal's text.
    /// @param second At which objections are weighed: not before the vote's end, and past.
    function objectTo(
        address[] memory targets,
        uint256[] memory values,
        bytes[] memory calldatas,
        bytes32 descriptionHash,
        uint48 second
    ) external {
        uint256 id = getProposalId(targets, values, calldatas, descriptionHash);
        _validateStateBitmap(id, _encodeStateBitmap(ProposalState.Succeeded) | _encodeStateBitmap(ProposalState.Queued));
        if (second < proposalDeadline(id)) revert ModelGovernorObjectionTooEarly(second, proposalDeadline(id));
        Objections storage found = _objections[id][second];
        if (found.cast[msg.sender]) revert ModelGovernorObjectionCast(id, msg.sender);
        found.cast[msg.sender] = true;
        uint256 weight = getVotes(msg.sender, second);
        found.votes += weight;
        (, uint256 votes,) = proposalVotes(id);
        uint256 needed = Math.max(votes, quorum(proposalSnapshot(id)));
        emit Objected(id, msg.sender, second, weight, found.votes, needed);
        if (found.votes > needed) _cancel(targets, values, calldatas, descriptionHash);
    }

    /// @notice Votes that objected to a proposal so far, weighed at a second.
    function objectionsTo(uint256 id, uint48 second) external view returns (uint256) {
        return _objections[id][second].votes;
    }

    /// @notice The nonce that `proposer`'s next signed proposal must carry.
    function proposalNonce(address proposer) external view returns (uint256) {
        return nonces(proposer, PROPOSAL_NONCE_KEY);
    }

    function _proposalDigest(address proposer, bytes32 actionsHash, bytes32 descriptionHash, uint256 deadline)
        private
        returns (bytes32)
    {
        uint256 nonce = _useNonce(proposer, PROPOSAL_NONCE_KEY);
        return _hashTypedDataV4(
            keccak256(abi.encode(PROPOSAL_TYPEHASH, proposer, actionsHash, descriptionHash, nonce, deadline))
        );
    }

    /// @notice Votes for and abstentions that a proposal of this snapshot needs: the share of the supply, or the floor.
    function quorum(uint256 timepoint)
        public
        view
        override(Governor, GovernorVotesQuorumFraction)
        returns (uint256)
    {
        return Math.max(super.quorum(timepoint), quorumFloor);
    }

    /// @inheritdoc Governor
    /// @dev Who passed it, and why, is no longer what the holders are: what nobody queued, or executed, in time is over. Who
    /// was owed tokens, and could not have them before they were weighed, was not asked: that vote decides nothing.
    function state(uint256 id) public view override(Governor, GovernorTimelockControl) returns (ProposalState) {
        ProposalState found = super.state(id);
        if (found == ProposalState.Succeeded) {
            if (!_couldClaim(id)) return ProposalState.Defeated;
            return block.timestamp > proposalDeadline(id) + grace ? ProposalState.Expired : found;
        }
        bool dropped = found == ProposalState.Canceled && !_canceled[id]; // the timelock does not know it any more
        return dropped && block.timestamp > proposalEta(id) + grace ? ProposalState.Expired : found;
    }

    /// @inheritdoc Governor
    function proposalNeedsQueuing(uint256 id) public view override(Governor, GovernorTimelockControl) returns (bool) {
        return super.proposalNeedsQueuing(id);
    }

    /// @inheritdoc Governor
    function proposalThreshold() public view override(Governor, GovernorSettings) returns (uint256) {
        return super.proposalThreshold();
    }

    /// @inheritdoc Governor
    function proposalDeadline(uint256 id) public view override(Governor, GovernorPreventLateQuorum) returns (uint256) {
        return super.proposalDeadline(id);
    }

    /// @notice Closed: it would act as the governor, who alone schedules what the timelock does, with no proposal to object to.
    function relay(address target, uint256 value, bytes calldata data) public payable override {
        revert ModelGovernorRelayClosed(target, value, data);
    }

    /// @notice Closed: at any other address nothing would ever be decided again.
    function updateTimelock(TimelockController newTimelock) public pure override {
        revert ModelGovernorTimelockFixed(address(newTimelock));
    }

    /// @dev Who was owed tokens in a pause has them, and can object, for as long as the timelock waits.
    function _checkObjectors(uint256 id) private view {
        uint256 delay = ModelTimelock(payable(timelock())).getMinDelay();
        uint48 since = uint48(block.timestamp > delay ? block.timestamp - delay : 0);
        if (!_drafts[id].endsPause && _token().pausedWithin(since, clock())) revert ModelGovernorMintingPausedLately(since);
    }

    /// @dev Whether minting went on from the proposal to its snapshot.
    function _couldClaim(uint256 id) private view returns (bool) {
        Draft memory draft = _drafts[id];
        return draft.endsPause || !_token().pausedWithin(draft.proposedAt, uint48(proposalSnapshot(id)));
    }

    function _endsPause(address[] memory targets, uint256[] memory values, bytes[] memory calldatas)
        private
        view
        returns (bool)
    {
        bytes32 end = keccak256(abi.encodeCall(ModelToken.setMintingPaused, (false)));
        for (uint256 i = 0; i < targets.length; ++i) {
            if (targets[i] != address(token()) || values[i] != 0 || keccak256(calldatas[i]) != end) return false;
        }
        return true;
    }

    function _token() private view returns (ModelToken) {
        return ModelToken(address(token()));
    }

    function _around(uint256 value) private pure returns (Bounds memory) {
        return Bounds((value + 1) / 2, value * 2);
    }

    /// @dev There are none yet while the constructors before this one's body run.
    function _check(uint256 value, Bounds storage allowed) private view {
        if (_periodBounds.most == 0) return;
        if (value < allowed.least || value > allowed.most) revert ModelGovernorOutOfBounds(value, allowed.least, allowed.most);
    }

    function _setVotingDelay(uint48 delay) internal override {
        _check(delay, _delayBounds);
        super._setVotingDelay(delay);
    }

    function _setVotingPeriod(uint32 period) internal override {
        _check(period, _periodBounds);
        super._setVotingPeriod(period);
    }

    function _setProposalThreshold(uint256 threshold) internal override {
        _check(threshold, _thresholdBounds);
        super._setProposalThreshold(threshold);
    }

    function _updateQuorumNumerator(uint256 numerator) internal override {
        _check(numerator, _quorumBounds);
        super._updateQuorumNumerator(numerator);
    }

    function _setLateQuorumVoteExtension(uint48 extension) internal override {
        _check(extension, _extensionBounds);
        super._setLateQuorumVoteExtension(extension);
    }

    function _tallyUpdated(uint256 id) internal override(Governor, GovernorPreventLateQuorum) {
        super._tallyUpdated(id);
    }

    function _useCheckedNonce(address owner, uint256 nonce) internal override(Nonces, GovernorNoncesKeyed) {
        super._useCheckedNonce(owner, nonce);
    }

    function _validateVoteSig(uint256 id, uint8 support, address voter, bytes memory signature)
        internal
        override(Governor, GovernorNoncesKeyed)
        returns (bool)
    {
        return super._validateVoteSig(id, support, voter, signature);
    }

    function _validateExtendedVoteSig(
        uint256 id,
        uint8 support,
        address voter,
        string memory reason,
        bytes memory params,
        bytes memory signature
    ) internal override(Governor, GovernorNoncesKeyed) returns (bool) {
        return super._validateExtendedVoteSig(id, support, voter, reason, params, signature);
    }

    /// @dev Before there is a token nobody could object, or even see it: a model is joined from its registration on.
    function _propose(
        address[] memory targets,
        uint256[] memory values,
        bytes[] memory calldatas,
        string memory description,
        address proposer
    ) internal override returns (uint256 id) {
        if (_token().getPastTotalSupply(clock() - 1) == 0) revert ModelGovernorNobodyHolds();
        id = super._propose(targets, values, calldatas, description, proposer);
        _drafts[id] = Draft(clock(), _endsPause(targets, values, calldatas));
    }

    function _queueOperations(
        uint256 id,
        address[] memory targets,
        uint256[] memory values,
        bytes[] memory calldatas,
        bytes32 descriptionHash
    ) internal override(Governor, GovernorTimelockControl) returns (uint48) {
        return super._queueOperations(id, targets, values, calldatas, descriptionHash);
    }

    function _executeOperations(
        uint256 id,
        address[] memory targets,
        uint256[] memory values,
        bytes[] memory calldatas,
        bytes32 descriptionHash
    ) internal override(Governor, GovernorTimelockControl) {
        _checkObjectors(id);
        super._executeOperations(id, targets, values, calldatas, descriptionHash);
    }

    function _cancel(
        address[] memory targets,
        uint256[] memory values,
        bytes[] memory calldatas,
        bytes32 descriptionHash
    ) internal override(Governor, GovernorTimelockControl) returns (uint256 id) {
        id = super._cancel(targets, values, calldatas, descriptionHash);
        _canceled[id] = true;
    }

    function _executor() internal view override(Governor, GovernorTimelockControl) returns (address) {
        return super._executor();
    }
}
