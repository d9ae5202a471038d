// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {IERC20Permit} from "@openzeppelin/contracts/token/ERC20/extensions/IERC20Permit.sol";
import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";
import {ReentrancyGuardTransient} from "@openzeppelin/contracts/utils/ReentrancyGuardTransient.sol";
import {FixedRoles} from "./FixedRoles.sol";
import {ModelToken} from "./ModelToken.sol";

/// @title One funding round of a model: an ERC-20 against ownership tokens
/// @notice Where less than the soft cap stays, everybody who took no tokens is refunded. Otherwise every depositor is minted tokens at
/// one price, reserved when it pays in. For `settlement` seconds after the end buyers take their tokens, which vote, or
/// leave with what they paid; then the holders pay what is left to whom they decide. What the pool holds is deposits -
/// refunds - payments.
/// @dev `settlement` is longer than any proposal lives that was made before the round ended, so that every decision that
/// can spend the money has its snapshot after the buyers could claim; check_genesis sees to it. Tokens are computed on an account's whole deposit and rounded down; the fraction of a 1e-18 token that is cut
/// off is never minted, and what was paid for it goes to the treasury with the rest. A currency that takes a fee
/// is refused; a rebasing one must not be chosen, since its balance changes with no deposit.
contract CapitalPool is FixedRoles, ReentrancyGuardTransient {
    using SafeERC20 for IERC20;

    enum Status { Open, Succeeded, Failed }

    /// @notice Bytes of code that an account with a key may have: its delegation (EIP-7702).
    uint256 public constant DELEGATION_SIZE = 23;

    /// @dev A deposit of `paidUnits` buys `tokenUnits`; `deadline` in Unix seconds, `settlement` in seconds.
    struct Terms {
        IERC20 currency;
        uint256 softCap;
        uint256 hardCap;
        uint64 deadline;
        uint256 tokenUnits;
        uint256 paidUnits;
        uint64 settlement;
    }

    error CapitalPoolTermsRefused();
    error CapitalPoolWrongStatus(Status status, Status needed);
    error CapitalPoolDepositTooSmall(uint256 deposit);
    error CapitalPoolAmountChanged(uint256 received, uint256 sent);
    error CapitalPoolBalanceMissing(uint256 balance, uint256 held);
    error CapitalPoolNothingDeposited(address account);
    error CapitalPoolBuyersMayLeave(uint256 until);
    error CapitalPoolDepositsStay(uint256 until);
    error CapitalPoolAccountMustClaim(address account);
    error CapitalPoolMoneyReleased(uint256 since);

    event Deposited(address indexed account, uint256 amount, uint256 total);
    /// @notice An account took a deposit back while the round was open.
    event Withdrawn(address indexed account, uint256 amount, uint256 total);
    event Refunded(address indexed account, uint256 amount);
    /// @notice An account took its deposit back after the round, instead of its tokens.
    event Left(address indexed account, uint256 amount);
    event Claimed(address indexed account, uint256 paid, uint256 tokens);
    event Paid(address indexed to, uint256 amount);
    event SurplusRecovered(address indexed asset, address indexed treasury, uint256 amount);
    event Cancelled();

    /// @notice What is minted.
    ModelToken public immutable token;
    /// @notice What is paid in.
    IERC20 public immutable currency;
    /// @notice The timelock: alone pays out of a round that succeeded, and alone may cancel an open one.
    address public immutable treasury;
    /// @notice Where less stays after the deadline, claimed or not, the round has failed.
    uint256 public immutable softCap;
    /// @notice Most that is taken. It does not end the round: borrowed money could, and leave again.
    uint256 public immutable hardCap;
    /// @notice Unix second from which nothing more is taken.
    uint64 public immutable deadline;
    /// @notice Unix second from which deposits stay until the deadline: the last quarter of the round.
    uint64 public immutable withdrawUntil;
    /// @notice A deposit of `paidUnits` of the currency buys `tokenUnits` of 1e-18 tokens.
    uint256 public immutable tokenUnits;
    /// @notice See `tokenUnits`.
    uint256 public immutable paidUnits;
    /// @notice Seconds after the round's end in which its money stays here, and buyers may leave.
    uint64 public immutable settlement;

    /// @notice What was paid in and not taken back while the round was open, in units of the currency.
    uint256 public deposited;
    /// @notice Of it, what was paid back after the round.
    uint256 public refunded;
    /// @notice Of it, what tokens were minted for.
    uint256 public claimed;
    /// @notice Of it, what the holders paid out.
    uint256 public paidOut;
    /// @notice Whether the holders ended the round.
    bool public cancelled;
    /// @notice What an account has in the round and has neither claimed nor been refunded.
    mapping(address account => uint256) public depositOf;

    modifier onlyIn(Status needed) {
        Status found = status();
        if (found != needed) revert CapitalPoolWrongStatus(found, needed);
        _;
    }

    /// @param token_ What is minted; its timelock gives this pool a budget of `tokensFor(hardCap)`.
    /// @param treasury_ The model's timelock, the only holder of a role here.
    /// @param terms Currency, caps, deadline and price, for ever.
    constructor(ModelToken token_, address treasury_, Terms memory terms) {
        bool caps = terms.softCap > 0 && terms.softCap <= terms.hardCap;
        bool price = terms.tokenUnits > 0 && terms.paidUnits > 0;
        bool span = terms.settlement > 0 && terms.deadline > block.timestamp;
        bool currency_ = address(terms.currency).code.length > 0 && address(terms.currency) != address(token_);
        if (!caps || !price || !currency_ || !span || treasury_ == address(0)) revert CapitalPoolTermsRefused();
        uint256 smallest = Math.ceilDiv(terms.paidUnits, terms.tokenUnits);
        if (smallest > 1 && terms.hardCap - terms.softCap < smallest) revert CapitalPoolTermsRefused(); // dust nobody could fill
        token = token_;
        treasury = treasury_;
        currency = terms.currency;
        softCap = terms.softCap;
        hardCap = terms.hardCap;
        deadline = terms.deadline;
        withdrawUntil = terms.deadline - (terms.deadline - uint64(block.timestamp)) / 4;
        tokenUnits = terms.tokenUnits;
        paidUnits = terms.paidUnits;
        settlement = terms.settlement;
        if (Math.mulDiv(terms.softCap, terms.tokenUnits, terms.paidUnits) == 0) revert CapitalPoolTermsRefused();
        Math.mulDiv(terms.hardCap, terms.tokenUnits, terms.paidUnits); // reverts where a claim would overflow
        _grantRole(DEFAULT_ADMIN_ROLE, treasury_);
    }

    function _roleHolder() internal view override returns (address) {
        return treasury;
    }

    /// @notice Takes a deposit that the caller has approved. What would go beyond the hard cap is not taken.
    /// @param amount Most units of the currency to take.
    /// @return accepted What was taken.
    function deposit(uint256 amount) external nonReentrant returns (uint256 accepted) {
        return _deposit(amount);
    }

    /// @notice Takes a deposit under the caller's EIP-2612 permit for exactly `amount`.
    /// @dev Anybody can use a permit seen in the pool of transactions, which spends its nonce but leaves the allowance.
    /// A permit that fails is therefore passed over: the transfer needs the allowance in any case.
    /// @param amount Most units of the currency to take, and what the permit allows.
    /// @param permitDeadline Unix second after which the permit does not count.
    /// @return accepted What was taken.
    function depositWithPermit(uint256 amount, uint256 permitDeadline, uint8 v, bytes32 r, bytes32 s)
        external
        nonReentrant
        returns (uint256 accepted)
    {
        try IERC20Permit(address(currency)).permit(msg.sender, address(this), amount, permitDeadline, v, r, s) {} catch {}
        return _deposit(amount);
    }

    /// @notice Takes the caller's whole deposit back while the round is open, but not in its last quarter.
    /// @dev Who fills the round and leaves at its end would else end it for all at no price: what lies there then keeps others
    /// out, so it stays until nobody can be kept out any more.
    function withdraw() external nonReentrant onlyIn(Status.Open) {
        if (block.timestamp >= withdrawUntil) revert CapitalPoolDepositsStay(deadline);
        uint256 amount = _settle(msg.sender);
        deposited -= amount;
        token.release(tokensFor(amount));
        emit Withdrawn(msg.sender, amount, deposited);
        currency.safeTransfer(msg.sender, amount);
    }

    /// @notice Pays an account its deposit back after the round failed, at any time; anybody may call.
    /// @param account Who is paid.
    function refund(address account) external nonReentrant onlyIn(Status.Failed) {
        uint256 amount = _settle(account);
        refunded += amount;
        token.release(tokensFor(amount));
        emit Refunded(account, amount);
        currency.safeTransfer(account, amount);
    }

    /// @notice Takes the caller's deposit back instead of its tokens, until the money is released. After a round that failed
    /// since too many left, too.
    /// @dev Who took tokens has votes and stays: else votes were for rent, at no price.
    function exit() external nonReentrant {
        Status found = status();
        if (found == Status.Open) revert CapitalPoolWrongStatus(found, Status.Succeeded);
        if (found == Status.Succeeded && block.timestamp >= releaseAt()) revert CapitalPoolMoneyReleased(releaseAt());
        uint256 amount = _settle(msg.sender);
        refunded += amount;
        token.release(tokensFor(amount));
        emit Left(msg.sender, amount);
        currency.safeTransfer(msg.sender, amount);
    }

    /// @notice Mints an account its tokens after the round succeeded: the account itself; after `releaseAt`, when it can
    /// leave no more, anybody for it, and for a contract a `settlement` later.
    /// @dev Mints under a receipt of this account in this pool, so that the token too would refuse a second time. What nobody
    /// claimed keeps later rounds from opening, so that no buyer may leave it unclaimed for ever.
    /// @param account Who gets the tokens.
    function claim(address account) external nonReentrant onlyIn(Status.Succeeded) {
        uint256 since = account.code.length <= DELEGATION_SIZE ? releaseAt() : releaseAt() + settlement;
        bool others = block.timestamp >= since;
        if (msg.sender != account && !others) revert CapitalPoolAccountMustClaim(account);
        uint256 deposit_ = _settle(account);
        uint256 tokens = tokensFor(deposit_);
        claimed += deposit_;
        emit Claimed(account, deposit_, tokens);
        token.mint(receiptOf(account), account, tokens);
    }

    /// @notice Pays what is the holders', after `releaseAt`, as far as it is there. Only the timelock.
    /// @dev A call of the holders for each payment: money that anybody could push to the timelock would be theirs to whom an
    /// old vote gave an allowance there, and buyers were not asked. Buyers can leave while a decision waits: a unit of dust
    /// that goes cuts the payment, and annuls no decision.
    /// @param to Who is paid.
    /// @param amount Most units of the currency.
    function pay(address to, uint256 amount) external nonReentrant onlyRole(DEFAULT_ADMIN_ROLE) {
        if (block.timestamp < releaseAt()) revert CapitalPoolBuyersMayLeave(releaseAt());
        uint256 paid = Math.min(amount, spendable());
        if (paid == 0) return;
        paidOut += paid;
        emit Paid(to, paid);
        currency.safeTransfer(to, paid);
    }

    /// @notice Ends an open round, so that everybody is refunded. Only the timelock.
    function cancel() external onlyRole(DEFAULT_ADMIN_ROLE) onlyIn(Status.Open) {
        cancelled = true;
        emit Cancelled();
    }

    /// @notice Sends what came here without a deposit to the treasury, whose holders decide whose it is; nothing where there
    /// is none, since anybody may have called before. Anybody may call.
    /// @dev A currency may answer at a second address: what is left is measured at the first.
    /// @param asset Any ERC-20; of the currency only what is beyond `held` moves.
    function recoverSurplus(IERC20 asset) external nonReentrant {
        uint256 kept = address(asset) == address(currency) ? held() : 0;
        uint256 balance = asset.balanceOf(address(this));
        if (balance <= kept) return;
        emit SurplusRecovered(address(asset), treasury, balance - kept);
        asset.safeTransfer(treasury, balance - kept);
        uint256 left = currency.balanceOf(address(this));
        if (left < held()) revert CapitalPoolBalanceMissing(left, held());
    }

    /// @notice Where the round stands. It fails where so many leave that less than the soft cap stays, since nobody would
    /// have bought for that. Who took tokens before has them, and what was paid for them is the holders'.
    function status() public view returns (Status) {
        if (cancelled) return Status.Failed;
        if (block.timestamp < deadline) return Status.Open;
        return deposited - refunded >= softCap ? Status.Succeeded : Status.Failed;
    }

    /// @notice Unix second until which buyers may leave, and from which on the money can go to the treasury.
    function releaseAt() public view returns (uint256) {
        return uint256(deadline) + settlement;
    }

    /// @notice What the pool holds of the currency: deposits - refunds - payments.
    function held() public view returns (uint256) {
        return deposited - refunded - paidOut;
    }

    /// @notice What the holders can pay with from `releaseAt` on: all that is here, or, where the round failed, what those
    /// paid who took tokens.
    function spendable() public view returns (uint256) {
        return status() == Status.Succeeded ? held() : claimed - paidOut;
    }

    /// @notice Tokens for a whole deposit, rounded down.
    /// @param paid Units of the currency.
    function tokensFor(uint256 paid) public view returns (uint256) {
        return Math.mulDiv(paid, tokenUnits, paidUnits);
    }

    /// @notice The mint receipt of an account's claim.
    function receiptOf(address account) public view returns (bytes32) {
        return keccak256(bytes.concat(keccak256(abi.encode(block.chainid, address(this), account))));
    }

    /// @dev Counts first and measures afterwards: another amount than was counted takes all back.
    function _deposit(uint256 amount) private onlyIn(Status.Open) returns (uint256 accepted) {
        accepted = Math.min(amount, hardCap - deposited);
        uint256 first = depositOf[msg.sender];
        uint256 whole = first + accepted;
        if (accepted == 0 || tokensFor(whole) == 0) revert CapitalPoolDepositTooSmall(accepted);
        uint256 before = currency.balanceOf(address(this));
        if (before < held()) revert CapitalPoolBalanceMissing(before, held());
        depositOf[msg.sender] = whole;
        deposited += accepted;
        token.reserve(tokensFor(whole) - tokensFor(first));
        emit Deposited(msg.sender, accepted, deposited);
        currency.safeTransferFrom(msg.sender, address(this), accepted);
        uint256 received = currency.balanceOf(address(this)) - before;
        if (received != accepted) revert CapitalPoolAmountChanged(received, accepted);
    }

    function _settle(address account) private returns (uint256 amount) {
        amount = depositOf[account];
        if (amount == 0) revert CapitalPoolNothingDeposited(account);
        depositOf[account] = 0;
    }
}
