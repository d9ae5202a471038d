// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {FixedRoles} from "./FixedRoles.sol";
import {PullPayments} from "./PullPayments.sol";

/// @title Money that was taken from somebody and waits until a vote can have decided whose it is
/// @notice Stake that verifiers took is burnt unless the holders give it back, and not before they can vote: who can decide
/// must gain nothing by what is taken.
/// The bond of a dispute that nobody could decide goes back to its challenger unless the holders say otherwise. Both wait
/// until there were votes enough for a decision for as long as a decision takes: who keeps votes from existing has nothing.
abstract contract HeldMoney is FixedRoles, PullPayments {
    /// @dev `freeAt` in Unix seconds; `isAccounts` says to whom it goes where nothing is decided: back, or to nobody.
    struct Held {
        uint256 amount;
        uint64 freeAt;
        bool isAccounts;
    }

    error HeldMoneyNothingTaken(bytes32 ground, address account);
    error HeldMoneyNothingHeld(bytes32 ground, address account);
    error HeldMoneyStillHeld(uint64 freeAt, uint64 votesSince);

    /// @notice `amount` is held on this ground; from `freeAt` on it goes back to the account, or is burnt.
    event MoneyHeld(bytes32 indexed ground, address indexed account, uint256 amount, uint64 freeAt, bool isAccounts);
    event HeldMoneyPaid(bytes32 indexed ground, address indexed account, address indexed to, uint256 amount);

    /// @notice May decide a disputed epoch, and whose money is that is held.
    bytes32 public constant ARBITER_ROLE = keccak256("ARBITER_ROLE");

    /// @notice Gets what is taken for good: nobody has its key. The holders must gain nothing by deciding that somebody loses.
    address public constant NOBODY = 0x000000000000000000000000000000000000dEaD;
    /// @notice Holds the roles.
    address public immutable timelock;
    /// @notice Unix second at which somebody saw votes enough for a decision for the first time; 0 before.
    uint64 public votesSince;
    /// @notice What is held of an account, by the ground on which it was taken: evidence, proof, or a dispute.
    mapping(bytes32 ground => mapping(address account => Held)) public heldOf;

    /// @param timelock_ The model's timelock.
    constructor(address timelock_) {
        timelock = timelock_;
    }

    /// @notice Pays what is free to whom it goes where the holders decided nothing; anybody may call.
    /// @param ground On which it was taken.
    /// @param account From whom.
    function payHeld(bytes32 ground, address account) external {
        Held memory held = heldOf[ground][account];
        bool decidable = votesSince > 0 && block.timestamp >= votesSince + _decisionTime();
        if (held.amount > 0 && (!decidable || block.timestamp < held.freeAt)) revert HeldMoneyStillHeld(held.freeAt, votesSince);
        _payHeld(ground, account, held.isAccounts);
    }

    /// @notice Notes that votes enough for a decision exist, where they do; anybody may call.
    function noteVotes() public {
        if (votesSince == 0 && _canDecide()) votesSince = uint64(block.timestamp);
    }

    /// @notice Decides whose money is that is held; nothing where none is, since anybody may have had it paid before. Only
    /// the timelock.
    /// @param ground On which it was taken.
    /// @param account From whom.
    /// @param back Whether the account gets it back.
    function decideHeld(bytes32 ground, address account, bool back) external onlyRole(ARBITER_ROLE) {
        if (heldOf[ground][account].amount > 0) _payHeld(ground, account, back);
    }

    /// @dev Each ground is used once: what comes later has a ground, and a time, of its own, and changes no earlier one's.
    function _hold(bytes32 ground, address account, uint256 amount, uint64 seconds_, bool isAccounts) internal {
        uint64 freeAt = uint64(block.timestamp) + seconds_;
        heldOf[ground][account] = Held(amount, freeAt, isAccounts);
        emit MoneyHeld(ground, account, amount, freeAt, isAccounts);
    }

    /// @dev Seconds for which epochs were disputed so far: nobody is judged in them, so that they free no stake.
    function _disputed() internal view virtual returns (uint64);

    /// @dev Whether enough votes exist for a decision.
    function _canDecide() internal view virtual returns (bool);

    /// @dev Seconds in which the holders can have decided.
    function _decisionTime() internal view virtual returns (uint64);

    function _payHeld(bytes32 ground, address account, bool back) private {
        uint256 amount = heldOf[ground][account].amount;
        if (amount == 0) revert HeldMoneyNothingHeld(ground, account);
        delete heldOf[ground][account];
        address to = back ? account : NOBODY;
        emit HeldMoneyPaid(ground, account, to, amount);
        _payOrOwe(to, amount);
    }
}
