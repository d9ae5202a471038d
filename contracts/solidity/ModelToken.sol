// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {ERC20} from "@openzeppelin/contracts/token/ERC20/ERC20.sol";
import {ERC20Permit} from "@openzeppelin/contracts/token/ERC20/extensions/ERC20Permit.sol";
import {Nonces} from "@openzeppelin/contracts/utils/Nonces.sol";
import {Votes} from "@openzeppelin/contracts/governance/utils/Votes.sol";
import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";
import {Checkpoints} from "@openzeppelin/contracts/utils/structs/Checkpoints.sol";
import {BalanceHistory} from "./BalanceHistory.sol";
import {FixedRoles} from "./FixedRoles.sol";

/// @title Ownership of one model
/// @notice Minted against receipts, out of what their minter reserved: that a receipt pays once is the minter's to keep,
/// which knows by its own books what it paid, and what it reserved is all that it can pay. A minter reserves
/// what it owes out of its budget at the moment at which it owes it: from then on no vote takes that back. Budgets,
/// reserves and what exists never pass the hard cap together, so that what one minter owes no other can mint away.
/// Votes follow delegation, revenue follows balances: both are remembered for every past second.
/// @dev What a holder has and votes with itself stands in one history, that of its balance: `_lent` has only the votes that
/// others lend it. Balances and supply are the latest entries of their histories; those of ERC20 itself stay empty.
contract ModelToken is ERC20, ERC20Permit, Votes, FixedRoles, BalanceHistory {
    using Checkpoints for Checkpoints.Trace208;

    /// @dev Who votes with the tokens of whom.
    struct Voice {
        address delegatee;
        bool lent;
    }

    /// @notice May pause and resume minting.
    bytes32 public constant GUARDIAN_ROLE = keccak256("GUARDIAN_ROLE");

    error ModelTokenCapExceeded(uint256 allotted, uint256 cap);
    error ModelTokenBudgetExceeded(address minter, uint256 amount, uint256 budget);
    error ModelTokenReserveExceeded(address minter, uint256 amount, uint256 reserved);
    error ModelTokenMintingPaused(uint256 until);
    error ModelTokenPauseTooSoon(uint256 earliest);

    event BudgetSet(address indexed minter, uint256 budget);
    /// @notice What `minter` owes now, and what is left of its budget.
    event Reserved(address indexed minter, uint256 reserved, uint256 budget);
    /// @notice `minter` has paid its `receipt` out of what it had reserved.
    event Minted(bytes32 indexed receipt, address indexed to, address indexed minter, uint256 amount);
    /// @notice `until` is the Unix second at which minting goes on by itself; now, where it was resumed.
    event MintingPausedSet(bool paused, uint256 until);

    /// @notice Seconds after which a pause ends by itself, and the least that must pass before the next one.
    uint64 public constant LONGEST_PAUSE = 14 days;

    /// @notice Unix second until which the holders have stopped minting; past where they have not.
    uint64 public pausedUntil;
    /// @notice Most tokens that can ever exist, in 1e-18 tokens.
    uint256 public immutable cap;
    /// @notice Who guards, and gets all powers at genesis: the timelock.
    address public immutable guardian;
    /// @notice Supply, budgets and reserves together. `setBudget` changes it, and a release beyond what was granted lowers
    /// it: all else moves between the three.
    uint256 public allotted;
    /// @notice What a minter may still reserve.
    mapping(address minter => uint256) public budgetOf;
    /// @notice What the holders granted a minter last: its budget never rises above it.
    mapping(address minter => uint256) public grantedTo;
    /// @notice What a minter owes, and it alone draws.
    mapping(address minter => uint256) public reservedOf;
    /// @dev Votes that others lend a delegate; its own are in the history of its balance.
    mapping(address delegate => Checkpoints.Trace208) private _lent;
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
        if (cap_ > LARGEST_BALANCE) revert ModelTokenCapExceeded(cap_, LARGEST_BALANCE);
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
        if (budget > cap) revert ModelTokenCapExceeded(budget, cap);
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
            if (block.timestamp < earliest) revert ModelTokenPauseTooSoon(earliest);
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
        if (amount > budget) revert ModelTokenBudgetExceeded(msg.sender, amount, budget);
        budgetOf[msg.sender] = budget - amount;
        reservedOf[msg.sender] += amount;
        emit Reserved(msg.sender, reservedOf[msg.sender], budget - amount);
    }

    /// @notice Moves what the caller does not owe any more back into its budget, up to what the holders granted it last.
    /// @dev What they took is not given back by who lets go of what was owed before: it is nobody's until they vote.
    /// @param amount In 1e-18 tokens.
    function release(uint256 amount) external {
        uint256 reserved = reservedOf[msg.sender];
        if (amount > reserved) revert ModelTokenReserveExceeded(msg.sender, amount, reserved);
        uint256 budget = budgetOf[msg.sender];
        uint256 back = Math.min(amount, grantedTo[msg.sender] - budget);
        reservedOf[msg.sender] = reserved - amount;
        budgetOf[msg.sender] = budget + back;
        allotted -= amount - back;
        emit Reserved(msg.sender, reserved - amount, budget + back);
    }

    /// @notice Pays a receipt out of what the caller reserved; who lends its votes to nobody votes itself from then on.
    /// @dev Who has reserved nothing cannot even pay nothing: a payment of nothing would delegate another's votes.
    /// @param receipt Names the payment among the caller's own: it pays none twice.
    /// @param to Who gets the tokens.
    /// @param amount In 1e-18 tokens.
    function mint(bytes32 receipt, address to, uint256 amount) external {
        if (mintingPaused()) revert ModelTokenMintingPaused(pausedUntil);
        uint256 reserved = reservedOf[msg.sender];
        if (reserved == 0 || amount > reserved) revert ModelTokenReserveExceeded(msg.sender, amount, reserved);
        reservedOf[msg.sender] = reserved - amount;
        if (delegates(to) == address(0)) _delegate(to, to);
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

    /// @notice Votes of an account now: its own tokens, unless it lends them, and what others lend it.
    function getVotes(address account) public view override returns (uint256) {
        Holder storage holder = _holders[account];
        uint256 own = holder.delegatee == account ? _latestBalance(account) : 0;
        return holder.borrows ? own + _lent[account].latest() : own;
    }

    /// @notice Votes of an account at the end of a past second.
    function getPastVotes(address account, uint256 timepoint) public view override returns (uint256) {
        uint48 time = _validateTimepoint(timepoint);
        uint256 own = _ownVotesAt(account, time);
        return _holders[account].borrows ? own + _lent[account].upperLookupRecent(time) : own;
    }

    /// @inheritdoc Votes
    function getPastTotalSupply(uint256 timepoint) public view override returns (uint256) {
        return _supplyAt(_validateTimepoint(timepoint));
    }

    /// @notice Whom an account lends its votes, itself where it votes; zero for nobody.
    function delegates(address account) public view override returns (address) {
        return _holders[account].delegatee;
    }

    /// @notice Tokens of an account.
    function balanceOf(address account) public view override returns (uint256) {
        return _latestBalance(account);
    }

    /// @notice Tokens in existence.
    function totalSupply() public view override returns (uint256) {
        return _latestSupply();
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

    /// @dev As ERC20's, with histories in the place of balances and supply; nothing is burnt.
    function _update(address from, address to, uint256 value) internal override {
        uint48 time = clock();
        if (from == address(0)) {
            _raiseSupply(value, time);
        } else {
            uint256 balance = _latestBalance(from);
            if (balance < value) revert ERC20InsufficientBalance(from, balance, value);
            _setBalance(from, balance - value, time);
        }
        _raiseBalance(to, value, time);
        emit Transfer(from, to, value);
        _moveVotes(_voiceOf(from), _voiceOf(to), value);
    }

    /// @dev The votes of an account go from one delegate to another; where it votes itself, its balance says so.
    function _delegate(address account, address delegatee) internal override {
        Voice memory before = _voiceOf(account);
        uint256 units = _latestBalance(account);
        _holders[account].delegatee = delegatee;
        emit DelegateChanged(account, before.delegatee, delegatee);
        if (units > 0) _setBalance(account, units, clock());
        _moveVotes(before, _voiceOf(account), units);
    }

    function _getVotingUnits(address account) internal view override returns (uint256) {
        return _latestBalance(account);
    }

    function _voiceOf(address account) private view returns (Voice memory) {
        address delegatee = _holders[account].delegatee;
        return Voice(delegatee, delegatee != account && delegatee != address(0));
    }

    /// @dev Moves votes between delegates; what is a delegate's own has moved with its balance, before.
    function _moveVotes(Voice memory from, Voice memory to, uint256 amount) private {
        bool same = from.delegatee == to.delegatee;
        if (amount == 0 || (same && from.lent == to.lent)) return;
        if (from.lent) _lend(from.delegatee, _lent[from.delegatee].latest() - amount);
        if (to.lent) _lend(to.delegatee, _lent[to.delegatee].latest() + amount);
        if (same) return;
        if (from.delegatee != address(0)) {
            uint256 left = getVotes(from.delegatee);
            emit DelegateVotesChanged(from.delegatee, left + amount, left);
        }
        if (to.delegatee != address(0)) {
            uint256 has = getVotes(to.delegatee);
            emit DelegateVotesChanged(to.delegatee, has - amount, has);
        }
    }

    function _lend(address delegatee, uint256 votes) private {
        if (!_holders[delegatee].borrows) _holders[delegatee].borrows = true;
        _lent[delegatee].push(clock(), uint208(votes));
    }
}
