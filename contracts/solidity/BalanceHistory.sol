// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Checkpoints} from "@openzeppelin/contracts/utils/structs/Checkpoints.sol";

/// @title Balances of every past second, and how long they were held
/// @notice What is paid by balances of one second goes to who holds tokens in that second and never else. Over a span
/// it goes by token-seconds, which nobody has who did not hold.
/// @dev A checkpoint holds a balance and the offset of the line `tokenSeconds = offset + balance * time` that begins
/// there, modulo 2^116: one slot, as for the balance alone. Spans of `LONGEST_SPAN` seconds stay below the modulus.
abstract contract BalanceHistory {
    using Checkpoints for Checkpoints.Trace208;

    /// @notice Most seconds of a span: 194 days.
    uint48 public constant LONGEST_SPAN = 2 ** 24;
    /// @dev Of a checkpoint; balances stay below 2^(208 - OFFSET_BITS).
    uint8 private constant OFFSET_BITS = 116;
    uint256 private constant OFFSET_MASK = 2 ** OFFSET_BITS - 1;
    /// @notice Largest balance that can be remembered, in 1e-18 tokens.
    uint256 public constant LARGEST_BALANCE = 2 ** (208 - OFFSET_BITS) - 1;

    error SpanTooLong(uint256 from, uint256 until);

    mapping(address holder => Checkpoints.Trace208) private _history;
    /// @dev Of all balances together. It is no holder's, the zero address' neither: who is paid by what it held gets no part
    /// of it under any name.
    Checkpoints.Trace208 private _supplyHistory;

    /// @dev Remembers a balance from `time` on, the present second.
    function _rememberBalance(address holder, uint256 balance, uint48 time) internal {
        _remember(_history[holder], balance, time);
    }

    /// @dev Remembers the supply from `time` on, the present second.
    function _rememberSupply(uint256 supply, uint48 time) internal {
        _remember(_supplyHistory, supply, time);
    }

    /// @dev The balance at the end of a past second.
    function _balanceAt(address holder, uint48 time) internal view returns (uint256) {
        return uint256(_history[holder].upperLookupRecent(time)) >> OFFSET_BITS;
    }

    /// @dev The supply at the end of a past second.
    function _supplyAt(uint48 time) internal view returns (uint256) {
        return uint256(_supplyHistory.upperLookupRecent(time)) >> OFFSET_BITS;
    }

    /// @dev The present supply as it was remembered.
    function _latestSupply() internal view returns (uint256) {
        return uint256(_supplyHistory.latest()) >> OFFSET_BITS;
    }

    /// @dev Tokens times the seconds for which they were held, from one past second to another.
    function _tokenSeconds(address holder, uint48 from, uint48 until) internal view returns (uint256) {
        return _integral(_history[holder], from, until);
    }

    /// @dev The same of all tokens together.
    function _supplySeconds(uint48 from, uint48 until) internal view returns (uint256) {
        return _integral(_supplyHistory, from, until);
    }

    function _remember(Checkpoints.Trace208 storage history, uint256 balance, uint48 time) private {
        uint208 last = history.latest();
        unchecked {
            uint256 offset = uint256(last) + ((uint256(last) >> OFFSET_BITS) - balance) * time;
            history.push(time, uint208(balance << OFFSET_BITS | offset & OFFSET_MASK));
        }
    }

    function _integral(Checkpoints.Trace208 storage history, uint48 from, uint48 until) private view returns (uint256) {
        if (from > until || until - from > LONGEST_SPAN) revert SpanTooLong(from, until);
        unchecked {
            return (_line(history, until) - _line(history, from)) & OFFSET_MASK;
        }
    }

    /// @dev Only differences of it, modulo 2^OFFSET_BITS, mean anything.
    function _line(Checkpoints.Trace208 storage history, uint48 time) private view returns (uint256) {
        uint256 found = history.upperLookupRecent(time);
        unchecked {
            return found + (found >> OFFSET_BITS) * time;
        }
    }
}
