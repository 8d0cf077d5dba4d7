"""ChatClient: a request through its rings, on the private loop, with a blocking face."""

from .admission import Admission
from .batch_state import Batch
from .client import ChatClient
from .events import Emit, Event, Restarted, Text, Waiting, ignored
from .sending import Sending

__all__ = [
    "Admission",
    "Batch",
    "ChatClient",
    "Emit",
    "Event",
    "Restarted",
    "Sending",
    "Text",
    "Waiting",
    "ignored",
]
