"""The values of history: Exchange (a prompt and its completion), ConversationRecord, Spent."""

from __future__ import annotations

import secrets
import time
from datetime import datetime, timezone
from typing import Annotated, Literal, NamedTuple

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field, JsonValue

from chat_magics.errors import StoreError
from chat_magics.history.attachment_info import AttachmentInfo
from chat_magics.messages import Usage

__all__ = [
    "RUN",
    "ConversationRecord",
    "Exchange",
    "PathMoved",
    "Spent",
    "Status",
    "Surface",
    "new_id",
    "now",
]

RUN = "rows"
"""The origin of a run over the rows of a frame; those of notebooks are hashes."""

Status = Literal["streaming", "complete", "stopped", "interrupted", "error"]
Surface = Literal["cell", "panel", "batch", "app", "python"]


def _to_utc(moment: datetime) -> datetime:
    return moment.astimezone(timezone.utc)


UtcTime = Annotated[AwareDatetime, AfterValidator(_to_utc)]


def now() -> datetime:
    """The present moment, aware, in UTC.

    Example:
        >>> now().utcoffset().total_seconds()
        0.0
    """
    return datetime.now(timezone.utc)


def new_id() -> str:
    """A fresh id, 32 hex digits in the layout of UUIDv7: later ids sort after earlier ones.

    The 12 bits after the version hold the fraction of the millisecond (RFC 9562, method 3).

    Example:
        >>> first, second = new_id(), new_id()
        >>> len(first), first != second
        (32, True)
    """
    milliseconds, rest = divmod(time.time_ns(), 1_000_000)
    fraction = rest * 4096 // 1_000_000
    high = (milliseconds & 0xFFFF_FFFF_FFFF) << 16 | 0x7000 | fraction
    low = 0x8000_0000_0000_0000 | secrets.randbits(62)
    return f"{high:016x}{low:016x}"


class _Value(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


class Exchange(_Value):
    """A prompt and its completion, with all that is known of them. It never changes once it ended.

    Args:
        conversation: id of the conversation it belongs to.
        prompt: the prompt as typed.
        sent: the prompt as sent.
        base_url: where it went.
        model_asked: the model that was asked for.
        id: 32 hex digits, time-ordered.
        owner: whose it is where several people share one history.
        system: the system prompt that was sent, None where there was none.
        context: ids of the exchanges it was sent with, in order.
        status: `streaming` until it ended; then how it ended.
        created: when it was asked (UTC).
        ended: when it ended (UTC); None while it streams.
        api: `chat` or `responses`.
        model: the model that answered; None where none did.
        options: the options of the API, as they were set.
        text: the reply, or what came of it.
        reasoning: thoughts that the server showed apart from the reply.
        finish_reason: the server's word for how the reply ended; `unknown` where another tool,
            from whose file it came, does not tell.
        usage: tokens of the answering attempt.
        wasted: tokens of attempts that broke and were asked again.
        cost: US dollars; None where the price is unknown.
        saved: US dollars that a cache hit saved; None where nothing was saved or it is unknown.
        latency: seconds from sending to the end.
        time_to_first_token: seconds from sending to the first text; None without text.
        attempts: HTTP requests made; 0 for a cache hit.
        cached: True where the reply came from the cache.
        stored_at: when the cached reply was first received (UTC).
        request_id: the server's id of the request.
        error_type: the class name of the error that ended it.
        error: that error's message, one line.
        notes: what a reader must be told, such as a parameter that was dropped.
        surface: where it was asked.
        cell: the id of the cell it was asked in.
        execution: the id of that cell's execution.
        supersedes: id of the exchange whose place it took.
        attachments: the files that went with the prompt; as a rule without their contents.

    Example:
        >>> hello = Exchange(
        ...     conversation="c", prompt="Hello", sent="Hello", base_url="demo", model_asked="demo"
        ... )
        >>> hello.status, hello.answered
        ('streaming', False)
    """

    id: str = Field(default_factory=new_id)
    conversation: str
    owner: str = ""
    prompt: str
    sent: str
    system: str | None = None
    context: tuple[str, ...] = ()
    status: Status = "streaming"
    created: UtcTime = Field(default_factory=now)
    ended: UtcTime | None = None
    base_url: str
    api: Literal["chat", "responses"] = "chat"
    model_asked: str
    model: str | None = None
    options: dict[str, JsonValue] = Field(default_factory=dict)
    text: str = ""
    reasoning: str = ""
    finish_reason: str | None = None
    usage: Usage | None = None
    wasted: Usage | None = None
    cost: float | None = None
    saved: float | None = None
    latency: float | None = None
    time_to_first_token: float | None = None
    attempts: int = 0
    cached: bool = False
    stored_at: UtcTime | None = None
    request_id: str | None = None
    error_type: str | None = None
    error: str | None = None
    notes: tuple[str, ...] = ()
    surface: Surface = "python"
    cell: str | None = None
    execution: str | None = None
    supersedes: str | None = None
    attachments: tuple[AttachmentInfo, ...] = ()

    @property
    def answered(self) -> bool:
        """True where any text came."""
        return bool(self.text)

    @property
    def truncated(self) -> bool:
        """True where text came and the reply was cut: a limit, a stop, or a broken stream."""
        return self.answered and self.finish_reason in (None, "length")

    def without_files(self) -> Exchange:
        """The same without the contents of its files."""
        if all(info.content is None for info in self.attachments):
            return self
        infos = [info.model_copy(update={"content": None}) for info in self.attachments]
        return self.model_copy(update={"attachments": tuple(infos)})


class ConversationRecord(_Value):
    """A conversation as it is stored: whose, what it is called, and its path.

    Args:
        id: 32 hex digits, random, so that a few of them name it.
        owner: whose it is.
        name: unique per owner; None where it was not named.
        title: for display: the beginning of the first prompt.
        created: when it was made (UTC).
        used: when it was last asked (UTC).
        path: ids of the exchanges that are the context now, in order.
        origin: what it belongs to, such as the hash of a notebook's path.
        tags: words to find it by, in order.

    Example:
        >>> moment = now()
        >>> ConversationRecord(id="c0ffee", created=moment, used=moment).path
        ()
    """

    id: str
    owner: str = ""
    name: str | None = None
    title: str = ""
    created: UtcTime
    used: UtcTime
    path: tuple[str, ...] = ()
    origin: str = ""
    tags: tuple[str, ...] = ()

    @property
    def is_run(self) -> bool:
        """True where it holds the rows of a frame, none of which is the context of another."""
        return self.origin == RUN


class PathMoved(StoreError):
    """Another kernel asked in this conversation meanwhile: its path is not what was thought.

    Args:
        record: the conversation as it is stored now.
    """

    def __init__(self, record: ConversationRecord) -> None:
        super().__init__(f"conversation {record.id} was asked elsewhere meanwhile: ask again")
        self.record = record


class Spent(NamedTuple):
    """What was spent: `tokens`, `cost` in US dollars, and `unknown`: exchanges without a price."""

    tokens: int
    cost: float
    unknown: int
