// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {CapitalPool} from "commonweight/CapitalPool.sol";
import {ModelToken} from "commonweight/ModelToken.sol";
import {RevenueSplitter} from "commonweight/RevenueSplitter.sol";
import {ModelRegistry} from "commonweight/ModelRegistry.sol";
import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {Coin} from "../src/Coin.sol";
import {Cheats} from "./Cheats.sol";
import {FundsHandler} from "./FundsHandler.sol";
import {Genesis} from "./Genesis.sol";

/// @title The same coins under a second address, as some currencies have it
contract Alias is Cheats {
    Coin private immutable _coin;

    constructor(Coin coin) {
        _coin = coin;
    }

    function balanceOf(address account) external view returns (uint256) {
        return _coin.balanceOf(account);
    }

    function transfer(address to, uint256 amount) external returns (bool) {
        vm.prank(msg.sender);
        return _coin.transfer(to, amount);
    }
}

/// @title What holds of a funding round's and a splitter's coins after every step of every history
contract FundsInvariants is Cheats {
    FundsHandler private _handler;

    function setUp() external {
        _handler = new FundsHandler();
    }

    function targetContracts() external view returns (address[] memory targets) {
        targets = new address[](1);
        targets[0] = address(_handler);
    }

    /// @notice Found by a history: the holders take the budget, a buyer withdraws and the next one finds none.
    function test_a_deposit_beyond_what_holders_left_is_refused_in_histories() external {
        _handler.deposit(864_000);
        _handler.takeBudget(2_611_009_004_321_640_454_047_623_177_420_571_543_148_829_384_598);
        _handler.withdraw(200);
        _handler.deposit(type(uint256).max - 2);
        this.invariant_funds();
    }

    /// @dev One campaign for all properties: forge would play the same histories again for each.
    function invariant_funds() external view {
        the_pool_has_deposits_less_refunds_less_payments();
        no_more_tokens_are_sold_than_the_hard_cap_buys();
        the_splitter_has_what_came_less_what_was_released();
        nobody_earned_more_than_its_past_shares();
        the_zero_address_has_nothing_and_no_share_is_more_than_there_is();
    }

    function the_pool_has_deposits_less_refunds_less_payments() private view {
        CapitalPool pool = _handler.pool();
        uint256 due = _handler.deposited() - _handler.refunded() - _handler.paidByHolders();
        vm.assertEq(_handler.coin().balanceOf(address(pool)), due + _handler.sentToPool(), "balance");
        vm.assertEq(pool.held(), due, "what the pool says that it holds");
        vm.assertLe(_handler.deposited(), pool.hardCap(), "never beyond the hard cap");
        address[] memory people = _handler.people();
        for (uint256 i = 0; i < people.length; ++i) {
            vm.assertEq(pool.depositOf(people[i]), _handler.depositOf(people[i]), "each has its deposit");
        }
        vm.assertEq(pool.claimed(), _handler.claimed(), "what tokens were minted for");
    }

    function no_more_tokens_are_sold_than_the_hard_cap_buys() private view {
        CapitalPool pool = _handler.pool();
        uint256 reserved = _handler.token().reservedOf(address(pool));
        uint256 left = _handler.token().budgetOf(address(pool)) + reserved;
        uint256 gone = _handler.bought() + _handler.unallotted();
        vm.assertEq(left + gone, pool.tokensFor(pool.hardCap()), "the budget pays for each sold token");
        uint256 owed = 0;
        address[] memory people = _handler.people();
        for (uint256 i = 0; i < people.length; ++i) owed += pool.tokensFor(_handler.depositOf(people[i]));
        vm.assertEq(reserved, owed, "what every deposit buys is reserved, and nothing else");
    }

    function the_splitter_has_what_came_less_what_was_released() private view {
        uint256 left = _handler.received() - _handler.paidOut();
        vm.assertEq(_handler.coin().balanceOf(address(_handler.splitter())), left, "balance");
        vm.assertEq(_handler.splitter().heldOf(_handler.coin()), left, "what the splitter says that it holds");
    }

    /// @dev Over all distributions whose share was released, to a unit of rounding each.
    function nobody_earned_more_than_its_past_shares() private view {
        RevenueSplitter splitter = _handler.splitter();
        address[] memory people = _handler.accounts();
        for (uint256 i = 0; i < people.length; ++i) {
            uint256 exact = 0;
            for (uint256 id = 1; id <= splitter.distributions(); ++id) {
                RevenueSplitter.Distribution memory d = splitter.distributionOf(id);
                vm.assertEq(d.until + 1, _handler.sharedAt(id), "the window ends the second before the distribution");
                vm.assertEq(d.tokenSeconds, _handler.heldByAll(id), "what all held in it");
                if (!_handler.released(id, people[i])) continue;
                exact += d.amount * _handler.heldFor(id, people[i]) * 1e9 / d.tokenSeconds;
            }
            // what did not divide the last time belongs to the holders too: below one unit in all
            vm.assertLe(_handler.earned(people[i]) * 1e9, exact + 1e9, "not more than its past shares");
        }
    }

    /// @dev Whatever account is asked for: what could be released of a distribution is that distribution, to a unit each.
    function the_zero_address_has_nothing_and_no_share_is_more_than_there_is() private view {
        (RevenueSplitter splitter, ModelToken token) = (_handler.splitter(), _handler.token());
        uint256 last = splitter.distributions();
        uint256 until = token.clock() - 1;
        vm.assertEq(token.getPastBalance(address(0), until), 0, "nothing is held by nobody");
        vm.assertEq(token.tokenSeconds(address(0), uint48(until - 1), until), 0, "nor was");
        vm.assertEq(token.getPastVotes(address(0), until), 0, "nor votes");
        if (last == 0) return;
        address[] memory all = _handler.accounts();
        uint256 sum = 0;
        for (uint256 i = 0; i < all.length; ++i) sum += splitter.releasable(last, all[i]);
        vm.assertLe(sum, splitter.distributionOf(last).amount + all.length, "all shares are the whole");
        vm.assertEq(splitter.releasable(last, address(0)), 0, "nothing is released to nobody");
        vm.assertEq(splitter.releasable(last, address(splitter)), 0, "nor to the splitter");
    }
}

/// @title Single promises of pool and splitter, over their whole range
contract FundsTest is Genesis {
    address private constant ALICE = address(0xA11CE);
    address private constant BOB = address(0xB0B);
    address private constant CAROL = address(0xCA401);

    function setUp() external {
        _deploy(new ModelRegistry(), "Funds", 2);
        _mayMint(SPARE);
    }

    function testFuzz_below_the_soft_cap_all_comes_back_and_no_token_is_made(uint256 one, uint256 two) external {
        one = _between(one, 1, SOFT_CAP - 2);
        two = _between(two, 1, SOFT_CAP - 1 - one);
        _deposit(ALICE, one);
        _deposit(BOB, two);
        vm.warp(pool.deadline());
        pool.refund(ALICE);
        _refuse(ALICE, address(pool), 0, abi.encodeCall(pool.refund, (ALICE)), CapitalPool.CapitalPoolNothingDeposited.selector);
        bytes memory all = abi.encodeCall(pool.pay, (ALICE, two));
        _refuse(address(timelock), address(pool), 0, all, CapitalPool.CapitalPoolBuyersMayLeave.selector);
        vm.warp(pool.releaseAt());
        vm.prank(address(timelock));
        pool.pay(ALICE, two);
        vm.assertEq(coin.balanceOf(ALICE), one, "nothing of it is the holders'");
        pool.refund(BOB);
        vm.assertEq(coin.balanceOf(ALICE), one, "Alice has her coins");
        vm.assertEq(coin.balanceOf(BOB), two, "Bob has his");
        vm.assertEq(token.totalSupply(), 0, "no token was made");
    }

    function testFuzz_a_round_that_succeeded_sells_at_one_price_and_is_paid_out_once(uint256 amount) external {
        amount = _between(amount, SOFT_CAP, 3 * HARD_CAP);
        _deposit(ALICE, amount);
        uint256 taken = amount < HARD_CAP ? amount : HARD_CAP;
        vm.assertEq(coin.balanceOf(ALICE), amount - taken, "what is beyond the hard cap stays");
        vm.warp(pool.releaseAt() - 1);
        bytes memory all = abi.encodeCall(pool.pay, (BOB, taken));
        _refuse(address(timelock), address(pool), 0, all, CapitalPool.CapitalPoolBuyersMayLeave.selector);
        _wait(1);
        vm.prank(address(timelock));
        pool.pay(BOB, taken);
        vm.prank(address(timelock));
        pool.pay(BOB, 1);
        vm.assertEq(coin.balanceOf(BOB), taken, "and no more than that");
        _refuse(ALICE, address(pool), 0, abi.encodeCall(pool.exit, ()), CapitalPool.CapitalPoolMoneyReleased.selector);
        pool.claim(ALICE);
        _refuse(ALICE, address(pool), 0, abi.encodeCall(pool.claim, (ALICE)), CapitalPool.CapitalPoolNothingDeposited.selector);
        vm.assertEq(token.balanceOf(ALICE), taken * 3 / 2, "tokens at the price");
        vm.assertEq(coin.balanceOf(BOB), taken, "whom the holders pay has it");
    }

    /// @notice Neither a vote for the budget nor a pause takes what was sold: what is owed is paid, before or after.
    function testFuzz_no_vote_takes_what_was_sold(uint256 amount, bool paused) external {
        amount = _between(amount, SOFT_CAP, HARD_CAP);
        _deposit(ALICE, amount);
        vm.startPrank(address(timelock));
        token.setBudget(address(pool), 0);
        if (paused) token.setMintingPaused(true);
        vm.stopPrank();
        vm.warp(pool.deadline() + SETTLEMENT);
        pool.claim(ALICE);
        vm.assertEq(token.balanceOf(ALICE), amount * 3 / 2, "Alice has her tokens");
    }

    /// @notice A deposit is taken only while the budget covers its tokens.
    function testFuzz_no_deposit_beyond_the_budget(uint256 budget, uint256 amount) external {
        budget = _between(budget, 1, HARD_CAP * 3 / 2 - 1);
        amount = _between(amount, budget * 2 / 3 + 1, HARD_CAP);
        if (amount * 3 / 2 <= budget) return;
        vm.prank(address(timelock));
        token.setBudget(address(pool), budget);
        coin.print(ALICE, amount);
        vm.prank(ALICE);
        coin.approve(address(pool), amount);
        bytes memory call = abi.encodeCall(pool.deposit, (amount));
        _refuse(ALICE, address(pool), 0, call, ModelToken.ModelTokenBudgetExceeded.selector);
    }

    /// @notice Who leaves leaves the others theirs; below the soft cap all of them have theirs. Who took tokens stays.
    function testFuzz_a_buyer_leaves_with_its_share(uint256 one, uint256 two, bool claimed) external {
        one = _between(one, 1, SOFT_CAP);
        two = _between(two, SOFT_CAP - one + 1, HARD_CAP - one);
        _deposit(ALICE, one);
        _deposit(BOB, two);
        vm.warp(pool.deadline());
        if (claimed) {
            vm.prank(ALICE);
            pool.claim(ALICE);
            _refuse(ALICE, address(pool), 0, abi.encodeCall(pool.exit, ()), CapitalPool.CapitalPoolNothingDeposited.selector);
            return;
        }
        vm.prank(ALICE);
        pool.exit();
        vm.assertEq(coin.balanceOf(ALICE), one, "Alice has her coins");
        vm.assertEq(token.balanceOf(ALICE), 0, "and no tokens");
        if (two < SOFT_CAP) {
            pool.refund(BOB);
            vm.assertEq(coin.balanceOf(BOB), two, "Bob has his, since nobody would have bought alone");
        } else {
            vm.warp(pool.releaseAt());
            pool.claim(BOB);
            vm.assertEq(pool.held(), two, "what is left is the holders'");
        }
    }

    /// @notice Who pushes a round over its soft cap, takes a few tokens and leaves with the rest has bound nobody: who took no
    /// tokens is refunded, however late, and what claimers paid is all that the holders can pay with.
    function testFuzz_capital_that_leaves_again_makes_no_round_succeed(uint256 small, uint256 few, uint256 wait) external {
        small = _between(small, 1, SOFT_CAP / 2);
        few = _between(few, 1, SOFT_CAP / 2 - 1);
        _deposit(ALICE, small);
        _deposit(BOB, SOFT_CAP - small - few);
        _deposit(CAROL, few);
        vm.warp(pool.deadline());
        vm.prank(CAROL);
        pool.claim(CAROL);
        vm.prank(BOB);
        pool.exit();
        vm.assertTrue(pool.status() == CapitalPool.Status.Failed, "less than the soft cap stays");
        vm.warp(pool.releaseAt() + _between(wait, 0, 3650 days));
        vm.prank(address(timelock));
        pool.pay(CAROL, few + 1 + wait % HARD_CAP);
        vm.assertEq(coin.balanceOf(CAROL), few, "no more than what was claimed is the holders'");
        pool.refund(ALICE);
        vm.assertEq(coin.balanceOf(ALICE), small, "Alice has her coins");
        vm.assertEq(token.balanceOf(CAROL), few * 3 / 2, "who took tokens has them");
        vm.assertEq(coin.balanceOf(address(pool)), 0, "nothing is left");
    }

    /// @notice Who keeps others out of a full round cannot end it at its end: what is there in the last quarter stays.
    function testFuzz_deposits_stay_in_the_last_quarter(uint256 when) external {
        _deposit(ALICE, HARD_CAP);
        vm.warp(_between(when, pool.deadline() - POOL_TIME / 4, pool.deadline() - 1));
        _refuse(ALICE, address(pool), 0, abi.encodeCall(pool.withdraw, ()), CapitalPool.CapitalPoolDepositsStay.selector);
        vm.warp(pool.deadline());
        vm.assertTrue(pool.status() == CapitalPool.Status.Succeeded, "the round succeeds");
        vm.prank(ALICE);
        pool.exit();
        vm.assertEq(coin.balanceOf(ALICE), HARD_CAP, "and who leaves has all that it paid");
    }

    /// @notice Nobody takes another's choice between tokens and money.
    function testFuzz_nobody_claims_for_who_may_leave(uint256 when) external {
        _deposit(ALICE, SOFT_CAP);
        vm.warp(pool.deadline() + _between(when, 0, SETTLEMENT - 1));
        bytes memory call = abi.encodeCall(pool.claim, (ALICE));
        _refuse(BOB, address(pool), 0, call, CapitalPool.CapitalPoolAccountMustClaim.selector);
        vm.etch(ALICE, hex"00000000000000000000000000000000000000000000000000");
        vm.warp(_between(when, pool.releaseAt(), pool.releaseAt() + SETTLEMENT - 1));
        _refuse(BOB, address(pool), 0, call, CapitalPool.CapitalPoolAccountMustClaim.selector);
        vm.warp(pool.releaseAt() + SETTLEMENT);
        vm.prank(BOB);
        pool.claim(ALICE);
        vm.assertEq(token.balanceOf(ALICE), SOFT_CAP * 3 / 2, "no contract keeps its tokens unclaimed for ever");
    }

    /// @notice What passed is paid as far as it is there: a unit that leaves in the last second annuls no decision.
    function testFuzz_dust_that_leaves_cuts_a_payment(uint256 dust) external {
        dust = _between(dust, 1, HARD_CAP - SOFT_CAP);
        _deposit(ALICE, SOFT_CAP);
        _deposit(BOB, dust);
        uint256 all = pool.held();
        vm.warp(pool.releaseAt() - 1);
        vm.prank(BOB);
        pool.exit();
        _wait(1);
        vm.prank(address(timelock));
        pool.pay(CAROL, all);
        vm.assertEq(coin.balanceOf(CAROL), SOFT_CAP, "what is there");
        vm.assertEq(pool.held(), 0, "all of it");
    }

    /// @notice What somebody else fetched before is no error for a decision that fetches it.
    function testFuzz_a_surplus_is_fetched_once_and_refused_to_nobody(uint256 amount) external {
        amount = _between(amount, 1, type(uint128).max);
        coin.print(address(pool), amount);
        vm.prank(BOB);
        pool.recoverSurplus(IERC20(address(coin)));
        pool.recoverSurplus(IERC20(address(coin)));
        vm.assertEq(coin.balanceOf(address(timelock)), amount, "the treasury has it, once");
    }

    /// @notice Nobody shares revenue while who is owed tokens cannot have them, nor before it held them for a while.
    function testFuzz_nothing_is_shared_in_a_pause_nor_soon_after(uint256 when, bool resumed) external {
        token.mint("one", ALICE, 10);
        _wait(REVENUE_WINDOW + 1);
        vm.prank(address(timelock));
        token.setMintingPaused(true);
        uint256 ends = _between(when, _now(), _now() + token.LONGEST_PAUSE());
        coin.print(address(this), 10);
        coin.approve(address(splitter), 10);
        bytes memory call = abi.encodeCall(splitter.distribute, (coin, 5));
        _refuse(address(this), address(splitter), 0, call, RevenueSplitter.RevenueSplitterSharedInPause.selector);
        vm.warp(ends);
        if (resumed) {
            vm.prank(address(timelock));
            token.setMintingPaused(false);
        } else {
            ends = token.pausedUntil();
        }
        vm.warp(ends + REVENUE_WINDOW);
        _refuse(address(this), address(splitter), 0, call, RevenueSplitter.RevenueSplitterSharedInPause.selector);
        _wait(1);
        uint256 id = splitter.distribute(coin, 5);
        vm.assertEq(splitter.releasable(id, ALICE), 5, "then all is shared");
    }

    /// @notice Borrowed money fills the round, ends nothing, and does not come out again for its lender.
    function testFuzz_a_round_that_is_filled_at_once_pays_nobody_at_once(uint256 when) external {
        _deposit(ALICE, HARD_CAP);
        vm.assertTrue(pool.status() == CapitalPool.Status.Open, "the round goes on");
        vm.warp(pool.deadline() + _between(when, 0, SETTLEMENT - 1));
        bytes memory all = abi.encodeCall(pool.pay, (BOB, HARD_CAP));
        _refuse(address(timelock), address(pool), 0, all, CapitalPool.CapitalPoolBuyersMayLeave.selector);
    }

    function testFuzz_a_permit_is_as_good_as_an_approval_and_survives_a_front_runner(uint256 key, bool usedBefore)
        external
    {
        key = _between(key, 1, type(uint128).max);
        address owner = vm.addr(key);
        coin.print(owner, SOFT_CAP);
        bytes32 content = keccak256(
            abi.encode(
                keccak256("Permit(address owner,address spender,uint256 value,uint256 nonce,uint256 deadline)"),
                owner, address(pool), SOFT_CAP, 0, _now()
            )
        );
        bytes32 digest = keccak256(abi.encodePacked(hex"1901", coin.DOMAIN_SEPARATOR(), content));
        (uint8 v, bytes32 r, bytes32 s) = vm.sign(key, digest);
        if (usedBefore) coin.permit(owner, address(pool), SOFT_CAP, _now(), v, r, s);
        vm.prank(owner);
        pool.depositWithPermit(SOFT_CAP, _now(), v, r, s);
        vm.assertEq(pool.depositOf(owner), SOFT_CAP, "deposited");
    }

    /// @notice Who sells after the window keeps the share, who buys gets none, and together they lose nothing.
    function testFuzz_a_transfer_after_the_window_changes_no_share(uint256 one, uint256 two, uint256 sold, uint256 paid)
        external
    {
        (one, two) = (_between(one, 1, BUDGET / 2), _between(two, 1, BUDGET / 2));
        paid = _between(paid, 1, type(uint96).max);
        token.mint("one", ALICE, one);
        token.mint("two", BOB, two);
        _wait(REVENUE_WINDOW + 1);
        uint256 id = _distribute(paid);
        vm.prank(ALICE);
        token.transfer(BOB, _between(sold, 0, one));
        splitter.release(id, BOB);
        splitter.release(id, ALICE);
        _refuse(BOB, address(splitter), 0, abi.encodeCall(splitter.release, (id, BOB)), RevenueSplitter.RevenueSplitterAlreadyReleased.selector);
        vm.assertEq(coin.balanceOf(ALICE), paid * one / (one + two), "Alice has the share of the window");
        vm.assertEq(coin.balanceOf(BOB), paid * two / (one + two), "Bob has his");
    }

    /// @notice Equal holders of as many equal distributions have whole units in the end, and get them.
    function testFuzz_a_whole_unit_that_was_earned_is_paid(uint256 holders, uint256 each, uint256 paid) external {
        holders = _between(holders, 1, 12);
        each = _between(each, 1, BUDGET / 20);
        paid = _between(paid, 1, type(uint96).max);
        for (uint256 i = 0; i < holders; ++i) token.mint(bytes32(i), address(uint160(0xB0B0000 + i)), each);
        _wait(REVENUE_WINDOW + 1);
        uint256[] memory ids = new uint256[](holders);
        for (uint256 i = 0; i < holders; ++i) ids[i] = _distribute(paid);
        splitter.release(ids[0], address(uint160(0xB0B0000)));
        for (uint256 i = 0; i < holders; ++i) {
            address holder = address(uint160(0xB0B0000 + i));
            splitter.releaseMany(ids, holder); // what somebody released before is passed over
            vm.assertEq(coin.balanceOf(holder), paid, "a share of each distribution makes one whole");
        }
        vm.assertEq(splitter.heldOf(coin), 0, "nothing is left behind");
    }

    /// @notice New money pays no old shares: what a currency took away is missed before more comes in.
    function test_where_a_currency_took_coins_away_nothing_more_is_taken() external {
        token.mint("one", ALICE, 10);
        _wait(REVENUE_WINDOW + 1);
        _distribute(100);
        vm.prank(address(splitter));
        coin.transfer(BOB, 1);
        coin.print(address(this), 5);
        coin.approve(address(splitter), 5);
        bytes memory call = abi.encodeCall(splitter.distribute, (coin, 5));
        _refuse(address(this), address(splitter), 0, call, RevenueSplitter.RevenueSplitterBalanceMissing.selector);
    }

    /// @notice Deposits do not leave under a second address of their currency.
    function testFuzz_deposits_stay_though_the_currency_has_a_second_address(uint256 amount) external {
        _deposit(ALICE, _between(amount, 1, HARD_CAP));
        IERC20 second = IERC20(address(new Alias(coin)));
        bytes memory call = abi.encodeCall(pool.recoverSurplus, (second));
        _refuse(BOB, address(pool), 0, call, CapitalPool.CapitalPoolBalanceMissing.selector);
    }

    /// @notice Votes lent to somebody else carry no revenue with them.
    function testFuzz_revenue_follows_balances_not_votes(uint256 one, uint256 paid) external {
        one = _between(one, 1, BUDGET);
        paid = _between(paid, 1, type(uint96).max);
        token.mint("one", ALICE, one);
        vm.prank(ALICE);
        token.delegate(BOB);
        _wait(REVENUE_WINDOW + 1);
        uint256 id = _distribute(paid);
        _refuse(BOB, address(splitter), 0, abi.encodeCall(splitter.release, (id, BOB)), RevenueSplitter.RevenueSplitterNoShare.selector);
        splitter.release(id, ALICE);
        vm.assertLe(paid - coin.balanceOf(ALICE), 1, "Alice has it, to a unit");
    }

    function _distribute(uint256 amount) private returns (uint256) {
        coin.print(address(this), amount);
        coin.approve(address(splitter), amount);
        return splitter.distribute(coin, amount);
    }
}
