"""Reads settings: TOML and the environment that is handed in become frozen values. Starts and connects nothing."""

import ipaddress
import re
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

import msgspec
import platformdirs

from bot import environment
from bot.domain import policy
from bot.ops import logs
from providers.catalog import BadCatalogue, Catalogue, UnknownModel, shipped, unknown_keys, why_and_where, with_own
from providers.contract import Secret
from providers.network import Network

CONFIG_BYTES = 1_000_000
SECRET_BYTES = 65_536

Positive = Annotated[float, msgspec.Meta(gt=0)]
Count = Annotated[int, msgspec.Meta(ge=0)] | Literal["unlimited"]
Amount = Annotated[float, msgspec.Meta(ge=0)] | Literal["unlimited"]
Days = Annotated[float, msgspec.Meta(gt=0)] | Literal["forever"]
T = TypeVar("T")
N = TypeVar("N", int, float)


class BadConfig(Exception):
    """The settings can't be used. The text names the file and the key, and says what to do."""

    def __init__(self, source: str, key: str, text: str) -> None:
        super().__init__(f"{source}: {key}: {text}" if key else f"{source}: {text}")
        self.source = source
        self.key = key


class Worker(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    lease_seconds: Positive = 30
    steps_at_once: Annotated[int, msgspec.Meta(ge=1)] = 64
    grace_seconds: Annotated[float, msgspec.Meta(ge=0)] = 8
    seconds_per_look: Positive = 0.25  # delay accepted to save one poll of a provider; smaller polls more often
    queue_patience_minutes: Positive = 60  # how long a job may wait to be accepted by its provider


class Limits(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A number is the most that is allowed, 0 allows nothing, "unlimited" everything. A day: the last 24 hours."""

    open_per_person: Count = 3
    per_person_per_day: Count = 30
    dollars_per_person_per_day: Amount = 5
    dollars_per_day: Amount = 25
    max_seconds: Amount = "unlimited"
    min_free_mb: Annotated[float, msgspec.Meta(ge=0)] = 500  # on the disk; with less, nothing new is taken

    def as_rules(self) -> policy.Limits:
        return policy.Limits(
            open_per_person=_bound(self.open_per_person),
            per_person_per_day=_bound(self.per_person_per_day),
            spend_per_person_per_day=_micros(self.dollars_per_person_per_day),
            spend_per_day=_micros(self.dollars_per_day),
            max_seconds=_bound(self.max_seconds),
        )


class Backup(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    enabled: bool = True
    folder: Annotated[str, msgspec.Meta(min_length=1)] | None = None
    hour: Annotated[int, msgspec.Meta(ge=0, le=23)] = 3  # by this machine's own time zone
    keep: Annotated[int, msgspec.Meta(ge=1)] = 14


class Retention(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Days after its end that a job's files and words stay; the rest of its row stays."""

    pictures_days: Days = 30
    videos_days: Days = 30
    words_days: Days = "forever"


class Health(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    host: Annotated[str, msgspec.Meta(min_length=1)] = "127.0.0.1"
    port: Annotated[int, msgspec.Meta(ge=0, le=65535)] | Literal["off"] = 8085


class Outside(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How everything that leaves this machine gets out; what the environment says counts where this says nothing."""

    proxy: Annotated[str, msgspec.Meta(min_length=1)] | None = None
    ca_file: Annotated[str, msgspec.Meta(min_length=1)] | None = None
    resolved_ranges: tuple[str, ...] = ()


class Log(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    format: Literal["text", "json"] = "text"
    level: Literal["debug", "info", "warning", "error"] = "info"


class File(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What may stand in the file. Tables of providers, models and chats stay raw until their own module reads them."""

    data_dir: Annotated[str, msgspec.Meta(min_length=1)] | None = None
    default_model: Annotated[str, msgspec.Meta(min_length=1)] | None = None
    worker: Worker = Worker()
    limits: Limits = Limits()
    backup: Backup = Backup()
    retention: Retention = Retention()
    health: Health = Health()
    log: Log = Log()
    network: Outside = Outside()
    providers: dict[str, dict[str, Any]] = {}
    models: dict[str, dict[str, Any]] = {}
    chat: dict[str, dict[str, Any]] = {}


@dataclass(frozen=True, slots=True)
class Config:
    """Everything the operator decided, defaults filled in. `path` is None for the built-in defaults."""

    path: Path | None
    data_dir: Path
    default_model: str
    worker: Worker
    limits: Limits
    backup: Backup
    retention: Retention
    health: Health
    log: Log
    network: Network
    providers: Mapping[str, Mapping[str, Any]] = field(repr=False)  # someone may have typed a key into them
    models: Mapping[str, Mapping[str, Any]]
    chat: Mapping[str, Mapping[str, Any]] = field(repr=False)
    env: Mapping[str, str] = field(repr=False)  # where `env:NAME` secrets are

    @property
    def backups(self) -> Path:
        """Return the folder of the nightly backups."""
        given = self.backup.folder
        return self.data_dir / "backups" if given is None else _resolve(given, _folder(self.path))

    @property
    def spare(self) -> int:
        """Return how many bytes of the disk are left free."""
        return round(self.limits.min_free_mb * 1_000_000)

    @property
    def source(self) -> str:
        return str(self.path or "built-in settings")


def load(path: Path | None, env: Mapping[str, str]) -> Config:
    """Read `path`, else `$ZOETROPE_CONFIG`, else `./config.toml` if it exists, else take the defaults.

    Raises `BadConfig`.
    """
    if path is None and env.get("ZOETROPE_CONFIG"):
        path = Path(env["ZOETROPE_CONFIG"])
    if path is None and Path("config.toml").exists():
        path = Path("config.toml")
    raw = _parse(path) if path else {}
    file = _check(raw, File, str(path), "", env={}, folder=Path())
    providers = file.providers or environment.providers(env)
    return Config(
        path=path,
        data_dir=_data_dir(file.data_dir, path, env),
        default_model=file.default_model or _usual_model(providers, file.models),
        worker=file.worker,
        limits=file.limits,
        backup=file.backup,
        retention=file.retention,
        health=file.health,
        log=file.log,
        network=_network(file.network, path, env),
        providers=providers,
        models=file.models,
        chat=file.chat or environment.chats(env),
        env=env,
    )


def provider_settings(config: Config, name: str, settings: type[T]) -> T:
    """Return `[providers.<name>]` as that provider's `Settings`, secrets read. Raises `BadConfig`."""
    return _section(config, "providers", config.providers, name, settings)


def places(config: Config) -> dict[str, int]:
    """Return how many jobs at once the operator gives to providers. Raises `BadConfig`."""
    given = {name: table["places"] for name, table in config.providers.items() if "places" in table}
    for name, number in given.items():
        if not isinstance(number, int) or isinstance(number, bool) or number < 1:
            raise BadConfig(config.source, f"providers.{name}.places", "expected a whole number from 1 on")
    return given


def chat_settings(config: Config, name: str, settings: type[T]) -> T:
    """Return `[chat.<name>]` as that chat's `Settings`, secrets read. Raises `BadConfig`."""
    return _section(config, "chat", config.chat, name, settings)


def check_table(config: Config, path: str, table: Mapping[str, Any], kind: type) -> None:
    """Check a table of the file against what it may hold. Raises `BadConfig`."""
    _check(table, kind, config.source, f"{path}.", env=config.env, folder=_folder(config.path))


def adapter(config: Config, name: str) -> str:
    """Return the module that holds the provider `name`: its `adapter`, else our own. Raises `BadConfig`."""
    given = config.providers.get(name, {}).get("adapter", f"providers.{name}")
    if not isinstance(given, str) or not all(part.isidentifier() for part in given.split(".")):
        raise BadConfig(config.source, f"providers.{name}.adapter", 'name a Python module, like "package.module"')
    return given


def catalogue(config: Config) -> Catalogue:
    """Return the models of every configured provider, changed by the operator's own. Raises `BadConfig`."""
    specs = [spec for name in config.providers for spec in shipped(name)]
    try:
        found = Catalogue(with_own(specs, config.models))
    except BadCatalogue as error:
        raise BadConfig(
            config.source, ".".join(filter(None, ("models", error.model, error.key))), error.text
        ) from error
    for spec in found.all:
        if spec.provider not in config.providers:
            key = f"models.{spec.name}.provider"
            raise BadConfig(config.source, key, f"{spec.provider!r} is not set up; add [providers.{spec.provider}]")
    try:
        found.find(config.default_model)
    except UnknownModel as error:
        choices = error.nearest or tuple(spec.name for spec in found.all[:5])
        hint = f"choose a model such as {', '.join(choices)}" if choices else "add a [models.<name>] table"
        raise BadConfig(
            config.source, "default_model", f"no configured provider makes {config.default_model!r}; {hint}"
        ) from error
    return found


def _section(config: Config, part: str, tables: Mapping[str, Mapping[str, Any]], name: str, settings: type[T]) -> T:
    if name not in tables:
        raise BadConfig(config.source, f"{part}.{name}", f"is missing; add a [{part}.{name}] table")
    ours = {"adapter", "places"} if part == "providers" else {"adapter"}
    raw = {key: value for key, value in tables[name].items() if key not in ours}
    return _check(raw, settings, config.source, f"{part}.{name}.", env=config.env, folder=_folder(config.path))


def _check(
    raw: Mapping[str, Any], kind: type[T], source: str, prefix: str, *, env: Mapping[str, str], folder: Path
) -> T:
    for key, nearest in unknown_keys(raw, kind):
        advice = f"did you mean {prefix}{nearest}?" if nearest else "remove it; config.example.toml lists every key"
        raise BadConfig(source, prefix + key, f"unknown key; {advice}")

    def foreign(wanted: type, value: Any) -> Any:
        if not isinstance(value, str) or not value:
            raise ValueError("expected a text in quotes")
        if wanted is Secret:
            secret = _secret(value, env, folder)
            logs.hide(secret)
            return Secret(secret)
        if wanted is Path:
            return _resolve(value, folder)
        raise NotImplementedError(wanted)

    try:
        return msgspec.convert(raw, kind, dec_hook=foreign)
    except msgspec.ValidationError as error:
        why, key = why_and_where(error)
        raise BadConfig(source, f"{prefix}{key}".rstrip("."), why) from error


def _parse(path: Path) -> dict[str, Any]:
    try:
        with path.open("rb") as file:
            data = file.read(CONFIG_BYTES + 1)
        if len(data) > CONFIG_BYTES:
            raise BadConfig(str(path), "", f"larger than {CONFIG_BYTES} bytes; is it the right file?")
        raw = tomllib.loads(data.decode("utf-8-sig"))  # some editors begin a file with a mark
    except FileNotFoundError:
        raise BadConfig(str(path), "", "no such file; copy config.example.toml to start one") from None
    except OSError as error:
        raise BadConfig(str(path), "", f"can't be read ({error.strerror}); mend that or give another file") from error
    except UnicodeDecodeError as error:
        raise BadConfig(str(path), "", "is not UTF-8 text; save it as UTF-8") from error
    except tomllib.TOMLDecodeError as error:
        raise BadConfig(str(path), "", f"is not valid TOML: {error}") from error
    for part in ("providers", "models", "chat"):
        tables = raw.get(part, {})
        for name, table in tables.items() if isinstance(tables, dict) else ():
            if not isinstance(table, dict):
                raise BadConfig(str(path), f"{part}.{name}", f"must be a table; write [{part}.{name}]")
    return raw


def _network(given: Outside, path: Path | None, env: Mapping[str, str]) -> Network:
    source, ca_file = str(path or "built-in settings"), given.ca_file
    try:
        ranges = tuple(ipaddress.ip_network(each) for each in given.resolved_ranges)
    except ValueError as error:
        text = f'{error}; write a range like "198.18.0.0/15"'
        raise BadConfig(source, "network.resolved_ranges", text) from error
    found = Network(given.proxy, _resolve(ca_file, _folder(path)) if ca_file else None, ranges, env)
    try:
        found.check()
    except OSError as error:
        text = f"no certificates can be read there ({error.strerror}); name a file with certificates in PEM"
        raise BadConfig(source, "network.ca_file" if ca_file else "$SSL_CERT_FILE or $SSL_CERT_DIR", text) from error
    except ValueError as error:
        key = "network.proxy" if given.proxy else "$HTTPS_PROXY or $HTTP_PROXY"
        raise BadConfig(source, key, str(error)) from error
    return found


def _usual_model(providers: Iterable[str], own: Iterable[str]) -> str:
    """Return the model for a file that names none: the local one where it is on, else the first there is."""
    if "local" in providers:
        return "local"
    lasting = (spec.name for name in providers for spec in shipped(name) if spec.retired_on is None)
    return next(lasting, next(iter(own), "local"))


def _data_dir(given: str | None, path: Path | None, env: Mapping[str, str]) -> Path:
    if given is not None:
        return _resolve(given, _folder(path))
    if env.get("ZOETROPE_DATA"):
        return _resolve(env["ZOETROPE_DATA"], Path.cwd())
    try:
        found = platformdirs.user_data_path("zoetrope", appauthor=False)
    except RuntimeError:  # a user without a home, as in some containers
        found = Path()
    if not found.is_absolute():
        text = "this user has no home folder for it; set data_dir, or $ZOETROPE_DATA"
        raise BadConfig(str(path or "built-in settings"), "data_dir", text)
    return found


def _secret(given: str, env: Mapping[str, str], folder: Path) -> str:
    secret = _kept_secret(given, env, folder)
    if not (secret.isascii() and secret.isprintable()):  # no header of HTTP could carry it
        raise ValueError(f"what {given} holds can't be a key: a letter in it is not plain ASCII; copy it anew")
    return secret


def _kept_secret(given: str, env: Mapping[str, str], folder: Path) -> str:
    scheme, _, place = given.partition(":")
    if scheme == "env" and re.fullmatch(r"[A-Za-z_]\w*", place):
        value = env.get(place, "").strip()
        if not value:
            raise ValueError(f"the environment variable {place} is not set; set it before starting Zoetrope")
        return value
    if scheme == "file" and place:
        return _secret_in(_resolve(place, folder))
    raise ValueError('a secret is not written here itself; write "env:NAME" or "file:/path" to say where it is kept')


def _secret_in(path: Path) -> str:
    try:
        with path.open("rb") as file:
            value = file.read(SECRET_BYTES).decode().strip()
    except (OSError, UnicodeDecodeError) as error:
        raise ValueError(f"the secret can't be read from {path}; is the file there, and readable?") from error
    if not value:
        raise ValueError(f"the file {path} is empty; put the secret into it")
    return value


def _folder(path: Path | None) -> Path:
    return path.parent.absolute() if path else Path.cwd()


def _resolve(given: str, folder: Path) -> Path:
    """Return where a path in the settings leads: "~" is the home, a relative one starts at the file's own folder."""
    try:
        return folder / Path(given).expanduser()
    except RuntimeError:  # "~somebody" who does not exist
        return folder / given


def _bound(limit: N | Literal["unlimited"]) -> N | None:
    return None if limit == "unlimited" else limit


def _micros(dollars: float | Literal["unlimited"]) -> int | None:
    return None if dollars == "unlimited" else round(dollars * 1_000_000)
