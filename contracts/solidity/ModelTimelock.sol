// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {TimelockController} from "@openzeppelin/contracts/governance/TimelockController.sol";

/// @title The only holder of power over a model: acts what its governor decided, after a delay and not for ever
/// @dev An operation that nobody executed within `GRACE` of its time cannot be executed any more: who passed it, and why,
/// is no longer what the holders are. It can be cancelled and scheduled anew.
contract ModelTimelock is TimelockController {
    /// @notice Seconds after its time in which an operation can be executed.
    uint256 public constant GRACE = 7 days;

    /// @param minDelay Seconds from a decision to its execution.
    /// @param proposers Nobody: the governor is made afterwards.
    /// @param executors The zero address: anybody executes.
    /// @param admin Hands its role over and renounces it at genesis.
    constructor(uint256 minDelay, address[] memory proposers, address[] memory executors, address admin)
        TimelockController(minDelay, proposers, executors, admin)
    {}

    /// @inheritdoc TimelockController
    /// @dev One whose time is over reads as unset: it is neither pending nor ready, and may be scheduled once more.
    function getOperationState(bytes32 id) public view override returns (OperationState) {
        OperationState state = super.getOperationState(id);
        if (state == OperationState.Ready && block.timestamp > getTimestamp(id) + GRACE) return OperationState.Unset;
        return state;
    }
}
