"""What people do on Discord and what comes of it, through the whole house: from a click to a video, or one sentence."""

import json
import logging
import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from bot.domain.job import State
from tests.chats.discord_house import PICTURE, TOY, House, big, house
from tests.fakes import discord_faults as faults
from tests.fakes.discord import Discord
from tests.fakes.discord_things import Upload
from tests.fakes.discord_words import Permission

POSTS = "POST /channels/{}/messages"


@pytest.fixture
async def here(tmp_path: Path) -> AsyncIterator[House]:
    async with Discord() as discord, house(tmp_path, discord) as found:
        yield found


@pytest.fixture
async def slow(tmp_path: Path) -> AsyncIterator[House]:
    async with Discord() as discord, house(tmp_path, discord, f"{TOY}\ntakes = 600") as found:
        yield found


async def test_a_picture_and_words_become_one_video_in_the_thread(here: House) -> None:
    discord, ann = here.discord, here.discord.user("ann")
    channel = discord.guild().text()
    asked = await discord.slash(ann, channel, "animate", image=PICTURE, prompt="waves roll in")
    ack = await asked.answered(3)
    [job] = await here.all_closed()

    [video] = here.videos()
    assert (ack.type, asked.response and asked.response.ephemeral) == (5, True)
    assert video.channel.name == "waves roll in"
    assert video.channel.parent is channel
    assert video.pings == [ann.id]
    assert video.attachments[0].description == "waves roll in"
    assert [button["label"] for button in video.buttons] == ["Retry", "Edit", "Delete"]
    assert job.receipt == f"{video.channel.id}/{video.id}"
    [status] = discord.messages(channel)
    await discord.until(lambda: "Finished" in status.content)
    assert not status.buttons
    assert not status.pings


async def test_an_end_picture_and_every_option_reach_the_job(here: House) -> None:
    channel = here.discord.guild().text()
    await here.discord.slash(
        here.discord.user(), channel, "animate", image=PICTURE, prompt="go", end_image=PICTURE, model="toy",
        seconds=10, aspect="16:9", negative="blur", seed=7, resolution="1080p", audio=True, guidance=2.5,
    )  # fmt: skip
    [job] = await here.all_closed()

    wanted = {"seconds": 10, "aspect": "16:9", "negative_prompt": "blur", "seed": 7, "last": True}
    wanted |= {"resolution": "1080p", "audio": True, "guidance": 2.5}
    assert wanted.items() <= job.options.row().items()


async def test_models_lengths_and_shapes_are_suggested(here: House) -> None:
    channel = here.discord.guild().text()
    for focused, typed, values in (
        ("model", "to", ["toy"]), ("model", "no such", []), ("seconds", "1", [10]), ("seconds", "", [5, 10]),
        ("aspect", "", ["own", "16:9"]), ("resolution", "10", ["1080p"]),
    ):  # fmt: skip
        asked = await here.discord.autocomplete(here.discord.user(), channel, "animate", focused=focused, value=typed)
        await asked.answered(3)
        assert [choice["value"] for choice in asked.choices] == values


@pytest.mark.parametrize(
    ("image", "prompt", "words"),
    [
        (PICTURE, "long " * 1200, "The words are too long for toy: 5999 characters, at most 2000. Shorten them."),
        (big(), "go", "The picture is larger than 20 MB. Send a smaller file."),
        (Upload(b"PK\x03\x04" + bytes(500), "photo.png", "image/png"), "go", "is of a kind that can't be read"),
        (Upload(PICTURE, gone=True), "go", "The picture is no longer there. Send it again."),
        (Upload(b"%PDF-1.4", "a.pdf", "application/pdf"), "go", "is of a kind that can't be read"),
    ],
    ids=["6000 characters", "100 MB", "ZIP", "expired", "PDF"],
)
async def test_what_cannot_be_made_is_declined_in_one_private_sentence(
    here: House, image: bytes | Upload, prompt: str, words: str
) -> None:
    channel = here.discord.guild().text()
    asked = await here.discord.slash(here.discord.user(), channel, "animate", image=image, prompt=prompt)
    await here.told(asked, words)

    assert asked.response
    assert asked.response.ephemeral
    await here.discord.until(lambda: not here.discord.messages(channel))
    assert await here.jobs() == []


async def test_the_reason_of_a_decline_is_told_though_its_status_can_not_be_taken_back(here: House) -> None:
    channel, zipped = here.discord.guild().text(), Upload(b"PK\x03\x04" + bytes(500), "photo.png", "image/png")
    here.discord.next("DELETE /channels/{}/messages/{}", faults.refused(50013))
    asked = await here.discord.slash(here.discord.user(), channel, "animate", image=zipped, prompt="go")

    await here.told(asked, "is of a kind that can't be read")


async def test_everyone_in_a_prompt_pings_nobody(here: House) -> None:
    ann, channel = here.discord.user("ann"), here.discord.guild().text()
    await here.discord.slash(ann, channel, "animate", image=PICTURE, prompt=f"@everyone <@{ann.id}> @here")
    await here.all_closed()

    pings = [
        message.pings for one in [channel, *here.discord.threads(channel)] for message in here.discord.messages(one)
    ]
    assert pings == [[], [ann.id]]


@pytest.mark.parametrize(
    ("lost", "name"),
    [
        (Permission.ATTACH_FILES, "Attach Files"),
        (Permission.SEND_MESSAGES, "Send Messages"),
        (Permission.READ_MESSAGE_HISTORY, "Read Message History"),
    ],
)
async def test_a_missing_permission_is_named_before_anything_is_started(
    here: House, lost: Permission, name: str
) -> None:
    channel = here.discord.guild().text()
    channel.deny(lost)
    asked = await here.discord.slash(here.discord.user(), channel, "animate", image=PICTURE, prompt="go")

    await here.told(asked, f"Ask a moderator to allow me: {name}.")
    assert await here.jobs() == []


async def test_without_the_right_to_make_threads_the_video_is_a_reply(here: House) -> None:
    channel = here.discord.guild().text()
    channel.deny(Permission.CREATE_PUBLIC_THREADS)
    await here.discord.slash(here.discord.user(), channel, "animate", image=PICTURE, prompt="go")
    await here.all_closed()

    [video] = here.videos()
    assert video.channel is channel
    assert video.reply_to is here.discord.messages(channel)[0]


@pytest.mark.parametrize("kind", ["thread", "post", "voice", "dm"])
async def test_where_no_thread_can_be_the_video_comes_in_place(here: House, kind: str) -> None:
    ann, guild = here.discord.user("ann"), here.discord.guild()
    channel = {
        "thread": lambda: guild.thread(guild.text()), "post": lambda: guild.thread(guild.forum()),
        "voice": guild.voice, "dm": lambda: here.discord.dm(ann),
    }[kind]()  # fmt: skip
    await here.discord.slash(ann, channel, "animate", image=PICTURE, prompt="go")
    await here.all_closed()

    assert [video.channel for video in here.videos()] == [channel]


@pytest.mark.parametrize("moment", ["deleted", "locked"])
async def test_a_place_that_closes_meanwhile_still_gets_its_video_to_the_person(tmp_path: Path, moment: str) -> None:
    async with Discord() as discord, house(tmp_path, discord, f"{TOY}\ntakes = 1") as here:
        ann, channel = discord.user("ann"), discord.guild().text()
        await discord.slash(ann, channel, "animate", image=PICTURE, prompt="go")
        await discord.until(lambda: discord.threads(channel))
        if moment == "deleted":
            await discord.delete_channel(channel)
        else:
            [thread] = discord.threads(channel)
            thread.archived = True
            await discord.lock_thread(thread)
        await here.all_closed()

        [video] = here.videos()
        assert video.channel is (discord.dm(ann) if moment == "deleted" else channel)


async def test_a_mention_with_a_picture_is_a_wish(here: House) -> None:
    ann, channel = here.discord.user("ann"), here.discord.guild().text()
    said = await here.discord.say(ann, channel, "waves", [PICTURE], mentions=[here.discord.bot])
    [job] = await here.all_closed()

    assert job.prompt == "waves"
    assert len(here.videos()) == 1
    assert here.discord.messages(channel)[1].reply_to is said


async def test_a_private_message_with_a_picture_is_a_wish(here: House) -> None:
    ann = here.discord.user("ann")
    await here.discord.say(ann, here.discord.dm(ann), "waves", [PICTURE])
    [job] = await here.all_closed()

    assert (job.prompt, [video.channel for video in here.videos()]) == ("waves", [here.discord.dm(ann)])


async def test_a_picture_that_cannot_be_read_from_a_reply_leads_to_the_menu(here: House) -> None:
    ann, bob, channel = here.discord.user("ann"), here.discord.user("bob"), here.discord.guild().text()
    theirs = await here.discord.say(bob, channel, "my cat", [PICTURE])
    await here.discord.say(ann, channel, "make it move", reply_to=theirs, mentions=[here.discord.bot])

    await here.discord.until(lambda: any("Animate" in words for words in here.said(channel)))
    assert await here.jobs() == []


async def test_talk_that_is_not_for_us_is_left_alone(here: House) -> None:
    ann, channel = here.discord.user("ann"), here.discord.guild().text()
    await here.discord.say(ann, channel, "nice weather", [PICTURE])
    await here.discord.slash(ann, channel, "animate", image=PICTURE, prompt="go")
    await here.all_closed()
    before = len(here.discord.messages(channel))
    [video] = here.videos()
    await here.discord.say(ann, video.channel, "thanks!", reply_to=video)
    asked = await here.discord.slash(ann, channel, "animations")
    await here.told(asked, "Here is your video")

    assert len(here.discord.messages(channel)) == before
    assert len(here.discord.messages(video.channel)) == 2


async def test_the_menu_asks_for_words_and_animates_somebodys_picture(here: House) -> None:
    ann, bob, channel = here.discord.user("ann"), here.discord.user("bob"), here.discord.guild().text()
    theirs = await here.discord.say(bob, channel, "my cats", [PICTURE, PICTURE])
    opened = await here.discord.menu(ann, theirs, "Animate")
    await opened.answered(3)
    assert opened.modal
    assert str(theirs.id) in opened.modal["custom_id"]
    await here.discord.submit_modal(opened, {"prompt": "it purrs", "seconds": "10"})
    [job] = await here.all_closed()

    assert (job.prompt, job.requester, job.options.seconds, job.options.last) == (
        "it purrs",
        str(ann.id),
        10,
        True,
    )


async def test_a_form_of_before_a_restart_asks_to_be_opened_again_or_works(tmp_path: Path) -> None:
    async with Discord() as discord:
        ann, channel = discord.user("ann"), discord.guild().text()
        async with house(tmp_path, discord):
            theirs = await discord.say(discord.user("bob"), channel, "my cat", [PICTURE])
            ours = await discord.say(discord.bot, channel, "a post of ours", [PICTURE])
            opened = [await discord.menu(ann, one, "Animate") for one in (theirs, ours)]
            for one in opened:
                await one.answered(3)
        async with house(tmp_path, discord) as here:
            sent = await discord.submit_modal(opened[0], {"prompt": "it purrs"})
            await here.told(sent, "Choose Animate in the message's menu once more.")
            await discord.submit_modal(opened[1], {"prompt": "it runs"})
            [job] = await here.all_closed()

    assert job.prompt == "it runs"


async def test_a_message_without_a_picture_is_said_to_have_none(here: House) -> None:
    channel = here.discord.guild().text()
    said = await here.discord.say(here.discord.user("bob"), channel, "hello")
    opened = await here.discord.menu(here.discord.user("ann"), said, "Animate")

    await here.told(opened, "That message has no picture.")


async def test_buttons_work_after_a_restart_and_for_the_requester_alone(tmp_path: Path) -> None:
    async with Discord() as discord:
        ann, eve, channel = discord.user("ann"), discord.user("eve"), discord.guild().text()
        async with house(tmp_path, discord) as here:
            await discord.slash(ann, channel, "animate", image=PICTURE, prompt="waves")
            await here.all_closed()
            [video] = here.videos()
        async with house(tmp_path, discord) as here:
            for label in ("Retry", "Edit", "Delete"):
                strange = await discord.press(eve, video, label)
                await here.told(strange, "Only the person who asked for this video, or a moderator, can do that.")
            await discord.press(ann, video, "Retry")
            jobs = await here.all_closed(2)
            assert len(here.videos()) == 2
            edited = await discord.press(ann, video, "Edit")
            await edited.answered(3)
            assert edited.modal
            assert "waves" in json.dumps(edited.modal)
            await discord.submit_modal(edited, {"prompt": "storm"})
            jobs = await here.all_closed(3)

            assert [job.prompt for job in jobs] == ["storm", "waves", "waves"]
            gone = await discord.press(ann, video, "Delete")
            await here.told(gone, "Deleted")
            assert video.deleted
            assert not here.app.files.video(jobs[-1].id).exists()


async def test_the_edit_form_shows_what_was_chosen_and_takes_other_choices(here: House) -> None:
    discord, ann, channel = here.discord, here.discord.user("ann"), here.discord.guild().text()
    await discord.slash(
        ann, channel, "animate", image=PICTURE, prompt="waves", seconds=10, resolution="1080p", negative="blur", seed=7
    )
    await here.all_closed()
    [video] = here.videos()
    edited = await discord.press(ann, video, "Edit")
    await edited.answered(3)
    await discord.submit_modal(edited, {"aspect": "16:9"})
    new = (await here.all_closed(2))[0]
    wanted = {"seconds": 10, "resolution": "1080p", "aspect": "16:9", "negative_prompt": "blur", "seed": 7}
    assert wanted.items() <= new.options.row().items()

    wrong = await discord.submit_modal(edited, {"seconds": "long"})
    await here.told(wrong, "Length in seconds: This must be a number, for example 5.")


async def test_a_moderator_may_stop_and_delete_but_not_spend(slow: House) -> None:
    discord, ann = slow.discord, slow.discord.user("ann")
    mod, guild = discord.user("mod"), discord.guild()
    guild.role("mods", Permission.MANAGE_MESSAGES | Permission.VIEW_CHANNEL, mod)
    channel = guild.text()
    await discord.slash(ann, channel, "animate", image=PICTURE, prompt="waves")
    await discord.until(lambda: discord.messages(channel) and discord.messages(channel)[0].buttons)
    [status] = discord.messages(channel)
    stopped = await discord.press(mod, status, "Cancel")
    await slow.told(stopped, "Stopping")
    await slow.all_closed()
    [thread] = discord.threads(channel)
    again = await discord.press(mod, discord.messages(thread)[-1], "Retry")

    await slow.told(again, "Only the person who asked")
    assert len(await slow.jobs()) == 1


async def test_a_foreign_or_invented_job_is_nobodys(here: House) -> None:
    discord, ann = here.discord, here.discord.user("ann")
    boss, guild = discord.user("boss"), discord.guild()
    await discord.slash(ann, guild.text(), "animate", image=PICTURE, prompt="waves")
    [job] = await here.all_closed()
    elsewhere = discord.guild("elsewhere")
    elsewhere.role("mods", Permission.MANAGE_MESSAGES | Permission.VIEW_CHANNEL, boss)
    place = await discord.say(discord.bot, elsewhere.text(), "a post of ours")
    for number in (job.id, "nosuchjob"):
        button = {"type": 2, "style": 1, "label": "Delete", "custom_id": f"zoetrope:delete:{number}"}
        place.components = [{"type": 1, "components": [button]}]
        press = await discord.press(boss, place, "Delete")
        await here.told(press, "Only the person who asked")

    assert len(here.videos()) == 1


async def test_animations_lists_my_jobs_with_links_and_buttons_that_work(slow: House) -> None:
    discord, ann, channel = slow.discord, slow.discord.user("ann"), slow.discord.guild().text()
    nothing = await discord.slash(ann, channel, "animations")
    await slow.told(nothing, "You have no videos yet.")
    await discord.slash(ann, channel, "animate", image=PICTURE, prompt="waves")
    await discord.until(lambda: slow.said(channel) and "Rendering" in slow.said(channel)[0])
    listed = await discord.slash(ann, channel, "animations")
    await slow.told(listed, "Rendering")
    assert listed.response
    [status] = discord.messages(channel)
    assert f"https://discord.com/channels/{channel.guild and channel.guild.id}/{channel.id}/{status.id}" in listed.words
    await discord.press(ann, listed.response, "1. Cancel")
    [job] = await slow.all_closed()

    assert job.outcome == "cancelled"
    assert (await discord.slash(discord.user("eve"), channel, "animations")).words == ""


async def test_help_is_private(here: House) -> None:
    asked = await here.discord.slash(here.discord.user(), here.discord.guild().text(), "animate-help")
    await here.told(asked, "Send me a picture")

    assert asked.response
    assert asked.response.ephemeral


async def test_a_german_is_answered_in_german(here: House) -> None:
    hans, channel = here.discord.user("hans", "de"), here.discord.guild().text()
    asked = await here.discord.slash(hans, channel, "animate", image=Upload(PICTURE, gone=True), prompt="los")
    await here.told(asked, "Das Bild ist nicht mehr da.")
    await here.discord.slash(hans, channel, "animate", image=PICTURE, prompt="los")
    await here.all_closed()
    [video] = here.videos()

    assert "Hier ist dein Video" in video.content
    assert [button["label"] for button in video.buttons] == ["Noch einmal", "Ändern", "Löschen"]
    [animate] = [one for one in here.discord.commands.synced[0] if one["name"] == "animate"]
    assert animate["name_localizations"] == {"de": "animieren"}


async def test_only_the_places_and_roles_that_were_allowed_may_ask(tmp_path: Path) -> None:
    async with Discord() as discord:
        ann, guild = discord.user("ann"), discord.guild()
        yes, no, role = guild.text("yes"), guild.text("no"), guild.role("artists")
        async with house(tmp_path, discord, more=f"channels = [{yes.id}]\nroles = [{role.id}]") as here:
            for channel in (yes, no, discord.dm(ann)):
                asked = await discord.slash(ann, channel, "animate", image=PICTURE, prompt="go")
                await here.told(asked, "Videos can't be asked for here.")
            guild.members[ann.id].add(role.id)
            await discord.slash(ann, guild.thread(yes), "animate", image=PICTURE, prompt="go")
            await here.all_closed()

            assert len(here.videos()) == 1


async def test_commands_are_given_to_discord_once_and_not_at_every_start(tmp_path: Path) -> None:
    async with Discord() as discord:
        for _ in range(3):
            async with house(tmp_path, discord):
                pass
        assert discord.commands.syncs == 1


async def test_what_breaks_is_told_with_a_reference_that_is_in_the_log(
    here: House, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    channel = here.discord.guild().text()
    here.discord.next(POSTS, faults.refused(50035))
    asked = await here.discord.slash(here.discord.user(), channel, "animate", image=PICTURE, prompt="a secret wish")
    await here.told(asked, "Something went wrong in the bot.")

    reference = re.search(r"reference (\w+)\.", asked.words)
    assert reference
    assert reference[1] in caplog.text
    assert "a secret wish" not in caplog.text
    assert await here.jobs() == []


async def test_the_same_mention_delivered_twice_is_one_job_with_one_status(slow: House) -> None:
    discord, ann, channel = slow.discord, slow.discord.user("ann"), slow.discord.guild().text()
    said = await discord.say(ann, channel, "waves", [PICTURE], mentions=[discord.bot])
    discord.world.emit("MESSAGE_CREATE", discord.world.event(said), channel.guild)
    await discord.until(lambda: slow.said(channel) and "Rendering" in slow.said(channel)[0])
    await slow.told(await discord.slash(ann, channel, "animations"), "Rendering")

    [job] = await slow.jobs()
    assert job.state is not State.CLOSED
    assert len(here_said := slow.said(channel)) == 1, here_said


async def test_a_mention_delivered_again_after_a_restart_is_still_one_job_with_one_status(tmp_path: Path) -> None:
    async with Discord() as discord:
        channel = discord.guild().text()
        async with house(tmp_path, discord):
            said = await discord.say(discord.user(), channel, "waves", [PICTURE], mentions=[discord.bot])
            await discord.until(lambda: discord.threads(channel))
        async with house(tmp_path, discord) as here:
            discord.world.emit("MESSAGE_CREATE", discord.world.event(said), channel.guild)
            await discord.until(lambda: discord.count("DELETE /channels/{}/messages/{}"), 10)

            assert len(await here.jobs()) == len(here.said(channel)) == 1


async def test_a_button_pressed_twice_at_once_is_one_act(here: House) -> None:
    discord, ann, channel = here.discord, here.discord.user("ann"), here.discord.guild().text()
    await discord.slash(ann, channel, "animate", image=PICTURE, prompt="waves")
    await here.all_closed()
    [video] = here.videos()
    await discord.press(ann, video, "Retry")
    second = await discord.press(ann, video, "Retry")
    await second.answered(3)
    await here.all_closed(2)

    assert len(await here.jobs()) == len(here.videos()) == 2


async def test_a_mention_where_we_may_not_answer_is_answered_privately(here: House) -> None:
    ann, channel = here.discord.user("ann"), here.discord.guild().text()
    channel.deny(Permission.SEND_MESSAGES)
    await here.discord.say(ann, channel, "waves", [PICTURE], mentions=[here.discord.bot])
    private = here.discord.dm(ann)
    await here.discord.until(lambda: any("Send Messages" in words for words in here.said(private)))

    assert here.said(channel) == []
    assert await here.jobs() == []


async def test_a_mention_of_our_role_hides_the_picture_so_the_menu_is_named(here: House) -> None:
    ann, guild = here.discord.user("ann"), here.discord.guild()
    channel = guild.text()
    await here.discord.say(ann, channel, "waves", [PICTURE], mentions=[guild.bot_role])

    await here.discord.until(lambda: any("Animate" in words for words in here.said(channel)))


async def test_a_job_goes_on_where_its_thread_and_buttons_could_not_be_made(here: House) -> None:
    channel = here.discord.guild().text()
    here.discord.next("POST /channels/{}/messages/{}/threads", faults.broken(503))
    here.discord.next("PATCH /channels/{}/messages/{}", faults.dropped(), faults.broken(503))
    asked = await here.discord.slash(here.discord.user(), channel, "animate", image=PICTURE, prompt="waves")
    await here.all_closed()

    assert len(here.videos()) == 1
    assert "went wrong" not in asked.words
