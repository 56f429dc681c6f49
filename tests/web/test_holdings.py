"""What an actor may read is remembered for a moment: how long, and what is told while it is asked anew."""

import asyncio
import threading
import time

import pytest

from pulvinar.catalogue.assets import resolve
from pulvinar.errors import NotFound
from pulvinar.model.access import LOCAL_OWNER
from pulvinar.web.holdings import Holdings


class Slow:
    """The catalogue's answers, which wait until they are let go."""

    def __init__(self) -> None:
        self.asked = 0
        self.gone = False
        self.let_go = threading.Event()
        self.let_go.set()

    def __call__(self, *question):
        self.asked += 1
        assert self.let_go.wait(20)
        if self.gone:
            raise NotFound("it is there no more")
        return resolve(*question)


@pytest.fixture
def slow(monkeypatch):
    made = Slow()
    monkeypatch.setattr("pulvinar.web.holdings.resolve", made)
    yield made
    made.let_go.set()


@pytest.fixture
def make(platform):
    made = []

    def with_times(**times) -> Holdings:
        made.append(Holdings(platform.database, **times))
        return made[-1]

    yield with_times
    for one in made:
        one.close()


@pytest.fixture
def asset(image):
    return LOCAL_OWNER, image.version.digest, image.asset.id


def test_what_was_told_holds_while_it_is_asked_anew_and_no_longer_than_is_allowed(make, slow, asset):
    holdings = make(lifetime_s=0.2, longest_s=0.6)

    async def work() -> None:
        first = await holdings.find(*asset)
        slow.let_go.clear()
        await asyncio.sleep(0.1)
        # asked anew beside the answer
        assert holdings.at_once(*asset) is first
        await asyncio.sleep(0.2)
        # it is over, but the question is under way
        assert holdings.at_once(*asset) is first
        await asyncio.sleep(0.4)
        assert holdings.at_once(*asset) is None
        slow.let_go.set()
        assert (await holdings.find(*asset)).asset == first.asset

    asyncio.run(work())
    assert slow.asked == 2


def test_what_nobody_asked_for_meanwhile_is_asked_about_first(make, slow, asset):
    holdings = make(lifetime_s=0.1, longest_s=60)

    async def work() -> None:
        await holdings.find(*asset)
        await asyncio.sleep(0.2)
        assert holdings.at_once(*asset) is None
        slow.gone = True
        with pytest.raises(NotFound):
            await holdings.find(*asset)
        assert holdings.at_once(*asset) is None

    asyncio.run(work())


def test_an_answer_is_there_for_the_next_request_of_the_same_turn(make, slow, asset):
    holdings = make(lifetime_s=0.2, longest_s=60)

    async def work() -> None:
        first = await holdings.find(*asset)
        await asyncio.sleep(0.1)
        assert holdings.at_once(*asset) is first
        # the loop does not turn meanwhile
        end = time.monotonic() + 20
        while holdings.at_once(*asset) is first:
            assert time.monotonic() < end
            time.sleep(0.01)
        assert holdings.at_once(*asset) is not None

    asyncio.run(work())


def test_what_may_be_seen_no_more_is_told_at_once(make, slow, asset):
    holdings = make(lifetime_s=0.2, longest_s=60)

    async def work() -> None:
        await holdings.find(*asset)
        slow.gone = True
        await asyncio.sleep(0.1)
        holdings.at_once(*asset)
        end = time.monotonic() + 20
        while holdings.at_once(*asset) is not None:
            assert time.monotonic() < end
            await asyncio.sleep(0.01)

    asyncio.run(work())
    assert slow.asked == 2


def test_many_who_wait_share_one_question(make, slow, asset):
    holdings = make()

    async def work() -> set[int]:
        found = await asyncio.gather(*(holdings.find(*asset) for _ in range(50)))
        return {id(one) for one in found}

    assert len(asyncio.run(work())) == 1
    assert slow.asked == 1
