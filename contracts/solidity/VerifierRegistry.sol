// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {AccessControl} from "@openzeppelin/contracts/access/AccessControl.sol";
import {EIP712} from "@openzeppelin/contracts/utils/cryptography/EIP712.sol";
import {ECDSA} from "@openzeppelin/contracts/utils/cryptography/ECDSA.sol";
import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";
import {EnumerableSet} from "@openzeppelin/contracts/utils/structs/EnumerableSet.sol";
import {NodeStakes} from "./NodeStakes.sol";

/// @title Verifiers of one model and the epoch roots that k of n of them signed
/// @notice A root becomes final after its challenge window. The timelock alone admits, removes, arbitrates and sets
/// threshold and epoch limit: it holds both roles from the constructor on, and nobody else holds any.
/// @dev Its balance is the stakes of verifiers and nodes, withdrawals of nodes, open bonds, and what is `owed`.
contract VerifierRegistry is NodeStakes, AccessControl {
    using EnumerableSet for EnumerableSet.AddressSet;

    enum Status { None, Proposed, Disputed, Final }

    /// @dev What verifiers sign. `attempt` keeps signatures on a rejected root from serving again; `logRoot`, the root of
    /// the log of `logSize` entries, is the evidence. `closedAt`, in Unix seconds, is when the epoch closed by the log.
    struct EpochRoot {
        bytes32 model;
        uint64 epoch;
        uint32 attempt;
        bytes32 root;
        uint256 total;
        uint64 count;
        uint64 logSize;
        bytes32 logRoot;
        uint64 closedAt;
        uint64 deadline;
    }

    /// @dev `disputes` counts the challenges of the epoch, over all attempts, and so numbers the one that is open;
    /// `fruitless` counts those that failed or lapsed. `closesAt` ends the challenge window, `closedAt` is what was signed.
    struct Epoch {
        Status status;
        uint32 attempt;
        uint64 closesAt;
        uint32 fruitless;
        uint64 closedAt;
        address challenger;
        uint64 challengedAt;
        uint32 disputes;
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
        address appellant;
        address respondent;
        bool upheld;
        uint64 deadline;
    }

    /// @dev `openedAt` in Unix seconds; 0 where there is none.
    struct Appeal {
        uint64 openedAt;
        bool decided;
        uint256 bond;
    }

    struct Rules {
        uint256 threshold;
        uint256 minStake;
        uint64 challengeWindow;
        uint64 disputeLimit;
        uint256 bond;
        uint256 slashCap;
        uint256 maxEpochTotal;
        uint256 nodeSlashCap;
        uint64 nodeWithdrawalDelay;
    }

    error NotVerifier(address account);
    error VerifierKnown(address account);
    error ThresholdOutOfRange(uint256 threshold, uint256 verifiers);
    error WrongModel(bytes32 model);
    error WrongEpoch(uint64 epoch, uint64 expected);
    error WrongAttempt(uint32 attempt, uint32 expected);
    error WrongStatus(uint64 epoch, Status status);
    error TotalTooLarge(uint256 total, uint256 limit);
    error LogShrank(uint64 logSize, uint64 previous);
    error ClosedInFuture(uint64 closedAt, uint256 timestamp);
    error DeadlinePassed(uint64 deadline);
    error TooFewSignatures(uint256 given, uint256 needed);
    error SignersNotSorted(address previous, address signer);
    error StakeTooSmall(address verifier, uint256 stake);
    error WindowClosed(uint64 closesAt);
    error WindowOpen(uint64 closesAt);
    error WrongBond(uint256 given, uint256 bond);
    error WrongDispute(uint32 dispute, uint32 expected);
    error DisputeOpen(uint256 lapsesAt);
    error StakeLocked(address verifier);
    error FaultPunished(bytes32 evidence, address verifier);
    error OwnCase(address signer);
    error AppealKnown(bytes32 proof, address appellant);
    error AppealNotOpen(bytes32 proof, address appellant);
    error TransferFailed(address to, uint256 amount);
    error NothingOwed(address account);
    error AppealOpen(uint256 openUntil);
    error RulesRefused();

    event VerifierAdmitted(address indexed verifier);
    event VerifierRemoved(address indexed verifier);
    event ThresholdSet(uint256 threshold);
    event MaxEpochTotalSet(uint256 maxEpochTotal);
    event Staked(address indexed verifier, uint256 amount, uint256 stake);
    event Unstaked(address indexed verifier, uint256 amount);
    /// @notice `stake` is what the verifier has left.
    event Slashed(address indexed verifier, uint64 indexed epoch, uint256 amount, uint256 stake);
    /// @notice `stake` is what the verifier has left.
    event Punished(address indexed verifier, bytes32 indexed evidence, uint256 amount, uint256 stake);
    event AppealOpened(bytes32 indexed proof, address indexed appellant, uint256 bond);
    event AppealDecided(
        bytes32 indexed proof, address indexed appellant, bool upheld, address indexed respondent, uint256 slashed
    );
    /// @notice Nobody ruled in time: the appellant has its bond back.
    event AppealLapsed(bytes32 indexed proof, address indexed appellant, uint256 bond);
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
    /// @notice A payment was not taken; `amount` waits for `withdraw`.
    event PaymentOwed(address indexed account, uint256 amount);
    event PaymentWithdrawn(address indexed account, uint256 amount);

    /// @notice Most seconds of any period in the rules: ten years.
    uint64 public constant LONGEST = 3650 days;
    /// @notice How often the bond of an epoch's challenges doubles at most.
    uint32 public constant MAX_DOUBLINGS = 8;
    /// @notice May decide a disputed epoch.
    bytes32 public constant ARBITER_ROLE = keccak256("ARBITER_ROLE");

    /// @notice EIP-712 type of an epoch's root.
    bytes32 public constant EPOCH_ROOT_TYPEHASH = keccak256(
        "EpochRoot(bytes32 model,uint64 epoch,uint32 attempt,bytes32 root,uint256 total,uint64 count,uint64 logSize,bytes32 logRoot,uint64 closedAt,uint64 deadline)"
    );

    /// @notice EIP-712 type of a fault that verifiers found in one of them.
    bytes32 public constant VERIFIER_FAULT_TYPEHASH =
        keccak256("VerifierFault(bytes32 model,address verifier,bytes32 evidence,uint64 deadline)");
    /// @notice EIP-712 type of a ruling on an appeal.
    bytes32 public constant APPEAL_RULING_TYPEHASH = keccak256(
        "AppealRuling(bytes32 model,bytes32 proof,address appellant,address respondent,bool upheld,uint64 deadline)"
    );

    /// @notice Gets what is slashed, and holds the roles.
    address public immutable timelock;
    /// @notice The model whose messages count here.
    bytes32 public immutable model;
    /// @notice Stake in wei below which a verifier's signature does not count.
    uint256 public immutable minStake;
    /// @notice Seconds in which a proposed root can be challenged.
    uint64 public immutable challengeWindow;
    /// @notice Seconds after which a dispute or an appeal that nobody decided lapses.
    uint64 public immutable disputeLimit;
    /// @notice Wei that an appeal and the first challenge of an epoch put at stake; later ones: `bondOf`.
    uint256 public immutable bond;
    /// @notice Most wei that a verifier loses at once.
    uint256 public immutable slashCap;

    /// @notice Most that a proposed epoch may pay, in 1e-18 tokens.
    uint256 public maxEpochTotal;
    /// @notice k of k-of-n.
    uint256 public threshold;
    /// @notice The last final epoch; the next one alone can be proposed.
    uint64 public finalizedEpochs;
    /// @notice The latest time at which a final epoch closed, in Unix seconds.
    uint64 public lastClosing;
    /// @notice The latest but one: two final epochs closed at or after it.
    uint64 public secondClosing;
    /// @notice Stake of a verifier in wei.
    mapping(address verifier => uint256) public stakeOf;
    /// @notice Wei of payments that an account did not take.
    mapping(address account => uint256) public owed;
    /// @notice When a verifier was last removed, in Unix seconds.
    mapping(address verifier => uint64) public removedAt;
    /// @notice Whether a verifier was punished on this evidence.
    mapping(bytes32 evidence => mapping(address verifier => bool)) public punished;
    /// @notice The one appeal that an account may have against the voiding of a proof.
    mapping(bytes32 proof => mapping(address appellant => Appeal)) public appealOf;
    mapping(uint64 epoch => Epoch) private _epochs;
    mapping(uint64 epoch => address[]) private _signers;
    EnumerableSet.AddressSet private _verifiers;

    /// @param timelock_ The model's timelock.
    /// @param model_ The model's id.
    /// @param verifiers_ Admitted from the start; each counts once it has staked.
    /// @param rules All of them fixed for ever, but for threshold and epoch limit.
    constructor(address timelock_, bytes32 model_, address[] memory verifiers_, Rules memory rules)
        EIP712("Commonweight", "1")
        NodeStakes(rules.nodeSlashCap, rules.nodeWithdrawalDelay)
    {
        bool spans = _isSpan(rules.challengeWindow) && _isSpan(rules.disputeLimit) && _isSpan(rules.nodeWithdrawalDelay);
        bool stakes = rules.minStake > 0 && rules.bond > 0 && rules.slashCap > 0 && rules.nodeSlashCap > 0;
        if (!spans || !stakes) revert RulesRefused();
        timelock = timelock_;
        model = model_;
        minStake = rules.minStake;
        challengeWindow = rules.challengeWindow;
        disputeLimit = rules.disputeLimit;
        bond = rules.bond;
        slashCap = rules.slashCap;
        _grantRole(DEFAULT_ADMIN_ROLE, timelock_);
        _grantRole(ARBITER_ROLE, timelock_);
        _setMaxEpochTotal(rules.maxEpochTotal);
        for (uint256 i = 0; i < verifiers_.length; ++i) _admit(verifiers_[i]);
        _setThreshold(rules.threshold);
    }

    /// @notice Admits a verifier, who counts once it has staked. Only the timelock.
    /// @param verifier Its address.
    function admit(address verifier) external onlyRole(DEFAULT_ADMIN_ROLE) {
        _admit(verifier);
    }

    /// @notice Removes a verifier; its stake is free after two windows. Only the timelock.
    /// @param verifier Its address.
    function remove(address verifier) external onlyRole(DEFAULT_ADMIN_ROLE) {
        if (!_verifiers.remove(verifier)) revert NotVerifier(verifier);
        if (_verifiers.length() < threshold) revert ThresholdOutOfRange(threshold, _verifiers.length());
        removedAt[verifier] = uint64(block.timestamp);
        emit VerifierRemoved(verifier);
    }

    /// @notice Sets k of k-of-n. Only the timelock.
    /// @param threshold_ At least 1, at most the number of verifiers.
    function setThreshold(uint256 threshold_) external onlyRole(DEFAULT_ADMIN_ROLE) {
        _setThreshold(threshold_);
    }

    /// @notice Sets the most that an epoch may pay, for roots proposed from now on. Only the timelock.
    /// @param maxEpochTotal_ In 1e-18 tokens.
    function setMaxEpochTotal(uint256 maxEpochTotal_) external onlyRole(DEFAULT_ADMIN_ROLE) {
        _setMaxEpochTotal(maxEpochTotal_);
    }

    /// @notice Adds to the caller's stake.
    function stake() external payable {
        if (!_verifiers.contains(msg.sender)) revert NotVerifier(msg.sender);
        stakeOf[msg.sender] += msg.value;
        emit Staked(msg.sender, msg.value, stakeOf[msg.sender]);
    }

    /// @notice Pays a removed verifier its stake after two windows, once no root that it signed is open.
    /// @dev A root that others signed does not hold it: one may be open at any time for as long as the model lives.
    function unstake() external {
        bool early = block.timestamp < uint256(removedAt[msg.sender]) + 2 * uint256(challengeWindow);
        if (_verifiers.contains(msg.sender) || early || _answersForOpenRoot(msg.sender)) revert StakeLocked(msg.sender);
        uint256 amount = stakeOf[msg.sender];
        stakeOf[msg.sender] = 0;
        emit Unstaked(msg.sender, amount);
        _pay(msg.sender, amount);
    }

    /// @notice Proposes the next epoch's root; anybody may call.
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
        epoch.total = message.total;
        epoch.count = message.count;
        epoch.closedAt = message.closedAt;
        epoch.logSize = message.logSize;
        epoch.logRoot = message.logRoot;
        emit EpochSigned(message.epoch, message.attempt, message.count, signers);
        emit EpochProposed(
            message.epoch, message.attempt, message.root, message.total, message.logSize, message.logRoot, epoch.closesAt
        );
    }

    /// @notice Disputes a proposed root within its window, with `bondOf` as value.
    /// @param epochNumber The epoch that is open.
    function challenge(uint64 epochNumber) external payable {
        Epoch storage epoch = _requireStatus(epochNumber, Status.Proposed);
        if (block.timestamp >= epoch.closesAt) revert WindowClosed(epoch.closesAt);
        uint256 needed = bondOf(epochNumber);
        if (msg.value != needed) revert WrongBond(msg.value, needed);
        epoch.status = Status.Disputed;
        epoch.challenger = msg.sender;
        epoch.challengedAt = uint64(block.timestamp);
        epoch.disputes += 1;
        emit EpochChallenged(epochNumber, epoch.attempt, epoch.disputes, msg.sender);
    }

    /// @notice Decides a dispute. Upheld: the root falls, its signers are slashed, the challenger has its bond back.
    /// Failed: a new window starts, and the bond goes to the signers in equal parts. Only the arbiter.
    /// @param epochNumber The disputed epoch.
    /// @param dispute Its number: a decision that comes late must not fall on the next one.
    /// @param upheld Whether the challenger was right.
    function resolve(uint64 epochNumber, uint32 dispute, bool upheld) external onlyRole(ARBITER_ROLE) {
        Epoch storage epoch = _requireStatus(epochNumber, Status.Disputed);
        if (dispute != epoch.disputes) revert WrongDispute(dispute, epoch.disputes);
        uint256 held = bondOf(epochNumber);
        address challenger = epoch.challenger;
        epoch.challenger = address(0);
        if (upheld) {
            address[] memory signers = _reject(epochNumber, epoch);
            _slashSigners(epochNumber, signers);
            _payOrOwe(challenger, held);
        } else {
            epoch.status = Status.Proposed;
            epoch.fruitless += 1;
            epoch.closesAt = uint64(block.timestamp) + challengeWindow;
            emit ChallengeFailed(epochNumber, epoch.attempt, epoch.closesAt);
            _payBondToSigners(epochNumber, held);
        }
    }

    /// @notice Ends a dispute that nobody decided within `disputeLimit`; anybody may call.
    /// @dev The root falls, since what is disputed must not pay; nobody was found guilty, so nobody is slashed. The bond
    /// goes to the timelock, and the next one is twice as high: to hold up an epoch costs more each time.
    /// @param epochNumber The disputed epoch.
    function lapse(uint64 epochNumber) external {
        Epoch storage epoch = _requireStatus(epochNumber, Status.Disputed);
        uint256 lapsesAt = uint256(epoch.challengedAt) + disputeLimit;
        if (block.timestamp < lapsesAt) revert DisputeOpen(lapsesAt);
        uint256 held = bondOf(epochNumber);
        epoch.challenger = address(0);
        epoch.fruitless += 1;
        emit DisputeLapsed(epochNumber, epoch.attempt, epoch.disputes);
        _reject(epochNumber, epoch);
        _payOrOwe(timelock, held);
    }

    /// @notice Makes an unchallenged root final after its window; anybody may call.
    /// @param epochNumber The epoch that is open.
    function finalize(uint64 epochNumber) external {
        Epoch storage epoch = _requireStatus(epochNumber, Status.Proposed);
        if (block.timestamp < epoch.closesAt) revert WindowOpen(epoch.closesAt);
        epoch.status = Status.Final;
        finalizedEpochs = epochNumber;
        _recordClosing(epoch.closedAt);
        emit EpochFinalized(epochNumber, epoch.attempt, epoch.root, epoch.total);
    }

    /// @notice Takes stake, capped, from a verifier that k others found not to have done its work; once per evidence.
    /// @param message What was signed.
    /// @param signatures Of k others or more, sorted by signer address.
    function punish(VerifierFault calldata message, bytes[] calldata signatures) external {
        _checkHeader(message.model, message.deadline);
        if (punished[message.evidence][message.verifier]) revert FaultPunished(message.evidence, message.verifier);
        punished[message.evidence][message.verifier] = true;
        _checkOthers(hashVerifierFault(message), signatures, message.verifier);
        uint256 amount = _slash(message.verifier);
        emit Punished(message.verifier, message.evidence, amount, stakeOf[message.verifier]);
        _payOrOwe(timelock, amount);
    }

    /// @notice Appeals once against the voiding of a proof, with the bond as value; the ledger then bisects.
    /// @dev This contract does not know whose proof it is, the verifiers do: they rule on the appeal of its node alone. Who
    /// is faster with an appeal of his own takes nothing from the node, and has put up a bond for nothing.
    /// @param proof Digest of the voided proof.
    function openAppeal(bytes32 proof) external payable {
        if (appealOf[proof][msg.sender].openedAt != 0) revert AppealKnown(proof, msg.sender);
        if (msg.value != bond) revert WrongBond(msg.value, bond);
        appealOf[proof][msg.sender] = Appeal(uint64(block.timestamp), false, msg.value);
        emit AppealOpened(proof, msg.sender, msg.value);
    }

    /// @notice Decides an appeal on the word of k verifiers other than the respondent; the loser pays.
    /// @dev Upheld: the bond goes back with the capped slash of the respondent. Dismissed: the respondent gets the bond.
    /// @param message What was signed.
    /// @param signatures Of k others or more, sorted by signer address.
    function decideAppeal(AppealRuling calldata message, bytes[] calldata signatures) external {
        _checkHeader(message.model, message.deadline);
        Appeal memory appeal = _closeAppeal(message.proof, message.appellant);
        _checkOthers(hashAppealRuling(message), signatures, message.respondent);
        uint256 slashed = message.upheld ? _slash(message.respondent) : 0;
        emit AppealDecided(message.proof, message.appellant, message.upheld, message.respondent, slashed);
        _payOrOwe(message.upheld ? message.appellant : message.respondent, appeal.bond + slashed);
    }

    /// @notice Ends an appeal on which nobody ruled within `disputeLimit`, and pays its bond back; anybody may call.
    /// @dev Nobody was heard: an operator that withholds the moves, or verifiers that are silent, must not cost a bond.
    /// @param proof Digest of the voided proof.
    /// @param appellant Who opened it.
    function lapseAppeal(bytes32 proof, address appellant) external {
        Appeal memory appeal = _closeAppeal(proof, appellant);
        uint256 openUntil = uint256(appeal.openedAt) + disputeLimit;
        if (block.timestamp < openUntil) revert AppealOpen(openUntil);
        emit AppealLapsed(proof, appellant, appeal.bond);
        _payOrOwe(appellant, appeal.bond);
    }

    /// @notice Pays what a failed transfer left owed to the caller.
    function withdraw() external {
        uint256 amount = owed[msg.sender];
        if (amount == 0) revert NothingOwed(msg.sender);
        owed[msg.sender] = 0;
        emit PaymentWithdrawn(msg.sender, amount);
        _pay(msg.sender, amount);
    }

    /// @notice Where an epoch stands.
    function epochOf(uint64 epochNumber) external view returns (Epoch memory) {
        return _epochs[epochNumber];
    }

    /// @notice What a claim is checked against: half of an epoch's slots, and each costs a claim 2,100 gas to read.
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

    /// @notice All admitted verifiers, staked or not.
    function verifiers() external view returns (address[] memory) {
        return _verifiers.values();
    }

    /// @notice Whether an account is an admitted verifier, staked or not.
    function isVerifier(address account) external view returns (bool) {
        return _verifiers.contains(account);
    }

    /// @notice Wei that a challenge of the epoch costs now: twice as much after each that failed or lapsed.
    function bondOf(uint64 epochNumber) public view returns (uint256) {
        return bond * 2 ** Math.min(_epochs[epochNumber].fruitless, MAX_DOUBLINGS);
    }

    /// @notice The EIP-712 digest that verifiers sign.
    function hashEpochRoot(EpochRoot calldata message) public view returns (bytes32) {
        return _hashTypedDataV4(keccak256(abi.encode(EPOCH_ROOT_TYPEHASH, message)));
    }

    /// @notice The EIP-712 digest that verifiers sign.
    function hashVerifierFault(VerifierFault calldata message) public view returns (bytes32) {
        return _hashTypedDataV4(keccak256(abi.encode(VERIFIER_FAULT_TYPEHASH, message)));
    }

    /// @notice The EIP-712 digest that verifiers sign.
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

    function _closeAppeal(bytes32 proof, address appellant) private returns (Appeal memory appeal) {
        appeal = appealOf[proof][appellant];
        if (appeal.openedAt == 0 || appeal.decided) revert AppealNotOpen(proof, appellant);
        appealOf[proof][appellant].decided = true;
    }

    function _answersForOpenRoot(address verifier) private view returns (bool) {
        address[] storage signers = _signers[finalizedEpochs + 1];
        for (uint256 i = 0; i < signers.length; ++i) {
            if (signers[i] == verifier) return true;
        }
        return false;
    }

    function _isSpan(uint64 seconds_) private pure returns (bool) {
        return seconds_ > 0 && seconds_ <= LONGEST;
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
        if (message.closedAt > block.timestamp) revert ClosedInFuture(message.closedAt, block.timestamp);
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

    /// @dev Times may fall: an epoch whose root was struck down closes anew, later than some that wait behind it.
    function _recordClosing(uint64 closedAt) private {
        if (closedAt >= lastClosing) (lastClosing, secondClosing) = (closedAt, lastClosing);
        else if (closedAt > secondClosing) secondClosing = closedAt;
    }

    function _secondClosing() internal view override returns (uint64) {
        return secondClosing;
    }

    /// @dev The root falls, and the next attempt can be proposed.
    function _reject(uint64 epochNumber, Epoch storage epoch) private returns (address[] memory signers) {
        emit EpochRejected(epochNumber, epoch.attempt);
        signers = _signers[epochNumber];
        delete _signers[epochNumber];
        epoch.status = Status.None;
        epoch.attempt += 1;
        epoch.root = bytes32(0);
        epoch.total = 0;
    }

    function _slashSigners(uint64 epochNumber, address[] memory signers) private {
        uint256 sum = 0;
        for (uint256 i = 0; i < signers.length; ++i) {
            uint256 amount = _slash(signers[i]);
            sum += amount;
            emit Slashed(signers[i], epochNumber, amount, stakeOf[signers[i]]);
        }
        _payOrOwe(timelock, sum);
    }

    /// @dev What does not divide goes to the timelock.
    function _payBondToSigners(uint64 epochNumber, uint256 held) private {
        address[] memory signers = _signers[epochNumber];
        uint256 share = held / signers.length;
        for (uint256 i = 0; i < signers.length; ++i) _payOrOwe(signers[i], share);
        _payOrOwe(timelock, held - share * signers.length);
    }

    function _requireStatus(uint64 epochNumber, Status status) private view returns (Epoch storage epoch) {
        epoch = _epochs[epochNumber];
        if (epoch.status != status) revert WrongStatus(epochNumber, epoch.status);
    }

    /// @dev Nobody signs as the zero address, which would still count among n.
    function _admit(address verifier) private {
        if (verifier == address(0)) revert NotVerifier(verifier);
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

    function _setMaxEpochTotal(uint256 maxEpochTotal_) private {
        maxEpochTotal = maxEpochTotal_;
        emit MaxEpochTotalSet(maxEpochTotal_);
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
        if (amount == 0) return;
        (bool sent,) = to.call{value: amount, gas: 50_000}("");
        if (sent) return;
        owed[to] += amount;
        emit PaymentOwed(to, amount);
    }
}
