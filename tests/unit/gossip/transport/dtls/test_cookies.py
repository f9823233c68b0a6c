"""Cookies: for one address, one hello, a limited time."""

from __future__ import annotations

import itertools

from tocsin.gossip.address import Address
from tocsin.gossip.transport.dtls.cookies import ROTATION, Cookies

HERE, HELLO = Address("10.0.0.1", 4000), b"parameters"


def cookies() -> Cookies:
    numbers = itertools.count()
    return Cookies(lambda: next(numbers).to_bytes(32, "big"))


def test_a_cookie_serves_its_address_and_its_hello_alone() -> None:
    jar = cookies()
    cookie = jar.make(HERE, HELLO, 0.0)
    assert len(cookie) == 32
    assert jar.check(cookie, HERE, HELLO, 1.0)
    assert not jar.check(cookie, Address("10.0.0.1", 4001), HELLO, 1.0)
    assert not jar.check(cookie, Address("10.0.0.2", 4000), HELLO, 1.0)
    assert not jar.check(cookie, HERE, b"other", 1.0)
    assert not jar.check(b"", HERE, HELLO, 1.0)
    assert not jar.check(bytes(32), HERE, HELLO, 1.0)


def test_the_same_hello_gets_the_same_cookie_so_that_a_doubled_one_does_no_harm() -> None:
    jar = cookies()
    assert jar.make(HERE, HELLO, 0.0) == jar.make(HERE, HELLO, 1.0)


def test_a_cookie_outlives_one_change_of_the_secret_and_not_two() -> None:
    jar = cookies()
    cookie = jar.make(HERE, HELLO, 0.0)
    assert jar.check(cookie, HERE, HELLO, ROTATION + 1)
    assert not jar.check(cookie, HERE, HELLO, 2 * ROTATION + 2)


def test_a_cookie_does_not_outlive_a_quiet_time() -> None:
    jar = cookies()
    cookie = jar.make(HERE, HELLO, 0.0)
    assert not jar.check(cookie, HERE, HELLO, 10 * ROTATION)


def test_a_cookie_of_another_process_is_refused() -> None:
    other = Cookies(lambda: b"x" * 32).make(HERE, HELLO, 0.0)
    assert not cookies().check(other, HERE, HELLO, 0.0)
