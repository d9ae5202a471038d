// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {EIP712} from "@openzeppelin/contracts/utils/cryptography/EIP712.sol";
import {ECDSA} from "@openzeppelin/contracts/utils/cryptography/ECDSA.sol";
import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";
import {EnumerableSet} from "@openzeppelin/contracts/utils/structs/EnumerableSet.sol";
import {NodeStakes} from "./NodeStakes.sol";

/// @title Verifiers of one model and the epoch roots that k of n of them signed
/// @notice A root becomes final after its challenge window. Only the timelock admits, removes and arbitrates.
contract VerifierRegistry is NodeStakes {
    using EnumerableSet for EnumerableSet.AddressSet;

    enum Status { None, Proposed, Disputed, Final }

    struct EpochRoot {
        bytes32 model;
        uint64 epoch;
        uint32 attempt;
        bytes32 root;
        uint256 total;
        uint64 count;
        uint64 logSize;
        bytes32 logRoot;
        uint64 deadline;
    }

    struct Epoch {
        Status status;
        uint32 attempt;
        uint64 closesAt;
        address challenger;
        bytes32 root;
        uint256 total;
        uint64 count;
        uint64 logSize;
        bytes32 logRoot;
    }

    struct VerifierFault {
        bytes32 model;
        address verifier;
        bytes32 evidence;
        uint64 deadline;
    }

    struct AppealRuling {
        bytes32 model;
        bytes32 proof;
        address respondent;
        bool upheld;
        uint64 deadline;
    }

    struct Appeal {
        address appellant;
        bool decided;
        uint256 bond;
    }

    struct Rules {
        uint256 threshold;
        uint256 minStake;
        uint64 challengeWindow;
        uint256 bond;
        uint256 slashCap;
        uint256 maxEpochTotal;
        uint256 nodeSlashCap;
        uint64 nodeWithdrawalDelay;
    }

    error NotTimelock(address caller);
    error NotVerifier(address account);
    error VerifierKnown(address account);
    error ThresholdOutOfRange(uint256 threshold, uint256 verifiers);
    error WrongModel(bytes32 model);
    error WrongEpoch(uint64 epoch, uint64 expected);
    error WrongAttempt(uint32 attempt, uint32 expected);
    error WrongStatus(uint64 epoch, Status status);
    error TotalTooLarge(uint256 total, uint256 limit);
    error LogShrank(uint64 logSize, uint64 previous);
    error DeadlinePassed(uint64 deadline);
    error TooFewSignatures(uint256 given, uint256 needed);
    error SignersNotSorted(address previous, address signer);
    error StakeTooSmall(address verifier, uint256 stake);
    error WindowClosed(uint64 closesAt);
    error WindowOpen(uint64 closesAt);
    error WrongBond(uint256 given, uint256 bond);
    error StakeLocked(address verifier);
    error FaultPunished(bytes32 evidence, address verifier);
    error OwnCase(address signer);
    error AppealKnown(bytes32 proof);
    error AppealNotOpen(bytes32 proof);
    error TransferFailed(address to, uint256 amount);

    event VerifierAdmitted(address indexed verifier);
    event VerifierRemoved(address indexed verifier);
    event ThresholdSet(uint256 threshold);
    event Staked(address indexed verifier, uint256 amount, uint256 stake);
    event Unstaked(address indexed verifier, uint256 amount);
    event Slashed(address indexed verifier, uint64 indexed epoch, uint256 amount);
    event Punished(address indexed verifier, bytes32 indexed evidence, uint256 amount);
    event AppealOpened(bytes32 indexed proof, address indexed appellant, uint256 bond);
    event AppealDecided(bytes32 indexed proof, bool upheld, address indexed respondent, uint256 slashed);
    event EpochProposed(
        uint64 indexed epoch, uint32 attempt, bytes32 root, uint256 total, uint64 logSize, bytes32 logRoot, uint64 closesAt
    );
    event EpochChallenged(uint64 indexed epoch, uint32 attempt, address indexed challenger);
    event EpochRejected(uint64 indexed epoch, uint32 attempt);
    event ChallengeFailed(uint64 indexed epoch, uint32 attempt, uint64 closesAt);
    event EpochFinalized(uint64 indexed epoch, bytes32 root, uint256 total);

    bytes32 public constant EPOCH_ROOT_TYPEHASH = keccak256(
        "EpochRoot(bytes32 model,uint64 epoch,uint32 attempt,bytes32 root,uint256 total,uint64 count,uint64 logSize,bytes32 logRoot,uint64 deadline)"
    );

    bytes32 public constant VERIFIER_FAULT_TYPEHASH =
        keccak256("VerifierFault(bytes32 model,address verifier,bytes32 evidence,uint64 deadline)");
    bytes32 public constant APPEAL_RULING_TYPEHASH = keccak256(
        "AppealRuling(bytes32 model,bytes32 proof,address respondent,bool upheld,uint64 deadline)"
    );

    address public immutable timelock;
    bytes32 public immutable model;
    uint256 public immutable minStake;
    uint64 public immutable challengeWindow;
    uint256 public immutable bond;
    uint256 public immutable slashCap;
    uint256 public immutable maxEpochTotal;

    uint256 public threshold;
    uint64 public finalizedEpochs;
    mapping(address verifier => uint256) public stakeOf;
    mapping(address account => uint256) public owed;
    mapping(address verifier => uint64) public removedAt;
    mapping(bytes32 evidence => mapping(address verifier => bool)) public punished;
    mapping(bytes32 proof => Appeal) public appealOf;
    mapping(uint64 epoch => Epoch) private _epochs;
    mapping(uint64 epoch => address[]) private _signers;
    EnumerableSet.AddressSet private _verifiers;

    modifier onlyTimelock() {
        if (msg.sender != timelock) revert NotTimelock(msg.sender);
        _;
    }

    constructor(address timelock_, bytes32 model_, address[] memory verifiers_, Rules memory rules)
        EIP712("Commonweight", "1")
        NodeStakes(rules.nodeSlashCap, rules.nodeWithdrawalDelay)
    {
        timelock = timelock_;
        model = model_;
        minStake = rules.minStake;
        challengeWindow = rules.challengeWindow;
        bond = rules.bond;
        slashCap = rules.slashCap;
        maxEpochTotal = rules.maxEpochTotal;
        for (uint256 i = 0; i < verifiers_.length; ++i) _admit(verifiers_[i]);
        _setThreshold(rules.threshold);
    }

    /// @notice Admits a verifier, who counts once it has staked.
    function admit(address verifier) external onlyTimelock {
        _admit(verifier);
    }

    /// @notice Removes a verifier; its stake is free after two windows.
    function remove(address verifier) external onlyTimelock {
        if (!_verifiers.remove(verifier)) revert NotVerifier(verifier);
        if (_verifiers.length() < threshold) revert ThresholdOutOfRange(threshold, _verifiers.length());
        removedAt[verifier] = uint64(block.timestamp);
        emit VerifierRemoved(verifier);
    }

    /// @notice Sets k of k-of-n.
    function setThreshold(uint256 threshold_) external onlyTimelock {
        _setThreshold(threshold_);
    }

    /// @notice Adds to the caller's stake.
    function stake() external payable {
        if (!_verifiers.contains(msg.sender)) revert NotVerifier(msg.sender);
        stakeOf[msg.sender] += msg.value;
        emit Staked(msg.sender, msg.value, stakeOf[msg.sender]);
    }

    /// @notice Pays a removed verifier its stake once no root it may have signed is open.
    function unstake() external {
        Status open = _epochs[finalizedEpochs + 1].status;
        bool early = block.timestamp < uint256(removedAt[msg.sender]) + 2 * uint256(challengeWindow);
        if (_verifiers.contains(msg.sender) || early || open != Status.None) revert StakeLocked(msg.sender);
        uint256 amount = stakeOf[msg.sender];
        stakeOf[msg.sender] = 0;
        emit Unstaked(msg.sender, amount);
        _pay(msg.sender, amount);
    }

    /// @notice Proposes the next epoch's root, under k signatures sorted by signer address.
    function propose(EpochRoot calldata message, bytes[] calldata signatures) external {
        Epoch storage epoch = _epochs[message.epoch];
        _checkMessage(message, epoch);
        address[] memory signers = _checkSignatures(hashEpochRoot(message), signatures);
        _signers[message.epoch] = signers;
        epoch.status = Status.Proposed;
        epoch.closesAt = uint64(block.timestamp) + challengeWindow;
        epoch.challenger = address(0);
        epoch.root = message.root;
        epoch.total = message.total;
        epoch.count = message.count;
        epoch.logSize = message.logSize;
        epoch.logRoot = message.logRoot;
        emit EpochProposed(
            message.epoch, message.attempt, message.root, message.total, message.logSize, message.logRoot, epoch.closesAt
        );
    }

    /// @notice Disputes a proposed root within its window, against a bond.
    function challenge(uint64 epochNumber) external payable {
        Epoch storage epoch = _requireStatus(epochNumber, Status.Proposed);
        if (block.timestamp >= epoch.closesAt) revert WindowClosed(epoch.closesAt);
        if (msg.value != bond) revert WrongBond(msg.value, bond);
        epoch.status = Status.Disputed;
        epoch.challenger = msg.sender;
        emit EpochChallenged(epochNumber, epoch.attempt, msg.sender);
    }

    /// @notice Decides a dispute. Upheld: the root falls and its signers are slashed. Failed: a new window starts.
    function resolve(uint64 epochNumber, bool upheld) external onlyTimelock {
        Epoch storage epoch = _requireStatus(epochNumber, Status.Disputed);
        address challenger = epoch.challenger;
        epoch.challenger = address(0);
        if (upheld) {
            emit EpochRejected(epochNumber, epoch.attempt);
            epoch.status = Status.None;
            epoch.attempt += 1;
            epoch.root = bytes32(0);
            epoch.total = 0;
            _slashSigners(epochNumber);
            _payOrOwe(challenger, bond);
        } else {
            epoch.status = Status.Proposed;
            epoch.closesAt = uint64(block.timestamp) + challengeWindow;
            emit ChallengeFailed(epochNumber, epoch.attempt, epoch.closesAt);
            _payOrOwe(timelock, bond);
        }
    }

    /// @notice Makes an unchallenged root final after its window.
    function finalize(uint64 epochNumber) external {
        Epoch storage epoch = _requireStatus(epochNumber, Status.Proposed);
        if (block.timestamp < epoch.closesAt) revert WindowOpen(epoch.closesAt);
        epoch.status = Status.Final;
        finalizedEpochs = epochNumber;
        emit EpochFinalized(epochNumber, epoch.root, epoch.total);
    }

    /// @notice Takes stake, capped, from a verifier that k others found not to have done its work; once per evidence.
    function punish(VerifierFault calldata message, bytes[] calldata signatures) external {
        _checkHeader(message.model, message.deadline);
        if (punished[message.evidence][message.verifier]) revert FaultPunished(message.evidence, message.verifier);
        punished[message.evidence][message.verifier] = true;
        _checkOthers(hashVerifierFault(message), signatures, message.verifier);
        uint256 amount = _slash(message.verifier);
        emit Punished(message.verifier, message.evidence, amount);
        _payOrOwe(timelock, amount);
    }

    /// @notice Appeals once against the voiding of a proof, with the bond at stake; the ledger then bisects.
    function openAppeal(bytes32 proof) external payable {
        if (appealOf[proof].appellant != address(0)) revert AppealKnown(proof);
        if (msg.value != bond) revert WrongBond(msg.value, bond);
        appealOf[proof] = Appeal(msg.sender, false, msg.value);
        emit AppealOpened(proof, msg.sender, msg.value);
    }

    /// @notice Decides an appeal on the word of k verifiers other than the respondent; the loser pays.
    /// @dev Upheld: the bond goes back with the capped slash of the respondent. Dismissed: the respondent gets the bond.
    function decideAppeal(AppealRuling calldata message, bytes[] calldata signatures) external {
        _checkHeader(message.model, message.deadline);
        Appeal storage appeal = appealOf[message.proof];
        if (appeal.appellant == address(0) || appeal.decided) revert AppealNotOpen(message.proof);
        appeal.decided = true;
        _checkOthers(hashAppealRuling(message), signatures, message.respondent);
        uint256 slashed = message.upheld ? _slash(message.respondent) : 0;
        emit AppealDecided(message.proof, message.upheld, message.respondent, slashed);
        _payOrOwe(message.upheld ? appeal.appellant : message.respondent, appeal.bond + slashed);
    }

    /// @notice Pays what a failed transfer left owed to the caller.
    function withdraw() external {
        uint256 amount = owed[msg.sender];
        owed[msg.sender] = 0;
        _pay(msg.sender, amount);
    }

    function epochOf(uint64 epochNumber) external view returns (Epoch memory) {
        return _epochs[epochNumber];
    }

    function signersOf(uint64 epochNumber) external view returns (address[] memory) {
        return _signers[epochNumber];
    }

    function isFinal(uint64 epochNumber) external view returns (bool) {
        return _epochs[epochNumber].status == Status.Final;
    }

    function verifiers() external view returns (address[] memory) {
        return _verifiers.values();
    }

    function isVerifier(address account) external view returns (bool) {
        return _verifiers.contains(account);
    }

    /// @notice The EIP-712 digest that verifiers sign.
    function hashEpochRoot(EpochRoot calldata message) public view returns (bytes32) {
        return _hashTypedDataV4(keccak256(abi.encode(EPOCH_ROOT_TYPEHASH, message)));
    }

    function hashVerifierFault(VerifierFault calldata message) public view returns (bytes32) {
        return _hashTypedDataV4(keccak256(abi.encode(VERIFIER_FAULT_TYPEHASH, message)));
    }

    function hashAppealRuling(AppealRuling calldata message) public view returns (bytes32) {
        return _hashTypedDataV4(keccak256(abi.encode(APPEAL_RULING_TYPEHASH, message)));
    }

    function _checkHeader(bytes32 model_, uint64 deadline) private view {
        if (model_ != model) revert WrongModel(model_);
        if (block.timestamp > deadline) revert DeadlinePassed(deadline);
    }

    /// @dev Nobody is judge of its own case.
    function _checkOthers(bytes32 digest, bytes[] calldata signatures, address accused) private view {
        address[] memory signers = _checkSignatures(digest, signatures);
        for (uint256 i = 0; i < signers.length; ++i) {
            if (signers[i] == accused) revert OwnCase(accused);
        }
    }

    function _slash(address verifier) private returns (uint256 amount) {
        amount = Math.min(slashCap, stakeOf[verifier]);
        stakeOf[verifier] -= amount;
    }

    function _checkMessage(EpochRoot calldata message, Epoch storage epoch) private view {
        uint64 expected = finalizedEpochs + 1;
        if (message.model != model) revert WrongModel(message.model);
        if (message.epoch != expected) revert WrongEpoch(message.epoch, expected);
        if (epoch.status != Status.None) revert WrongStatus(message.epoch, epoch.status);
        if (message.attempt != epoch.attempt) revert WrongAttempt(message.attempt, epoch.attempt);
        if (message.total > maxEpochTotal) revert TotalTooLarge(message.total, maxEpochTotal);
        if (message.logSize < _epochs[finalizedEpochs].logSize) {
            revert LogShrank(message.logSize, _epochs[finalizedEpochs].logSize);
        }
        if (block.timestamp > message.deadline) revert DeadlinePassed(message.deadline);
    }

    function _checkSignatures(bytes32 digest, bytes[] calldata signatures) private view returns (address[] memory signers) {
        if (signatures.length < threshold) revert TooFewSignatures(signatures.length, threshold);
        signers = new address[](signatures.length);
        address previous = address(0);
        for (uint256 i = 0; i < signatures.length; ++i) {
            address signer = ECDSA.recover(digest, signatures[i]);
            if (signer <= previous) revert SignersNotSorted(previous, signer);
            if (!_verifiers.contains(signer)) revert NotVerifier(signer);
            if (stakeOf[signer] < minStake) revert StakeTooSmall(signer, stakeOf[signer]);
            signers[i] = signer;
            previous = signer;
        }
    }

    function _slashSigners(uint64 epochNumber) private {
        address[] memory signers = _signers[epochNumber];
        delete _signers[epochNumber];
        uint256 sum = 0;
        for (uint256 i = 0; i < signers.length; ++i) {
            uint256 amount = _slash(signers[i]);
            sum += amount;
            emit Slashed(signers[i], epochNumber, amount);
        }
        _payOrOwe(timelock, sum);
    }

    function _requireStatus(uint64 epochNumber, Status status) private view returns (Epoch storage epoch) {
        epoch = _epochs[epochNumber];
        if (epoch.status != status) revert WrongStatus(epochNumber, epoch.status);
    }

    function _admit(address verifier) private {
        if (!_verifiers.add(verifier)) revert VerifierKnown(verifier);
        emit VerifierAdmitted(verifier);
    }

    function _setThreshold(uint256 threshold_) private {
        if (threshold_ == 0 || threshold_ > _verifiers.length()) {
            revert ThresholdOutOfRange(threshold_, _verifiers.length());
        }
        threshold = threshold_;
        emit ThresholdSet(threshold_);
    }

    function _checkNodeFault(bytes32 model_, uint64 deadline, bytes32 digest, bytes[] calldata signatures)
        internal
        view
        override
    {
        _checkHeader(model_, deadline);
        _checkSignatures(digest, signatures);
    }

    function _forfeit(uint256 amount) internal override {
        _payOrOwe(timelock, amount);
    }

    function _pay(address to, uint256 amount) internal override {
        (bool sent,) = to.call{value: amount}("");
        if (!sent) revert TransferFailed(to, amount);
    }

    /// @dev A receiver that reverts must not be able to hold up a dispute.
    function _payOrOwe(address to, uint256 amount) private {
        (bool sent,) = to.call{value: amount, gas: 50_000}("");
        if (!sent) owed[to] += amount;
    }
}
