// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {EIP712} from "@openzeppelin/contracts/utils/cryptography/EIP712.sol";
import {ECDSA} from "@openzeppelin/contracts/utils/cryptography/ECDSA.sol";
import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";
import {EnumerableSet} from "@openzeppelin/contracts/utils/structs/EnumerableSet.sol";
import {HeldMoney} from "./HeldMoney.sol";

/// @title Verifiers of one model, their stakes, and what k of them sign
/// @notice Only the timelock admits, removes and sets the threshold; k others take stake from who did not do its work.
abstract contract VerifierSet is EIP712, HeldMoney {
    using EnumerableSet for EnumerableSet.AddressSet;

    struct VerifierFault {
        bytes32 model;
        address verifier;
        bytes32 evidence;
        uint64 deadline;
    }

    error VerifierSetNotVerifier(address account);
    error VerifierSetVerifierKnown(address account);
    error VerifierSetThresholdOutOfRange(uint256 threshold, uint256 verifiers);
    error VerifierSetWrongModel(bytes32 model);
    error VerifierSetDeadlinePassed(uint64 deadline);
    error VerifierSetTooFewSignatures(uint256 given, uint256 needed);
    error VerifierSetSignersNotSorted(address previous, address signer);
    error VerifierSetStakeTooSmall(address verifier, uint256 stake);
    error VerifierSetStakeLocked(address verifier);
    error VerifierSetOwnCase(address signer);

    event VerifierAdmitted(address indexed verifier);
    event VerifierRemoved(address indexed verifier);
    event ThresholdSet(uint256 threshold);
    event Staked(address indexed verifier, uint256 amount, uint256 stake);
    event Unstaked(address indexed verifier, uint256 amount);
    /// @notice `stake` is what the verifier has left.
    event Punished(address indexed verifier, bytes32 indexed evidence, uint256 amount, uint256 stake);

    /// @notice EIP-712 type of a fault that verifiers found in one of them.
    bytes32 public constant VERIFIER_FAULT_TYPEHASH =
        keccak256("VerifierFault(bytes32 model,address verifier,bytes32 evidence,uint64 deadline)");

    /// @notice The model whose messages count here.
    bytes32 public immutable model;
    /// @notice Stake in wei below which a verifier's signature does not count.
    uint256 public immutable minStake;
    /// @notice Most wei that a verifier loses at once.
    uint256 public immutable slashCap;

    /// @notice k of k-of-n.
    uint256 public threshold;
    /// @notice Seats that were given up so far.
    uint256 public resigned;
    /// @notice Stake of a verifier in wei.
    mapping(address verifier => uint256) public stakeOf;
    /// @notice When a verifier was last removed, in Unix seconds.
    mapping(address verifier => uint64) public removedAt;
    /// @notice Seconds of disputes until then: while an epoch is disputed nobody is judged.
    mapping(address verifier => uint64) public disputedAtRemoval;
    /// @notice What a verifier lost on this evidence so far, in wei: at most the cap, in all.
    mapping(bytes32 evidence => mapping(address verifier => uint256)) public punishedBy;
    EnumerableSet.AddressSet private _verifiers;

    /// @param model_ The model's id.
    /// @param minStake_ Wei below which a signature does not count.
    /// @param slashCap_ Most wei that a verifier loses at once.
    constructor(bytes32 model_, uint256 minStake_, uint256 slashCap_) {
        model = model_;
        minStake = minStake_;
        slashCap = slashCap_;
    }

    /// @notice Admits a verifier, who counts once it has staked; nothing where it is one, or was and has not fetched its
    /// stake yet. Only the timelock.
    /// @dev Seated again it could not fetch it: votes would keep for ever what is to be free after a stated time.
    /// @param verifier Its address.
    function admit(address verifier) external onlyRole(DEFAULT_ADMIN_ROLE) {
        if (!_verifiers.contains(verifier) && stakeOf[verifier] == 0) _admit(verifier);
    }

    /// @notice Removes a verifier; its stake is free as after a resignation. Nothing where it is none. Only the timelock.
    /// @dev Who is to be removed may resign before: an error would take back all else that was decided with it. The
    /// threshold stays where others resigned, and nothing is signed until the holders admit or lower it: did it fall by
    /// itself, who is left would sign alone.
    /// @param verifier Its address.
    function remove(address verifier) external onlyRole(DEFAULT_ADMIN_ROLE) {
        if (!_verifiers.contains(verifier)) return;
        _remove(verifier);
        _checkThreshold(threshold);
    }

    /// @notice Gives up the caller's own seat; its stake is free as after a removal.
    /// @dev Though fewer than k stay: who no longer signs could not be made to, and no vote that frees it need come.
    function resign() external {
        _remove(msg.sender);
        ++resigned;
    }

    /// @notice Sets k of k-of-n. Only the timelock.
    /// @param threshold_ At least 1, at most the number of verifiers and of seats that were given up.
    function setThreshold(uint256 threshold_) external onlyRole(DEFAULT_ADMIN_ROLE) {
        _setThreshold(threshold_);
    }

    /// @notice Adds to the caller's stake.
    function stake() external payable {
        if (!_verifiers.contains(msg.sender)) revert VerifierSetNotVerifier(msg.sender);
        stakeOf[msg.sender] += msg.value;
        emit Staked(msg.sender, msg.value, stakeOf[msg.sender]);
    }

    /// @notice Pays a removed verifier its stake, once nothing that it signed can cost it any.
    function unstake() external {
        if (_verifiers.contains(msg.sender) || _isHeld(msg.sender)) revert VerifierSetStakeLocked(msg.sender);
        uint256 amount = stakeOf[msg.sender];
        stakeOf[msg.sender] = 0;
        emit Unstaked(msg.sender, amount);
        _pay(msg.sender, amount);
    }

    /// @notice Takes stake from a verifier that k others found not to have done its work, up to the cap on each evidence,
    /// and holds it until the holders can have decided whose it is.
    /// @param message What was signed.
    /// @param signatures Of k others or more, sorted by signer address.
    function punish(VerifierFault calldata message, bytes[] calldata signatures) external {
        _checkHeader(message.model, message.deadline);
        uint256 before = punishedBy[message.evidence][message.verifier];
        _checkOthers(hashVerifierFault(message), signatures, message.verifier);
        uint256 amount = _slash(message.verifier, slashCap - before);
        if (amount == 0) revert HeldMoneyNothingTaken(message.evidence, message.verifier);
        punishedBy[message.evidence][message.verifier] = before + amount;
        emit Punished(message.verifier, message.evidence, amount, stakeOf[message.verifier]);
        _hold(keccak256(abi.encode("fault", message.evidence, before)), message.verifier, amount, _decisionTime(), false);
    }

    /// @notice All admitted verifiers, staked or not.
    function verifiers() external view returns (address[] memory) {
        return _verifiers.values();
    }

    /// @notice Whether an account is an admitted verifier, staked or not.
    function isVerifier(address account) external view returns (bool) {
        return _verifiers.contains(account);
    }

    /// @notice The EIP-712 digest that verifiers sign.
    function hashVerifierFault(VerifierFault calldata message) public view returns (bytes32) {
        return _hashTypedDataV4(keccak256(abi.encode(VERIFIER_FAULT_TYPEHASH, message)));
    }

    function _checkHeader(bytes32 model_, uint64 deadline) internal view {
        if (model_ != model) revert VerifierSetWrongModel(model_);
        if (block.timestamp > deadline) revert VerifierSetDeadlinePassed(deadline);
    }

    function _checkSignatures(bytes32 digest, bytes[] calldata signatures) internal view returns (address[] memory signers) {
        if (signatures.length < threshold) revert VerifierSetTooFewSignatures(signatures.length, threshold);
        signers = new address[](signatures.length);
        address previous = address(0);
        for (uint256 i = 0; i < signatures.length; ++i) {
            address signer = ECDSA.recover(digest, signatures[i]);
            if (signer <= previous) revert VerifierSetSignersNotSorted(previous, signer);
            if (!_verifiers.contains(signer)) revert VerifierSetNotVerifier(signer);
            if (stakeOf[signer] < minStake) revert VerifierSetStakeTooSmall(signer, stakeOf[signer]);
            signers[i] = signer;
            previous = signer;
        }
    }

    function _slash(address verifier, uint256 most) internal returns (uint256 amount) {
        amount = Math.min(most, stakeOf[verifier]);
        stakeOf[verifier] -= amount;
    }

    function _remove(address verifier) private {
        if (!_verifiers.remove(verifier)) revert VerifierSetNotVerifier(verifier);
        removedAt[verifier] = uint64(block.timestamp);
        disputedAtRemoval[verifier] = _disputed();
        emit VerifierRemoved(verifier);
    }

    /// @dev Nobody signs as the zero address, which would still count among n.
    function _admit(address verifier) internal {
        if (verifier == address(0)) revert VerifierSetNotVerifier(verifier);
        if (!_verifiers.add(verifier)) revert VerifierSetVerifierKnown(verifier);
        emit VerifierAdmitted(verifier);
    }

    function _setThreshold(uint256 threshold_) internal {
        _checkThreshold(threshold_);
        threshold = threshold_;
        emit ThresholdSet(threshold_);
    }

    /// @dev Against a slip of who votes. A seat that was given up counts on: nobody has what passed refused by resigning.
    function _checkThreshold(uint256 threshold_) private view {
        uint256 seats = _verifiers.length() + resigned;
        if (threshold_ == 0 || threshold_ > seats) revert VerifierSetThresholdOutOfRange(threshold_, seats);
    }

    /// @dev Whether a removed verifier may still have to answer for what it signed.
    function _isHeld(address verifier) internal view virtual returns (bool);

    /// @dev Nobody is judge of its own case.
    function _checkOthers(bytes32 digest, bytes[] calldata signatures, address accused) private view {
        address[] memory signers = _checkSignatures(digest, signatures);
        for (uint256 i = 0; i < signers.length; ++i) {
            if (signers[i] == accused) revert VerifierSetOwnCase(accused);
        }
    }
}
