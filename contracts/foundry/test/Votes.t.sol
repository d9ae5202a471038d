// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IERC20Errors} from "@openzeppelin/contracts/interfaces/draft-IERC6093.sol";
import {ModelToken} from "commonweight/ModelToken.sol";
import {Cheats, Vm} from "./Cheats.sol";

/// @title Balances, votes and supply of every second, beside a second account of them
contract VotesTest is Cheats {
    uint256 private constant PEOPLE = 4;
    uint256 private constant STEPS = 40;
    uint256 private constant CAP = 1_000_000;

    ModelToken private _token;
    address[] private _people;
    mapping(address account => uint256) private _balance;
    mapping(address account => address) private _delegate;
    mapping(address account => uint256) private _told;
    uint256 private _supply;
    uint256 private _receipts;
    // what stood at the end of a second
    uint256[] private _seconds;
    mapping(uint256 second => uint256) private _supplyThen;
    mapping(uint256 second => mapping(address account => uint256)) private _balanceThen;
    mapping(uint256 second => mapping(address account => uint256)) private _votesThen;

    function setUp() external {
        _token = new ModelToken("Votes", "VOTE", CAP, address(this), address(this));
        _token.setBudget(address(this), CAP);
        _token.reserve(CAP);
        for (uint256 i = 1; i <= PEOPLE; ++i) _people.push(address(uint160(0x1000 + i)));
        vm.warp(1_000_000);
    }

    function testFuzz_votes_are_the_balances_of_who_lends_them(uint256 seed) external {
        vm.recordLogs();
        for (uint256 i = 0; i < STEPS; ++i) {
            _act(_derive(seed, i));
            _checkNow();
            _note();
            if (_derive(seed, STEPS + i) % 3 > 0) _wait(_between(_derive(seed, 2 * STEPS + i), 1, 1_000));
        }
        _wait(1);
        _checkPast();
        _checkSpan(_seconds[_between(seed, 0, _seconds.length - 1)], _seconds[_between(seed >> 64, 0, _seconds.length - 1)]);
    }

    /// @notice Whoever pays a receipt gives its holder its votes where it lends them to nobody, and moves none else.
    function testFuzz_a_receipt_gives_votes_that_are_lent_to_nobody(uint256 before, uint256 amount, uint256 lent) external {
        (address ann, address ben) = (_people[0], _people[1]);
        before = _between(before, 0, 1_000);
        amount = _between(amount, 0, 1_000);
        if (lent % 3 == 1) _lend(ann, ben);
        _mint(ben, 2_000);
        vm.prank(ben);
        _token.transfer(ann, before);
        if (lent % 3 == 2) _lend(ann, address(0));
        _mint(ann, amount);
        address whose = lent % 3 == 1 ? ben : ann;
        vm.assertEq(_token.delegates(ann), whose, "its own, unless it lends them");
        vm.assertEq(_token.getVotes(ann), lent % 3 == 1 ? 0 : before + amount, "with all that it has");
        vm.assertEq(_token.getVotes(ben), lent % 3 == 1 ? 2_000 + amount : 2_000 - before, "and no one else's");
    }

    function testFuzz_nobody_sends_more_than_it_has(uint256 has, uint256 more) external {
        has = _between(has, 0, 1_000);
        _mint(_people[0], has);
        bytes memory call = abi.encodeCall(_token.transfer, (_people[1], _between(more, has + 1, type(uint256).max)));
        _refuse(_people[0], address(_token), 0, call, IERC20Errors.ERC20InsufficientBalance.selector);
        vm.assertEq(_token.balanceOf(_people[0]), has, "it has what it had");
    }

    function _act(uint256 drawn) private {
        (address from, address to) = (_person(drawn >> 8), _person(drawn >> 16));
        uint256 kind = drawn % 4;
        if (kind == 0) {
            uint256 amount = _between(drawn >> 32, 0, 1_000);
            _mint(to, amount);
            if (_delegate[to] == address(0)) _delegate[to] = to;
            (_balance[to], _supply) = (_balance[to] + amount, _supply + amount);
        } else if (kind == 1) {
            address lent = (drawn >> 24) % 5 == 0 ? address(0) : to;
            _lend(from, lent);
            _delegate[from] = lent;
        } else {
            uint256 amount = kind == 2 ? _between(drawn >> 32, 0, _balance[from]) : _balance[from];
            vm.prank(from);
            _token.transfer(to, amount);
            _balance[from] -= amount;
            _balance[to] += amount;
        }
    }

    function _mint(address to, uint256 amount) private {
        _token.mint(bytes32(++_receipts), to, amount);
    }

    function _lend(address from, address to) private {
        vm.prank(from);
        _token.delegate(to);
    }

    function _person(uint256 seed) private view returns (address) {
        return _people[seed % PEOPLE];
    }

    function _votes(address account) private view returns (uint256 sum) {
        for (uint256 i = 0; i < PEOPLE; ++i) if (_delegate[_people[i]] == account) sum += _balance[_people[i]];
    }

    /// @dev What is, and what the events said: each begins where the last one of its delegate ended.
    function _checkNow() private {
        Vm.Log[] memory logs = vm.getRecordedLogs();
        for (uint256 i = 0; i < logs.length; ++i) {
            if (logs[i].topics[0] != keccak256("DelegateVotesChanged(address,uint256,uint256)")) continue;
            address delegate = address(uint160(uint256(logs[i].topics[1])));
            (uint256 before, uint256 afterwards) = abi.decode(logs[i].data, (uint256, uint256));
            vm.assertEq(before, _told[delegate], "an event begins where the last one ended");
            _told[delegate] = afterwards;
        }
        vm.assertEq(_token.totalSupply(), _supply, "supply");
        for (uint256 i = 0; i < PEOPLE; ++i) {
            address one = _people[i];
            vm.assertEq(_token.balanceOf(one), _balance[one], "balance");
            vm.assertEq(_token.delegates(one), _delegate[one], "delegate");
            vm.assertEq(_token.getVotes(one), _votes(one), "votes are the balances of who lends them");
            vm.assertEq(_told[one], _votes(one), "and what the events said");
        }
    }

    function _note() private {
        uint256 second = _now();
        if (_seconds.length == 0 || _seconds[_seconds.length - 1] != second) _seconds.push(second);
        _supplyThen[second] = _supply;
        for (uint256 i = 0; i < PEOPLE; ++i) {
            (_balanceThen[second][_people[i]], _votesThen[second][_people[i]]) = (_balance[_people[i]], _votes(_people[i]));
        }
    }

    function _checkPast() private view {
        for (uint256 k = 0; k < _seconds.length; ++k) {
            uint256 second = _seconds[k];
            vm.assertEq(_token.getPastTotalSupply(second), _supplyThen[second], "supply then");
            uint256 next = k + 1 < _seconds.length ? _seconds[k + 1] - 1 : second;
            for (uint256 i = 0; i < PEOPLE; ++i) {
                address one = _people[i];
                vm.assertEq(_token.getPastBalance(one, second), _balanceThen[second][one], "balance then");
                vm.assertEq(_token.getPastVotes(one, second), _votesThen[second][one], "votes then");
                vm.assertEq(_token.getPastVotes(one, next), _votesThen[second][one], "until the next change");
                vm.assertEq(_token.getPastVotes(one, _seconds[0] - 1), 0, "and none before the first");
            }
        }
    }

    /// @dev The supply that revenue is shared by is what holders held, to the unit and the second.
    function _checkSpan(uint256 from, uint256 until) private view {
        if (from > until) (from, until) = (until, from);
        uint256 held = 0;
        for (uint256 i = 0; i < PEOPLE; ++i) held += _token.tokenSeconds(_people[i], uint48(from), until);
        vm.assertEq(_token.supplySeconds(uint48(from), until), held, "supply-seconds are the sum of all token-seconds");
        uint256 expected = 0;
        for (uint256 k = 0; k < _seconds.length && _seconds[k] < until; ++k) {
            if (_seconds[k] < from) continue;
            uint256 end = k + 1 < _seconds.length && _seconds[k + 1] < until ? _seconds[k + 1] : until;
            expected += _supplyThen[_seconds[k]] * (end - _seconds[k]);
        }
        vm.assertEq(held, expected, "as they were");
    }
}
