"""Makes videos at Kling, by its own API. `provider` is where to begin."""

from providers.contract import Adapter
from providers.kling.mapping import Names
from providers.kling.provider import Provider, Settings

__all__ = ["ADAPTER", "Provider", "Settings"]

ADAPTER = Adapter(Provider, Settings, wire=Names, addresses=("base_url",))
