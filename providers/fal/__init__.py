"""Makes videos at fal.ai: many models of many firms behind one queue. `provider` is where to begin."""

from providers.contract import Adapter
from providers.fal.provider import Provider, Settings
from providers.mapping import Names

__all__ = ["ADAPTER", "Provider", "Settings"]

ADAPTER = Adapter(Provider, Settings, wire=Names, addresses=("queue_url", "rest_url"))
