"""Makes videos on this machine, without an account: camera moves over the picture. `provider` is where to begin."""

from providers.contract import Adapter
from providers.local.provider import Provider, Settings

__all__ = ["ADAPTER", "Provider", "Settings"]

ADAPTER = Adapter(Provider, Settings)
