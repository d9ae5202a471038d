// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {ERC20} from "@openzeppelin/contracts/token/ERC20/ERC20.sol";
import {ERC20Permit} from "@openzeppelin/contracts/token/ERC20/extensions/ERC20Permit.sol";
import {ERC20Votes} from "@openzeppelin/contracts/token/ERC20/extensions/ERC20Votes.sol";
import {Nonces} from "@openzeppelin/contracts/utils/Nonces.sol";
import {Votes} from "@openzeppelin/contracts/governance/utils/Votes.sol";
import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";
import {Checkpoints} from "@openzeppelin/contracts/utils/structs/Checkpoints.sol";
import {BalanceHistory} from "./BalanceHistory.sol";
import {FixedRoles} from "./FixedRoles.sol";

/// @title Ownership of one model
/// @notice Minted against receipts, each of which pays once, out of what its minter reserved for it. A minter reserves
/// what it owes out of its budget at the moment at which it owes it: from then on no vote takes that back. Budgets,
/// reserves and what exists never pass the hard cap together, so that what one minter owes no other can mint away.
/// Votes follow delegation, revenue follows balances: both are remembered for every past second.
contract ModelToken is ERC20, ERC20Permit, ERC20Votes, FixedRoles, BalanceHistory {
    using Checkpoints for Checkpoints.Trace208;

    /// @notice May pause and resume minting.
    bytes32 public constant GUARDIAN_ROLE = keccak256("GUARDIAN_ROLE");

    error ReceiptPaid(address minter, bytes32 receipt);
    error CapExceeded(uint256 allotted, uint256 cap);
    error BudgetExceeded(address minter, uint256 amount, uint256 budget);
    error ReserveExceeded(address minter, uint256 amount, uint256 reserved);
    error MintingPaused(uint256 until);
    error PauseTooSoon(uint256 earliest);

    event BudgetSet(address indexed minter, uint256 budget);
    /// @notice What `minter` owes now, and what is left of its budget.
    event Reserved(address indexed minter, uint256 reserved, uint256 budget);
    /// @notice `minter` has paid its `receipt` out of what it had reserved.
    event Minted(bytes32 indexed receipt, address indexed to, address indexed minter, uint256 amount);
    /// @notice `until` is the Unix second at which minting goes on by itself; now, where it was resumed.
    event MintingPausedSet(bool paused, uint256 until);

    /// @notice Seconds after which a pause ends by itself, and the least that must pass before the next one.
    uint64 public constant LONGEST_PAUSE = 14 days;

    /// @notice Most tokens that can ever exist, in 1e-18 tokens.
    uint256 public immutable cap;
    /// @notice Who guards, and gets all powers at genesis: the timelock.
    address public immutable guardian;
    /// @notice Unix second until which the holders have stopped minting; past where they have not.
    uint64 public pausedUntil;
    /// @notice Supply, budgets and reserves together. `setBudget` changes it, and a release beyond what was granted lowers
    /// it: all else moves between the three.
    uint256 public allotted;
    /// @notice What a minter may still reserve.
    mapping(address minter => uint256) public budgetOf;
    /// @notice What the holders granted a minter last: its budget never rises above it.
    mapping(address minter => uint256) public grantedTo;
    /// @notice What a minter owes, and it alone draws.
    mapping(address minter => uint256) public reservedOf;
    /// @notice Whether a minter has paid a receipt; never again false once it is true. Receipts belong to their minter.
    mapping(address minter => mapping(bytes32 receipt => bool)) public receiptPaid;
    mapping(address holder => bool) private _received;
    /// @dev When each pause ended, or will, by the second at which it began.
    Checkpoints.Trace208 private _pauses;

    /// @param name_ Of the token, and of its EIP-712 domain.
    /// @param symbol_ Of the token.
    /// @param cap_ Most tokens that can ever exist.
    /// @param admin Sets the first budgets and hands its role to the timelock.
    /// @param guardian_ May pause minting: the timelock.
    constructor(string memory name_, string memory symbol_, uint256 cap_, address admin, address guardian_)
        ERC20(name_, symbol_)
        ERC20Permit(name_)
    {
        if (cap_ > LARGEST_BALANCE) revert CapExceeded(cap_, LARGEST_BALANCE);
        cap = cap_;
        guardian = guardian_;
        _grantRole(DEFAULT_ADMIN_ROLE, admin);
        _grantRole(GUARDIAN_ROLE, guardian_);
    }

    /// @notice Sets how much a minter may reserve beside what it has reserved, as far as the cap leaves it. Only the timelock.
    /// @dev What others owe can grow while a decision waits, by a unit of dust: it cuts the budget, and annuls no decision.
    /// @param minter A contract that pays receipts.
    /// @param budget In 1e-18 tokens; replaces what was left, and takes nothing of what is owed.
    function setBudget(address minter, uint256 budget) external onlyRole(DEFAULT_ADMIN_ROLE) {
        if (budget > cap) revert CapExceeded(budget, cap);
        uint256 others = allotted - budgetOf[minter];
        uint256 granted = Math.min(budget, cap - others);
        allotted = others + granted;
        budgetOf[minter] = granted;
        grantedTo[minter] = granted;
        emit BudgetSet(minter, granted);
    }

    /// @notice Stops minting for `LONGEST_PAUSE` at most, or resumes it; transfers never stop. Only the guardian.
    /// @dev What is owed stays owed, and can be had after a stated time: no pause follows another at once.
    /// @param paused True to stop.
    function setMintingPaused(bool paused) external onlyRole(GUARDIAN_ROLE) {
        if (paused) {
            uint256 earliest = pausedUntil == 0 ? 0 : uint256(pausedUntil) + LONGEST_PAUSE;
            if (block.timestamp < earliest) revert PauseTooSoon(earliest);
            pausedUntil = uint64(block.timestamp) + LONGEST_PAUSE;
            _pauses.push(clock(), pausedUntil);
        } else if (mintingPaused()) {
            pausedUntil = uint64(block.timestamp);
            (, uint48 began,) = _pauses.latestCheckpoint();
            _pauses.push(began, pausedUntil);
        }
        emit MintingPausedSet(paused, pausedUntil);
    }

    /// @notice Moves what the caller owes from now on out of its budget, where no vote reaches it.
    /// @param amount In 1e-18 tokens.
    function reserve(uint256 amount) external {
        uint256 budget = budgetOf[msg.sender];
        if (amount > budget) revert BudgetExceeded(msg.sender, amount, budget);
        budgetOf[msg.sender] = budget - amount;
        reservedOf[msg.sender] += amount;
        emit Reserved(msg.sender, reservedOf[msg.sender], budget - amount);
    }

    /// @notice Moves what the caller does not owe any more back into its budget, up to what the holders granted it last.
    /// @dev What they took is not given back by who lets go of what was owed before: it is nobody's until they vote.
    /// @param amount In 1e-18 tokens.
    function release(uint256 amount) external {
        uint256 reserved = reservedOf[msg.sender];
        if (amount > reserved) revert ReserveExceeded(msg.sender, amount, reserved);
        uint256 budget = budgetOf[msg.sender];
        uint256 back = Math.min(amount, grantedTo[msg.sender] - budget);
        reservedOf[msg.sender] = reserved - amount;
        budgetOf[msg.sender] = budget + back;
        allotted -= amount - back;
        emit Reserved(msg.sender, reserved - amount, budget + back);
    }

    /// @notice Pays a receipt once, out of what the caller reserved; a first receipt delegates its holder's votes to the
    /// holder.
    /// @dev Who has reserved nothing cannot even pay nothing: a payment of nothing would delegate another's votes.
    /// @param receipt Names the payment among the caller's own.
    /// @param to Who gets the tokens.
    /// @param amount In 1e-18 tokens.
    function mint(bytes32 receipt, address to, uint256 amount) external {
        if (mintingPaused()) revert MintingPaused(pausedUntil);
        if (receiptPaid[msg.sender][receipt]) revert ReceiptPaid(msg.sender, receipt);
        uint256 reserved = reservedOf[msg.sender];
        if (reserved == 0 || amount > reserved) revert ReserveExceeded(msg.sender, amount, reserved);
        receiptPaid[msg.sender][receipt] = true;
        reservedOf[msg.sender] = reserved - amount;
        if (!_received[to]) {
            _received[to] = true;
            if (delegates(to) == address(0)) _delegate(to, to);
        }
        _mint(to, amount);
        emit Minted(receipt, to, msg.sender, amount);
    }

    /// @notice Tokens that an account held at the end of a past second, whomever its votes were lent to.
    /// @param account The holder.
    /// @param timepoint Unix second before the current block's.
    function getPastBalance(address account, uint256 timepoint) external view returns (uint256) {
        return _balanceAt(account, _validateTimepoint(timepoint));
    }

    /// @notice Tokens of an account times the seconds for which it held them, from one past second to another.
    /// @param account The holder; nothing for the zero address, which holds none.
    /// @param from Unix second.
    /// @param until Unix second before the current block's, at most `LONGEST_SPAN` later.
    function tokenSeconds(address account, uint48 from, uint256 until) external view returns (uint256) {
        return _tokenSeconds(account, from, _validateTimepoint(until));
    }

    /// @notice All tokens times the seconds for which they existed, from one past second to another.
    /// @param from Unix second.
    /// @param until Unix second before the current block's, at most `LONGEST_SPAN` later.
    function supplySeconds(uint48 from, uint256 until) external view returns (uint256) {
        return _supplySeconds(from, _validateTimepoint(until));
    }

    /// @notice Whether minting was stopped at any second of a span.
    /// @dev Pauses do not overlap: the last that began by its end ended last.
    /// @param from First Unix second.
    /// @param until Last Unix second, past or the present one.
    function pausedWithin(uint48 from, uint48 until) external view returns (bool) {
        return _pauses.upperLookupRecent(until) > from;
    }

    /// @inheritdoc Votes
    function getPastTotalSupply(uint256 timepoint) public view override returns (uint256) {
        return _supplyAt(_validateTimepoint(timepoint));
    }

    /// @notice Whether the holders have stopped minting for now.
    function mintingPaused() public view returns (bool) {
        return block.timestamp < pausedUntil;
    }

    /// @notice Unix seconds: checkpoints are by time (ERC-6372).
    function clock() public view override returns (uint48) {
        return uint48(block.timestamp);
    }

    /// @notice Says so to ERC-6372 clients.
    // solhint-disable-next-line func-name-mixedcase
    function CLOCK_MODE() public pure override returns (string memory) {
        return "mode=timestamp";
    }

    /// @notice Nonce of the next permit or delegation by signature.
    function nonces(address owner) public view override(ERC20Permit, Nonces) returns (uint256) {
        return super.nonces(owner);
    }

    function _roleHolder() internal view override returns (address) {
        return guardian;
    }

    function _update(address from, address to, uint256 value) internal override(ERC20, ERC20Votes) {
        super._update(from, to, value);
        if (from == address(0)) _rememberSupply(totalSupply(), clock());
        else _rememberBalance(from, balanceOf(from), clock());
        if (to != from) _rememberBalance(to, balanceOf(to), clock());
    }

    /// @dev The supply is remembered as balances are; nothing is burnt.
    function _transferVotingUnits(address from, address to, uint256 amount) internal override {
        _moveDelegateVotes(delegates(from), delegates(to), amount);
    }

    function _getTotalSupply() internal view override returns (uint256) {
        return _latestSupply();
    }
}
