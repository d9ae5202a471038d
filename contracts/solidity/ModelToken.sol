// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {ERC20} from "@openzeppelin/contracts/token/ERC20/ERC20.sol";
import {ERC20Permit} from "@openzeppelin/contracts/token/ERC20/extensions/ERC20Permit.sol";
import {ERC20Votes} from "@openzeppelin/contracts/token/ERC20/extensions/ERC20Votes.sol";
import {AccessControl} from "@openzeppelin/contracts/access/AccessControl.sol";
import {Nonces} from "@openzeppelin/contracts/utils/Nonces.sol";

/// @title Ownership of one model
/// @notice Minted against receipts, each of which pays once, under a hard cap and a budget for each minter.
contract ModelToken is ERC20, ERC20Permit, ERC20Votes, AccessControl {
    bytes32 public constant GUARDIAN_ROLE = keccak256("GUARDIAN_ROLE");

    error ReceiptPaid(bytes32 receipt);
    error CapExceeded(uint256 supply, uint256 cap);
    error BudgetExceeded(address minter, uint256 amount, uint256 budget);
    error MintingPaused();

    event BudgetSet(address indexed minter, uint256 budget);
    event Minted(bytes32 indexed receipt, address indexed to, uint256 amount);
    event MintingPausedSet(bool paused);

    uint256 public immutable cap;
    bool public mintingPaused;
    mapping(address minter => uint256) public budgetOf;
    mapping(bytes32 receipt => bool) public receiptPaid;
    mapping(address holder => bool) private _received;

    constructor(string memory name_, string memory symbol_, uint256 cap_, address admin, address guardian)
        ERC20(name_, symbol_)
        ERC20Permit(name_)
    {
        cap = cap_;
        _grantRole(DEFAULT_ADMIN_ROLE, admin);
        _grantRole(GUARDIAN_ROLE, guardian);
    }

    /// @notice How much `minter` may still mint.
    function setBudget(address minter, uint256 budget) external onlyRole(DEFAULT_ADMIN_ROLE) {
        budgetOf[minter] = budget;
        emit BudgetSet(minter, budget);
    }

    /// @notice Stops or resumes minting; transfers never stop.
    function setMintingPaused(bool paused) external onlyRole(GUARDIAN_ROLE) {
        mintingPaused = paused;
        emit MintingPausedSet(paused);
    }

    /// @notice Pays `receipt` once; a first receipt delegates its holder's votes to the holder.
    function mint(bytes32 receipt, address to, uint256 amount) external {
        if (mintingPaused) revert MintingPaused();
        if (receiptPaid[receipt]) revert ReceiptPaid(receipt);
        uint256 budget = budgetOf[msg.sender];
        if (amount > budget) revert BudgetExceeded(msg.sender, amount, budget);
        if (totalSupply() + amount > cap) revert CapExceeded(totalSupply() + amount, cap);
        receiptPaid[receipt] = true;
        budgetOf[msg.sender] = budget - amount;
        if (!_received[to]) {
            _received[to] = true;
            if (delegates(to) == address(0)) _delegate(to, to);
        }
        _mint(to, amount);
        emit Minted(receipt, to, amount);
    }

    function clock() public view override returns (uint48) {
        return uint48(block.timestamp);
    }

    // solhint-disable-next-line func-name-mixedcase
    function CLOCK_MODE() public pure override returns (string memory) {
        return "mode=timestamp";
    }

    function nonces(address owner) public view override(ERC20Permit, Nonces) returns (uint256) {
        return super.nonces(owner);
    }

    function _update(address from, address to, uint256 value) internal override(ERC20, ERC20Votes) {
        super._update(from, to, value);
    }
}
