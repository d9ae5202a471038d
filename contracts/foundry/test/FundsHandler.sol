// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {CapitalPool} from "commonweight/CapitalPool.sol";
import {ModelRegistry} from "commonweight/ModelRegistry.sol";
import {ModelToken} from "commonweight/ModelToken.sol";
import {RevenueSplitter} from "commonweight/RevenueSplitter.sol";
import {IERC20Errors} from "@openzeppelin/contracts/interfaces/draft-IERC6093.sol";
import {Genesis} from "./Genesis.sol";

/// @title Random histories of a funding round and of revenue, beside a second account of every coin
contract FundsHandler is Genesis {
    uint256 private constant PEOPLE = 5;
    uint256 private constant SPECIAL = 5;
    bytes4 private constant BURN = IERC20Errors.ERC20InvalidReceiver.selector;

    // the pool
    mapping(address account => uint256) public depositOf;
    uint256 public deposited;
    uint256 public refunded;
    uint256 public paidByHolders;
    uint256 public bought;
    /// @dev What was let go of beyond what the holders had granted last.
    uint256 public unallotted;
    uint256 private _granted;
    uint256 public claimed;

    // the splitter
    mapping(uint256 id => mapping(address account => bool)) public released;
    mapping(address account => uint256) public earned;
    /// @dev When it came, the Unix second after its window.
    mapping(uint256 id => uint256) public sharedAt;
    mapping(uint256 id => mapping(address account => uint256)) public heldFor;
    mapping(uint256 id => uint256) public heldByAll;
    /// @dev Every change of a balance: who, when, and what it was from then on.
    mapping(address account => uint256[]) private _changedAt;
    mapping(address account => uint256[]) private _balances;
    uint256 public received;
    uint256 public paidOut;

    uint256 private constant MINTED = 3_000;
    /// @dev Shares of the pool's own tokens that came to it: no deposits.
    uint256 public sentToPool;

    constructor() {
        _deploy(new ModelRegistry(), "Funded", 2);
        _granted = pool.tokensFor(HARD_CAP);
        _mayMint(MINTED);
        for (uint256 i = 0; i < PEOPLE; ++i) {
            token.mint(bytes32(i + 1), _person(i), 100 * i + 13);
            _note(_person(i));
        }
        _wait(2 * REVENUE_WINDOW);
    }

    // ---- the pool

    /// @notice With approval or with a permit; what is beyond the hard cap is not taken.
    function deposit(uint256 seed) external {
        uint256 amount = _between(seed >> 8, 1, HARD_CAP);
        (address person, bytes memory call) = (_person(seed), abi.encodeCall(CapitalPool.deposit, (amount)));
        coin.print(person, amount);
        vm.prank(person);
        coin.approve(address(pool), amount);
        if (_status() != CapitalPool.Status.Open) {
            _refuse(person, address(pool), 0, call, CapitalPool.CapitalPoolWrongStatus.selector);
            return;
        }
        uint256 taken = amount < HARD_CAP - deposited ? amount : HARD_CAP - deposited;
        if (taken == 0) return _refuse(person, address(pool), 0, call, CapitalPool.CapitalPoolDepositTooSmall.selector);
        uint256 whole = pool.tokensFor(depositOf[person] + taken);
        if (whole == 0) return;
        if (whole - pool.tokensFor(depositOf[person]) > token.budgetOf(address(pool))) {
            // who withdrew after the holders took the budget gave none of it back
            return _refuse(person, address(pool), 0, call, ModelToken.ModelTokenBudgetExceeded.selector);
        }
        vm.prank(person);
        vm.assertEq(pool.deposit(amount), taken, "what is taken is what fits");
        depositOf[person] += taken;
        deposited += taken;
    }

    /// @notice While the round is open a deposit comes back whole.
    function withdraw(uint256 seed) external {
        address person = _person(seed);
        bytes memory call = abi.encodeCall(CapitalPool.withdraw, ());
        if (_status() != CapitalPool.Status.Open) {
            _refuse(person, address(pool), 0, call, CapitalPool.CapitalPoolWrongStatus.selector);
            return;
        }
        if (_now() >= pool.withdrawUntil()) {
            _refuse(person, address(pool), 0, call, CapitalPool.CapitalPoolDepositsStay.selector);
            return;
        }
        if (seed % 4 > 0) return;
        uint256 amount = depositOf[person];
        if (amount > 0) {
            uint256 before = coin.balanceOf(person);
            _noteLetGo(amount);
            vm.prank(person);
            pool.withdraw();
            vm.assertEq(coin.balanceOf(person) - before, amount, "the deposit comes back whole");
            (depositOf[person], deposited) = (0, deposited - amount);
        }
        _refuse(person, address(pool), 0, call, CapitalPool.CapitalPoolNothingDeposited.selector);
    }

    /// @notice Until the money is released a buyer leaves with what it paid, instead of its tokens.
    function exit(uint256 seed) external {
        address person = _person(seed);
        bytes memory call = abi.encodeCall(CapitalPool.exit, ());
        CapitalPool.Status found = _status();
        if (found == CapitalPool.Status.Open) {
            return _refuse(person, address(pool), 0, call, CapitalPool.CapitalPoolWrongStatus.selector);
        }
        if (found == CapitalPool.Status.Succeeded && _now() >= _releaseAt()) {
            return _refuse(person, address(pool), 0, call, CapitalPool.CapitalPoolMoneyReleased.selector);
        }
        uint256 amount = depositOf[person];
        if (amount == 0) return _refuse(person, address(pool), 0, call, CapitalPool.CapitalPoolNothingDeposited.selector);
        if (seed % 4 > 0) return;
        uint256 coins = coin.balanceOf(person);
        _noteLetGo(amount);
        vm.prank(person);
        pool.exit();
        vm.assertEq(coin.balanceOf(person) - coins, amount, "with what it paid");
        (depositOf[person], refunded) = (0, refunded + amount);
        _refuse(person, address(pool), 0, call, CapitalPool.CapitalPoolNothingDeposited.selector);
    }

    /// @notice A round that failed pays each deposit back, once.
    function refund(uint256 seed) external {
        address person = _person(seed);
        bytes memory call = abi.encodeCall(CapitalPool.refund, (person));
        if (_status() != CapitalPool.Status.Failed) {
            _refuse(person, address(pool), 0, call, CapitalPool.CapitalPoolWrongStatus.selector);
            return;
        }
        uint256 amount = depositOf[person];
        if (amount > 0) {
            uint256 before = coin.balanceOf(person);
            _noteLetGo(amount);
            pool.refund(person);
            vm.assertEq(coin.balanceOf(person) - before, amount, "the deposit comes back whole");
            (depositOf[person], refunded) = (0, refunded + amount);
        }
        _refuse(person, address(pool), 0, call, CapitalPool.CapitalPoolNothingDeposited.selector);
    }

    /// @notice A round that succeeded pays each deposit in tokens, once.
    function claim(uint256 seed) external {
        address person = _person(seed);
        bytes memory call = abi.encodeCall(CapitalPool.claim, (person));
        if (_status() != CapitalPool.Status.Succeeded) {
            _refuse(person, address(pool), 0, call, CapitalPool.CapitalPoolWrongStatus.selector);
            return;
        }
        if (depositOf[person] > 0) {
            if (token.mintingPaused()) {
                return _refuse(person, address(pool), 0, call, ModelToken.ModelTokenMintingPaused.selector);
            }
            uint256 before = token.balanceOf(person);
            uint256 due = depositOf[person] * 3 / 2;
            if (_now() < _releaseAt()) {
                _refuse(address(this), address(pool), 0, call, CapitalPool.CapitalPoolAccountMustClaim.selector);
                vm.prank(person);
            }
            pool.claim(person);
            _note(person);
            vm.assertEq(token.balanceOf(person) - before, due, "tokens at the price");
            (claimed, depositOf[person], bought) = (claimed + depositOf[person], 0, bought + due);
        }
        _refuse(person, address(pool), 0, call, CapitalPool.CapitalPoolNothingDeposited.selector);
    }

    /// @notice The holders alone pay out of it, when nobody may leave any more, and no more than there is.
    function pay(uint256 seed) external {
        uint256 amount = _between(seed, 1, HARD_CAP);
        bytes memory call = abi.encodeCall(CapitalPool.pay, (_person(seed), amount));
        if (_now() < _releaseAt()) {
            return _refuse(address(timelock), address(pool), 0, call, CapitalPool.CapitalPoolBuyersMayLeave.selector);
        }
        uint256 held = deposited - refunded - paidByHolders;
        if (_status() == CapitalPool.Status.Failed) held = claimed - paidByHolders; // what claimers paid, and no more
        if (amount > held) amount = held; // who leaves in the last second cuts it
        uint256 before = coin.balanceOf(_person(seed));
        vm.prank(address(timelock));
        (bool done,) = address(pool).call(call);
        vm.assertTrue(done, "no payment is refused");
        paidByHolders += amount;
        vm.assertEq(coin.balanceOf(_person(seed)) - before, amount, "whom the holders pay has it");
    }

    /// @notice One history in about forty is one of a round that the timelock ended.
    function cancel(uint256 seed) external {
        if (_status() != CapitalPool.Status.Open || seed % 8 > 0) return;
        vm.prank(address(timelock));
        pool.cancel();
    }

    /// @notice The holders stop minting, no pause at once after another, and resume it.
    function pauseMinting(uint256 seed) external {
        bool paused = seed % 3 == 0;
        uint256 until = token.pausedUntil();
        if (paused && until != 0 && _now() < until + token.LONGEST_PAUSE()) {
            bytes memory call = abi.encodeCall(token.setMintingPaused, (true));
            return _refuse(address(timelock), address(token), 0, call, ModelToken.ModelTokenPauseTooSoon.selector);
        }
        vm.prank(address(timelock));
        token.setMintingPaused(paused);
    }

    /// @notice The holders take back what budget they can: what was sold stays.
    function takeBudget(uint256 seed) external {
        if (seed % 3 > 0) return;
        uint256 budget = token.budgetOf(address(pool));
        vm.startPrank(address(timelock));
        token.setBudget(address(pool), 0);
        token.setBudget(address(pool), budget);
        vm.stopPrank();
        _granted = budget;
    }

    /// @dev What lifts the budget above what was granted last is nobody's.
    function _noteLetGo(uint256 amount) private {
        uint256 room = _granted - token.budgetOf(address(pool));
        uint256 tokens = pool.tokensFor(amount);
        if (tokens > room) unallotted += tokens - room;
    }

    /// @notice Past the deadline the round is decided, and later its money is released.
    function closePool(uint256 seed) external {
        if (seed % 4 > 0) return;
        if (_status() == CapitalPool.Status.Open) vm.warp(pool.deadline());
        else if (_status() == CapitalPool.Status.Succeeded && _now() < _releaseAt()) vm.warp(_releaseAt());
    }

    // ---- the splitter

    function distribute(uint256 seed) external {
        uint256 amount = _between(seed, 1, 1_000_000);
        coin.print(address(this), amount);
        coin.approve(address(splitter), amount);
        if (_pausedLately()) {
            bytes memory call = abi.encodeCall(RevenueSplitter.distribute, (coin, amount));
            return _refuse(address(this), address(splitter), 0, call, RevenueSplitter.RevenueSplitterSharedInPause.selector);
        }
        _shared(splitter.distribute(coin, amount), amount);
    }

    /// @notice Revenue that came by a plain transfer.
    function distributeSurplus(uint256 seed) external {
        if (_pausedLately()) return; // it would lie there, and be shared with the next
        uint256 amount = _between(seed, 1, 1_000_000);
        coin.print(address(splitter), amount);
        _shared(splitter.distributeSurplus(coin), amount);
    }

    /// @dev What is shared now would be shared for a window that touches a pause.
    function _pausedLately() private view returns (bool) {
        uint256 until = token.pausedUntil();
        return until != 0 && until > _now() - 1 - REVENUE_WINDOW;
    }

    function _shared(uint256 id, uint256 amount) private {
        sharedAt[id] = _now();
        address[] memory all = accounts();
        for (uint256 i = 0; i < all.length; ++i) {
            if (_shares(all[i])) heldFor[id][all[i]] = _heldFor(all[i], _now());
            heldByAll[id] += heldFor[id][all[i]];
        }
        received += amount;
    }

    /// @notice A share is what was held in the window and for how long, whatever was transferred since; it is paid once.
    function release(uint256 seed) external {
        if (splitter.distributions() == 0) return;
        (address person, uint256 id) = (_account(seed), _between(seed >> 8, 1, splitter.distributions()));
        RevenueSplitter.Distribution memory d = splitter.distributionOf(id);
        bytes memory call = abi.encodeCall(RevenueSplitter.release, (id, person));
        uint256 held = heldFor[id][person];
        if (released[id][person] || held == 0) {
            bytes4 why = released[id][person] ? RevenueSplitter.RevenueSplitterAlreadyReleased.selector : RevenueSplitter.RevenueSplitterNoShare.selector;
            _refuse(person, address(splitter), 0, call, why);
            return;
        }
        uint256 before = coin.balanceOf(person);
        splitter.release(id, person);
        uint256 paid = coin.balanceOf(person) - before;
        if (person == address(pool)) sentToPool += paid;
        // a release adds at most one unit out of the fractions that earlier ones left
        uint256 share = d.amount * held / heldByAll[id];
        vm.assertLe(paid, share + 2, "nobody gets more than its share");
        vm.assertGe(paid + 1, share, "nobody gets less than its share");
        released[id][person] = true;
        earned[person] += paid;
        paidOut += paid;
    }

    // ---- holders

    /// @notice Nothing that is transferred after a window changes a share: seen as soon as it is done.
    function transfer(uint256 seed) external {
        (address from, address to) = (_person(seed), _account(seed >> 8));
        if (to == address(0)) return _refuse(from, address(token), 0, abi.encodeCall(token.transfer, (to, 0)), BURN);
        uint256 count = splitter.distributions();
        (uint256 one, uint256 two) = count == 0 ? (0, 0) : _sharesOf(count, from, to);
        uint256 amount = _between(seed >> 16, 0, token.balanceOf(from));
        vm.prank(from);
        token.transfer(to, amount);
        _note(from);
        _note(to);
        if (count == 0) return;
        (uint256 afterOne, uint256 afterTwo) = _sharesOf(count, from, to);
        vm.assertTrue(one == afterOne && two == afterTwo, "a transfer after the window changes nothing");
    }

    function wait(uint256 seed) external {
        _wait(_between(seed, 1, 2 * REVENUE_WINDOW));
    }

    // ---- what invariants ask

    function people() external pure returns (address[] memory found) {
        found = new address[](PEOPLE);
        for (uint256 i = 0; i < PEOPLE; ++i) found[i] = _person(i);
    }

    /// @notice People, and what no person has: zero, the splitter, the token, the timelock, the pool.
    function accounts() public view returns (address[] memory found) {
        found = new address[](PEOPLE + SPECIAL);
        for (uint256 i = 0; i < found.length; ++i) found[i] = _account(i);
    }

    // ---- parts

    /// @dev Now and then one that is no person's.
    function _account(uint256 seed) private view returns (address) {
        uint256 place = seed % (PEOPLE + SPECIAL);
        if (place < PEOPLE) return _person(place);
        return [address(0), address(splitter), address(token), address(timelock), address(pool)][place - PEOPLE];
    }

    function _note(address account) private {
        _changedAt[account].push(_now());
        _balances[account].push(token.balanceOf(account));
    }

    /// @dev Tokens times seconds in the window before that moment, added up change by change.
    function _heldFor(address account, uint256 moment) private view returns (uint256 sum) {
        (uint256 until, uint256 from) = (moment - 1, moment - 1 - REVENUE_WINDOW);
        uint256[] storage times = _changedAt[account];
        for (uint256 i = 0; i < times.length; ++i) {
            uint256 start = times[i] > from ? times[i] : from;
            uint256 end = i + 1 < times.length && times[i + 1] < until ? times[i + 1] : until;
            if (end > start) sum += _balances[account][i] * (end - start);
        }
    }

    /// @dev Nobody shares under the zero address, which no tokens reach, nor the splitter in what it pays itself.
    function _shares(address account) private view returns (bool) {
        return account != address(0) && account != address(splitter);
    }

    function _sharesOf(uint256 id, address one, address two) private view returns (uint256, uint256) {
        return (splitter.releasable(id, one), splitter.releasable(id, two));
    }

    /// @dev By the rules alone: the hard cap, else the deadline, and the soft cap with all who are left.
    function _status() private view returns (CapitalPool.Status) {
        if (pool.cancelled()) return CapitalPool.Status.Failed;
        if (_now() < pool.deadline()) return CapitalPool.Status.Open;
        return deposited - refunded >= SOFT_CAP ? CapitalPool.Status.Succeeded : CapitalPool.Status.Failed;
    }

    function _releaseAt() private view returns (uint256) {
        return pool.deadline() + SETTLEMENT;
    }

    function _person(uint256 seed) private pure returns (address) {
        return address(uint160(0xB0B0000 + seed % PEOPLE));
    }
}
