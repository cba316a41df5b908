"""Many large pictures at once wait in line, so that the memory holds a few of them."""

import asyncio

from bot.chats.contract import Request, Upload
from bot.desk.requests import AT_ONCE, Requests
from tests.desk.here import ANN, Here, tools


class Reads:
    """Counts how many read at the same time."""

    def __init__(self) -> None:
        self.now = self.most = self.done = 0

    async def read(self, _: int) -> bytes:
        self.now += 1
        self.most = max(self.most, self.now)
        for _turn in range(20):
            await asyncio.sleep(0)
        self.now -= 1
        self.done += 1
        return b"jpeg"


async def test_no_more_than_a_few_uploads_are_in_memory_at_once_and_all_get_their_turn(here: Here) -> None:
    reads = Reads()
    requests = Requests(tools(here.store, here.files))

    async def ask(number: int) -> None:
        upload = Upload("a.png", "image/png", 4, reads.read)
        quote = await requests.consider(ANN, Request(str(number), "it moves", (upload,)))
        await requests._look_at_pictures(quote)

    await asyncio.gather(*(ask(number) for number in range(40)))
    assert (reads.most, reads.done) == (AT_ONCE, 40)


async def test_a_read_that_fails_gives_its_room_to_the_next(here: Here) -> None:
    requests = Requests(tools(here.store, here.files))

    async def broken(_: int) -> bytes:
        raise OSError("the line is cut")

    reads = Reads()
    good, bad = Upload("a.png", "image/png", 4, reads.read), Upload("a.png", "image/png", 4, broken)
    uploads = [bad] * (2 * AT_ONCE) + [good]
    for number, upload in enumerate(uploads):
        quote = await requests.consider(ANN, Request(str(number), "it moves", (upload,)))
        await asyncio.gather(requests._look_at_pictures(quote), return_exceptions=True)
    assert reads.done == 1
