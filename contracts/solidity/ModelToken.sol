// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {ERC20} from "@openzeppelin/contracts/token/ERC20/ERC20.sol";
import {ERC20Permit} from "@openzeppelin/contracts/token/ERC20/extensions/ERC20Permit.sol";
import {ERC20Votes} from "@openzeppelin/contracts/token/ERC20/extensions/ERC20Votes.sol";
import {AccessControl} from "@openzeppelin/contracts/access/AccessControl.sol";
import {Checkpoints} from "@openzeppelin/contracts/utils/structs/Checkpoints.sol";
import {Nonces} from "@openzeppelin/contracts/utils/Nonces.sol";

/// @title Ownership of one model
/// @notice Minted against receipts, each of which pays once, out of a budget for each minter. Budgets are reservations:
/// together with what exists they never pass the hard cap, so that what one minter owes no other can mint away.
/// Votes follow delegation, revenue follows balances: both are remembered for every past second.
contract ModelToken is ERC20, ERC20Permit, ERC20Votes, AccessControl {
    using Checkpoints for Checkpoints.Trace208;

    /// @notice May pause and resume minting.
    bytes32 public constant GUARDIAN_ROLE = keccak256("GUARDIAN_ROLE");

    error ReceiptPaid(bytes32 receipt);
    error CapExceeded(uint256 allotted, uint256 cap);
    error BudgetExceeded(address minter, uint256 amount, uint256 budget);
    error MintingPaused();

    event BudgetSet(address indexed minter, uint256 budget);
    /// @notice `minter` has paid `receipt` out of its budget.
    event Minted(bytes32 indexed receipt, address indexed to, address indexed minter, uint256 amount);
    event MintingPausedSet(bool paused);

    /// @notice Most tokens that can ever exist, in 1e-18 tokens.
    uint256 public immutable cap;
    /// @notice Whether the holders have stopped minting for now.
    bool public mintingPaused;
    /// @notice Supply and all budgets together. A mint moves from one to the other, so only `setBudget` changes it.
    uint256 public allotted;
    /// @notice What a minter may still mint.
    mapping(address minter => uint256) public budgetOf;
    /// @notice Whether a receipt has been minted; never again false once it is true.
    mapping(bytes32 receipt => bool) public receiptPaid;
    mapping(address holder => bool) private _received;
    mapping(address holder => Checkpoints.Trace208) private _balanceHistory;

    /// @param name_ Of the token, and of its EIP-712 domain.
    /// @param symbol_ Of the token.
    /// @param cap_ Most tokens that can ever exist.
    /// @param admin Sets the first budgets and hands its role to the timelock.
    /// @param guardian May pause minting: the timelock.
    constructor(string memory name_, string memory symbol_, uint256 cap_, address admin, address guardian)
        ERC20(name_, symbol_)
        ERC20Permit(name_)
    {
        cap = cap_;
        _grantRole(DEFAULT_ADMIN_ROLE, admin);
        _grantRole(GUARDIAN_ROLE, guardian);
    }

    /// @notice Sets how much a minter may still mint. Only the timelock.
    /// @param minter A contract that pays receipts.
    /// @param budget In 1e-18 tokens; replaces what was left.
    function setBudget(address minter, uint256 budget) external onlyRole(DEFAULT_ADMIN_ROLE) {
        uint256 sum = allotted - budgetOf[minter] + budget;
        if (sum > cap) revert CapExceeded(sum, cap);
        allotted = sum;
        budgetOf[minter] = budget;
        emit BudgetSet(minter, budget);
    }

    /// @notice Stops or resumes minting; transfers never stop. Only the guardian.
    /// @param paused True to stop.
    function setMintingPaused(bool paused) external onlyRole(GUARDIAN_ROLE) {
        mintingPaused = paused;
        emit MintingPausedSet(paused);
    }

    /// @notice Pays a receipt once, out of the caller's budget; a first receipt delegates its holder's votes to the holder.
    /// @dev Who has no budget cannot even pay nothing: that would spend the receipt of somebody else's payment.
    /// @param receipt Names the payment, unique over all minters: a hash over chain, minter and what is paid.
    /// @param to Who gets the tokens.
    /// @param amount In 1e-18 tokens.
    function mint(bytes32 receipt, address to, uint256 amount) external {
        if (mintingPaused) revert MintingPaused();
        if (receiptPaid[receipt]) revert ReceiptPaid(receipt);
        uint256 budget = budgetOf[msg.sender];
        if (budget == 0 || amount > budget) revert BudgetExceeded(msg.sender, amount, budget);
        receiptPaid[receipt] = true;
        budgetOf[msg.sender] = budget - amount;
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
        return _balanceHistory[account].upperLookupRecent(_validateTimepoint(timepoint));
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

    function _update(address from, address to, uint256 value) internal override(ERC20, ERC20Votes) {
        super._update(from, to, value);
        _checkpoint(from);
        if (to != from) _checkpoint(to);
    }

    /// @dev The supply has its own checkpoints in ERC20Votes, whose limit of 2^208 - 1 holds here too.
    function _checkpoint(address account) private {
        if (account != address(0)) _balanceHistory[account].push(clock(), uint208(balanceOf(account)));
    }
}
