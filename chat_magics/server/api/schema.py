"""What the API takes and gives; the OpenAPI description is made of these."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, JsonValue

__all__ = [
    "Answer",
    "Asked",
    "BatchItem",
    "BatchQuery",
    "BatchReply",
    "Failure",
    "Health",
    "Models",
    "Query",
    "Readiness",
    "Said",
    "SessionDetail",
    "SessionInfo",
    "SessionList",
    "Told",
    "as_json",
]

Id = Annotated[str, Field(pattern="^[0-9a-f]{32}$", description="of a conversation")]


class _Given(BaseModel):
    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)


class Asked(_Given):
    """What is common to all prompts."""

    model: str | None = Field(None, min_length=1, description="instead of the server's default")
    system: str | None = Field(None, description="instructions that the model gets first")
    temperature: float | None = Field(None, ge=0, le=2)
    max_tokens: int | None = Field(None, ge=1, le=2**31 - 1, description="longest reply, in tokens")
    options: dict[str, JsonValue] = Field(
        default_factory=dict, description="further options of the model's API, sent as they are"
    )
    refresh: bool = Field(False, description="ask the model even where the cache has an answer")


class Query(Asked):
    """One prompt."""

    prompt: str = Field(min_length=1)
    session: Id | None = Field(None, description="go on in this conversation; unset: a new one")
    stream: bool = Field(False, description="server-sent events instead of one JSON answer")


class BatchQuery(Asked):
    """Many prompts, each alone, without context."""

    prompts: list[str] = Field(min_length=1)


class Told(BaseModel):
    """What a reply took."""

    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    estimated: bool = Field(False, description="the server gave no usage: these are estimates")


class Answer(BaseModel):
    """A reply, whole."""

    id: str = Field(description="of the exchange in history, and in the log")
    session: str = Field(description="of its conversation")
    text: str
    model: str
    finish_reason: str | None = None
    cached: bool = False
    usage: Told
    cost: float | None = Field(None, description="US dollars; null where unknown")
    seconds: float = 0.0


class Failure(BaseModel):
    """What went wrong."""

    error: str = Field(description="one line: what is wrong, and what to do")
    type: str = Field(description="the kind of error")
    status: int
    request_id: str = Field("", description="stands in the server's log")
    retry_after: float | None = Field(default=None, description="seconds after which to try again")


class BatchItem(BaseModel):
    """One of the answers, in the order of the prompts: an answer or an error."""

    index: int
    answer: Answer | None = None
    error: Failure | None = None


class BatchReply(BaseModel):
    """All of them."""

    answers: list[BatchItem]


class Models(BaseModel):
    """The models that can be asked."""

    models: list[str]
    default: str
    listed: bool = Field(description="false: the model server could not be asked; configured names")


class SessionInfo(BaseModel):
    """A conversation, and the pages that show it."""

    id: str
    owner: str
    title: str = ""
    created: datetime | None = None
    last_seen: datetime | None = None
    queries: int = 0
    tokens: int = 0
    cost: float | None = Field(default=0.0, description="US dollars, as far as known")
    pages: int = Field(0, description="open pages that show it now")


class SessionList(BaseModel):
    """Conversations, the one used last first."""

    sessions: list[SessionInfo]


class Said(BaseModel):
    """A prompt and its reply."""

    id: str
    prompt: str
    reply: str
    status: str
    model: str | None = None
    created: datetime


class SessionDetail(SessionInfo):
    """A conversation with what was said in it."""

    exchanges: list[Said]


class Health(BaseModel):
    """The server lives."""

    status: Literal["ok"] = "ok"
    kernels: int
    sessions: int


class Readiness(BaseModel):
    """Whether it can serve: each part with its state."""

    status: Literal["ready", "not ready"]
    parts: dict[str, str]


def as_json(model: BaseModel) -> dict[str, Any]:
    """A value of these as JSON takes it."""
    return model.model_dump(mode="json")
