"""ChatClient: a request through its rings, on the private loop, with a blocking face."""

from .admission import Admission
from .client import ChatClient, Sending
from .events import Emit, Event, Restarted, Text, Waiting

__all__ = [
    "Admission",
    "ChatClient",
    "Emit",
    "Event",
    "Restarted",
    "Sending",
    "Text",
    "Waiting",
]
