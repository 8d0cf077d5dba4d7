"""ChatClient: a request through its rings, on the private loop, with a blocking face."""

from .admission import Admission
from .client import ChatClient
from .events import Emit, Event, Restarted, Text, Waiting, ignored
from .sending import Sending

__all__ = [
    "Admission",
    "ChatClient",
    "Emit",
    "Event",
    "Restarted",
    "Sending",
    "Text",
    "Waiting",
    "ignored",
]
