// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {EIP712} from "@openzeppelin/contracts/utils/cryptography/EIP712.sol";
import {EpochRoots, IReserves} from "./EpochRoots.sol";
import {HeldMoney} from "./HeldMoney.sol";
import {NodeStakes} from "./NodeStakes.sol";
import {VerifierSet} from "./VerifierSet.sol";

/// @title Verifiers of one model and the epoch roots that k of n of them signed
/// @notice A root becomes final after its challenge window. The timelock alone admits, removes, arbitrates and sets
/// threshold and epoch limit: it holds both roles from the constructor on, and nobody else holds any.
/// @dev Its balance is the stakes of verifiers and nodes, withdrawals of nodes, open bonds, what is held and `owed`.
contract VerifierRegistry is NodeStakes, EpochRoots {
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
        uint256 voteFloor;
    }

    error VerifierRegistryRulesRefused();

    /// @notice Most seconds of any period in the rules: ten years.
    uint64 public constant LONGEST = 3650 days;

    /// @param timelock_ The model's timelock.
    /// @param model_ The model's id.
    /// @param distributor_ Who pays final epochs, at the address at which it will be made.
    /// @param verifiers_ Admitted from the start; each counts once it has staked.
    /// @param rules All of them fixed for ever, but for threshold and epoch limit.
    constructor(
        address timelock_,
        bytes32 model_,
        IReserves distributor_,
        address[] memory verifiers_,
        Rules memory rules
    )
        EIP712("Commonweight", "1")
        HeldMoney(timelock_)
        NodeStakes(rules.nodeSlashCap, rules.nodeWithdrawalDelay)
        VerifierSet(model_, rules.minStake, rules.slashCap)
        EpochRoots(rules.challengeWindow, rules.disputeLimit, rules.bond, rules.voteFloor, distributor_)
    {
        bool spans = _isSpan(rules.challengeWindow) && _isSpan(rules.disputeLimit) && _isSpan(rules.nodeWithdrawalDelay);
        bool stakes = rules.minStake > 0 && rules.bond > 0 && rules.slashCap > 0 && rules.nodeSlashCap > 0;
        if (!spans || !stakes) revert VerifierRegistryRulesRefused();
        _grantRole(DEFAULT_ADMIN_ROLE, timelock_);
        _grantRole(ARBITER_ROLE, timelock_);
        _setMaxEpochTotal(rules.maxEpochTotal);
        for (uint256 i = 0; i < verifiers_.length; ++i) _admit(verifiers_[i]);
        _setThreshold(rules.threshold);
    }

    function _isSpan(uint64 seconds_) private pure returns (bool) {
        return seconds_ > 0 && seconds_ <= LONGEST;
    }

    function _roleHolder() internal view override returns (address) {
        return timelock;
    }

    function _secondSettled() internal view override returns (uint64) {
        return secondSettled;
    }

    /// @dev As a node's stake.
    function _longestHold() internal view override returns (uint64) {
        return nodeWithdrawalDelay;
    }

    function _checkNodeFault(bytes32 model_, uint64 deadline, bytes32 digest, bytes[] calldata signatures)
        internal
        view
        override
    {
        _checkHeader(model_, deadline);
        _checkSignatures(digest, signatures);
    }
}
