"""Our picture of Slack's wire is right: the real slack-bolt connects, listens and answers. What can go wrong, does."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from slack_bolt.adapter.socket_mode.aiohttp import AsyncSocketModeHandler
from slack_bolt.app.async_app import AsyncApp
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient

from tests.fakes import slack_faults as faults
from tests.fakes.slack import Channel, File, Message, Person, Slack, Upload
from tests.fakes.slack_faults import Gate

PNG = b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 4
MP4 = b"\x00\x00\x00\x18ftypmp42" + bytes(reversed(range(256))) * 1000
FORM: dict[str, Any] = {
    "type": "modal",
    "callback_id": "animate",
    "title": {"type": "plain_text", "text": "Animate"},
    "submit": {"type": "plain_text", "text": "Animate"},
    "private_metadata": '{"job": 1}',
    "blocks": [
        {
            "type": "input",
            "block_id": "prompt",
            "label": {"type": "plain_text", "text": "Prompt"},
            "element": {"type": "plain_text_input", "action_id": "words", "initial_value": "drift"},
        },
        {
            "type": "input",
            "block_id": "model",
            "label": {"type": "plain_text", "text": "Model"},
            "element": {
                "type": "static_select",
                "action_id": "pick",
                "options": [{"text": {"type": "plain_text", "text": "Local"}, "value": "local"}],
            },
        },
        {
            "type": "input",
            "block_id": "files",
            "optional": True,
            "label": {"type": "plain_text", "text": "Pictures"},
            "element": {"type": "file_input", "action_id": "pictures", "max_files": 2},
        },
    ],
}
CANCEL: dict[str, Any] = {
    "type": "actions",
    "elements": [
        {"type": "button", "action_id": "cancel", "value": "7", "text": {"type": "plain_text", "text": "Cancel"}}
    ],
}


@dataclass
class Heard:
    events: list[dict[str, Any]] = field(default_factory=list)
    ids: list[str] = field(default_factory=list)
    retries: list[str] = field(default_factory=list)
    forms: list[dict[str, Any]] = field(default_factory=list)
    pressed: list[dict[str, Any]] = field(default_factory=list)


class Bot:
    """As a surface would be."""

    def __init__(self, slack: Slack) -> None:
        self.client = AsyncWebClient(slack.bot_token, base_url=slack.api_url)
        self.heard = Heard()
        self.app = AsyncApp(client=self.client, signing_secret=slack.signing_secret)
        self.app.shortcut("animate_message")(self.opens)
        self.app.shortcut("animate_anything")(self.opens)
        self.app.command("/animate")(self.command)
        self.app.view("animate")(self.sent_in)
        self.app.action("cancel")(self.pressed)
        for event in ("message", "app_mention", "app_home_opened", "tokens_revoked", "app_uninstalled"):
            self.app.event(event)(self.event)

    async def opens(self, ack: Any, body: dict[str, Any], client: AsyncWebClient) -> None:
        await ack()
        await client.views_open(trigger_id=body["trigger_id"], view=FORM)

    async def command(self, ack: Any, body: dict[str, Any], client: AsyncWebClient) -> None:
        await ack("One moment.")
        await client.views_open(trigger_id=body["trigger_id"], view=FORM)

    async def sent_in(self, ack: Any, view: dict[str, Any]) -> None:
        self.heard.forms.append(view)
        if view["state"]["values"]["prompt"]["words"]["value"] == "bad":
            await ack(response_action="errors", errors={"prompt": "Say something else."})
        else:
            await ack()

    async def pressed(self, ack: Any, body: dict[str, Any], respond: Any) -> None:
        await ack()
        self.heard.pressed.append(body)
        if "response_url" in body:  # App Home has none
            await respond("Cancelling...", replace_original=False)

    async def event(self, body: dict[str, Any], event: dict[str, Any], request: Any) -> None:
        self.heard.events.append(event)
        self.heard.ids.append(body["event_id"])
        self.heard.retries += request.headers.get("x-slack-retry-num", [])


@asynccontextmanager
async def connected(slack: Slack) -> AsyncIterator[Bot]:
    bot = Bot(slack)
    handler = AsyncSocketModeHandler(bot.app, slack.app_token, ping_interval=0.2)
    await handler.connect_async()  # type: ignore[no-untyped-call]  # slack-bolt types it not
    try:
        yield bot
    finally:
        await handler.close_async()  # type: ignore[no-untyped-call]  # slack-bolt types it not


@pytest.fixture
async def slack() -> AsyncIterator[Slack]:
    async with Slack() as server:
        yield server


@pytest.fixture
async def bot(slack: Slack) -> AsyncIterator[Bot]:
    async with connected(slack) as bot:
        await slack.connected()
        yield bot


@pytest.fixture
def ann(slack: Slack) -> Person:
    return slack.person("ann", "de-DE")


@pytest.fixture
def general(slack: Slack, ann: Person) -> Channel:
    return slack.channel("general", ann)


async def test_a_message_shortcut_opens_a_form_and_the_form_comes_back(bot: Bot, ann: Person, general: Channel) -> None:
    picture = ann.posts(general, "look & <see>", [PNG]).message
    assert picture
    assert picture.text == "look &amp; &lt;see&gt;"
    form = await ann.picks("animate_message", picture).view()
    assert form.body["private_metadata"] == '{"job": 1}'
    sent = ann.fills(form, {"prompt": "waves", "model": "Local", "files": PNG})
    await sent.acked()
    values = bot.heard.forms[0]["state"]["values"]
    assert values["prompt"]["words"]["value"] == "waves"
    assert values["model"]["pick"]["selected_option"]["value"] == "local"
    assert values["files"]["pictures"]["files"][0]["mimetype"] == "image/png"
    assert not form.open


async def test_a_video_is_uploaded_into_a_thread_and_its_share_is_seen_later(
    slack: Slack, bot: Bot, ann: Person, general: Channel
) -> None:
    root = ann.posts(general, "hello").message
    assert root
    done = await bot.client.files_upload_v2(
        channel=general.id, thread_ts=root.ts, file=MP4, filename="a.mp4", title="A", initial_comment="There."
    )
    file = done["files"][0]["id"]
    assert (await bot.client.files_info(file=file))["file"]["shares"] == {}
    assert slack.thread(general, root.ts)[0].text == "There."
    shares = (await bot.client.files_info(file=file))["file"]["shares"]
    assert shares["public"][general.id][0]["thread_ts"] == root.ts
    assert slack.videos()[0].files[0].data == MP4


async def test_a_mention_with_a_picture_is_told_twice_and_can_be_told_again(
    slack: Slack, bot: Bot, ann: Person, general: Channel
) -> None:
    act = ann.posts(general, f"{slack.bot.mention} go", [PNG])
    await act.acked()
    slack.redeliver(act.envelopes[0])
    await slack.until(lambda: len(bot.heard.ids) == 3)
    assert [one["type"] for one in bot.heard.events].count("app_mention") == 1
    assert len(set(bot.heard.ids)) == 2
    assert bot.heard.retries == ["0", "0", "1"]
    assert all("team" not in one and one["files"] for one in bot.heard.events)


async def test_commands_and_buttons_are_answered(bot: Bot, ann: Person, general: Channel) -> None:
    typed = ann.types("/animate", "a & b", general)
    assert (await typed.answer()).text == "One moment."
    await typed.view()
    said = await bot.client.chat_postMessage(channel=general.id, text="Queued", blocks=[CANCEL])
    status = general.messages[said["ts"]]
    pressed = ann.presses(status, "Cancel")
    assert (await pressed.answer()).reader is ann
    assert bot.heard.pressed[0]["actions"][0]["value"] == "7"
    await bot.client.chat_update(channel=general.id, ts=status.ts, text="Cancelled")
    assert status.wordings == ["Queued", "Cancelled"]
    assert not status.blocks
    with pytest.raises(SlackApiError, match="message_not_found"):
        await bot.client.chat_update(channel=general.id, ts="1.000000", text="x")


def written(person: Person, channel: Channel, text: str = "hello", **more: Any) -> Message:
    message = person.posts(channel, text, **more).message
    assert message
    return message


async def refusal(call: Any) -> str:
    """Return Slack's word for why it doesn't."""
    with pytest.raises(SlackApiError) as raised:
        await call
    return str(raised.value.response["error"])


def text(words: str) -> dict[str, str]:
    return {"type": "mrkdwn", "text": words}


def button(value: str) -> list[dict[str, Any]]:
    return [{**CANCEL, "elements": [{**CANCEL["elements"][0], "value": value}]}]


async def read(url: str, token: str = "", *, follow: bool = True) -> tuple[int, str, bytes]:
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    async with aiohttp.ClientSession() as http, http.get(url, headers=headers, allow_redirects=follow) as answer:
        return answer.status, answer.content_type, await answer.read()


# forms


async def test_a_form_sent_back_with_errors_stays_open(slack: Slack, bot: Bot, ann: Person) -> None:
    form = await ann.opens_global("animate_anything").view()
    await ann.fills(form, {"prompt": "bad", "model": "Local"}).acked()
    assert form.errors == {"prompt": "Say something else."}
    assert bot.heard.forms
    assert form.open
    assert slack.views == [form]


async def test_a_form_sent_twice_comes_twice_and_closes_once(bot: Bot, ann: Person) -> None:
    form = await ann.opens_global("animate_anything").view()
    await ann.fills(form, {"model": "Local"}, times=2).acked()
    assert [one["id"] for one in bot.heard.forms] == [form.id] * 2
    assert bot.heard.forms[0]["state"]["values"]["prompt"]["words"]["value"] == "drift"
    with pytest.raises(LookupError, match="closed"):
        ann.fills(form)


async def test_a_person_cannot_fill_in_what_the_form_does_not_take(bot: Bot, ann: Person) -> None:
    form = await ann.opens_global("animate_anything").view()
    for given, error in (
        ({"size": "big", "model": "Local"}, LookupError),
        ({"model": None}, ValueError),
        ({"model": "Other"}, ValueError),
        ({"model": "Local", "files": [PNG] * 3}, ValueError),
    ):
        with pytest.raises(error):
            ann.fills(form, given)  # type: ignore[arg-type]  # a dict literal's values, all of them fine
    assert not bot.heard.forms


async def test_a_trigger_works_once_and_three_seconds(slack: Slack, bot: Bot, ann: Person) -> None:
    act = ann.opens_global("animate_anything")
    await act.view()
    assert await refusal(bot.client.views_open(trigger_id=act.trigger, view=FORM)) == "exchanged_trigger_id"
    late = slack.world.trigger(ann, None)
    slack.world.triggers[late].at -= 4
    assert await refusal(bot.client.views_open(trigger_id=late, view=FORM)) == "expired_trigger_id"
    assert await refusal(bot.client.views_open(trigger_id="1.T.x", view=FORM)) == "invalid_trigger_id"


@pytest.mark.parametrize(
    "wrong",
    [
        {"title": {"type": "plain_text", "text": "x" * 25}},
        {"private_metadata": "x" * 3001},
        {"blocks": [{"type": "divider"}] * 101},
        {"submit": None},
        {"blocks": [{"type": "section", "text": {"type": "mrkdwn", "text": "x" * 3001}}]},
        {"blocks": [{"type": "divider", "block_id": "a"}] * 2},
    ],
)
async def test_a_form_beyond_the_limits_is_refused(slack: Slack, bot: Bot, ann: Person, wrong: dict[str, Any]) -> None:
    trigger = slack.world.trigger(ann, None)
    assert await refusal(bot.client.views_open(trigger_id=trigger, view=FORM | wrong)) == "invalid_arguments"


async def test_a_form_changes_only_by_its_present_hash(bot: Bot, ann: Person) -> None:
    form = await ann.opens_global("animate_anything").view()
    old = form.hash
    await bot.client.views_update(view_id=form.id, hash=old, view=FORM | {"callback_id": "other"})
    assert form.callback_id == "other"
    assert await refusal(bot.client.views_update(view_id=form.id, hash=old, view=FORM)) == "hash_conflict"


async def test_app_home_is_told_of_and_its_buttons_work(slack: Slack, bot: Bot, ann: Person) -> None:
    await ann.opens_home().acked()
    assert bot.heard.events[0]["tab"] == "home"
    await bot.client.views_publish(user_id=ann.id, view={"type": "home", "blocks": [CANCEL]})
    await ann.presses(slack.homes[ann.id], "cancel").acked()
    await slack.until(lambda: bot.heard.pressed)
    assert "channel" not in bot.heard.pressed[0]
    slack.views_of.home_tab = False
    assert await refusal(bot.client.views_publish(user_id=ann.id, view={"type": "home", "blocks": []})) == "not_enabled"


async def test_the_ack_of_a_form_can_change_it_stack_another_or_clear_all(slack: Slack, bot: Bot, ann: Person) -> None:
    answers = iter(["update", "push", "clear"])

    async def sent_in(ack: Any) -> None:
        action = next(answers)
        view = {} if action == "clear" else {"view": FORM | {"callback_id": "animate", "private_metadata": action}}
        await ack(response_action=action, **view)

    form = await ann.opens_global("animate_anything").view()
    bot.app._async_listeners.clear()
    bot.app.view("animate")(sent_in)
    await ann.fills(form, {"model": "Local"}).acked()
    assert form.body["private_metadata"] == "update"
    await ann.fills(form, {"model": "Local"}).acked()
    top = slack.views[-1]
    assert top.below is form
    assert top.json()["root_view_id"] == form.id
    await ann.fills(top, {"model": "Local"}).acked()
    assert not form.open
    assert not top.open


async def test_the_app_hears_of_a_closed_form_when_it_asked_to(slack: Slack, bot: Bot, ann: Person) -> None:
    for asked in (False, True):
        trigger = slack.world.trigger(ann, None)
        opened = await bot.client.views_open(trigger_id=trigger, view=FORM | {"notify_on_close": asked})
        act = ann.closes(slack.world.views[opened["view"]["id"]])
        assert [one.payload["type"] for one in act.envelopes] == ["view_closed"] * asked


async def test_a_form_knows_the_open_channel_and_where_it_may_answer(
    slack: Slack, bot: Bot, ann: Person, general: Channel
) -> None:
    element = {"type": "conversations_select", "action_id": "where", "default_to_current_conversation": True}
    label = {"type": "plain_text", "text": "Where"}
    place = {"type": "input", "block_id": "place", "label": label}
    picks = [{**place, "element": element | {"response_url_enabled": True}}]
    other = slack.channel("other", ann)
    act = ann.picks("animate_message", written(ann, general))
    form = await act.view()
    for given, channel in (({}, general), ({"place": other}, other)):
        form.body = FORM | {"blocks": picks}
        view = ann.fills(form, given).envelopes[0].payload
        assert view["view"]["state"]["values"]["place"]["where"]["selected_conversation"] == channel.id
        assert view["response_urls"][0]["channel_id"] == channel.id
    await slack.until(lambda: bot.heard.forms)


# messages


async def test_only_members_write_and_only_authors_edit(slack: Slack, bot: Bot, ann: Person, general: Channel) -> None:
    outside, secret = slack.channel("outside", bot=False), slack.channel("secret", private=True, bot=False)
    post = bot.client.chat_postMessage
    assert await refusal(post(channel=outside.id, text="x")) == "not_in_channel"
    assert await refusal(post(channel=secret.id, text="x")) == "channel_not_found"
    theirs = written(ann, general)
    assert await refusal(bot.client.chat_update(channel=general.id, ts=theirs.ts, text="x")) == "cant_update_message"
    assert await refusal(bot.client.api_call("chat.postMessage", json={"channel": general.id})) == "no_text"
    general.archived = True
    assert await refusal(post(channel=general.id, text="x")) == "is_archived"
    said = await post(channel=ann.id, text="to you")
    assert said["channel"] == slack.dm(ann).id
    assert await refusal(bot.client.chat_update(channel=ann.id, ts=said["ts"], text="x")) == "channel_not_found"
    slack.scopes.add("chat:write.public")
    await post(channel=outside.id, text="x")
    assert slack.messages(outside)


async def test_blocks_and_texts_beyond_the_limits_are_refused(bot: Bot, general: Channel) -> None:
    post = bot.client.chat_postMessage
    section = {"type": "section", "text": text("x" * 3001)}
    for blocks in ([section], button("x" * 2001), [{"type": "divider"}] * 51, [{"type": "nonsense"}]):
        assert await refusal(post(channel=general.id, text="x", blocks=blocks)) == "invalid_blocks"
    assert await refusal(post(channel=general.id, text="x" * 40_001)) == "msg_too_long"
    ts = (await post(channel=general.id, text="x"))["ts"]
    assert await refusal(bot.client.chat_update(channel=general.id, ts=ts, text="x" * 4001)) == "msg_too_long"


async def test_a_reply_to_a_message_that_is_gone_stands_outside(
    slack: Slack, bot: Bot, ann: Person, general: Channel
) -> None:
    root = written(ann, general)
    await bot.client.chat_postMessage(channel=general.id, thread_ts=root.ts, text="in")
    assert [one.text for one in slack.thread(general, root.ts)] == ["in"]
    lonely = written(ann, general)
    ann.deletes(lonely)
    said = await bot.client.chat_postMessage(channel=general.id, thread_ts=lonely.ts, text="out")
    assert "thread_ts" not in said["message"]
    assert await refusal(bot.client.conversations_replies(channel=general.id, ts=lonely.ts)) == "thread_not_found"
    replies = await bot.client.conversations_replies(channel=general.id, ts=root.ts)
    assert [one["text"] for one in replies["messages"]] == ["hello", "in"]


async def test_it_is_seen_whom_a_text_calls(slack: Slack, bot: Bot, ann: Person, general: Channel) -> None:
    blocks = [{"type": "section", "text": {"type": "plain_text", "text": "<!here>"}}]
    for more in ({"text": f"{ann.mention} <!channel>"}, {"text": "<!channel>", "blocks": blocks}):
        await bot.client.chat_postMessage(channel=general.id, **more)
    assert [one.pings for one in slack.messages(general)] == [[ann.id, "channel"], []]


async def test_ephemeral_messages_are_for_members_and_can_be_replaced(
    slack: Slack, bot: Bot, ann: Person, general: Channel
) -> None:
    await bot.client.chat_postEphemeral(channel=general.id, user=ann.id, text="Only you", blocks=[CANCEL])
    whisper = slack.ephemerals[0]
    act = ann.presses(whisper, "cancel")
    assert (await act.answer()).text == "Cancelling..."
    assert "message" not in bot.heard.pressed[0]
    url = bot.heard.pressed[0]["response_url"]
    async with aiohttp.ClientSession() as http:
        for number in range(5):
            said = {"text": f"{number}", "replace_original": True}
            async with http.post(url, json=said) as answer:
                assert answer.status == (200 if number < 4 else 404)  # 5 uses, the first was the bot's own
    assert whisper.text == "3"
    other = slack.person("bob")
    sent = bot.client.chat_postEphemeral(channel=general.id, user=other.id, text="x")
    assert await refusal(sent) == "user_not_in_channel"


async def test_an_answer_by_response_url_can_be_for_all_and_take_the_original_away(
    slack: Slack, bot: Bot, ann: Person, general: Channel
) -> None:
    status = (await bot.client.chat_postMessage(channel=general.id, text="x", blocks=[CANCEL]))["ts"]
    act = ann.presses(general.messages[status], "cancel")
    url = act.envelopes[0].payload["response_url"]
    async with aiohttp.ClientSession() as http:
        for said in ({"text": "for all", "response_type": "in_channel"}, {"delete_original": True}):
            async with http.post(url, json=said) as answer:
                assert await answer.text() == "ok"
        slack.world.responses[url.rpartition("/")[2]].at -= 1801
        async with http.post(url, json={"text": "late"}) as answer:
            assert (answer.status, await answer.text()) == (404, "expired_url")
    assert [one.text for one in slack.messages(general)] == ["for all"]


async def test_what_was_posted_can_be_found_by_its_metadata_and_deleted(
    slack: Slack, bot: Bot, general: Channel
) -> None:
    note = {"event_type": "job", "event_payload": {"id": "7"}}
    said = await bot.client.chat_postMessage(channel=general.id, text="x", metadata=note)
    for wanted in (False, True):
        found = await bot.client.conversations_history(channel=general.id, include_all_metadata=wanted)
        assert found["messages"][0].get("metadata") == (note if wanted else None)
    await bot.client.chat_delete(channel=general.id, ts=said["ts"])
    assert not slack.messages(general)
    await bot.client.auth_revoke()
    assert await refusal(bot.client.chat_delete(channel=general.id, ts=said["ts"])) == "token_revoked"


async def test_places_and_people_are_found(slack: Slack, bot: Bot, ann: Person, general: Channel) -> None:
    user = (await bot.client.users_info(user=ann.id, include_locale=True))["user"]
    assert (user["locale"], user["is_admin"]) == ("de-DE", False)
    assert (await bot.client.conversations_info(channel=general.id))["channel"]["is_member"]
    direct = (await bot.client.conversations_open(users=ann.id))["channel"]["id"]
    assert direct == slack.dm(ann).id
    assert (await bot.client.conversations_members(channel=general.id))["members"] == sorted([ann.id, slack.bot.id])
    group = slack.group("designers", ann)
    assert (await bot.client.usergroups_users_list(usergroup=group.id))["users"] == [ann.id]
    message = written(ann, general)
    link = await bot.client.chat_getPermalink(channel=general.id, message_ts=message.ts)
    assert link["permalink"].endswith(message.ts.replace(".", ""))
    await bot.client.reactions_add(channel=general.id, timestamp=message.ts, name="hourglass")
    assert message.reactions == {"hourglass"}


async def test_methods_are_taken_by_query_form_and_json(slack: Slack, bot: Bot, ann: Person, general: Channel) -> None:
    call = bot.client.api_call
    said = {"channel": general.id, "text": "x", "blocks": json.dumps([CANCEL])}
    await call("chat.postMessage", data=said)
    await call("chat.postMessage", params=said)
    await call("chat.postMessage", json=said)
    await call("users.info", http_verb="GET", params={"user": ann.id})
    async with aiohttp.ClientSession() as http:
        await http.post(f"{slack.api_url}chat.postMessage", data=said | {"token": slack.bot_token})
    assert [len(one.elements) for one in slack.messages(general)] == [1, 1, 1, 1]
    assert slack.bot_token not in repr(slack.calls)


async def test_a_token_without_the_scope_is_told_which(slack: Slack, bot: Bot, general: Channel) -> None:
    slack.scopes.discard("chat:write")
    with pytest.raises(SlackApiError) as raised:
        await bot.client.chat_postMessage(channel=general.id, text="x")
    assert raised.value.response["needed"] == "chat:write"
    assert "files:read" in raised.value.response["provided"]
    assert "chat:write" not in raised.value.response.headers["X-OAuth-Scopes"].split(",")
    slack.scopes.discard("channels:read")
    assert await refusal(bot.client.conversations_info(channel=general.id)) == "missing_scope"


# files


async def upload(slack: Slack, bot: Bot, channel: Channel, data: bytes = MP4, **more: Any) -> File:
    done = await bot.client.files_upload_v2(channel=channel.id, file=data, filename="a.mp4", **more)
    return slack.world.files[done["files"][0]["id"]]


async def test_a_share_can_wait_for_the_test_or_never_come(slack: Slack, bot: Bot, general: Channel) -> None:
    slack.shares_after = None
    file = await upload(slack, bot, general)
    for _ in range(3):
        assert (await bot.client.files_info(file=file.id))["file"]["shares"] == {}
    slack.share(file)
    assert slack.videos(general)[0].files == [file]
    late = await upload(slack, bot, general)
    general.archived = True
    slack.share(late)
    assert len(slack.videos()) == 1


async def test_several_files_are_one_message_in_each_channel(slack: Slack, bot: Bot, general: Channel) -> None:
    other = slack.channel("other")
    uploads: list[dict[str, Any]] = [{"file": MP4, "filename": f"{n}.mp4"} for n in range(2)]
    await bot.client.files_upload_v2(file_uploads=uploads, channels=[general.id, other.id])
    await bot.client.files_info(file=slack.files[0].id)
    assert [len(slack.videos(place)[0].files) for place in (general, other)] == [2, 2]
    assert len(slack.videos()) == 2


async def test_an_upload_goes_step_by_step_and_only_once(slack: Slack, bot: Bot, general: Channel) -> None:
    slot = await bot.client.files_getUploadURLExternal(filename="a.mp4", length=len(MP4))
    complete = bot.client.files_completeUploadExternal
    files: list[dict[str, str | None]] = [{"id": slot["file_id"], "title": "A"}]
    assert await refusal(complete(files=files, channel_id=general.id)) == "file_not_found"
    async with aiohttp.ClientSession() as http:
        async with http.post(slot["upload_url"], data=MP4[:-1]) as answer:
            assert answer.status == 400
        async with http.post(slot["upload_url"], data=MP4) as answer:
            assert (answer.status, await answer.text()) == (200, f"OK - {len(MP4)}")
    general.members.discard(slack.bot)
    assert await refusal(complete(files=files, channel_id=general.id)) == "not_in_channel"
    general.members.add(slack.bot)
    await complete(files=files, channel_id=general.id)
    assert await refusal(complete(files=files, channel_id=general.id)) == "file_not_found"
    await bot.client.files_info(file=files[0]["id"] or "")
    assert len(slack.videos()) == 1


async def test_a_picture_is_read_with_the_token_and_is_a_login_page_without(
    slack: Slack, ann: Person, general: Channel
) -> None:
    file = written(ann, general, files=[Upload(PNG, "p.png", size=7)]).files[0]
    url = file.json()["url_private_download"]
    assert file.json()["size"] == 7
    assert await read(url, slack.bot_token) == (200, "image/png", PNG)
    assert (await read(url))[:2] == (200, "text/html")
    slack.scopes.discard("files:read")
    assert (await read(url, slack.bot_token))[1] == "text/html"
    ann.deletes(file)
    assert (await read(url, slack.bot_token))[0] == 404
    assert file.json() == {"id": file.id, "mode": "tombstone"}


async def test_a_download_can_lead_elsewhere(slack: Slack, ann: Person) -> None:
    file = ann.has(PNG)
    url = file.json()["url_private_download"]
    file.redirect = "origin"
    assert (await read(url, slack.bot_token, follow=False))[0] == 302
    assert (await read(url, slack.bot_token))[1] == "text/html"  # clients drop the token on the way
    there = url.replace(slack.file_hosts[0], slack.file_hosts[1])
    assert await read(there, slack.bot_token) == (200, "image/png", PNG)
    file.redirect = "foreign"
    foreign = url.replace(slack.world.url, slack.urls["foreign"])
    assert not slack.leaks
    await read(foreign, slack.bot_token)
    assert len(slack.leaks) == 1


async def test_a_file_of_another_workspace_is_asked_for(slack: Slack, bot: Bot, ann: Person, general: Channel) -> None:
    file = slack.person("bob", team=slack.workspace("other")).has(PNG)
    file.connect = True
    await ann.shares(file, general).acked()
    shown = bot.heard.events[0]["files"][0]
    assert shown["file_access"] == "check_file_info"
    assert "url_private" not in shown
    asked = (await bot.client.files_info(file=shown["id"]))["file"]
    assert (await read(asked["url_private_download"], slack.bot_token))[2] == PNG
    ann.deletes(file)
    assert await refusal(bot.client.files_info(file=file.id)) == "file_deleted"


async def test_the_apps_own_files_are_listed_by_pages(slack: Slack, bot: Bot, ann: Person, general: Channel) -> None:
    first, second = [await upload(slack, bot, general, f"MP4 {n}".encode()) for n in range(2)]
    ann.has(PNG)
    await bot.client.files_getUploadURLExternal(filename="b.mp4", length=1)
    listed = [await bot.client.files_list(user=slack.bot.id, count=1, page=page) for page in (1, 2)]
    assert [one["files"][0]["id"] for one in listed] == [second.id, first.id]
    assert listed[0]["paging"]["pages"] == 2
    await bot.client.files_delete(file=first.id)
    assert await refusal(bot.client.files_delete(file=first.id)) == "file_deleted"


async def test_a_described_upload_is_never_shared_as_reported(slack: Slack, bot: Bot, general: Channel) -> None:
    file = await upload(slack, bot, general, alt_txt="waves")
    for _ in range(3):
        assert not (await bot.client.files_info(file=file.id))["file"]["shares"]
    assert not slack.videos()


# events


async def test_events_come_where_the_app_may_hear(slack: Slack, bot: Bot, ann: Person, general: Channel) -> None:
    outside = slack.channel("outside", ann, bot=False)
    assert not ann.posts(outside, f"{slack.bot.mention} hi").envelopes
    direct = ann.posts(slack.dm(ann), f"{slack.bot.mention} hi")
    await direct.acked()
    assert [one["channel_type"] for one in bot.heard.events] == ["im"]
    slack.scopes.discard("channels:history")
    assert [one.payload["event"]["type"] for one in ann.posts(general, slack.bot.mention).envelopes] == ["app_mention"]


async def test_an_edited_message_is_told_as_another_event(
    slack: Slack, bot: Bot, ann: Person, general: Channel
) -> None:
    message = written(ann, general, "first", files=[PNG])
    ann.edits(message, "second")
    await slack.until(lambda: len(bot.heard.events) == 2)
    heard = {one["subtype"]: one for one in bot.heard.events}
    assert heard["file_share"]["text"] == "first"
    assert heard["message_changed"]["message"]["text"] == "second"


async def test_the_oddities_of_mentions_can_be_played(slack: Slack, ann: Person, general: Channel) -> None:
    act = ann.posts(general, slack.bot.mention, [PNG], file_share=False, mention_files=False)
    message, mention = (one.payload["event"] for one in act.envelopes)
    assert "subtype" not in message
    assert message["files"]
    assert "files" not in mention
    assert len(ann.posts(general, slack.bot.mention, [PNG], mention=False).envelopes) == 1


async def test_events_wait_for_a_socket_and_clicks_do_not(slack: Slack, ann: Person, general: Channel) -> None:
    event, click = ann.posts(general, "early"), ann.opens_global("animate_anything")
    assert click.envelopes[0].unheard
    assert event.envelopes[0].sent_at is None
    async with connected(slack) as bot:
        await event.acked()
        assert [one["text"] for one in bot.heard.events] == ["early"]


async def test_several_sockets_take_turns(slack: Slack, bot: Bot, ann: Person, general: Channel) -> None:
    async with connected(slack) as second:
        await slack.connected(2)
        for number in range(4):
            await ann.posts(general, f"{number}").acked()
        assert len(bot.heard.events) == len(second.heard.events) == 2


@pytest.mark.parametrize("how", ["refresh", "close", "cut"])
async def test_a_lost_socket_is_made_anew(slack: Slack, bot: Bot, ann: Person, general: Channel, how: str) -> None:
    if how == "refresh":
        slack.wire.disconnect("refresh_requested")
    elif how == "close":
        await slack.wire.close_sockets()
    else:
        slack.wire.cut()
    assert not slack.wire.live
    waiting = ann.posts(general, "meanwhile")
    await slack.until(lambda: slack.wire.hellos == 2)
    await waiting.acked()
    assert len(bot.heard.events) == 1


async def test_a_warning_leaves_the_socket_alone(slack: Slack, bot: Bot, ann: Person, general: Channel) -> None:
    slack.wire.disconnect("warning")
    assert len(slack.wire.live) == 1
    await ann.posts(general, "still here").acked()
    assert bot.heard.events


async def test_what_was_never_acked_is_told_again(slack: Slack, ann: Person, general: Channel) -> None:
    ticket = slack.wire.ticket(slack.world.url)
    async with aiohttp.ClientSession() as http, http.ws_connect(ticket) as deaf:
        with pytest.raises(aiohttp.WSServerHandshakeError, match="404"):  # a ticket is for one socket
            await http.ws_connect(ticket)
        assert (await deaf.receive_json())["type"] == "hello"
        act = ann.posts(general, "hello?")
        assert (await deaf.receive_json())["payload"]["event"]["text"] == "hello?"
    await slack.until(lambda: not slack.wire.lines)
    async with connected(slack) as bot:
        await slack.connected()
        slack.redeliver(reason="timeout")
        await slack.until(lambda: bot.heard.events)
    assert bot.heard.ids == [act.envelopes[0].payload["event_id"]]
    assert bot.heard.retries == ["1"]


async def test_an_ack_that_slack_cannot_show_is_an_error(slack: Slack, bot: Bot, ann: Person) -> None:
    async def wrong(ack: Any) -> None:
        await ack(response_action="errors", errors={"nonsense": "x"})

    form = await ann.opens_global("animate_anything").view()
    bot.app._async_listeners.clear()
    bot.app.view("animate")(wrong)
    with pytest.raises(RuntimeError, match="nonsense"):
        await ann.fills(form, {"model": "Local"}).acked()
    assert len(slack.wire.live) == 1


# HTTP


@asynccontextmanager
async def served(slack: Slack) -> AsyncIterator[Bot]:
    bot = Bot(slack)
    runner = web.AppRunner(bot.app.web_app("/slack/events"), access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    slack.posts_to(f"http://127.0.0.1:{runner.addresses[0][1]}/slack/events")
    try:
        yield bot
    finally:
        await runner.cleanup()


async def test_all_of_it_also_goes_by_signed_posts(slack: Slack, ann: Person, general: Channel) -> None:
    async with served(slack) as bot:
        event = ann.posts(general, "hello")
        await event.acked()
        slack.redeliver(event)
        await slack.until(lambda: bot.heard.retries == ["1"])
        typed = ann.types("/animate", "waves & wind", general)
        assert (await typed.answer()).text == "One moment."
        form = await typed.view()
        await ann.fills(form, {"prompt": "bad", "model": "Local"}).acked()
        assert form.errors
        assert (await slack.verifies())[0] == 200
        assert "proof" in (await slack.verifies())[1]
        assert (await slack.verifies(secret="wrong"))[0] == 401  # noqa: S106 - opens nothing
        assert (await slack.verifies(age=400))[0] == 401
    with pytest.raises(RuntimeError, match="ClientConnector"):
        await ann.posts(general, "gone").acked()


# workspaces


@pytest.mark.filterwarnings("ignore:BasicAuth is deprecated:DeprecationWarning")  # slack-sdk 3.47 still uses it
async def test_each_workspace_has_its_own_token(slack: Slack, general: Channel) -> None:
    other = slack.workspace("other", installed=False)
    bob = slack.person("bob", team=other)
    stranger = AsyncWebClient(base_url=slack.api_url)
    exchange, code = stranger.oauth_v2_access, slack.grants(other)
    given = await exchange(client_id="1", client_secret="2", code=code)  # noqa: S106 - opens nothing
    assert given["team"]["id"] == other.id
    theirs = AsyncWebClient(given["access_token"], base_url=slack.api_url)
    assert (await theirs.auth_test())["user_id"] == other.bot.id
    place = slack.channel("theirs", bob, team=other)
    await theirs.chat_postMessage(channel=place.id, text="x")
    assert await refusal(theirs.chat_postMessage(channel=general.id, text="x")) == "channel_not_found"
    assert bob.posts(place, "hi").envelopes[0].payload["team_id"] == other.id
    used = exchange(client_id="1", client_secret="2", code=code)  # noqa: S106 - opens nothing
    assert await refusal(used) == "invalid_code"
    assert await refusal(stranger.auth_test()) == "not_authed"


async def test_a_token_that_was_taken_away_is_told_of_and_opens_nothing(
    slack: Slack, bot: Bot, ann: Person, general: Channel
) -> None:
    await bot.client.auth_test()
    slack.revokes_token()
    assert await refusal(bot.client.auth_test()) == "token_revoked"
    slack.uninstalls()
    assert await refusal(bot.client.auth_test()) == "account_inactive"
    assert not ann.posts(general, "hello").envelopes
    kinds = [one.payload["event"]["type"] for one in slack.envelopes]
    assert kinds == ["tokens_revoked", "tokens_revoked", "app_uninstalled"]


# what goes wrong


async def test_limits_are_met_with_a_time_to_wait(slack: Slack, bot: Bot, general: Channel) -> None:
    slack.next("chat.postMessage", faults.limited(7))
    with pytest.raises(SlackApiError) as raised:
        await bot.client.chat_postMessage(channel=general.id, text="x")
    assert (raised.value.response.status_code, raised.value.response.headers["Retry-After"]) == (429, "7")
    slack.tiers["chat.postMessage"] = (2, 60.0)
    for _ in range(2):
        await bot.client.chat_postMessage(channel=general.id, text="x")
    assert await refusal(bot.client.chat_postMessage(channel=general.id, text="x")) == "ratelimited"
    assert slack.count("chat.postMessage") == 4
    assert len(slack.messages(general)) == 2


@pytest.mark.parametrize("acts", [False, True])
async def test_an_answer_can_be_lost_before_or_after_the_act(
    slack: Slack, bot: Bot, general: Channel, acts: bool
) -> None:
    bot.client.retry_handlers.clear()
    slack.next("chat.postMessage", faults.dropped(acts=acts))
    with pytest.raises(aiohttp.ClientError):
        await bot.client.chat_postMessage(channel=general.id, text="x")
    assert len(slack.messages(general)) == acts


async def test_an_answer_can_be_held_until_the_test_lets_go(slack: Slack, bot: Bot, general: Channel) -> None:
    gate = Gate()
    slack.next("chat.postMessage", faults.held(gate))
    post = asyncio.ensure_future(bot.client.chat_postMessage(channel=general.id, text="x"))
    await gate.reached.wait()
    assert slack.messages(general)
    assert not post.done()
    gate.open.set()
    assert (await post)["ok"]


async def test_any_word_and_any_5xx_can_be_answered(slack: Slack, bot: Bot, general: Channel) -> None:
    slack.next("chat.update", faults.refused("edit_window_closed"), faults.broken(500), faults.broken(503))
    update = bot.client.chat_update
    assert await refusal(update(channel=general.id, ts="1.000000", text="x")) == "edit_window_closed"
    for status in (500, 503):
        with pytest.raises(SlackApiError) as raised:
            await update(channel=general.id, ts="1.000000", text="x")
        assert raised.value.response.status_code == status
    slack.always("chat.update", faults.refused("is_inactive"))
    slack.mend()
    assert await refusal(update(channel=general.id, ts="1.000000", text="x")) == "message_not_found"


async def test_uploads_downloads_and_sockets_can_fail_too(
    slack: Slack, bot: Bot, ann: Person, general: Channel
) -> None:
    bot.client.retry_handlers.clear()
    slack.next("upload", faults.broken(503), faults.dropped())
    with pytest.raises(Exception, match="503"):
        await upload(slack, bot, general)
    with pytest.raises(aiohttp.ClientError):
        await upload(slack, bot, general)
    assert [file.state for file in slack.files] == ["announced", "uploaded"]
    file = ann.has(PNG)
    slack.next("file", faults.broken(502))
    assert (await read(file.json()["url_private_download"], slack.bot_token))[0] == 502
    slack.next("apps.connections.open", faults.dropped(acts=False))
    slack.next("socket", faults.broken(500))
    slack.wire.cut()
    await slack.until(lambda: slack.wire.live)
    assert slack.count("socket") == 3
