"""What a message of ChatGPT's data export says, and which of its content is not taken over."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from types import MappingProxyType
from typing import NamedTuple

from chat_magics.export.foreign import items, joined, moment, table, word
from chat_magics.export.said import Said
from chat_magics.history.exchange import Status

__all__ = ["said"]

Json = dict[str, object]

_ENDS = MappingProxyType({"stop": "stop", "max_tokens": "length"})
"""ChatGPT's words for how a reply ended, in those of the API."""

_ASSETS = MappingProxyType(
    {
        "image_asset_pointer": "image",
        "audio_asset_pointer": "recording",
        "real_time_user_audio_video_asset_pointer": "recording",
    }
)

_ABOUT_USER = ("user_profile", "user_instructions", "model_set_context")
"""Where messages that tell the model about its user hold their text."""


class _Content(NamedTuple):
    """What a message holds: text, thoughts, what is told about the user, and what is left out."""

    text: str = ""
    reasoning: str = ""
    about_user: str = ""
    left_out: tuple[str, ...] = ()


def said(id: str, node: Json) -> Said:
    """The message that a node of the tree holds; an empty one where it holds none.

    Example:
        >>> message = {"author": {"role": "user"}, "content": {"parts": ["Hello"]}}
        >>> said("1", {"parent": "0", "message": message}).text
        'Hello'
    """
    empty = Said(id, word(node.get("parent")) or None, "system")
    message = table(node.get("message"))
    metadata = table(message.get("metadata"))
    content = _content(table(message.get("content")))
    hidden = metadata.get("is_visually_hidden_from_conversation") is True
    role = word(table(message.get("author")).get("role"))
    times = replace(
        empty, created=moment(message.get("create_time")), ended=moment(message.get("update_time"))
    )
    if role == "system" or content.about_user:
        about = joined([content.text, content.about_user, _instructions(metadata)])
        return replace(times, text=about, left_out=content.left_out)
    if hidden or role not in ("user", "assistant", "tool"):
        kind = "hidden message" if hidden else f"message of the role {role!r}"
        return replace(times, left_out=(kind,) if any(content) else ())
    if role == "user":
        files = tuple(_files(metadata))
        return replace(times, role="user", text=content.text, left_out=content.left_out + files)
    return _reply(times, message, content)


def _reply(times: Said, message: Json, content: _Content) -> Said:
    """What the model said, or what it said to a tool, or a tool to it."""
    metadata = table(message.get("metadata"))
    status, finish_reason = _end(message, metadata)
    reply = replace(
        times,
        role="assistant",
        reasoning=content.reasoning,
        model=word(metadata.get("model_slug")) or None,
        status=status,
        finish_reason=finish_reason,
        left_out=content.left_out,
    )
    author, recipient = table(message.get("author")), word(message.get("recipient")) or "all"
    if author.get("role") == "tool":
        kind = f"result of the tool {word(author.get('name')) or 'without a name'}"
    elif recipient != "all":
        kind = f"call of the tool {recipient}"
    else:
        return replace(reply, text=content.text)
    return replace(reply, left_out=content.left_out + ((kind,) if content.text else ()))


def _end(message: Json, metadata: Json) -> tuple[Status, str | None]:
    """How it ended, and the server's word for it, as far as the file tells."""
    kind = word(table(metadata.get("finish_details")).get("type"))
    status = word(message.get("status"))
    if status == "error":
        return "error", None
    if kind == "interrupted":
        return "stopped", None
    if kind:
        return "complete", _ENDS.get(kind, kind)
    if status in ("in_progress", "finished_partial_completion"):
        return "interrupted", None
    whole = status == "finished_successfully" and message.get("end_turn") is True
    return "complete", "stop" if whole else None


def _content(content: Json) -> _Content:
    kind = word(content.get("content_type")) or "text"
    if kind in ("text", "multimodal_text"):
        return _parts(items(content.get("parts")))
    if kind == "code":
        code = word(content.get("text"))
        return _Content(text=_fenced(code, word(content.get("language"))) if code else "")
    if kind in ("thoughts", "reasoning_recap"):
        return _Content(reasoning=_thoughts(content))
    about_user = joined(word(content.get(name)) for name in _ABOUT_USER)
    if about_user:
        return _Content(about_user=about_user)
    return _Content(left_out=(f"content of the type {kind}",))


def _parts(parts: list[object]) -> _Content:
    texts: list[str] = []
    missing: list[str] = []
    for part in parts:
        if isinstance(part, str):
            texts.append(part)
            continue
        kind = word(table(part).get("content_type"))
        if kind == "audio_transcription":
            texts.append(word(table(part).get("text")))
        else:
            missing.append(_ASSETS.get(kind) or f"content of the type {kind or 'unknown'}")
    return _Content(text=joined(texts), left_out=tuple(missing))


def _thoughts(content: Json) -> str:
    thoughts = content.get("thoughts")
    told = [word(content.get("content")), word(thoughts)]
    for thought in map(table, items(thoughts)):
        summary, whole = word(thought.get("summary")), word(thought.get("content"))
        told.append("\n".join(part for part in (summary, whole) if part))
    return joined(told)


def _fenced(code: str, language: str) -> str:
    fence = "```"
    while fence in code:
        fence += "`"
    return f"{fence}{'' if language == 'unknown' else language}\n{code}\n{fence}"


def _instructions(metadata: Json) -> str:
    """The custom instructions, which stand beside an empty message."""
    about = table(metadata.get("user_context_message_data"))
    return joined(word(about.get(name)) for name in ("about_user_message", "about_model_message"))


def _files(metadata: Json) -> Iterator[str]:
    """What was attached; images stand among the parts, too, and are counted there."""
    for file in map(table, items(metadata.get("attachments"))):
        mime = word(file.get("mime_type")) or word(file.get("mimeType"))
        if not mime.startswith("image/"):
            yield "attached file"
