// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {TimelockController} from "@openzeppelin/contracts/governance/TimelockController.sol";

/// @title The only holder of power over a model: acts what its governor decided, after a delay
contract ModelTimelock is TimelockController {
    /// @param minDelay Seconds from a decision to its execution.
    /// @param proposers Nobody: the governor is made afterwards.
    /// @param executors The zero address: anybody executes.
    /// @param admin Hands its role over and renounces it at genesis.
    constructor(uint256 minDelay, address[] memory proposers, address[] memory executors, address admin)
        TimelockController(minDelay, proposers, executors, admin)
    {}
}
