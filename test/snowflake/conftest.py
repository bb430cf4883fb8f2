"""One stand-in for Snowflake for all tests of a session; each test names a database of its own."""

import itertools
from collections.abc import Callable, Iterator

import pytest

from test.snowflake.stand_in import StandIn, running

_numbers = itertools.count(1)


@pytest.fixture(scope="session")
def stand_in() -> Iterator[StandIn]:
    with running() as started:
        yield started


@pytest.fixture(scope="session")
def new_database() -> Callable[[], str]:
    """Give a name that no other test uses: the stand-in makes a database when somebody connects to it."""
    return lambda: f"DB{next(_numbers)}"


@pytest.fixture
def snowflake_database(new_database: Callable[[], str]) -> str:
    return new_database()
