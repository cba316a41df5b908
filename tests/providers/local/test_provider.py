"""The provider with real children: started, killed, found again after a restart, cancelled, swept."""

import asyncio
import os
import shutil
import signal
import time
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import av
import msgspec
import pytest

from providers.contract import (
    AnimationRequest,
    Busy,
    Cancelled,
    Finished,
    Misconfigured,
    Picture,
    Progress,
    Reason,
    Recovery,
    Refused,
    Rendering,
    Ticket,
    VideoProvider,
    Waiting,
)
from providers.local import Provider, Settings, child, folders

RequestOf = Callable[..., AnimationRequest]
LONG: dict[str, Any] = {"seconds": 10, "resolution": "480p"}  # long enough to be caught at work


async def until(holds: Callable[[], Awaitable[object]]) -> None:
    """Poll a condition, with a deadline: the only place here that waits."""
    deadline = time.monotonic() + 60
    while not await holds():
        assert time.monotonic() < deadline, "it never came true"
        await asyncio.sleep(0.02)


async def finished(provider: Provider, ticket: Ticket) -> Finished:
    seen: list[Progress] = []

    async def over() -> bool:
        seen.append(await provider.check(ticket))
        return isinstance(seen[-1], Finished)

    await until(over)
    assert isinstance(seen[-1], Finished)
    return seen[-1]


async def at_work(provider: Provider, ticket: Ticket) -> None:
    """Wait for the first frames."""

    async def drawing() -> bool:
        match await provider.check(ticket):
            case Rendering(fraction=float(part)) if part > 0:
                return True
        return False

    await until(drawing)


class Process(NamedTuple):
    pid: int
    state: str
    parent: int
    command: str


def processes() -> list[Process]:
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                state, parent = (entry / "stat").read_text().rpartition(")")[2].split()[:2]
                command = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode()
            except (FileNotFoundError, ProcessLookupError):
                continue
            found.append(Process(int(entry.name), state, int(parent), command))
    return found


def children(folder: Path) -> list[int]:
    return [p.pid for p in processes() if "providers.local.render" in p.command and str(folder) in p.command]


async def one_child(folder: Path) -> bool:
    """Tell whether one runs: what was started this very moment may have no command line yet."""
    return len(children(folder)) == 1


async def let_go(job: Path) -> bool:
    """Tell whether the last thread of a killed child is gone: its lock is."""
    with folders.locked(job) as held:
        return held is not None


async def no_zombies() -> bool:
    return not any(p.state == "Z" and p.parent == os.getpid() for p in processes())


@pytest.fixture
def provider(tmp_path: Path) -> Provider:
    return Provider(Settings(), tmp_path / "local")


async def test_a_request_becomes_a_video_and_leaves_no_zombie(
    provider: Provider, request_of: RequestOf, tmp_path: Path
) -> None:
    ticket = await provider.submit(request_of("slow zoom in while panning left", aspect="16:9"), "job-1")
    done = await finished(provider, ticket)
    assert (done.cost, done.note) == (0, "Slow zoom in while panning left.")
    out = tmp_path / "out.mp4"
    for _ in range(2):  # fetching is repeatable
        await provider.fetch(done.source, out)
    with av.open(str(out), format="mp4") as container:
        assert sum(1 for _ in container.decode(video=0)) == 48
        assert container.streams.video[0].width == 284
    assert [path.name for path in tmp_path.iterdir() if "part" in path.name] == []
    assert isinstance(await provider.check(ticket), Finished)
    await provider.close()
    await until(no_zombies)


async def test_the_same_key_twice_is_one_job(provider: Provider, request_of: RequestOf, tmp_path: Path) -> None:
    assert provider.recovery is Recovery.RESEND
    assert await provider.find("job-1", 0) is None
    first = await provider.submit(request_of(), "job-1")
    await finished(provider, first)
    again = await provider.submit(request_of("rotate"), "job-1")
    assert again == first == await provider.find("job-1", 0)
    assert isinstance(await provider.check(again), Finished)
    assert len(list((tmp_path / "local" / "jobs").iterdir())) == 1


async def test_submitting_one_key_many_times_at_once_starts_one_child(
    provider: Provider, request_of: RequestOf, tmp_path: Path
) -> None:
    tickets = await asyncio.gather(*(provider.submit(request_of(**LONG), "job-1") for _ in range(8)))
    assert len(set(tickets)) == 1
    await until(partial(one_child, tmp_path))
    assert (tmp_path / "local/jobs/job-1/starts").read_bytes() == b"."
    await provider.cancel(tickets[0])


async def test_a_killed_child_is_rendered_again(provider: Provider, request_of: RequestOf, tmp_path: Path) -> None:
    ticket = await provider.submit(request_of(**LONG), "job-1")
    await at_work(provider, ticket)
    (child,) = children(tmp_path)
    os.kill(child, signal.SIGKILL)
    assert (await finished(provider, ticket)).source == "job-1"
    assert (tmp_path / "local/jobs/job-1/starts").read_bytes() == b".."
    await until(no_zombies)


async def test_a_child_that_dies_three_times_is_given_up(
    provider: Provider, request_of: RequestOf, tmp_path: Path
) -> None:
    ticket = await provider.submit(request_of(**LONG), "job-1")
    for _ in range(3):
        await at_work(provider, ticket)
        (child,) = children(tmp_path)
        os.kill(child, signal.SIGKILL)
        await until(partial(let_go, tmp_path / "local/jobs/job-1"))
    with pytest.raises(Refused, match="died 3 times") as refused:
        await provider.check(ticket)
    assert refused.value.reason is Reason.FAILED


async def test_a_render_outlives_our_restart(provider: Provider, request_of: RequestOf, tmp_path: Path) -> None:
    ticket = await provider.submit(request_of(**LONG), "job-1")
    await at_work(provider, ticket)
    (child,) = children(tmp_path)
    assert os.getsid(child) == child  # a Ctrl-C at our terminal does not reach it
    await provider.close()
    reborn = Provider(Settings(), tmp_path / "local")
    assert isinstance(await reborn.check(ticket), Rendering)
    await finished(reborn, ticket)
    assert (tmp_path / "local/jobs/job-1/starts").read_bytes() == b"."


async def test_a_job_whose_folder_was_made_when_we_died_is_started_when_polled(
    provider: Provider, request_of: RequestOf, monkeypatch: pytest.MonkeyPatch
) -> None:
    def die(job: Path, held: int) -> None:  # noqa: ARG001 - as `child.start`
        raise KeyboardInterrupt

    monkeypatch.setattr(child, "start", die)
    with pytest.raises(KeyboardInterrupt):
        provider._submit(request_of(), "job-1")
    monkeypatch.undo()
    await finished(provider, await provider.submit(request_of(), "job-1"))


async def test_two_providers_on_one_folder_never_render_one_job_twice(
    provider: Provider, request_of: RequestOf, tmp_path: Path
) -> None:
    both = [provider, Provider(Settings(), tmp_path / "local")]
    ticket = await provider.submit(request_of(**LONG), "job-1")
    await at_work(provider, ticket)
    (old,) = children(tmp_path)
    os.kill(old, signal.SIGKILL)
    await until(partial(let_go, tmp_path / "local/jobs/job-1"))
    polls = await asyncio.gather(*(each.check(ticket) for each in both * 8))
    assert all(isinstance(progress, Rendering) for progress in polls)
    await until(partial(one_child, tmp_path))
    assert (tmp_path / "local/jobs/job-1/starts").read_bytes() == b".."
    assert await both[1].cancel(ticket) is Cancelled.FREE


async def test_two_providers_on_one_folder_render_no_more_at_once_than_one(
    provider: Provider, request_of: RequestOf, tmp_path: Path
) -> None:
    sibling = Provider(Settings(), tmp_path / "local")
    one = await provider.submit(request_of(**LONG), "job-1")
    two = await sibling.submit(request_of(), "job-2")
    assert await sibling.check(two) == Waiting()
    await until(partial(one_child, tmp_path))
    assert await provider.cancel(one) is Cancelled.FREE
    await finished(sibling, two)


async def test_many_found_dead_are_not_started_again_all_at_once(
    provider: Provider, request_of: RequestOf, tmp_path: Path
) -> None:
    roomy = Provider(Settings(renders_at_once=3), tmp_path / "local")
    tickets = [await roomy.submit(request_of(**{**LONG, "seconds": 60}), f"job-{n}") for n in range(3)]
    for ticket in tickets:
        await at_work(roomy, ticket)
    for pid in children(tmp_path):
        os.kill(pid, signal.SIGKILL)
    for n in range(3):
        await until(partial(let_go, tmp_path / f"local/jobs/job-{n}"))
    assert [await provider.check(ticket) for ticket in tickets] == [Rendering(), Waiting(), Waiting()]
    await until(partial(one_child, tmp_path))
    assert [folders.count_starts(tmp_path / f"local/jobs/job-{n}") for n in range(3)] == [2, 1, 1]
    await provider.cancel(tickets[0])
    await until(partial(let_go, tmp_path / "local/jobs/job-0"))
    assert [await provider.check(ticket) for ticket in tickets[1:]] == [Rendering(), Waiting()]
    for ticket in tickets:
        await provider.cancel(ticket)


async def test_a_cancelled_render_stops(provider: Provider, request_of: RequestOf, tmp_path: Path) -> None:
    ticket = await provider.submit(request_of(**{**LONG, "resolution": "720p"}), "job-1")
    await at_work(provider, ticket)
    assert await provider.cancel(ticket) is Cancelled.FREE
    assert await provider.cancel(ticket) is Cancelled.FREE
    with pytest.raises(Refused, match="cancelled"):
        await provider.check(ticket)
    await until(partial(let_go, tmp_path / "local/jobs/job-1"))
    assert not (tmp_path / "local/jobs/job-1/video.mp4").exists()


async def test_a_finished_render_can_not_be_cancelled(provider: Provider, request_of: RequestOf) -> None:
    ticket = await provider.submit(request_of(), "job-1")
    await finished(provider, ticket)
    assert await provider.cancel(ticket) is Cancelled.TOO_LATE
    assert isinstance(await provider.check(ticket), Finished)


@pytest.mark.parametrize("which", ["picture", "end picture"])
async def test_a_corrupt_picture_is_refused_and_named(
    provider: Provider, request_of: RequestOf, picture: Picture, which: str
) -> None:
    broken = Picture(picture.data[:3000], "image/jpeg", picture.width, picture.height)
    request = request_of(first=broken) if which == "picture" else request_of(last=broken)
    ticket = await provider.submit(request, "job-1")
    with pytest.raises(Refused) as refused:
        await finished(provider, ticket)
    assert (refused.value.reason, refused.value.which) == (Reason.FAILED, which)


async def test_the_prompt_is_nowhere_on_disk(provider: Provider, request_of: RequestOf, tmp_path: Path) -> None:
    await finished(provider, await provider.submit(request_of("zoom in on my secret garden"), "job-1"))
    for path in (tmp_path / "local").rglob("*"):
        assert path.is_dir() or b"secret garden" not in path.read_bytes()


@pytest.mark.parametrize("key", ["", "../up", "a/b", "A", "x" * 65, "a b"])
async def test_a_key_that_could_leave_the_folder_is_a_bug(provider: Provider, request_of: RequestOf, key: str) -> None:
    with pytest.raises(ValueError, match="A key is"):
        await provider.submit(request_of(), key)


@pytest.mark.parametrize("ticket", ["", "{}", '{"folder":"../up"}', '{"folder":"never-seen"}', "nonsense"])
async def test_a_ticket_without_a_folder_is_forgotten(provider: Provider, ticket: str) -> None:
    with pytest.raises(Refused) as refused:
        await provider.check(Ticket(ticket))
    assert refused.value.reason is Reason.FORGOTTEN


@pytest.mark.parametrize("asked", [{"aspect": "16:0"}, {"aspect": "wide"}, {"resolution": "huge"}, {"seconds": 9999}])
async def test_what_it_can_not_make_is_refused_at_once(
    provider: Provider, request_of: RequestOf, asked: dict[str, Any]
) -> None:
    with pytest.raises(Refused) as refused:
        await provider.submit(request_of(**asked), "job-1")
    assert refused.value.reason is Reason.UNSUPPORTED


async def test_a_full_disk_means_try_later_and_leaves_nothing(
    provider: Provider, request_of: RequestOf, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    free = shutil.disk_usage(tmp_path)._replace(free=1000)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: free)
    with pytest.raises(Busy, match="disk is full"):
        await provider.submit(request_of(), "job-1")
    with pytest.raises(Busy, match="disk is full"):
        await provider.ping()
    monkeypatch.undo()
    assert list((tmp_path / "local/jobs").iterdir()) == []
    assert await provider.ping() == "local: renders here, 1 at a time"


async def test_a_video_that_is_gone_is_busy_and_its_target_untouched(provider: Provider, tmp_path: Path) -> None:
    out = tmp_path / "out.mp4"
    out.write_bytes(b"as before")
    with pytest.raises(Busy):
        await provider.fetch("job-1", out)
    assert out.read_bytes() == b"as before"


def test_a_folder_that_is_a_file_is_the_operators_business(tmp_path: Path) -> None:
    (tmp_path / "local").write_text("a file")
    with pytest.raises(Misconfigured, match="read and write"):
        Provider(Settings(), tmp_path / "local")


async def test_old_folders_are_swept_but_not_what_was_never_fetched(
    provider: Provider, request_of: RequestOf, tmp_path: Path
) -> None:
    for key in ("fetched", "open", "young"):
        done = await finished(provider, await provider.submit(request_of(), key))
        if key != "open":
            await provider.fetch(done.source, tmp_path / f"{key}.mp4")
    for key in ("fetched", "open"):
        two_days_ago = time.time() - 2 * 86400
        os.utime(tmp_path / "local/jobs" / key, (two_days_ago, two_days_ago))
    Provider(Settings(), tmp_path / "local")
    assert {path.name for path in (tmp_path / "local/jobs").iterdir()} == {"open", "young"}


@pytest.mark.parametrize("toml", [{"renders_at_once": 0}, {"renders_at_once": "two"}, {"threads": 2}])
def test_settings_that_make_no_sense_name_their_key(toml: dict[str, object]) -> None:
    with pytest.raises(msgspec.ValidationError, match=r"renders_at_once|threads"):
        msgspec.convert(toml, Settings)


@pytest.mark.parametrize(("toml", "places"), [({}, 1), ({"renders_at_once": 3}, 3)])
def test_it_is_a_video_provider_with_as_many_places_as_renders_at_once(
    tmp_path: Path, toml: dict[str, object], places: int
) -> None:
    provider: VideoProvider = Provider(msgspec.convert(toml, Settings), tmp_path)
    assert (provider.recovery, provider.places) == (Recovery.RESEND, places)
