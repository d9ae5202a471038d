// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {TimelockController} from "@openzeppelin/contracts/governance/TimelockController.sol";

/// @title The only holder of power over a model: acts what its governor decided, after a delay and not for ever
/// @dev An operation that nobody executed within `GRACE` of its time cannot be executed any more: who passed it, and why,
/// is no longer what the holders are. It can be cancelled and scheduled anew.
contract ModelTimelock is TimelockController {
    error DelayOutOfBounds(uint256 delay, uint256 least, uint256 most);

    /// @notice Seconds after its time in which an operation can be executed.
    uint256 public constant GRACE = 7 days;
    /// @notice Half of the delay at genesis, below which no vote sets it: one batch must not make the next one immediate.
    uint256 public immutable leastDelay;
    /// @notice Twice the delay at genesis, above which no vote sets it: a pool's money waits for longer than proposals live.
    uint256 public immutable mostDelay;

    /// @param minDelay Seconds from a decision to its execution.
    /// @param proposers Nobody: the governor is made afterwards.
    /// @param executors The zero address: anybody executes.
    /// @param admin Hands its role over and renounces it at genesis.
    constructor(uint256 minDelay, address[] memory proposers, address[] memory executors, address admin)
        TimelockController(minDelay, proposers, executors, admin)
    {
        leastDelay = minDelay / 2;
        mostDelay = minDelay * 2;
    }

    /// @inheritdoc TimelockController
    function updateDelay(uint256 newDelay) public override {
        super.updateDelay(newDelay);
        if (newDelay < leastDelay || newDelay > mostDelay) revert DelayOutOfBounds(newDelay, leastDelay, mostDelay);
    }

    /// @inheritdoc TimelockController
    /// @dev One whose time is over reads as unset: it is neither pending nor ready, and may be scheduled once more.
    function getOperationState(bytes32 id) public view override returns (OperationState) {
        OperationState state = super.getOperationState(id);
        if (state == OperationState.Ready && block.timestamp > getTimestamp(id) + GRACE) return OperationState.Unset;
        return state;
    }
}
