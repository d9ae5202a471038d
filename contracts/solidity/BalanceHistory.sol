// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";

/// @title Balances of every past second, how long they were held, and whether they voted for their holder
/// @notice What is paid by balances of one second goes to who holds tokens in that second and never else. Over a span
/// it goes by token-seconds, which nobody has who did not hold.
/// @dev An entry holds a balance, whether it is its holder's own vote, the second from which on it stands, and the offset
/// of the line `tokenSeconds = offset + balance * time` that begins there, modulo 2^116: one slot. Spans of `LONGEST_SPAN`
/// seconds stay below the modulus. The newest entry is the balance: no other slot holds it. Entries are found as in
/// OpenZeppelin's `Checkpoints`, whose arrays take a slot more for their length: here it lies beside what a transfer reads
/// in any case.
abstract contract BalanceHistory {
    /// @dev Whom a holder lends its votes, itself where it votes, zero for nobody; `borrows`: whether others ever lent it
    /// theirs; the entries of its balance, and how many.
    struct Holder {
        uint48 count;
        address delegatee;
        bool borrows;
        mapping(uint256 place => uint256) entries;
    }

    /// @notice Most seconds of a span: 194 days.
    uint48 public constant LONGEST_SPAN = 2 ** 24;
    /// @dev Of an entry, from its lowest bit: time, offset, whether the holder votes itself, balance.
    uint8 private constant TIME_BITS = 48;
    uint8 private constant OFFSET_BITS = 116;
    uint256 private constant OFFSET_MASK = 2 ** OFFSET_BITS - 1;
    uint256 private constant VOTES_ITSELF = 2 ** (TIME_BITS + OFFSET_BITS);
    uint8 private constant BELOW_BALANCE = TIME_BITS + OFFSET_BITS + 1;
    /// @notice Largest balance that can be remembered, in 1e-18 tokens.
    uint256 public constant LARGEST_BALANCE = 2 ** (256 - uint256(BELOW_BALANCE)) - 1;

    error BalanceHistorySpanTooLong(uint256 from, uint256 until);

    mapping(address account => Holder) internal _holders;
    /// @dev Of all balances together. It is no holder's, the zero address' neither: who is paid by what it held gets no part
    /// of it under any name.
    mapping(uint256 place => uint256) private _supplyEntries;
    /// @dev Last, so that it shares its slot with what the token reads first.
    uint48 private _supplyCount;

    /// @dev Sets a balance from `time` on, the present second.
    function _setBalance(address account, uint256 balance, uint48 time) internal {
        Holder storage holder = _holders[account];
        (uint48 count, bool itself) = (holder.count, holder.delegatee == account);
        holder.count = _push(holder.entries, count, _latest(holder.entries, count), balance, itself, time);
    }

    /// @dev Adds to a balance.
    function _raiseBalance(address account, uint256 value, uint48 time) internal {
        Holder storage holder = _holders[account];
        (uint48 count, bool itself) = (holder.count, holder.delegatee == account);
        uint256 last = _latest(holder.entries, count);
        holder.count = _push(holder.entries, count, last, (last >> BELOW_BALANCE) + value, itself, time);
    }

    /// @dev Adds to the supply.
    function _raiseSupply(uint256 value, uint48 time) internal {
        uint48 count = _supplyCount;
        uint256 last = _latest(_supplyEntries, count);
        _supplyCount = _push(_supplyEntries, count, last, (last >> BELOW_BALANCE) + value, false, time);
    }

    /// @dev The present balance.
    function _latestBalance(address account) internal view returns (uint256) {
        Holder storage holder = _holders[account];
        return _latest(holder.entries, holder.count) >> BELOW_BALANCE;
    }

    /// @dev The present supply.
    function _latestSupply() internal view returns (uint256) {
        return _latest(_supplyEntries, _supplyCount) >> BELOW_BALANCE;
    }

    /// @dev The balance at the end of a past second.
    function _balanceAt(address account, uint48 time) internal view returns (uint256) {
        Holder storage holder = _holders[account];
        return _at(holder.entries, holder.count, time) >> BELOW_BALANCE;
    }

    /// @dev The supply at the end of a past second.
    function _supplyAt(uint48 time) internal view returns (uint256) {
        return _at(_supplyEntries, _supplyCount, time) >> BELOW_BALANCE;
    }

    /// @dev What of the balance voted for its holder at the end of a past second: all or nothing.
    function _ownVotesAt(address account, uint48 time) internal view returns (uint256) {
        Holder storage holder = _holders[account];
        uint256 found = _at(holder.entries, holder.count, time);
        return found & VOTES_ITSELF == 0 ? 0 : found >> BELOW_BALANCE;
    }

    /// @dev Tokens times the seconds for which they were held, from one past second to another.
    function _tokenSeconds(address account, uint48 from, uint48 until) internal view returns (uint256) {
        Holder storage holder = _holders[account];
        return _integral(holder.entries, holder.count, from, until);
    }

    /// @dev The same of all tokens together.
    function _supplySeconds(uint48 from, uint48 until) internal view returns (uint256) {
        return _integral(_supplyEntries, _supplyCount, from, until);
    }

    /// @dev Returns how many entries there are then: a second has one. `last` is the newest.
    function _push(
        mapping(uint256 => uint256) storage entries,
        uint48 count,
        uint256 last,
        uint256 balance,
        bool votesItself,
        uint48 time
    ) private returns (uint48) {
        unchecked {
            uint256 offset = (last >> TIME_BITS) + ((last >> BELOW_BALANCE) - balance) * time;
            uint256 entry = balance << BELOW_BALANCE | (offset & OFFSET_MASK) << TIME_BITS | time;
            if (votesItself) entry |= VOTES_ITSELF;
            if (count == 0 || uint48(last) != time) ++count;
            entries[count - 1] = entry;
        }
        return count;
    }

    function _latest(mapping(uint256 => uint256) storage entries, uint256 count) private view returns (uint256) {
        unchecked {
            return count == 0 ? 0 : entries[count - 1];
        }
    }

    function _integral(mapping(uint256 => uint256) storage entries, uint256 count, uint48 from, uint48 until)
        private
        view
        returns (uint256)
    {
        if (from > until || until - from > LONGEST_SPAN) revert BalanceHistorySpanTooLong(from, until);
        unchecked {
            return (_line(entries, count, until) - _line(entries, count, from)) & OFFSET_MASK;
        }
    }

    /// @dev Only differences of it, modulo 2^OFFSET_BITS, mean anything.
    function _line(mapping(uint256 => uint256) storage entries, uint256 count, uint48 time)
        private
        view
        returns (uint256)
    {
        uint256 found = _at(entries, count, time);
        unchecked {
            return (found >> TIME_BITS) + (found >> BELOW_BALANCE) * time;
        }
    }

    /// @dev The last entry that is not after `time`, zero for none. Recent ones are looked for first.
    function _at(mapping(uint256 => uint256) storage entries, uint256 count, uint48 time)
        private
        view
        returns (uint256)
    {
        (uint256 low, uint256 high) = (0, count);
        if (count > 5) {
            uint256 recent = count - Math.sqrt(count);
            if (time < uint48(entries[recent])) high = recent;
            else low = recent + 1;
        }
        while (low < high) {
            uint256 middle = Math.average(low, high);
            if (time < uint48(entries[middle])) high = middle;
            else low = middle + 1;
        }
        return _latest(entries, high);
    }
}
