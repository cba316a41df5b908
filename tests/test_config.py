"""Settings: where they come from, what is refused and how secrets are kept."""

import importlib
import re
import tomllib
from collections.abc import Iterator
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import msgspec
import pytest
from yarl import URL

from bot.config import (
    BadConfig,
    Config,
    File,
    adapter,
    catalogue,
    chat_settings,
    load,
    provider_settings,
)
from bot.domain.policy import Limits
from providers.contract import Secret

EXAMPLE = Path(__file__).parents[1] / "config.example.toml"


class Settings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    key: Secret
    hosts: int = 1
    cache: Path | None = None
    spare: Secret | None = None


@pytest.fixture(autouse=True)
def somewhere_without_a_config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def written(text: str, env: dict[str, str] | None = None) -> Config:
    Path("my.toml").write_text(text)
    return load(Path("my.toml"), env or {})


def refusal(text: str) -> str:
    with pytest.raises(BadConfig) as caught:
        written(text)
    return str(caught.value)


def test_with_nothing_given_local_is_on_and_limits_are_sane() -> None:
    config = load(None, {})

    assert (config.path, config.default_model, dict(config.providers)) == (None, "local", {"local": {}})
    assert config.limits.as_rules() == Limits(3, 30, 5_000_000, 25_000_000, None)
    assert config.data_dir.name == "zoetrope"


def test_a_given_file_beats_the_environment_and_that_beats_the_folder() -> None:
    for name in ("given", "env", "config"):
        Path(f"{name}.toml").write_text(f"default_model = '{name}'")
    env = {"ZOETROPE_CONFIG": "env.toml"}

    assert load(Path("given.toml"), env).default_model == "given"
    assert load(None, env).default_model == "env"
    assert load(None, {}).default_model == "config"


def test_the_data_folder_comes_from_the_file_then_the_environment(tmp_path: Path) -> None:
    env = {"ZOETROPE_DATA": str(tmp_path / "env")}
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc" / "z.toml").write_text("data_dir = 'rows'")

    assert load(tmp_path / "etc" / "z.toml", env).data_dir == tmp_path / "etc" / "rows"
    assert load(None, env).data_dir == tmp_path / "env"
    assert written("data_dir = '~/rows'").data_dir == Path.home() / "rows"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[worker]\nlease_secnds = 3", "my.toml: worker.lease_secnds: unknown key; did you mean worker.lease_seconds?"),
        ("zzz = 1", "my.toml: zzz: unknown key; remove it"),
        ("[limits]\nopen_per_person = 'three'", "my.toml: limits.open_per_person: "),
        ("[limits]\ndollars_per_day = -1", "my.toml: limits.dollars_per_day: "),
        ("[worker]\nlease_seconds = 0", "my.toml: worker.lease_seconds: "),
        ("data_dir = ''", "my.toml: data_dir: "),
        ("worker = 3", "my.toml: worker: "),
        ("[providers]\nlocal = true", "my.toml: providers.local: must be a table; write [providers.local]"),
        ("providers = 3", "my.toml: providers: "),
        ("[worker", "my.toml: is not valid TOML"),
    ],
)
def test_a_bad_setting_is_refused_by_file_and_key(text: str, words: str) -> None:
    assert words in refusal(text)


def test_a_file_that_can_not_be_read_is_named() -> None:
    Path("latin.toml").write_bytes(b"default_model = '\xe9'")
    Path("huge.toml").write_bytes(b"#" * 1_000_001)

    for name, words in (("gone", "no such file"), ("latin", "UTF-8"), ("huge", "larger than")):
        with pytest.raises(BadConfig, match=rf"{name}.toml: .*{words}"):
            load(Path(f"{name}.toml"), {})
    with pytest.raises(BadConfig, match="can't be read"):
        load(Path(), {})


def test_a_file_may_begin_with_an_editors_mark() -> None:
    Path("marked.toml").write_bytes(b"\xef\xbb\xbfdefault_model = 'mine'")
    assert load(Path("marked.toml"), {}).default_model == "mine"


def test_a_user_without_a_home_is_asked_for_a_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HOME", raising=False)
    monkeypatch.delenv("XDG_DATA_HOME", raising=False)
    monkeypatch.setattr("os.getuid", lambda: 2_000_000_001)
    with pytest.raises(BadConfig, match="set data_dir, or"):
        load(None, {})
    assert load(None, {"ZOETROPE_DATA": "/data"}).data_dir == Path("/data")


@pytest.mark.parametrize("value", ["k\u00e9y", "\ufeffkey", "key\u200b", "two\nlines"])
def test_a_secret_that_no_header_could_carry_is_refused_without_showing_it(value: str) -> None:
    config = written('[providers.acme]\nkey = "env:ACME_KEY"', {"ACME_KEY": value})
    with pytest.raises(BadConfig, match="env:ACME_KEY holds can't be a key") as caught:
        provider_settings(config, "acme", Settings)
    assert value not in str(caught.value)


def test_unlimited_lifts_a_limit_and_zero_closes_the_door() -> None:
    limits = written('[limits]\nopen_per_person = "unlimited"\ndollars_per_day = 0\nmax_seconds = 12.5').limits

    assert limits.as_rules() == Limits(None, 30, 5_000_000, 0, 12.5)


def test_a_secret_comes_from_the_environment_or_a_file_and_never_prints() -> None:
    Path("key.txt").write_text("s3cret\n")
    text = '[providers.acme]\nkey = "env:ACME_KEY"\nspare = "file:key.txt"\ncache = "c"\nadapter = "there.acme"'
    settings = provider_settings(written(text, {"ACME_KEY": "hush"}), "acme", Settings)

    assert (settings.key.reveal(), settings.spare and settings.spare.reveal()) == ("hush", "s3cret")
    assert settings.cache == Path.cwd() / "c"
    assert "hush" not in f"{settings} {settings!r} {settings.key} {settings.key!r}"


@pytest.mark.parametrize(
    ("table", "words"),
    [
        ('key = "sk-live-123"', 'providers.acme.key: a secret is not written here itself; write "env:NAME"'),
        ('key = "env:sk-live-123"', "providers.acme.key: a secret is not written here itself"),
        ('key = "env:ACME_KEY"', "providers.acme.key: the environment variable ACME_KEY is not set"),
        ('key = "file:nowhere"', "providers.acme.key: the secret can't be read from"),
        ('key = "file:empty"', "is empty; put the secret into it"),
        ("key = 123", "providers.acme.key: "),
        ("hosts = 2", "providers.acme: "),
        ('key = "env:ACME_KEY"\nhosst = 2', "providers.acme.hosst: unknown key; did you mean providers.acme.hosts?"),
    ],
)
def test_a_bad_provider_setting_is_refused_without_showing_the_secret(table: str, words: str) -> None:
    Path("empty").write_text("\n")
    config = written(f"[providers.acme]\n{table}")

    with pytest.raises(BadConfig) as caught:
        provider_settings(config, "acme", Settings)

    assert words in str(caught.value)
    assert "sk-live" not in str(caught.value)
    assert "sk-live" not in repr(config)


def test_a_chat_that_is_not_set_up_is_said_so() -> None:
    with pytest.raises(BadConfig, match=r"chat.discord: is missing; add a \[chat.discord\] table"):
        chat_settings(load(None, {}), "discord", Settings)


def test_a_providers_module_is_ours_unless_it_names_another() -> None:
    config = written('[providers.acme]\nadapter = "there.acme"\n[providers.kling]\n[providers.bad]\nadapter = "os;x"')

    assert (adapter(config, "acme"), adapter(config, "kling")) == ("there.acme", "providers.kling")
    with pytest.raises(BadConfig, match=r"providers.bad.adapter"):
        adapter(config, "bad")


def test_with_nothing_given_the_default_model_is_there() -> None:
    config = load(None, {})

    assert catalogue(config).find(config.default_model).provider == "local"


@pytest.mark.parametrize(
    ("text", "model"),
    [
        ("[providers.fal]", "kling-2-1"),
        ("[providers.fal]\n[providers.local]", "local"),
        ("[providers.acme]\n[models.mine]\nprovider = 'acme'\nseconds = [3]", "mine"),
    ],
)
def test_who_names_no_model_gets_one_that_a_configured_provider_makes(text: str, model: str) -> None:
    config = written(text)

    assert config.default_model == model
    assert catalogue(config).find(model).provider in config.providers


def test_an_operators_model_joins_the_catalogue() -> None:
    config = written("default_model = 'mine'\n[providers.acme]\n[models.mine]\nprovider = 'acme'\nseconds = [3]")

    assert catalogue(config).find("MINE").seconds == (3,)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[models.mine]\nprovider = 'acme'\nsecnds = [3]", "my.toml: models.mine.secnds: "),
        ("[models.mine]\nseconds = [3]", "my.toml: models.mine.provider: "),
        ("[models.mine]\nprovider = 'zenith'", "models.mine.provider: 'zenith' is not set up; add [providers.zenith]"),
        ("default_model = 'mien'\n[models.mine]\nprovider = 'acme'", "default_model: no configured provider"),
    ],
)
def test_a_bad_model_is_refused_by_file_and_key(text: str, words: str) -> None:
    with pytest.raises(BadConfig) as caught:
        catalogue(written(f"{text}\n[providers.acme]"))

    assert words in str(caught.value)


def test_the_example_parses_to_the_defaults() -> None:
    example, defaults = load(EXAMPLE, {}), load(None, {})

    for name in ("data_dir", "default_model", "worker", "limits", "providers", "models", "chat"):
        assert getattr(example, name) == getattr(defaults, name), name


def keys(kind: Any, table: str = "") -> Iterator[tuple[str, str]]:
    for field in msgspec.structs.fields(kind):
        if isinstance(field.type, type) and issubclass(field.type, msgspec.Struct):
            yield from keys(field.type, field.name)
        else:
            yield table, field.name


def test_the_example_names_every_key_with_a_comment_above() -> None:
    text = EXAMPLE.read_text()
    lines = text.splitlines()
    given = tomllib.loads(text)

    for table, key in keys(File):
        if key in ("providers", "models", "chat"):
            assert any(line.lstrip("# ").startswith(f"[{key}.") for line in lines), key
            continue
        place = next((i for i, line in enumerate(lines) if line.lstrip("# ").startswith(f"{key} = ")), None)
        assert place is not None, key
        assert lines[place - 1].startswith("# "), key
        assert lines[place].startswith("#") or key in (given[table] if table else given)


PROVIDERS = sorted(path.parent.name for path in (EXAMPLE.parent / "providers").glob("*/catalogue.toml"))


@pytest.mark.parametrize("name", PROVIDERS)
def test_the_example_names_every_setting_of_every_provider_with_its_default(name: str) -> None:
    module = importlib.import_module(f"providers.{name}")
    _, _, rest = EXAMPLE.read_text().partition(f"[providers.{name}]")
    table, _, _ = rest.partition("\n# [")[0].partition("\n[")
    for field in msgspec.structs.fields(module.Settings):
        said = re.search(rf"^#? ?{field.name} = (.+)$", table, re.MULTILINE)
        assert said, f"providers.{name}.{field.name} is missing"
        if field.default is not msgspec.NODEFAULT and field.default is not None:
            assert tomllib.loads(f"x = {said[1]}")["x"] == field.default


@pytest.mark.parametrize("name", ["discord", "slack"])
def test_the_example_names_every_setting_of_every_chat_with_its_default(name: str) -> None:
    settings = importlib.import_module(f"bot.chats.{name}").Settings
    table = EXAMPLE.read_text().partition(f"[chat.{name}]")[2].partition("\n# [")[0]
    for field in msgspec.structs.fields(settings):
        said = re.search(rf"^# {field.name} = (.+)$", table, re.MULTILINE)
        assert said, f"chat.{name}.{field.name} is missing"
        if field.default not in {msgspec.NODEFAULT, None}:
            given = tomllib.loads(f"x = {said[1]}")["x"]
            assert (tuple(given) if isinstance(given, list) else given) == field.default


def test_a_key_in_the_environment_is_enough_for_somebody_who_configured_nothing() -> None:
    assert set(load(None, {"FAL_KEY": "x"}).providers) == {"local", "fal"}
    assert set(load(None, {"MINIMAX_API_KEY": "x"}).providers) == {"local", "minimax"}


@pytest.mark.parametrize(
    ("env", "api"),
    [
        ({"KLING_API_KEY": "x"}, "2.0"),
        ({"KLING_ACCESS_KEY": "x", "KLING_SECRET_KEY": "y"}, "legacy"),
        ({"KLING_API_KEY": "x", "KLING_ACCESS_KEY": "x", "KLING_SECRET_KEY": "y"}, "2.0"),
        ({"KLING_ACCESS_KEY": "x"}, None),
    ],
)
def test_klings_keys_in_the_environment_choose_its_api(env: dict[str, str], api: str | None) -> None:
    config = load(None, env)

    assert ("kling" in config.providers) is (api is not None)
    if api is not None:
        settings = provider_settings(config, "kling", importlib.import_module("providers.kling").Settings)
        assert settings.api == api


def test_slack_is_on_without_a_chat_table_where_both_its_tokens_are_set() -> None:
    both = {"SLACK_BOT_TOKEN": "xoxb-1", "SLACK_APP_TOKEN": "xapp-1"}

    assert set(load(None, both).chat) == {"slack"}
    assert set(load(None, {**both, "DISCORD_TOKEN": "x"}).chat) == {"discord", "slack"}
    assert not load(None, {"SLACK_BOT_TOKEN": "xoxb-1"}).chat


def test_discord_is_on_without_a_chat_table_where_its_token_is_set() -> None:
    assert dict(load(None, {"DISCORD_TOKEN": "x"}).chat) == {"discord": {"token": "env:DISCORD_TOKEN"}}
    assert set(written("[chat.quiet]", {"DISCORD_TOKEN": "x"}).chat) == {"quiet"}
    assert not load(None, {"DISCORD_TOKEN": ""}).chat


def test_a_blank_in_the_environment_is_no_key() -> None:
    config = load(None, {"DISCORD_TOKEN": " ", "FAL_KEY": "\t", "SLACK_BOT_TOKEN": "x", "SLACK_APP_TOKEN": ""})
    assert (dict(config.chat), list(config.providers)) == ({}, ["local"])


def test_the_network_is_read_with_the_environments_proxies_and_trust(tmp_path: Path) -> None:
    file = tmp_path / "own.toml"
    file.write_text('[network]\nproxy = "http://a:p@proxy.test:1"\nresolved_ranges = ["198.18.0.0/15"]')
    found = load(file, {"NO_PROXY": "b.test"}).network
    assert str(found.proxy_for(URL("https://a.test"))) == "http://a:p@proxy.test:1"
    assert found.proxy_for(URL("https://b.test")) is None
    assert found.leads_out(ip_address("198.18.0.1"), named=True)
    assert load(None, {"HTTPS_PROXY": "c.test:2"}).network.proxy_for(URL("https://a.test")) == URL("http://c.test:2")


@pytest.mark.parametrize(
    ("text", "env", "words"),
    [
        ('proxy = "socks5://secret:word@a:1"', {}, r"network.proxy: a proxy is written http://host:port"),
        ("", {"HTTPS_PROXY": "socks5://secret:word@a:1"}, r"\$HTTPS_PROXY.*: a proxy is written"),
        ('ca_file = "none.pem"', {}, r"network.ca_file: no certificates can be read there"),
        ("", {"SSL_CERT_FILE": "/nowhere.pem"}, r"\$SSL_CERT_FILE.*: no certificates"),
        ('resolved_ranges = ["198.18.0.1/15"]', {}, r"network.resolved_ranges: .*write a range"),
        ('proxies = "a"', {}, r"network.proxies: unknown key; did you mean network.proxy\?"),
    ],
)
def test_a_network_that_can_not_be_used_is_a_sentence_without_a_password(
    tmp_path: Path, text: str, env: dict[str, str], words: str
) -> None:
    file = tmp_path / "config.toml"
    file.write_text(f"[network]\n{text}")
    with pytest.raises(BadConfig, match=words) as caught:
        load(file, env)
    assert "secret" not in str(caught.value)
