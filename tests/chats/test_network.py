"""Both chats go out by the settings' proxy and trust, whatever their libraries read from the environment."""

from collections.abc import Iterator

import aiohttp
import pytest

from bot.chats import slack
from bot.chats.discord.connection import options
from bot.chats.slack.clients import web_client
from providers import network
from providers.contract import Secret
from providers.network import Network

PROXY = "http://proxy.test:3128"
SLACK = slack.Settings(bot_token=Secret("xoxb-1"), app_token=Secret("xapp-1"))


@pytest.fixture
def ours(monkeypatch: pytest.MonkeyPatch) -> Iterator[Network]:
    monkeypatch.setenv("HTTPS_PROXY", "http://other.test:1")  # what Slack's SDK would read
    before, found = network.current(), Network(PROXY, env={"NO_PROXY": "internal.test"})
    network.use(found)
    yield found
    network.use(before)


async def asked(connector: aiohttp.BaseConnector, url: str) -> str:
    """Return whom a request was sent to: nobody has that name, so the error says it."""
    async with aiohttp.ClientSession(connector=connector) as session:
        with pytest.raises(aiohttp.ClientConnectorError) as caught:
            await session.get(url, proxy="http://other.test:1")
    return str(caught.value.host)


@pytest.mark.parametrize(
    ("url", "host"), [("https://discord.test/", "proxy.test"), ("https://a.internal.test/", "a.internal.test")]
)
async def test_discord_goes_by_the_proxy_unless_told_not_to(ours: Network, url: str, host: str) -> None:
    connector = options()["connector"]
    assert connector._ssl is ours.trust
    assert await asked(connector, url) == host


async def test_slack_goes_by_the_proxy_and_trusts_the_same(ours: Network) -> None:
    client = web_client(SLACK)
    assert (client.proxy, client.ssl) == (PROXY, ours.trust)
    async with slack._session() as session:
        assert session.connector is not None
        assert await asked(session.connector, "https://slack.test/") == "proxy.test"


@pytest.mark.usefixtures("ours")
def test_slack_does_not_take_a_proxy_from_the_environment_behind_our_back() -> None:
    network.use(Network(env={"HTTPS_PROXY": "http://other.test:1", "NO_PROXY": "slack.com"}))
    assert web_client(SLACK).proxy is None
