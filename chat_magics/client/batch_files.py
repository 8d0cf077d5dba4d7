"""Files of the Batch API: requests on their way out, answers on their way in, a line each."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from tempfile import mkstemp
from typing import Any, NamedTuple

from ..checks import storable
from ..errors import BadResponse, ChatError, InvalidRequest, ServerUnavailable
from ..messages import ChatRequest, Completion, Usage
from ..stream import ChatDecoder, Decoder, ResponsesDecoder
from .direct import Answered, of_one_piece

__all__ = ["BatchAnswer", "BatchFile", "Tell", "answers_in", "request_files"]

MOST_REQUESTS = 50_000
MOST_BYTES = 200_000_000
_UNRUN = {"batch_expired", "batch_cancelled"}
"""Codes of requests that the server did not come to, and that cost nothing."""

Tell = Callable[[Answered | ChatError], ChatError]
"""Gives an answer that is no success, or an error, as an error that may be shown."""


@dataclass(frozen=True)
class BatchFile:
    """Requests for one batch, written out.

    Args:
        path: of the file.
        api: `chat` or `responses`.
        count: how many requests.
    """

    path: Path
    api: str
    count: int

    @property
    def endpoint(self) -> str:
        """What the requests are for, as the API names it."""
        return "/v1/responses" if self.api == "responses" else "/v1/chat/completions"


class BatchAnswer(NamedTuple):
    """What came of one request of a batch.

    Args:
        id: the request's own, as it was submitted.
        completion: the answer; None where there is none.
        error: why not; `transient` where asking again makes sense.
    """

    id: str
    completion: Completion | None
    error: ChatError | None


def request_files(
    requests: Iterable[tuple[str, ChatRequest]],
    body: Callable[[ChatRequest], dict[str, Any]],
    folder: Path,
    *,
    most_requests: int = MOST_REQUESTS,
    most_bytes: int = MOST_BYTES,
) -> Iterator[BatchFile]:
    """Writes requests into as few files as may be, one file at a time.

    Args:
        requests: each with an id of its own of at most 64 characters; all for one model.
        body: gives what is sent besides model and messages, under the names the server takes.
        folder: where the files are made.
        most_requests: of a file.
        most_bytes: of a file.

    Raises:
        InvalidRequest: one is too long for any file, two have one id, or they differ in model.
    """
    waiting = iter(requests)
    kinds: set[tuple[str, str]] = set()
    held: tuple[str, ChatRequest, bytes] | None = None
    while True:
        handle, name = mkstemp(".jsonl", "requests-", folder)
        path, api, count, size = Path(name), "chat", 0, 0
        ids: set[str] = set()
        with os.fdopen(handle, "wb") as out:
            while count < most_requests:
                if held is None:
                    following = next(waiting, None)
                    if following is None:
                        break
                    held = (*following, _line(*following, body, most_bytes))
                own, request, line = held
                if size + len(line) > most_bytes:
                    break
                _check(own, request, ids, kinds)
                out.write(line)
                api, count, size, held = request.api, count + 1, size + len(line), None
        if not count:
            path.unlink()
            return
        yield BatchFile(path, api, count)


def _check(own: str, request: ChatRequest, ids: set[str], kinds: set[tuple[str, str]]) -> None:
    if own in ids:
        raise InvalidRequest(f"two requests of a batch have the id {own}: give each its own")
    ids.add(own)
    kinds.add((request.api, request.model))
    if len(kinds) > 1:
        raise InvalidRequest("all requests of a batch go to one model, by one API: make it several")


def _line(
    own: str, request: ChatRequest, body: Callable[[ChatRequest], dict[str, Any]], most: int
) -> bytes:
    _, path, sent = of_one_piece(request, body(request))
    head = json.dumps({"custom_id": own, "method": "POST", "url": f"/v1{path}"})
    line = head[:-1].encode() + b', "body": ' + sent + b"}\n"
    if len(line) > most:
        raise InvalidRequest(
            f"a request takes {len(line) / 1e6:.0f} MB, and a file of a batch may have "
            f"{most / 1e6:.0f}: shorten it"
        )
    return line


def answers_in(path: Path, tell: Tell) -> Iterator[BatchAnswer]:
    """The answers that a file of results holds, in its order, one at a time in memory.

    Args:
        path: of the file.
        tell: makes errors presentable.

    Raises:
        BadResponse: after the last one, where lines of the file are no answers.
    """
    unread: list[int] = []
    with path.open("rb") as lines:
        for number, line in enumerate(lines, 1):
            if not line.strip():
                continue
            try:
                told = json.loads(line)
                own = told["custom_id"]
            except (ValueError, RecursionError, KeyError, TypeError):
                unread.append(number)
                continue
            yield _answer(str(own), told, tell)
    if unread:
        raise BadResponse(
            f"{len(unread)} lines of the results are no answers, the first is line {unread[0]}"
        )


def _answer(own: str, told: dict[str, Any], tell: Tell) -> BatchAnswer:
    try:
        response = told.get("response") or {}
        if told.get("error") and not response:
            raise _unanswered(told["error"])
        status, body = response.get("status_code", 0), response.get("body")
        if status != 200:
            text = json.dumps(body).encode()
            return BatchAnswer(own, None, tell(Answered(status, _headers(response), text)))
        return BatchAnswer(own, _completion(body, response.get("request_id")), None)
    except ChatError as error:
        return BatchAnswer(own, None, tell(error))
    except (AttributeError, TypeError):
        return BatchAnswer(own, None, BadResponse("a line of the results has an unknown shape"))


def _headers(response: dict[str, Any]) -> dict[str, str]:
    request_id = response.get("request_id")
    return {"x-request-id": str(request_id)} if request_id else {}


def _unanswered(error: dict[str, Any]) -> ChatError:
    code, message = str(error.get("code") or ""), str(error.get("message") or "")
    said = " ".join(message.split()) or code or "no reason given"
    if code in _UNRUN:
        said = f"not asked before the batch ended: {said}"
    return ServerUnavailable(said, code=code or None, transient=True)


def _completion(body: Any, request_id: Any) -> Completion:
    """The answer in a body that came as a part of a file."""
    responses = isinstance(body, dict) and body.get("object") == "response"
    decoder: Decoder = (ResponsesDecoder if responses else ChatDecoder)(streamed=False)
    text = decoder.feed(json.dumps(body).encode()) + decoder.close()
    notes = list(decoder.notes)
    if decoder.finish_reason is None:
        notes.append("the answer came without finish_reason: it may be cut")
    return Completion(
        text=text,
        model=decoder.model or "",
        finish_reason=decoder.finish_reason,
        usage=decoder.usage or _estimated(text),
        reasoning="".join(decoder.reasoning),
        request_id=storable(str(request_id)) if request_id else None,
        notes=tuple(notes),
    )


def _estimated(text: str) -> Usage:
    from ..pricing import estimates  # loads prices; the Batch API tells the usage

    return estimates((), [text])[0]
