"""What people do on Slack and what comes of it, through the whole house: from a click to a video, or one sentence."""

import json
import logging
import re
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import yarl

from bot.chats.contract import Act, Action, Actor, Press
from bot.chats.slack import FILE_HOSTS, events
from bot.domain.job import State
from tests.chats.slack_house import PICTURE, TOY, House, house
from tests.chats.test_slack_connection import free_port
from tests.fakes import slack_faults as faults
from tests.fakes.slack import Channel, Slack, Upload
from tests.fakes.slack_people import Person
from tests.fakes.slack_wire import Envelope


@pytest.fixture
async def here(tmp_path: Path) -> AsyncIterator[House]:
    async with Slack() as slack, house(tmp_path, slack) as found:
        yield found


@pytest.fixture
async def slow(tmp_path: Path) -> AsyncIterator[House]:
    async with Slack() as slack, house(tmp_path, slack, f"{TOY}\ntakes = 600") as found:
        yield found


def someone(here: House, name: str = "ann", **more: object) -> tuple[Person, Channel]:
    person = here.slack.person(name, **more)  # type: ignore[arg-type]  # a locale, a team, or a rank
    return person, here.slack.channel("general", person)


async def test_the_menu_asks_for_words_and_answers_in_the_thread_of_the_picture(here: House) -> None:
    slack, (ann, channel) = here.slack, someone(here)
    theirs = slack.person("bob").posts(channel, "my cat", [PICTURE]).message
    assert theirs
    act = ann.picks("animate_message", theirs)
    assert await act.acked() is None
    view = await act.view()
    await ann.fills(view, {"prompt": "it purrs & <runs>", "seconds": "10"}).acked()
    [job] = await here.all_closed()

    assert (job.prompt, job.requester, job.options.seconds) == ("it purrs & <runs>", f"{slack.team.id}.{ann.id}", 10)
    [video] = slack.videos()
    assert (video.channel, video.thread_ts, video.files[0].title) == (channel, theirs.ts, "it purrs & <runs>")
    assert video.text.startswith(f"{ann.mention} Here is your video: ")
    [status] = [one for one in slack.thread(channel, theirs.ts) if one is not video]
    assert status.text == "Finished."
    assert [part["text"]["text"] for part in status.elements] == ["Retry", "Edit", "Delete"]
    assert job.receipt == f"{channel.id}/{video.ts}/{video.files[0].id}"
    assert [call.args.get("unfurl_links") for call in slack.calls if call.method == "chat.postMessage"] == [False]


async def test_a_menu_in_a_thread_answers_in_that_thread(here: House) -> None:
    ann, channel = someone(here)
    root = ann.posts(channel, "look at these").message
    assert root
    reply = ann.posts(channel, "this one", [PICTURE], thread=root).message
    assert reply
    view = await ann.picks("animate_message", reply).view()
    ann.fills(view, {"prompt": "go"})
    await here.all_closed()

    assert [video.thread_ts for video in here.slack.videos()] == [root.ts]


async def test_two_pictures_can_be_the_first_and_the_last(here: House) -> None:
    ann, channel = someone(here)
    theirs = ann.posts(channel, "my cats", [PICTURE, PICTURE]).message
    assert theirs
    for end, last in (("yes", True), ("no", False)):
        view = await ann.picks("animate_message", theirs).view()
        ann.fills(view, {"prompt": "go", "end": end, "aspect": "16:9"})
        jobs = await here.all_closed(2 - last)
        assert (jobs[0].options.last, jobs[0].options.aspect) == (last, "16:9")


async def test_a_message_without_a_picture_is_said_to_have_none(here: House) -> None:
    ann, channel = someone(here)
    said = ann.posts(channel, "hello").message
    assert said
    ann.picks("animate_message", said)

    await here.told(ann, "That message has no picture.")


async def test_the_command_opens_a_form_with_its_words_and_a_place_to_choose(here: House) -> None:
    slack, (ann, channel) = here.slack, someone(here)
    view = await ann.types("/animate", "waves & <foam>", channel).view()
    ann.fills(view, {"picture": [Upload(PICTURE)]})
    [job] = await here.all_closed()

    assert job.prompt == "waves & <foam>"
    [video], [status] = slack.videos(), [one for one in slack.messages(channel) if one.thread_ts is None]
    assert (video.channel, video.thread_ts) == (channel, status.ts)


async def test_a_click_is_acknowledged_first_and_its_form_opened_before_anything_else_is_asked(here: House) -> None:
    slack, (ann, channel) = here.slack, someone(here)
    gate = faults.Gate()
    slack.next("views.open", faults.held(gate))
    before = len(slack.calls)
    act = ann.types("/animate", "", channel)
    await act.acked(1)
    await gate.reached.wait()

    assert [call.method for call in slack.calls[before:]] == ["views.open"]


async def test_the_search_bars_shortcut_without_a_place_answers_in_private(here: House) -> None:
    ann, _ = someone(here)
    view = await ann.opens_global("animate_anything").view()
    ann.fills(view, {"picture": [Upload(PICTURE), Upload(PICTURE)], "prompt": "go"})
    [job] = await here.all_closed()

    assert job.options.last
    assert [video.channel for video in here.slack.videos()] == [here.slack.dm(ann)]


@pytest.mark.parametrize("oddity", [{}, {"file_share": False}, {"mention": False}, {"mention_files": False}])
async def test_a_mention_with_a_picture_is_one_job_however_slack_tells_of_it(
    here: House, oddity: dict[str, Any]
) -> None:
    slack, (ann, channel) = here.slack, someone(here)
    act = ann.posts(channel, f"{slack.bot.mention} waves", [PICTURE], **oddity)
    await act.acked()
    [job] = await here.all_closed()
    slack.redeliver(act)
    await slack.until(lambda: all(one.acks for one in slack.envelopes))

    assert act.message
    assert (job.prompt, [video.thread_ts for video in slack.videos()]) == ("waves", [act.message.ts])
    assert len(here.said(channel)) == 2
    assert slack.count("chat.delete") == 0  # nor was a second status there for a moment
    assert len(await here.jobs()) == 1


async def test_a_redelivered_mention_after_a_restart_is_still_one_job(tmp_path: Path) -> None:
    async with Slack() as slack:
        ann = slack.person("ann")
        channel = slack.channel("general", ann)
        async with house(tmp_path, slack) as here:
            act = ann.posts(channel, f"{slack.bot.mention} waves", [PICTURE])
            await here.all_closed()
            before = len(slack.messages(channel))
        async with house(tmp_path, slack) as here:
            slack.redeliver(act)
            await slack.until(lambda: slack.count("chat.delete"))

            assert len(await here.jobs()) == 1
        assert len(slack.messages(channel)) == before


async def test_a_mention_in_a_thread_takes_the_picture_the_thread_began_with(here: House) -> None:
    slack, (ann, channel) = here.slack, someone(here)
    root = slack.person("bob").posts(channel, "my cat", [PICTURE]).message
    assert root
    ann.posts(channel, f"{slack.bot.mention} it purrs", thread=root)
    [job] = await here.all_closed()

    assert (job.prompt, [video.thread_ts for video in slack.videos()]) == ("it purrs", [root.ts])


async def test_a_mention_without_a_picture_gets_help_also_where_threads_may_not_be_read(here: House) -> None:
    slack, (ann, channel) = here.slack, someone(here)
    slack.scopes.discard("channels:history")
    ann.posts(channel, f"{slack.bot.mention} hello?")

    await here.told(ann, "Send me a picture and say what should move")
    assert await here.jobs() == []


async def test_a_form_that_could_not_be_put_into_somebodys_language_still_works(here: House) -> None:
    hans, channel = someone(here, "hans", locale="de-DE")
    here.slack.next("views.update", faults.limited())
    view = await hans.types("/animate", "los", channel).view()
    await here.slack.until(lambda: here.slack.count("views.update"))
    hans.fills(view, {"picture": [Upload(PICTURE)]})
    await here.all_closed()

    assert here.whispered(hans) == []


async def test_a_private_message_with_a_picture_is_a_wish(here: House) -> None:
    ann = here.slack.person("ann")
    said = ann.posts(here.slack.dm(ann), "waves", [PICTURE]).message
    [job] = await here.all_closed()

    assert said
    [video] = here.slack.videos()
    assert (job.prompt, video.channel, video.thread_ts) == ("waves", here.slack.dm(ann), said.ts)


async def test_talk_that_is_not_for_us_is_left_alone(here: House) -> None:
    slack, (ann, channel) = here.slack, someone(here)
    ann.posts(channel, "nice weather", [PICTURE])
    act = ann.posts(channel, f"{slack.bot.mention} go", [PICTURE])
    await here.all_closed()
    before = len(slack.messages(channel))
    await ann.posts(channel, "thanks!", thread=act.message).acked()

    assert len(slack.messages(channel)) == before + 1
    assert here.whispered(ann) == []


@pytest.mark.parametrize("part", ["<", "<@", "<@a|", "<a:"])
def test_a_message_made_to_be_slow_to_read_is_read_at_once(part: str) -> None:
    start = time.process_time()
    events.words_of(part * (40_000 // len(part)), "U1")

    assert time.process_time() - start < 0.5


async def test_a_private_message_without_a_picture_gets_help(here: House) -> None:
    ann = here.slack.person("ann")
    ann.posts(here.slack.dm(ann), "hello?")

    await here.told(ann, "Send me a picture and say what should move")


@pytest.mark.parametrize(
    ("image", "prompt", "words"),
    [
        (Upload(PICTURE), "long " * 500, "The words are too long for toy: 2499 characters, at most 2000."),
        (Upload(b"PK\x03\x04" + bytes(500), "photo.png", "image/png"), "go", "is of a kind that can't be read"),
        (Upload(b"%PDF-1.4", "a.pdf", "application/pdf"), "go", "is of a kind that can't be read"),
    ],
    ids=["2500 characters", "ZIP", "PDF"],
)
async def test_what_cannot_be_made_is_declined_in_one_private_sentence(
    here: House, image: Upload, prompt: str, words: str
) -> None:
    ann, channel = someone(here)
    view = await ann.types("/animate", "", channel).view()
    ann.fills(view, {"picture": [image], "prompt": prompt})
    await here.told(ann, words)

    assert len(here.whispered(ann)) == 1
    assert here.said(channel) == []
    assert await here.jobs() == []


async def test_a_length_that_is_no_number_is_said_in_the_form(here: House) -> None:
    ann, channel = someone(here)
    view = await ann.types("/animate", "", channel).view()
    await ann.fills(view, {"picture": [Upload(PICTURE)], "seconds": "long"}).acked()

    assert view.open
    assert view.errors == {"seconds": "This must be a number, for example 5."}
    await ann.fills(view, {"picture": [Upload(PICTURE)], "guidance": "much", "seed": "1.5"}).acked()
    assert view.errors == {
        "guidance": "This must be a number, for example 5.", "seed": "This must be a whole number, for example 7."
    }  # fmt: skip


async def test_every_option_can_be_chosen_in_the_form_and_changed_in_the_edit_form(here: House) -> None:
    slack, (ann, channel) = here.slack, someone(here)
    view = await ann.types("/animate", "go", channel).view()
    chosen = {"seconds": "10", "resolution": "1080p", "aspect": "16:9", "audio": "yes", "negative_prompt": "blur"}
    ann.fills(view, {"picture": [Upload(PICTURE)], **chosen, "guidance": "2,5", "seed": "7"})
    [job] = await here.all_closed()
    wanted = {"seconds": 10, "resolution": "1080p", "aspect": "16:9", "audio": True, "negative_prompt": "blur"}
    wanted |= {"guidance": 2.5, "seed": 7}
    assert wanted.items() <= job.options.row().items()

    await slack.until(lambda: any(one.elements for one in slack.messages(channel)))
    status = next(one for one in slack.messages(channel) if one.elements)
    await slack.until(lambda: "Edit" in str(status.elements))
    view = await ann.presses(status, "Edit").view()
    ann.fills(view, {"audio": "no", "seed": ""})
    new = (await here.all_closed(2))[0]

    assert new.options.seed != 7
    assert wanted | {"audio": False, "seed": new.options.seed} == {name: new.options.row()[name] for name in wanted}


async def test_a_status_that_could_not_be_taken_back_does_not_hide_why_nothing_is_made(here: House) -> None:
    ann, channel = someone(here)
    here.slack.next("chat.delete", faults.limited())
    ann.posts(channel, f"{here.slack.bot.mention} go", [Upload(b"PK\x03\x04" + bytes(500))])
    await here.told(ann, "is of a kind that can't be read")

    assert len(here.whispered(ann)) == 1


async def test_a_picture_deleted_before_the_form_was_sent_is_said_to_be_gone(here: House) -> None:
    ann, channel = someone(here)
    theirs = ann.posts(channel, "my cat", [PICTURE]).message
    assert theirs
    view = await ann.picks("animate_message", theirs).view()
    ann.deletes(theirs.files[0])
    ann.fills(view, {"prompt": "go"})
    await here.told(ann, "The picture is no longer there. Send it again.")

    assert here.said(channel) == []
    assert await here.jobs() == []


async def test_everyone_in_a_prompt_pings_nobody(here: House) -> None:
    slack, (ann, channel) = here.slack, someone(here)
    ann.posts(channel, f"{slack.bot.mention} <!channel> <@{ann.id}> <!here>", [PICTURE])
    await here.all_closed()

    texts = [json.dumps([one.wordings, one.blocks]) for one in slack.messages(channel) if one.author is slack.bot]
    assert not [text for text in texts if "<!" in text.replace("<!date^", "")]
    assert sum(text.count(ann.mention) for text in texts) == 1


async def test_where_we_are_not_we_say_how_to_be_invited_before_anything_is_spent(here: House) -> None:
    slack, ann = here.slack, here.slack.person("ann")
    far, secret = slack.channel("far", ann, bot=False), slack.channel("secret", ann, private=True, bot=False)
    for number, channel in enumerate((far, secret), 1):
        theirs = ann.posts(channel, "my cat", [PICTURE]).message
        assert theirs
        view = await ann.picks("animate_message", theirs).view()
        ann.fills(view, {"prompt": "go"})
        await slack.until(lambda number=number: len(here.whispered(ann)) == number)

    assert all("/invite @zoetrope" in words for words in here.whispered(ann))
    assert await here.jobs() == []


async def test_between_two_people_we_say_in_private_that_we_may_not_write_there(here: House) -> None:
    slack, ann, bob = here.slack, here.slack.person("ann"), here.slack.person("bob")
    between = slack.world.channel("bob", slack.team, "im", bot=False)
    theirs = bob.posts(between, "my cat", [PICTURE]).message
    assert theirs
    view = await ann.picks("animate_message", theirs).view()
    ann.fills(view, {"prompt": "go"})
    await here.told(ann, "I may not write there, so nothing was started.")

    assert len(here.whispered(ann)) == 1
    assert await here.jobs() == []


async def test_an_archived_channel_is_said_to_be_closed(here: House) -> None:
    ann, channel = someone(here)
    channel.archived = True
    view = await ann.types("/animate", "go", channel).view()
    ann.fills(view, {"picture": [Upload(PICTURE)]})
    await here.told(ann, "I may not write there, so nothing was started.")

    assert await here.jobs() == []


@pytest.mark.parametrize("page", ["Sign in", b"\n<!DOCTYPE html><html>Sign in</html>"], ids=["HTML", "text"])
async def test_an_app_that_may_not_read_files_says_whose_move_it_is(here: House, page: str | bytes) -> None:
    ann, channel = someone(here)
    here.slack.next("file", faults.says(200, page))
    ann.posts(channel, f"{here.slack.bot.mention} go", [PICTURE])
    await here.told(ann, "must give its app the scope files:read")

    assert here.said(channel) == []
    assert await here.jobs() == []


@pytest.mark.parametrize(("redirect", "taken"), [("origin", True), ("foreign", False), ("loop", False)])
async def test_our_token_goes_to_slacks_own_hosts_alone(here: House, redirect: str, *, taken: bool) -> None:
    ann, channel = someone(here)
    file = ann.has(PICTURE)
    file.redirect = redirect  # type: ignore[assignment]  # one of its words
    ann.posts(channel, f"{here.slack.bot.mention} go", [file])
    if taken:
        await here.all_closed()
    else:
        await here.told(ann, "The picture is no longer there.")

    assert here.slack.leaks == []
    assert len(here.slack.videos()) == taken


@pytest.mark.parametrize(
    ("url", "sees"),
    [
        ("https://files.slack.com/a.png", True),
        ("https://FILES.SLACK.COM/a.png", True),
        ("https://slack.com:443/a.png", True),
        ("http://files.slack.com/a.png", False),
        ("https://files.slack.com:8443/a.png", False),
        ("https://evilslack.com/a.png", False),
        ("https://slack.com.evil.org/a.png", False),
        ("https://files.slack.com@evil.org/a.png", False),
        ("https://evil.org/?https://files.slack.com/", False),
        ("https://slack.com./a.png", False),
        ("https://169.254.169.254/a.png", False),
        ("ftp://files.slack.com/a.png", False),
        ("/a.png", False),
        ("", False),
    ],
)
def test_only_slacks_own_hosts_may_see_our_token(url: str, *, sees: bool) -> None:
    assert events.allowed(yarl.URL(url), FILE_HOSTS) is sees


async def test_a_file_of_another_workspace_is_asked_for(here: House) -> None:
    ann, channel = someone(here)
    file = ann.has(PICTURE)
    file.connect = True
    ann.posts(channel, f"{here.slack.bot.mention} go", [file])
    await here.all_closed()

    assert len(here.slack.videos()) == 1


async def test_an_expired_trigger_is_one_sentence(here: House) -> None:
    ann, channel = someone(here)
    here.slack.next("views.open", faults.refused("expired_trigger_id"))
    ann.types("/animate", "go", channel)

    await here.told(ann, "Slack closed that form before it was open. Try again.")
    assert len(here.whispered(ann)) == 1


async def test_a_form_sent_in_twice_is_one_job(here: House) -> None:
    ann, channel = someone(here)
    view = await ann.types("/animate", "go", channel).view()
    await ann.fills(view, {"picture": [Upload(PICTURE)]}, times=2).acked()
    await here.all_closed()

    assert len(await here.jobs()) == len(here.slack.videos()) == 1


async def test_a_form_of_before_a_restart_still_works(tmp_path: Path) -> None:
    async with Slack() as slack:
        ann = slack.person("ann")
        channel = slack.channel("general", ann)
        async with house(tmp_path, slack):
            theirs = ann.posts(channel, "my cat", [PICTURE]).message
            assert theirs
            view = await ann.picks("animate_message", theirs).view()
        async with house(tmp_path, slack) as here:
            ann.fills(view, {"prompt": "it purrs"})
            [job] = await here.all_closed()

    assert job.prompt == "it purrs"


async def test_buttons_work_after_a_restart_and_for_the_requester_alone(tmp_path: Path) -> None:
    async with Slack() as slack:
        ann, eve = slack.person("ann"), slack.person("eve")
        channel = slack.channel("general", ann, eve)
        async with house(tmp_path, slack) as here:
            ann.posts(channel, f"{slack.bot.mention} waves", [PICTURE])
            await here.all_closed()
            [video] = slack.videos()
            status = next(one for one in slack.messages(channel) if one.elements)
        async with house(tmp_path, slack) as here:
            for label in ("Retry", "Edit", "Delete"):
                await eve.presses(status, label).acked()
            await slack.until(lambda: len(here.whispered(eve)) == 3)
            assert set(here.whispered(eve)) == {
                "Only the person who asked for this video, or a moderator, can do that."
            }
            ann.presses(status, "Retry")
            ann.presses(status, "Retry")
            await here.all_closed(2)
            view = await ann.presses(status, "Edit").view()
            assert "waves" in json.dumps(view.body)
            ann.fills(view, {"prompt": "storm"})
            jobs = await here.all_closed(3)

            assert [job.prompt for job in jobs] == ["storm", "waves", "waves"]
            assert len(slack.videos()) == 3
            ann.presses(status, "Delete")
            await here.told(ann, "Deleted")
            assert (video.deleted, video.files[0].state, status.elements) == (True, "deleted", [])
            assert not here.app.files.video(jobs[-1].id).exists()


async def test_an_admin_may_stop_and_delete_but_not_spend(slow: House) -> None:
    slack, (ann, channel) = slow.slack, someone(slow)
    boss = slack.person("boss", admin=True)
    channel.members.add(boss)
    ann.posts(channel, f"{slack.bot.mention} waves", [PICTURE])
    [status] = await slow.statuses(channel)
    boss.presses(status, "Cancel")
    await slow.told(boss, "Stopping")
    await slow.all_closed()
    answer = next(one for one in slack.messages(channel) if "Stopped." in one.text)
    boss.presses(answer, "Retry")

    await slow.told(boss, "Only the person who asked")
    assert len(await slow.jobs()) == 1


async def test_an_admin_of_another_workspace_may_not_delete_in_a_shared_channel(here: House) -> None:
    slack, (ann, channel) = here.slack, someone(here)
    ann.posts(channel, f"{slack.bot.mention} waves", [PICTURE])
    await here.all_closed()
    boss = slack.person("boss")
    channel.members.add(boss)
    there = {"id": boss.id, "team_id": slack.workspace("other").id, "is_admin": True}
    slack.always("users.info", faults.says(200, {"ok": True, "user": there}))
    boss.presses(next(one for one in slack.messages(channel) if one.elements), "Delete")

    await here.told(boss, "Only the person who asked")
    assert len(slack.videos()) == 1


async def test_a_foreign_or_invented_job_is_nobodys(here: House) -> None:
    slack, (ann, channel) = here.slack, someone(here)
    ann.posts(channel, f"{slack.bot.mention} waves", [PICTURE])
    [job] = await here.all_closed()
    eve = slack.person("eve")
    channel.members.add(eve)
    status = next(one for one in slack.messages(channel) if one.elements)
    for number, value in enumerate((job.id, "nosuchjob")):
        eve.presses(status, "zoetrope:delete:0", value=value, forged=True)
        await slack.until(lambda number=number: len(here.whispered(eve)) == number + 1)

    assert set(here.whispered(eve)) == {"Only the person who asked for this video, or a moderator, can do that."}
    assert len(slack.videos()) == 1


async def test_the_home_lists_my_jobs_with_buttons_that_work(slow: House) -> None:
    slack, (ann, channel) = slow.slack, someone(slow)
    ann.opens_home()
    await slack.until(lambda: ann.id in slack.homes)
    assert "You have no videos yet." in json.dumps(slack.homes[ann.id].body)
    ann.posts(channel, f"{slack.bot.mention} waves", [PICTURE])
    [status] = await slow.statuses(channel)
    ann.opens_home()
    await slack.until(lambda: status.ts.replace(".", "") in json.dumps(slack.homes[ann.id].body))
    ann.presses(slack.homes[ann.id], "Cancel")
    [job] = await slow.all_closed()

    assert job.outcome == "cancelled"


async def test_a_german_is_answered_in_german_also_in_the_first_form(here: House) -> None:
    slack, (hans, channel) = here.slack, someone(here, "hans", locale="de-DE")
    view = await hans.types("/animate", "los", channel).view()
    await slack.until(lambda: "Was soll sich bewegen?" in json.dumps(view.body, ensure_ascii=False))
    hans.fills(view, {"picture": [Upload(PICTURE)]})
    await here.all_closed()

    [video] = slack.videos()
    assert "Hier ist dein Video" in video.text
    status = next(one for one in slack.messages(channel) if one.elements)
    assert [part["text"]["text"] for part in status.elements] == ["Noch einmal", "Ändern", "Löschen"]
    again = await hans.types("/animate", "los", channel).view()
    assert "Was soll sich bewegen?" in json.dumps(again.bodies[0], ensure_ascii=False)  # it is in memory now


async def test_only_the_places_and_user_groups_that_were_allowed_may_ask(tmp_path: Path) -> None:
    async with Slack() as slack:
        ann, bob = slack.person("ann"), slack.person("bob")
        yes, no = slack.channel("yes", ann, bob), slack.channel("no", ann)
        group = slack.group("artists", ann)
        more = f'channels = ["{yes.id}"]\nuser_groups = ["{group.id}"]'
        async with house(tmp_path, slack, more=more) as here:
            for person, channel in ((ann, no), (ann, slack.dm(ann)), (bob, yes)):
                before = len(here.whispered(person))
                person.posts(channel, f"{slack.bot.mention} go", [PICTURE])
                await slack.until(lambda person=person, before=before: len(here.whispered(person)) > before)
                assert "Videos can't be asked for here." in "".join(here.whispered(person))
            ann.posts(yes, f"{slack.bot.mention} go", [PICTURE])
            await here.all_closed()

            assert len(slack.videos()) == 1


async def test_what_breaks_is_told_with_a_reference_that_is_in_the_log(
    here: House, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    ann, channel = someone(here)
    here.slack.next("chat.postMessage", faults.broken(503))
    ann.posts(channel, f"{here.slack.bot.mention} a secret wish", [PICTURE])
    await here.told(ann, "That could not be done just now.")

    reference = re.search(r"reference (\w+)\.", here.whispered(ann)[0])
    assert reference
    assert reference[1] in caplog.text
    assert "a secret wish" not in caplog.text
    assert here.slack.bot_token not in caplog.text
    assert await here.jobs() == []


async def test_every_event_is_acknowledged_also_those_that_nobody_wants(here: House) -> None:
    slack, (ann, channel) = here.slack, someone(here)
    ann.posts(channel, "just talk")
    ann.opens_home("messages")
    slack.event(slack.team, "app_uninstalled", {"type": "app_uninstalled"})
    slack.event(slack.team, "tokens_revoked", {"type": "tokens_revoked", "tokens": {"bot": []}})
    other = {"type": "reaction_added", "user": ann.id, "event_ts": "1.1"}
    slack.send(Envelope("events_api", {"type": "event_callback", "team_id": slack.team.id, "event": other}))

    await slack.until(lambda: len(slack.envelopes) == 5 and all(one.acks for one in slack.envelopes))
    assert await here.jobs() == []


async def test_a_channel_archived_meanwhile_still_gets_its_video_to_the_person(tmp_path: Path) -> None:
    async with Slack() as slack, house(tmp_path, slack, f"{TOY}\ntakes = 1") as here:
        ann, channel = someone(here)
        ann.posts(channel, f"{slack.bot.mention} go", [PICTURE])
        await here.statuses(channel)
        channel.archived = True
        await here.all_closed()

        assert [video.channel for video in slack.videos()] == [slack.dm(ann)]


async def test_a_token_revoked_meanwhile_keeps_the_video_until_there_is_a_good_one(tmp_path: Path) -> None:
    async with Slack() as slack:
        ann = slack.person("ann")
        channel = slack.channel("general", ann)
        async with house(tmp_path, slack, f"{TOY}\ntakes = 0.5") as here:
            ann.posts(channel, f"{slack.bot.mention} go", [PICTURE])
            await here.statuses(channel)
            slack.revokes_token()
            await slack.until(
                lambda: any(call.error == "token_revoked" and "files" in call.method for call in slack.calls), 15
            )
            [job] = await here.jobs()
            assert job.state is State.REPLYING
        slack.world.install(slack.team)
        async with house(tmp_path, slack) as here:
            await here.all_closed()
            assert len(slack.videos()) == 1


async def test_an_upload_that_slack_takes_and_shows_late_is_one_video(here: House) -> None:
    ann, channel = someone(here)
    here.slack.shares_after = 8
    ann.posts(channel, f"{here.slack.bot.mention} go", [PICTURE])
    await here.all_closed()

    assert len(here.slack.videos()) == here.slack.count("upload") == 1


async def test_a_slow_first_edit_does_not_cover_the_last_one(tmp_path: Path) -> None:
    async with Slack() as slack, house(tmp_path, slack, f'{TOY}\nscript = "is busy"') as here:
        ann, channel = someone(here)
        gate = faults.Gate()
        slack.next("chat.update", faults.held(gate, acts=False))
        ann.posts(channel, f"{slack.bot.mention} go", [PICTURE])
        await gate.reached.wait()
        [job] = await here.jobs()
        await here.app.desk.press(Actor("terminal", "me", operator=True), Press("k", Action(Act.CANCEL, job.id)))
        status = next(one for one in slack.messages(channel) if one.author is slack.bot)
        await slack.until(lambda: status.text == "Finished.")
        gate.open.set()

        await slack.until(lambda: status.wordings[-3:] == ["Finished.", "toy: 5 s, 720p, $0.28.", "Finished."])
        assert "Cancel" not in json.dumps(status.blocks)


async def test_all_of_it_goes_by_signed_http_too(tmp_path: Path) -> None:
    async with Slack() as slack:
        port = free_port()
        more = f'mode = "http"\nsigning_secret = "env:SLACK_SIGNING_SECRET"\nlisten_port = {port}'
        ann = slack.person("ann")
        channel = slack.channel("general", ann)
        async with house(tmp_path, slack, more=more, port=port) as here:
            slack.posts_to(f"http://127.0.0.1:{port}/slack/events")
            theirs = ann.posts(channel, "my cat", [PICTURE]).message
            assert theirs
            view = await ann.picks("animate_message", theirs).view()
            ann.fills(view, {"prompt": "it purrs", "seconds": "long"})
            await slack.until(lambda: view.errors)
            ann.fills(view, {"prompt": "it purrs", "seconds": "10"})
            await here.all_closed()

        assert [video.thread_ts for video in slack.videos()] == [theirs.ts]
        assert slack.count("apps.connections.open") == 0
