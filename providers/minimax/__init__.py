"""Makes videos at MiniMax, by its own two APIs. `provider` is where to begin."""

from providers.contract import Adapter
from providers.minimax.mapping import Names
from providers.minimax.provider import Provider, Settings

__all__ = ["ADAPTER", "Provider", "Settings"]

ADAPTER = Adapter(Provider, Settings, wire=Names, addresses=("base_url",))
