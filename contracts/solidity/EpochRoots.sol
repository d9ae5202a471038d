// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";
import {VerifierSet} from "./VerifierSet.sol";

/// @title Who pays final epochs, and reserves what it will owe
interface IReserves {
    /// @notice Reserves what a proposed root pays. Reverts where it cannot be had. Only the registry.
    function reserve(uint256 amount) external;

    /// @notice Lets go of what a root would have paid that fell. Only the registry.
    function release(uint256 amount) external;

    /// @notice Tokens that exist, in 1e-18 tokens.
    function supply() external view returns (uint256);
}

/// @title Epoch roots that k of n verifiers signed, and disputes about them
/// @notice A root becomes final after its challenge window. The timelock alone arbitrates and sets the epoch limit.
abstract contract EpochRoots is VerifierSet {
    enum Status { None, Proposed, Disputed, Final }

    /// @dev What verifiers sign. `attempt` keeps signatures on a rejected root from serving again; `logRoot`, the root of
    /// the log of `logSize` entries, is the evidence. every round that opened
    /// before `settledAt`, in Unix seconds, is settled in that log.
    struct EpochRoot {
        bytes32 model;
        uint64 epoch;
        uint32 attempt;
        bytes32 root;
        uint256 total;
        uint64 count;
        uint64 logSize;
        bytes32 logRoot;
        uint64 settledAt;
        uint64 deadline;
    }

    /// @dev `disputes` counts the challenges of the epoch, over all attempts, and so numbers the one that is open; `early`
    /// says that it was opened before enough votes existed to decide it, `bond` what it puts at stake. `closesAt` ends the challenge window, `settledAt`
    /// is what was signed. In the order of its slots: a claim reads the first one, and the root.
    struct Epoch {
        Status status;
        uint32 attempt;
        uint64 closesAt;
        bool early;
        uint128 total;
        address challenger;
        uint64 challengedAt;
        uint32 disputes;
        bytes32 root;
        uint64 count;
        uint64 logSize;
        uint64 settledAt;
        bytes32 logRoot;
        uint256 bond;
    }

    error EpochRootsWrongEpoch(uint64 epoch, uint64 expected);
    error EpochRootsWrongAttempt(uint32 attempt, uint32 expected);
    error EpochRootsWrongStatus(uint64 epoch, Status status);
    error EpochRootsTotalTooLarge(uint256 total, uint256 limit);
    error EpochRootsSettledInFuture(uint64 settledAt, uint256 timestamp);
    error EpochRootsWindowClosed(uint64 closesAt);
    error EpochRootsWindowOpen(uint64 closesAt);
    error EpochRootsWrongBond(uint256 given, uint256 bond);
    error EpochRootsWrongDispute(bytes32 root, uint64 challengedAt);
    error EpochRootsDisputeOpen(uint256 lapsesAt);

    event MaxEpochTotalSet(uint256 maxEpochTotal);
    /// @notice `stake` is what the verifier has left.
    event Slashed(address indexed verifier, uint64 indexed epoch, uint256 amount, uint256 stake);
    event EpochProposed(
        uint64 indexed epoch, uint32 attempt, bytes32 root, uint256 total, uint64 logSize, bytes32 logRoot, uint64 closesAt
    );
    /// @notice Beside `EpochProposed`: how many payouts the root has, and who answers for it with stake.
    event EpochSigned(uint64 indexed epoch, uint32 attempt, uint64 count, address[] signers);
    event EpochChallenged(uint64 indexed epoch, uint32 attempt, uint32 dispute, address indexed challenger);
    event EpochRejected(uint64 indexed epoch, uint32 attempt);
    event ChallengeFailed(uint64 indexed epoch, uint32 attempt, uint64 closesAt);
    /// @notice Nobody decided in time; `EpochRejected` follows.
    event DisputeLapsed(uint64 indexed epoch, uint32 attempt, uint32 dispute);
    event EpochFinalized(uint64 indexed epoch, uint32 attempt, bytes32 root, uint256 total);

    /// @notice How often the bond of challenges doubles at most.
    uint32 public constant MAX_DOUBLINGS = 8;
    /// @notice EIP-712 type of an epoch's root.
    bytes32 public constant EPOCH_ROOT_TYPEHASH = keccak256(
        "EpochRoot(bytes32 model,uint64 epoch,uint32 attempt,bytes32 root,uint256 total,uint64 count,uint64 logSize,bytes32 logRoot,uint64 settledAt,uint64 deadline)"
    );

    /// @notice Seconds in which a proposed root can be challenged.
    uint64 public immutable challengeWindow;
    /// @notice Seconds after which a dispute that nobody decided lapses.
    uint64 public immutable disputeLimit;
    /// @notice Wei that the first challenge puts at stake; later ones: `bondNow`.
    uint256 public immutable bond;
    /// @notice Votes below which nothing is decided, in 1e-18 tokens: the governor's floor.
    uint256 public immutable voteFloor;
    /// @notice Who pays, and reserves what a root pays when it is proposed.
    IReserves public immutable distributor;

    /// @notice Most that a proposed epoch may pay, in 1e-18 tokens.
    uint256 public maxEpochTotal;
    /// @notice Challenges that came to nothing, less one for each quiet `disputeLimit` before the last: what delays cost.
    uint32 public fruitless;
    /// @notice When the last of them did, in Unix seconds.
    uint64 public fruitlessAt;
    /// @notice Seconds for which epochs were disputed, without the dispute that is open.
    uint64 public disputedSeconds;
    uint64 private _disputedSince;
    uint64 private _disputedAtFruitless;
    /// @notice The last final epoch; the next one alone can be proposed.
    uint64 public finalizedEpochs;
    /// @notice The latest time at which a final epoch closed, in Unix seconds.
    uint64 public lastSettled;
    /// @notice The latest but one: two final epochs closed at or after it.
    uint64 public secondSettled;
    mapping(uint64 epoch => Epoch) private _epochs;
    mapping(uint64 epoch => address[]) private _signers;
    /// @dev Whether a dispute was ever opened, by epoch, root and second.
    mapping(bytes32 dispute => bool) private _opened;

    /// @param challengeWindow_ Seconds in which a proposed root can be challenged.
    /// @param disputeLimit_ Seconds after which a dispute that nobody decided lapses.
    /// @param bond_ Wei that the first challenge puts at stake.
    /// @param voteFloor_ Votes below which nothing is decided.
    /// @param distributor_ Who pays: made after this contract, at the address that its deployer's nonce gives.
    constructor(
        uint64 challengeWindow_,
        uint64 disputeLimit_,
        uint256 bond_,
        uint256 voteFloor_,
        IReserves distributor_
    ) {
        distributor = distributor_;
        challengeWindow = challengeWindow_;
        disputeLimit = disputeLimit_;
        bond = bond_;
        voteFloor = voteFloor_;
    }

    /// @notice Sets the most that an epoch may pay, for roots proposed from now on. Only the timelock.
    /// @param maxEpochTotal_ In 1e-18 tokens.
    function setMaxEpochTotal(uint256 maxEpochTotal_) external onlyRole(DEFAULT_ADMIN_ROLE) {
        _setMaxEpochTotal(maxEpochTotal_);
    }

    /// @notice Proposes the next epoch's root; anybody may call. What it pays is reserved, so that it can be had.
    /// @param message What was signed.
    /// @param signatures Of k staked verifiers or more, sorted by signer address.
    function propose(EpochRoot calldata message, bytes[] calldata signatures) external {
        Epoch storage epoch = _epochs[message.epoch];
        _checkMessage(message, epoch);
        address[] memory signers = _checkSignatures(hashEpochRoot(message), signatures);
        _signers[message.epoch] = signers;
        epoch.status = Status.Proposed;
        epoch.closesAt = uint64(block.timestamp) + challengeWindow;
        epoch.challenger = address(0);
        epoch.root = message.root;
        epoch.total = uint128(message.total); // larger ones cannot be reserved, below
        epoch.count = message.count;
        epoch.logSize = message.logSize;
        epoch.settledAt = message.settledAt;
        epoch.logRoot = message.logRoot;
        emit EpochSigned(message.epoch, message.attempt, message.count, signers);
        emit EpochProposed(
            message.epoch, message.attempt, message.root, message.total, message.logSize, message.logRoot, epoch.closesAt
        );
        distributor.reserve(message.total);
    }

    /// @notice Disputes a proposed root within its window, with `bondNow` as value.
    /// @param epochNumber The epoch that is open.
    function challenge(uint64 epochNumber) external payable {
        Epoch storage epoch = _requireStatus(epochNumber, Status.Proposed);
        if (block.timestamp >= epoch.closesAt) revert EpochRootsWindowClosed(epoch.closesAt);
        uint256 needed = bondNow();
        if (msg.value != needed) revert EpochRootsWrongBond(msg.value, needed);
        epoch.status = Status.Disputed;
        epoch.challenger = msg.sender;
        epoch.bond = needed;
        epoch.challengedAt = uint64(block.timestamp);
        noteVotes();
        epoch.early = votesSince == 0;
        _disputedSince = uint64(block.timestamp);
        epoch.disputes += 1;
        _opened[_disputeOf(epochNumber, epoch.root, epoch.challengedAt)] = true;
        emit EpochChallenged(epochNumber, epoch.attempt, epoch.disputes, msg.sender);
    }

    /// @notice Decides a dispute. Upheld: the root falls, its signers are slashed, the challenger has its bond back.
    /// Failed: a new window starts, and the bond goes to the signers in equal parts. Nothing where the dispute is over: it
    /// may lapse while a decision waits, which must not take back what was decided with it. Only the arbiter.
    /// @param epochNumber The disputed epoch.
    /// @param root Of the epoch that is disputed: nobody can pass a decision on a root that is not there yet.
    /// @param challengedAt When the dispute was opened, in Unix seconds: a decision must not fall on the next one.
    /// @param upheld Whether the challenger was right.
    function resolve(uint64 epochNumber, bytes32 root, uint64 challengedAt, bool upheld)
        external
        onlyRole(ARBITER_ROLE)
    {
        Epoch storage epoch = _epochs[epochNumber];
        bytes32 dispute = _disputeOf(epochNumber, root, challengedAt);
        if (!_opened[dispute]) revert EpochRootsWrongDispute(epoch.root, epoch.challengedAt);
        bool last = dispute == _disputeOf(epochNumber, epoch.root, epoch.challengedAt);
        if (!last || epoch.status != Status.Disputed) return;
        (uint256 held, address challenger) = (epoch.bond, epoch.challenger);
        _endDispute(epoch, !upheld);
        if (upheld) {
            address[] memory signers = _reject(epochNumber, epoch);
            _slashSigners(epochNumber, signers);
            _payOrOwe(challenger, held);
        } else {
            epoch.status = Status.Proposed;
            epoch.closesAt = uint64(block.timestamp) + challengeWindow;
            emit ChallengeFailed(epochNumber, epoch.attempt, epoch.closesAt);
            _payBondToSigners(epochNumber, held);
        }
    }

    /// @notice Ends a dispute that nobody decided within `disputeLimit`; anybody may call.
    /// @dev The root falls, since what is disputed must not pay; nobody was found guilty, so nobody is slashed, and the
    /// next attempt pays what this one did. The bond is burnt, and the next one is twice as high, whatever its
    /// epoch: to hold up epochs costs more each time. Where nobody could decide, since too few votes existed, the bond is
    /// held for its challenger, unless the holders decide otherwise when they can.
    /// @param epochNumber The disputed epoch.
    function lapse(uint64 epochNumber) external {
        Epoch storage epoch = _requireStatus(epochNumber, Status.Disputed);
        uint256 lapsesAt = uint256(epoch.challengedAt) + disputeLimit;
        if (block.timestamp < lapsesAt) revert EpochRootsDisputeOpen(lapsesAt);
        (uint256 held, address challenger) = (epoch.bond, epoch.challenger);
        _endDispute(epoch, true);
        emit DisputeLapsed(epochNumber, epoch.attempt, epoch.disputes);
        _reject(epochNumber, epoch);
        if (epoch.early) _hold(groundOf(epochNumber, epoch.disputes), challenger, held, _longestHold(), true);
        else _payOrOwe(NOBODY, held);
    }

    /// @notice Makes an unchallenged root final after its window; anybody may call.
    /// @param epochNumber The epoch that is open.
    function finalize(uint64 epochNumber) external {
        Epoch storage epoch = _requireStatus(epochNumber, Status.Proposed);
        if (block.timestamp < epoch.closesAt) revert EpochRootsWindowOpen(epoch.closesAt);
        epoch.status = Status.Final;
        finalizedEpochs = epochNumber;
        _recordSettled(epoch.settledAt);
        emit EpochFinalized(epochNumber, epoch.attempt, epoch.root, epoch.total);
    }

    /// @notice Where an epoch stands.
    function epochOf(uint64 epochNumber) external view returns (Epoch memory) {
        return _epochs[epochNumber];
    }

    /// @notice What a claim is checked against: two of an epoch's slots, and each costs a claim 2,100 gas to read.
    function payoutOf(uint64 epochNumber) external view returns (Status status, bytes32 root, uint256 total) {
        Epoch storage epoch = _epochs[epochNumber];
        return (epoch.status, epoch.root, epoch.total);
    }

    /// @notice Who signed the root that stands; empty after it fell.
    function signersOf(uint64 epochNumber) external view returns (address[] memory) {
        return _signers[epochNumber];
    }

    /// @notice Whether the epoch can be claimed from.
    function isFinal(uint64 epochNumber) external view returns (bool) {
        return _epochs[epochNumber].status == Status.Final;
    }

    /// @notice Wei that a challenge costs now: twice as much after each that failed or lapsed, half as much after each
    /// `disputeLimit` without any, disputes not counted.
    function bondNow() public view returns (uint256) {
        return bond * 2 ** _fruitlessNow();
    }

    /// @notice The ground on which the bond of an early dispute is held.
    function groundOf(uint64 epochNumber, uint32 dispute) public pure returns (bytes32) {
        return keccak256(abi.encode("dispute", epochNumber, dispute));
    }

    /// @notice The EIP-712 digest that verifiers sign.
    function hashEpochRoot(EpochRoot calldata message) public view returns (bytes32) {
        return _hashTypedDataV4(keccak256(abi.encode(EPOCH_ROOT_TYPEHASH, message)));
    }

    /// @dev Until two epochs are final in which all is settled that opened before its removal, or the longest hold has
    /// passed: what it said until then is at fault under the first of them, and punished before the second is final. And
    /// while a root that it signed is open. One that others signed does not hold it: one may be open at any time for as
    /// long as the model lives.
    function _isHeld(address verifier) internal view override returns (bool) {
        uint256 removed = removedAt[verifier];
        uint256 free = removed + _longestHold() + _disputed() - disputedAtRemoval[verifier];
        bool early = secondSettled <= removed && block.timestamp < free;
        return early || _answersForOpenRoot(verifier);
    }

    function _disputeOf(uint64 epochNumber, bytes32 root, uint64 challengedAt) private pure returns (bytes32) {
        return keccak256(abi.encode(epochNumber, root, challengedAt));
    }

    function _fruitlessNow() private view returns (uint256) {
        uint256 quiet = (block.timestamp - fruitlessAt - (_disputed() - _disputedAtFruitless)) / disputeLimit;
        return fruitless > quiet ? fruitless - quiet : 0;
    }

    function _endDispute(Epoch storage epoch, bool inVain) private {
        epoch.challenger = address(0);
        disputedSeconds += uint64(block.timestamp) - _disputedSince;
        _disputedSince = 0;
        if (!inVain) return;
        fruitless = uint32(Math.min(_fruitlessNow() + 1, MAX_DOUBLINGS));
        (fruitlessAt, _disputedAtFruitless) = (uint64(block.timestamp), disputedSeconds);
    }

    function _disputed() internal view override returns (uint64) {
        return disputedSeconds + (_disputedSince == 0 ? 0 : uint64(block.timestamp) - _disputedSince);
    }

    function _canDecide() internal view override returns (bool) {
        return distributor.supply() >= voteFloor;
    }

    /// @dev A dispute is long enough for a vote.
    function _decisionTime() internal view override returns (uint64) {
        return disputeLimit;
    }

    /// @dev Seconds after which a removed verifier's stake is free whatever became final.
    function _longestHold() internal view virtual returns (uint64);

    function _setMaxEpochTotal(uint256 maxEpochTotal_) internal {
        maxEpochTotal = maxEpochTotal_;
        emit MaxEpochTotalSet(maxEpochTotal_);
    }

    function _answersForOpenRoot(address verifier) private view returns (bool) {
        address[] storage signers = _signers[finalizedEpochs + 1];
        for (uint256 i = 0; i < signers.length; ++i) {
            if (signers[i] == verifier) return true;
        }
        return false;
    }

    function _checkMessage(EpochRoot calldata message, Epoch storage epoch) private view {
        uint64 expected = finalizedEpochs + 1;
        if (message.model != model) revert VerifierSetWrongModel(message.model);
        if (message.epoch != expected) revert EpochRootsWrongEpoch(message.epoch, expected);
        if (epoch.status != Status.None) revert EpochRootsWrongStatus(message.epoch, epoch.status);
        if (message.attempt != epoch.attempt) revert EpochRootsWrongAttempt(message.attempt, epoch.attempt);
        if (message.total > maxEpochTotal) revert EpochRootsTotalTooLarge(message.total, maxEpochTotal);
        if (message.settledAt > block.timestamp) revert EpochRootsSettledInFuture(message.settledAt, block.timestamp);
        if (block.timestamp > message.deadline) revert VerifierSetDeadlinePassed(message.deadline);
    }

    /// @dev Of an epoch's time the latest counts: a slow round of another run may be open when an epoch closes.
    function _recordSettled(uint64 settledAt) private {
        if (settledAt >= lastSettled) (lastSettled, secondSettled) = (settledAt, lastSettled);
        else if (settledAt > secondSettled) secondSettled = settledAt;
    }

    /// @dev The root falls, and the next attempt can be proposed.
    function _reject(uint64 epochNumber, Epoch storage epoch) private returns (address[] memory signers) {
        emit EpochRejected(epochNumber, epoch.attempt);
        signers = _signers[epochNumber];
        delete _signers[epochNumber];
        uint256 total = epoch.total;
        epoch.status = Status.None;
        epoch.attempt += 1;
        epoch.root = bytes32(0);
        epoch.total = 0;
        distributor.release(total);
    }

    function _slashSigners(uint64 epochNumber, address[] memory signers) private {
        uint256 sum = 0;
        for (uint256 i = 0; i < signers.length; ++i) {
            uint256 amount = _slash(signers[i], slashCap);
            sum += amount;
            emit Slashed(signers[i], epochNumber, amount, stakeOf[signers[i]]);
        }
        _payOrOwe(NOBODY, sum);
    }

    /// @dev What does not divide is burnt.
    function _payBondToSigners(uint64 epochNumber, uint256 held) private {
        address[] memory signers = _signers[epochNumber];
        uint256 share = held / signers.length;
        for (uint256 i = 0; i < signers.length; ++i) _payOrOwe(signers[i], share);
        _payOrOwe(NOBODY, held - share * signers.length);
    }

    function _requireStatus(uint64 epochNumber, Status status) private view returns (Epoch storage epoch) {
        epoch = _epochs[epochNumber];
        if (epoch.status != status) revert EpochRootsWrongStatus(epochNumber, epoch.status);
    }
}
