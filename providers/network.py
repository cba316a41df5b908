"""Says how this program reaches the outside: one trust, one proxy rule, and which addresses are public.

The start reads the settings and calls `use`; every client asks `current`, also one of an adapter that is not ours.
"""

import ipaddress
import socket
import ssl
from collections.abc import Mapping
from contextvars import ContextVar
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yarl

if TYPE_CHECKING:  # a command that connects to nobody must be quick
    from aiohttp import TCPConnector

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Range = ipaddress.IPv4Network | ipaddress.IPv6Network

NAT64 = ipaddress.IPv6Network("64:ff9b::/96")  # its last four bytes are the IPv4 address that it leads to
SIX_TO_FOUR = ipaddress.IPv6Network("2002::/16")
PRIVATE_NAMES = ("localhost", "local", "internal", "lan", "home.arpa")


@dataclass(frozen=True)
class Network:
    """How to reach the outside. As it is: straight, trusting whom this machine trusts."""

    proxy: str | None = field(default=None, repr=False)  # for everything; None: what `env` says
    ca_file: Path | None = None  # trusted beside the usual
    resolved_ranges: tuple[Range, ...] = ()  # not public, yet a public name may lead there
    env: Mapping[str, str] = field(default_factory=dict, repr=False)  # a proxy's password may stand there

    @cached_property
    def trust(self) -> ssl.SSLContext:
        """Return whom we trust over TLS. Raises `OSError` for a named file that is missing or no certificate."""
        usual = ssl.get_default_verify_paths()
        file, folder = self.env.get(usual.openssl_cafile_env), self.env.get(usual.openssl_capath_env)
        context = ssl.create_default_context(
            cafile=file or _if_there(usual.openssl_cafile), capath=folder or _if_there(usual.openssl_capath)
        )
        if self.ca_file is not None:
            context.load_verify_locations(self.ca_file)
        return context

    @property
    def trusted(self) -> str:
        """Say in words whom we trust."""
        usual = ssl.get_default_verify_paths()
        named = [f"${name}" for name in (usual.openssl_cafile_env, usual.openssl_capath_env) if self.env.get(name)]
        found = " and ".join(named) or "this machine's certificates"
        return f"{found} and {self.ca_file}" if self.ca_file else found

    def proxy_for(self, url: yarl.URL) -> yarl.URL | None:
        """Return the proxy on the way to an address. None: there is none; this machine itself never needs one."""
        host = (url.host or "").lower()
        here = literal(host)
        if host == "localhost" or (here is not None and here.is_loopback):
            return None
        given = self.proxy or self._said("https_proxy" if url.scheme in {"https", "wss"} else "http_proxy")
        if given is None or _is_exempt(host, self._said("no_proxy") or ""):
            return None
        return read_proxy(given)

    def check(self) -> None:
        """Raise `ValueError` or `OSError` for what can't be used."""
        for given in (self.proxy, self._said("https_proxy"), self._said("http_proxy")):
            if given is not None:
                read_proxy(given)
        named = ssl.get_default_verify_paths()
        if self.ca_file or self.env.get(named.openssl_cafile_env) or self.env.get(named.openssl_capath_env):
            _ = self.trust

    def connector(self, **options: Any) -> "TCPConnector":
        """Return what opens connections, with our trust and by our proxies; `options` are aiohttp's."""
        from providers.connector import Connector  # noqa: PLC0415 - whoever only reads settings connects to nobody

        return Connector(self.trust, self.proxy_for, **options)

    def leads_out(self, address: Address, *, named: bool) -> bool:
        """Say whether a video may come from an address; `named`: a name led there."""
        return is_public(address) or (named and any(address in each for each in self.resolved_ranges))

    def _said(self, name: str) -> str | None:
        return self.env.get(name) or self.env.get(name.upper()) or None


_STRAIGHT = Network()
_CURRENT: ContextVar[Network] = ContextVar("network", default=_STRAIGHT)


def use(network: Network) -> None:
    """Reach the outside by it, in this task and those that it starts."""
    _CURRENT.set(network)


def current() -> Network:
    return _CURRENT.get()


def read_proxy(given: str) -> yarl.URL:
    """Return a proxy's address; raises `ValueError` with what to do, without the password that may be in it."""
    try:
        url = yarl.URL(given if "://" in given else f"http://{given}")
    except ValueError:
        url = yarl.URL()
    if url.scheme not in {"http", "https"} or not url.host:
        raise ValueError("a proxy is written http://host:port, or http://user:password@host:port")
    return url


def literal(host: str) -> Address | None:
    """Return the address that is written there, in any way of writing it; None for a name."""
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        pass
    try:
        return ipaddress.IPv4Address(socket.inet_aton(host))  # "127.1", "0x7f000001"
    except (OSError, UnicodeError):
        return None


def is_private_name(host: str) -> bool:
    """Say whether a name is no public one by its form alone."""
    name = host.rstrip(".").lower()
    return "." not in name or any(name == one or name.endswith(f".{one}") for one in PRIVATE_NAMES)


def is_public(address: Address) -> bool:
    """Say whether an address is on the open internet, also inside of what wraps an older one."""
    if isinstance(address, ipaddress.IPv6Address):
        if address in NAT64:
            return is_public(ipaddress.IPv4Address(address.packed[-4:]))
        if address.ipv4_mapped is not None:
            return is_public(address.ipv4_mapped)
        if address.is_site_local or address in SIX_TO_FOUR:
            return False
    return address.is_global and not (address.is_multicast or address.is_reserved)


def _is_exempt(host: str, rules: str) -> bool:
    """Say whether NO_PROXY names a host: itself, a domain above it, "*", or a range that holds the address."""
    address = literal(host)
    for rule in (each.strip().lower() for each in rules.split(",")):
        name = rule.removeprefix("*").lstrip(".")
        if rule == "*" or (name and (host == name or host.endswith(f".{name}"))):
            return True
        if address is not None and "/" in rule and address in _range(rule):
            return True
    return False


def _range(written: str) -> Range:
    try:
        return ipaddress.ip_network(written, strict=False)
    except ValueError:
        return ipaddress.IPv4Network("255.255.255.255/32")  # nobody's


def _if_there(path: str) -> str | None:
    return path if Path(path).exists() else None
