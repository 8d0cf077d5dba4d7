"""The built-in demo model: an OpenAI-compatible server on loopback that needs no key.

`server` owns its life, `handlers` its HTTP, `asked` what a request may say, `shapes` OpenAI's two
APIs, `replies` and the folder `texts` what it says. Importing this is cheap: tornado comes in when
a server starts.
"""

from .server import DemoServer, serve

__all__ = ["DemoServer", "serve"]
