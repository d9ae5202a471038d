// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {TimelockController} from "@openzeppelin/contracts/governance/TimelockController.sol";

/// @title The only holder of power over a model: acts what its governor decided, after a delay and not for ever
/// @dev An operation that nobody executed within `GRACE` of its time cannot be executed any more: who passed it, and why,
/// is no longer what the holders are. It can be cancelled and scheduled anew.
contract ModelTimelock is TimelockController {
    error ModelTimelockRoleFixed(bytes32 role, address account);
    error ModelTimelockDelayOutOfBounds(uint256 delay, uint256 least, uint256 most);
    error ModelTimelockNotGovernor(address caller);
    error ModelTimelockClosed(bytes4 selector);

    /// @notice Seconds after its time in which an operation can be executed.
    uint256 public constant GRACE = 7 days;
    /// @notice Half of the delay at genesis, below which no vote sets it: one batch must not make the next one immediate.
    uint256 public immutable leastDelay;
    /// @notice Twice the delay at genesis, above which no vote sets it: a pool's money waits for longer than proposals live.
    uint256 public immutable mostDelay;
    /// @notice Who proposes and cancels, for ever: the first that was let.
    address public governor;

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

    /// @dev A role that a vote gave to a key would act for ever, without votes and delays. The governor is let propose and
    /// cancel by whoever administers at genesis; from then on nobody else is, and nobody takes it from the governor.
    function _grantRole(bytes32 role, address account) internal override returns (bool) {
        if (address(this).code.length > 0) {
            if (governor == address(0) && role == PROPOSER_ROLE) governor = account;
            bool decides = role == PROPOSER_ROLE || role == CANCELLER_ROLE;
            if (!decides || account != governor) revert ModelTimelockRoleFixed(role, account);
        }
        return super._grantRole(role, account);
    }

    function _revokeRole(bytes32 role, address account) internal override returns (bool) {
        bool kept = account == governor || account == address(this) || account == address(0);
        if (kept && governor != address(0)) revert ModelTimelockRoleFixed(role, account);
        return super._revokeRole(role, account);
    }

    /// @inheritdoc TimelockController
    function updateDelay(uint256 newDelay) public override {
        super.updateDelay(newDelay);
        if (newDelay < leastDelay || newDelay > mostDelay) revert ModelTimelockDelayOutOfBounds(newDelay, leastDelay, mostDelay);
    }

    /// @notice Closed: every operation is a proposal's, which the governor schedules as a batch.
    function schedule(address, uint256, bytes calldata, bytes32, bytes32, uint256) public pure override {
        revert ModelTimelockClosed(msg.sig);
    }

    /// @notice Closed, as `schedule` is.
    function execute(address, uint256, bytes calldata, bytes32, bytes32) public payable override {
        revert ModelTimelockClosed(msg.sig);
    }

    /// @inheritdoc TimelockController
    /// @dev Anybody executes, through the governor, which asks once more whether those who are owed tokens could object.
    function executeBatch(
        address[] calldata targets,
        uint256[] calldata values,
        bytes[] calldata payloads,
        bytes32 predecessor,
        bytes32 salt
    ) public payable override {
        if (msg.sender != governor) revert ModelTimelockNotGovernor(msg.sender);
        super.executeBatch(targets, values, payloads, predecessor, salt);
    }

    /// @inheritdoc TimelockController
    /// @dev One whose time is over reads as unset: it is neither pending nor ready, and may be scheduled once more.
    function getOperationState(bytes32 id) public view override returns (OperationState) {
        OperationState state = super.getOperationState(id);
        if (state == OperationState.Ready && block.timestamp > getTimestamp(id) + GRACE) return OperationState.Unset;
        return state;
    }
}
