// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @title Payments that the receiver can fetch where a transfer failed
abstract contract PullPayments {
    error PullPaymentsTransferFailed(address to, uint256 amount);
    error PullPaymentsNothingOwed(address account);

    /// @notice A payment was not taken; `amount` waits for `withdraw`.
    event PaymentOwed(address indexed account, uint256 amount);
    event PaymentWithdrawn(address indexed account, uint256 amount);

    /// @notice Wei of payments that an account did not take.
    mapping(address account => uint256) public owed;

    /// @notice Pays what a failed transfer left owed to the caller.
    function withdraw() external {
        uint256 amount = owed[msg.sender];
        if (amount == 0) revert PullPaymentsNothingOwed(msg.sender);
        owed[msg.sender] = 0;
        emit PaymentWithdrawn(msg.sender, amount);
        _pay(msg.sender, amount);
    }

    /// @dev Pays, or reverts.
    function _pay(address to, uint256 amount) internal {
        (bool sent,) = to.call{value: amount}("");
        if (!sent) revert PullPaymentsTransferFailed(to, amount);
    }

    /// @dev A receiver that reverts must not be able to hold up a dispute.
    function _payOrOwe(address to, uint256 amount) internal {
        if (amount == 0) return;
        (bool sent,) = to.call{value: amount, gas: 50_000}("");
        if (sent) return;
        owed[to] += amount;
        emit PaymentOwed(to, amount);
    }
}
