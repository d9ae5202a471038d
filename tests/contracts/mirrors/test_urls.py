"""Addresses of mirrors: which may be reached, and a name that means something else."""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from contracts.mirrors.urls import InvalidMirrorAddress, Target, Url, check_public, find, parse_url

pytestmark = pytest.mark.unit


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("https://mirror.example", Url("https", "mirror.example", 443, "")),
        ("http://mirror.example:8080/a/b/", Url("http", "mirror.example", 8080, "/a/b")),
        ("http://9.9.9.9", Url("http", "9.9.9.9", 80, "")),
        ("https://[2620:fe::fe]:1/", Url("https", "2620:fe::fe", 1, "")),
    ],
)
def test_a_plain_url_is_taken_apart(text: str, expected: Url) -> None:
    assert parse_url(text, loopback=False) == expected


@pytest.mark.parametrize(
    "text",
    [
        "",
        "mirror.example",
        "ftp://mirror.example",
        "file:///etc/passwd",
        "https://",
        "https://user@mirror.example",
        "https://user:word@mirror.example",
        "https://mirror.example@9.9.9.9",
        "https://mirror.example?x=1",
        "https://mirror.example/#x",
        "https://mirror.example/a b",
        "https://mirror.example\\@9.9.9.9",
        "https://mirror.example:x",
        "https://mirror.example:70000",
        "https://[::1",
        "https://mirr%2e.example",
        "https://mirror.example/" + "a" * 200,
        "https://mirrör.example",
        "http://127.0.0.1:80",
        "http://10.0.0.1",
        "http://[::1]",
    ],
)
def test_any_other_url_is_refused(text: str) -> None:
    with pytest.raises(InvalidMirrorAddress):
        parse_url(text, loopback=False)


@pytest.mark.parametrize(
    "ip",
    [
        "127.0.0.1",
        "127.8.8.8",
        "::1",
        "::ffff:127.0.0.1",
        "0.0.0.0",
        "::",
        "10.1.2.3",
        "172.16.0.1",
        "192.168.1.1",
        "100.64.0.1",
        "100.100.100.200",
        "169.254.169.254",
        "::ffff:169.254.169.254",
        "168.63.129.16",
        "fe80::1",
        "fc00::1",
        "fd00:ec2::254",
        "fec0::1",
        "::ffff:0:127.0.0.1",
        "3fff::1",
        "5f00::1",
        "64:ff9b::7f00:1",
        "2002:7f00:1::",
        "::7f00:1",
        "224.0.0.1",
        "ff02::1",
        "240.0.0.1",
        "255.255.255.255",
    ],
)
def test_an_address_that_is_not_public_is_refused(ip: str) -> None:
    with pytest.raises(InvalidMirrorAddress):
        check_public(ip, loopback=False)


@pytest.mark.parametrize("ip", ["127.0.0.1", "::1", "::ffff:127.0.0.1", "9.9.9.9", "2620:fe::fe"])
def test_loopback_is_taken_where_the_deployment_says_so(ip: str) -> None:
    check_public(ip, loopback=True)


def test_private_addresses_stay_refused_beside_loopback() -> None:
    with pytest.raises(InvalidMirrorAddress):
        check_public("10.0.0.1", loopback=True)


def test_a_name_goes_to_the_address_that_was_checked() -> None:
    target = asyncio.run(find("https://mirror.example:1/a", False, lambda host, port: ["9.9.9.9"]))
    assert target == Target(Url("https", "mirror.example", 1, "/a"), "9.9.9.9")
    assert (target.base(), target.host_header()) == ("https://9.9.9.9:1/a", "mirror.example:1")


@pytest.mark.parametrize("found", [["127.0.0.1"], ["9.9.9.9", "10.0.0.1"], []], ids=["own", "one of two", "none"])
def test_a_name_that_means_a_private_machine_is_refused(found: list[str]) -> None:
    with pytest.raises(InvalidMirrorAddress):
        asyncio.run(find("https://mirror.example", False, lambda host, port: found))


def test_an_ipv6_address_stands_in_brackets() -> None:
    target = asyncio.run(find("http://[2620:fe::fe]:8080", False, lambda host, port: [host]))
    assert (target.base(), target.host_header()) == ("http://[2620:fe::fe]:8080", "[2620:fe::fe]:8080")


def test_an_address_that_its_user_chose_may_be_any_machine() -> None:
    target = asyncio.run(find("http://server:8000", False, lambda host, port: ["10.0.0.7"], chosen=True))
    assert target.base() == "http://10.0.0.7:8000"
    assert asyncio.run(find("http://10.0.0.7", False, lambda host, port: [host], chosen=True)).ip == "10.0.0.7"


def test_a_name_is_resolved_though_all_threads_of_the_loop_wait() -> None:
    """Each of them may be waiting for what the name leads to."""
    over = threading.Event()

    async def play() -> Target:
        loop = asyncio.get_running_loop()
        loop.set_default_executor(ThreadPoolExecutor(1))
        waits = loop.run_in_executor(None, over.wait)
        try:
            async with asyncio.timeout(20):
                return await find("https://mirror.example", False, lambda host, port: ["9.9.9.9"])
        finally:
            over.set()
            await waits

    assert asyncio.run(play()).ip == "9.9.9.9"
