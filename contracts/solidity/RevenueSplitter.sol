// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import {ReentrancyGuardTransient} from "@openzeppelin/contracts/utils/ReentrancyGuardTransient.sol";
import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";
import {SafeCast} from "@openzeppelin/contracts/utils/math/SafeCast.sol";
import {ModelToken} from "./ModelToken.sol";

/// @title Pays what a model earns to its holders, pro rata by the tokens they held and for how long
/// @notice Anybody who brings an ERC-20 starts a distribution (ETH comes as a wrapped one), and anybody may release a
/// share to its holder. Delegated votes play no part. Nobody holds a power here, and a share never expires.
/// @dev A share is computed in fractions of 2^-112 units, rounded up, and what is below one unit is carried into the
/// account's next release. Whole units that an account has earned are therefore paid. All releases together exceed what
/// came by less than one unit before there were 2^112 of them, and only whole units leave: so never more than came.
/// A currency that takes a fee is refused; of a rebasing one only what it adds can be shared. One that answers at two
/// addresses must not be paid in: under the second, what is distributed under the first looks like a plain transfer.
contract RevenueSplitter is ReentrancyGuardTransient {
    using SafeERC20 for IERC20;

    /// @dev `until` in Unix seconds, `window` seconds before it; `tokenSeconds` is what all were given shares of it for.
    struct Distribution {
        IERC20 currency;
        uint48 until;
        uint256 amount;
        uint256 tokenSeconds;
    }

    error RevenueSplitterNothingToDistribute(address currency);
    error RevenueSplitterNobodyHeld(uint48 since);
    error RevenueSplitterAmountChanged(uint256 received, uint256 sent);
    error RevenueSplitterWindowRefused(uint48 window);
    error RevenueSplitterSharedInPause(uint48 since);
    error RevenueSplitterDistributionUnknown(uint256 id);
    error RevenueSplitterAlreadyReleased(uint256 id, address account);
    error RevenueSplitterNoShare(uint256 id, address account);
    error RevenueSplitterBalanceMissing(uint256 balance, uint256 held);

    /// @notice Who held tokens in the window that ended at second `until` shares `amount` with all others who did.
    event Distributed(
        uint256 indexed id,
        address indexed currency,
        address indexed payer,
        uint48 until,
        uint256 amount,
        uint256 tokenSeconds
    );
    /// @notice `fraction` is what is left below one unit, in 2^-112 units; the account's next release adds it.
    event Released(uint256 indexed id, address indexed account, address indexed currency, uint256 amount, uint256 fraction);

    /// @notice Shares are kept in fractions of 2^-FRACTION_BITS units.
    uint8 public constant FRACTION_BITS = 112;

    /// @notice Whose holders are paid.
    ModelToken public immutable token;
    /// @notice Seconds before a distribution in which tokens had to be held: who chooses its moment, or sees it coming,
    /// has held for as long as anybody else sees.
    uint48 public immutable window;

    /// @notice How many distributions there are; ids count from 1.
    uint256 public distributions;
    /// @notice Units of a currency that were distributed and not yet released.
    mapping(IERC20 currency => uint256) public heldOf;
    /// @notice What an account has earned below one unit, in 2^-112 units.
    mapping(IERC20 currency => mapping(address account => uint256)) public fractionOf;
    /// @notice Whether an account was paid its share of a distribution.
    mapping(uint256 id => mapping(address account => bool)) public released;
    mapping(uint256 id => Distribution) private _distributions;

    /// @param token_ Whose holders are paid.
    /// @param window_ Seconds before a distribution in which tokens had to be held, at least 1.
    constructor(ModelToken token_, uint48 window_) {
        if (window_ == 0 || window_ > token_.LONGEST_SPAN()) revert RevenueSplitterWindowRefused(window_);
        token = token_;
        window = window_;
    }

    /// @notice Takes an amount that the caller has approved and shares it among the holders.
    /// @param currency What is paid in.
    /// @param amount Units of it, at most 2^128 - 1.
    /// @return id Of the distribution.
    function distribute(IERC20 currency, uint256 amount) external nonReentrant returns (uint256 id) {
        uint256 before = currency.balanceOf(address(this));
        if (before < heldOf[currency]) revert RevenueSplitterBalanceMissing(before, heldOf[currency]);
        id = _share(currency, amount);
        currency.safeTransferFrom(msg.sender, address(this), amount);
        uint256 received = currency.balanceOf(address(this)) - before;
        if (received != amount) revert RevenueSplitterAmountChanged(received, amount);
    }

    /// @notice Shares what was sent here by a plain transfer; anybody may call.
    /// @param currency What was sent.
    /// @return id Of the distribution.
    function distributeSurplus(IERC20 currency) external nonReentrant returns (uint256 id) {
        uint256 balance = currency.balanceOf(address(this));
        uint256 held = heldOf[currency];
        return _share(currency, balance > held ? balance - held : 0);
    }

    /// @notice Pays an account its share of one distribution; anybody may call.
    /// @param id Of the distribution.
    /// @param account Who held tokens in its window.
    function release(uint256 id, address account) external nonReentrant {
        _release(id, account);
    }

    /// @notice Pays an account its shares of several distributions; anybody may call.
    /// @param ids Of the distributions; one that was released is passed over, since anybody can be faster.
    /// @param account Who held tokens in their windows.
    function releaseMany(uint256[] calldata ids, address account) external nonReentrant {
        for (uint256 i = 0; i < ids.length; ++i) {
            if (!released[ids[i]][account]) _release(ids[i], account);
        }
    }

    /// @notice What `release` would pay now; 0 where it would be refused.
    function releasable(uint256 id, address account) public view returns (uint256) {
        Distribution memory d = _distributions[id];
        if (d.until == 0 || released[id][account]) return 0;
        uint256 held = _heldFor(d, account);
        return held == 0 ? 0 : _shareOf(d, account, held) >> FRACTION_BITS;
    }

    /// @notice What `release` would pay now for each of several distributions: anybody may start many of no worth.
    /// @param ids Of the distributions.
    /// @param account Who held tokens.
    /// @return amounts In the order of the ids, each as if it were the first to be released.
    function releasableOf(uint256[] calldata ids, address account) external view returns (uint256[] memory amounts) {
        amounts = new uint256[](ids.length);
        for (uint256 i = 0; i < ids.length; ++i) amounts[i] = releasable(ids[i], account);
    }

    /// @notice One distribution; all zero where there is none of this id.
    function distributionOf(uint256 id) external view returns (Distribution memory) {
        return _distributions[id];
    }

    /// @dev What this contract itself holds of the token shares in nothing. Below 2^128 units no share overflows. Nothing is
    /// shared in a pause of minting, nor soon after one: who was owed tokens held none, and holders would have its share. A
    /// second pause can begin no sooner than `LONGEST_PAUSE` after the first, so that half of it is left to share in.
    function _share(IERC20 currency, uint256 amount) private returns (uint256 id) {
        if (amount == 0) revert RevenueSplitterNothingToDistribute(address(currency));
        uint48 until = token.clock() - 1;
        uint48 since = until - uint48(Math.min(window, token.LONGEST_PAUSE() / 2));
        if (token.pausedWithin(since, until + 1)) revert RevenueSplitterSharedInPause(since);
        uint48 from = until - window;
        uint256 all = token.supplySeconds(from, until) - token.tokenSeconds(address(this), from, until);
        if (all == 0 || token.getPastTotalSupply(from) == 0) revert RevenueSplitterNobodyHeld(from);
        heldOf[currency] += amount;
        id = ++distributions;
        _distributions[id] = Distribution(currency, until, SafeCast.toUint128(amount), all);
        emit Distributed(id, address(currency), msg.sender, until, amount, all);
    }

    function _release(uint256 id, address account) private {
        Distribution memory d = _distributions[id];
        if (d.until == 0) revert RevenueSplitterDistributionUnknown(id);
        if (released[id][account]) revert RevenueSplitterAlreadyReleased(id, account);
        uint256 held = _heldFor(d, account);
        if (held == 0) revert RevenueSplitterNoShare(id, account);
        released[id][account] = true;
        uint256 share = _shareOf(d, account, held);
        uint256 amount = share >> FRACTION_BITS;
        uint256 fraction = share & ((1 << FRACTION_BITS) - 1);
        fractionOf[d.currency][account] = fraction;
        heldOf[d.currency] -= amount;
        emit Released(id, account, address(d.currency), amount, fraction);
        if (amount > 0) d.currency.safeTransfer(account, amount);
    }

    /// @dev Nothing of this contract itself, which shares in nothing, nor of the zero address, which nobody has.
    function _heldFor(Distribution memory d, address account) private view returns (uint256) {
        if (account == address(this) || account == address(0)) return 0;
        return token.tokenSeconds(account, d.until - window, d.until);
    }

    /// @dev In fractions, with what was left of earlier shares.
    function _shareOf(Distribution memory d, address account, uint256 held) private view returns (uint256) {
        uint256 share = Math.mulDiv(held, d.amount << FRACTION_BITS, d.tokenSeconds, Math.Rounding.Ceil);
        return share + fractionOf[d.currency][account];
    }
}
