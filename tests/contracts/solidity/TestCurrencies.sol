// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {ERC20} from "@openzeppelin/contracts/token/ERC20/ERC20.sol";
import {ERC20Permit} from "@openzeppelin/contracts/token/ERC20/extensions/ERC20Permit.sol";

/// @title What people pay in, with permit; its whole supply belongs to the deployer
contract PermitCurrency is ERC20Permit {
    constructor(uint256 supply) ERC20("Coin", "C") ERC20Permit("Coin") {
        _mint(msg.sender, supply);
    }
}

/// @title Keeps one unit of each transfer
contract FeeCurrency is ERC20 {
    constructor(uint256 supply) ERC20("Fee", "F") {
        _mint(msg.sender, supply);
    }

    function _update(address from, address to, uint256 value) internal override {
        super._update(from, to, value);
        if (from != address(0) && to != address(0)) super._update(to, address(0), 1);
    }
}

/// @title Calls back in the middle of a transfer, and shrinks balances
contract HostileCurrency is ERC20 {
    address private _target;
    bytes private _data;
    /// What the call back was answered with: whether it went through, and what it returned.
    bool public wentThrough;
    bytes public answer;

    constructor(uint256 supply) ERC20("Hostile", "H") {
        _mint(msg.sender, supply);
    }

    /// The next transfer calls `target` once.
    function arm(address target, bytes calldata data) external {
        (_target, _data) = (target, data);
    }

    /// A rebase: what an account holds becomes less.
    function shrink(address account, uint256 amount) external {
        _burn(account, amount);
    }

    /// Lets this contract pay as a depositor of its own.
    function approveFor(address spender, uint256 amount) external {
        _approve(address(this), spender, amount);
    }

    function _update(address from, address to, uint256 value) internal override {
        super._update(from, to, value);
        if (_target == address(0) || from == address(0) || to == address(0)) return;
        address target = _target;
        _target = address(0);
        (wentThrough, answer) = target.call(_data);
    }
}
