"""The Files and Batches API behind the tests' model server, with the faults that a test wants."""

from __future__ import annotations

import json
import re
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

from tests.chat_server import Answer, ChatServer, Json, Reply, Request, Status
from tests.chat_server_check import CHAT, RESPONSES, violation
from tests.chat_server_shapes import error_body, whole

__all__ = ["BatchServer"]


@dataclass
class BatchServer:
    """Answers for /v1/files and /v1/batches; a batch ends when it was looked at so many times.

    Args:
        server: that is asked.
        polls: looks at a batch until it has ended.
        outcome: how it ends then.
        answered: so many of the first requests have an answer by then; None for all.
        reply: to the request of one line; a Status becomes a line of the error file.
        told: of requests without an answer, whether the error file names them.
        faults: what is answered to the next requests instead, one after the other, each after
            what it asked was done where `after` says so.
        after: faults come when the request was done, as if its answer was lost on the way.
    """

    server: ChatServer
    polls: int = 2
    outcome: str = "completed"
    answered: int | None = None
    reply: Callable[[Request], Reply | Status] = lambda request: Reply(f"to {request.last}")
    told: bool = True
    after: bool = False
    faults: deque[Answer] = field(default_factory=deque)
    files: dict[str, bytes] = field(default_factory=dict)
    batches: dict[str, dict[str, Any]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.server.others = self._asked

    def _asked(self, request: Request) -> Answer | None:
        path = request.path.partition("?")[0]
        if not path.startswith(("/v1/files", "/v1/batches")):
            return None
        if self.faults and not self.after:
            return self.faults.popleft()
        answer = self._answer(request, path)
        return self.faults.popleft() if self.faults else answer

    def _answer(self, request: Request, path: str) -> Answer:
        _, _, what, *rest = path.split("/")
        known: dict[str, Any] = self.files if what == "files" else self.batches
        if rest and rest[0] not in known:
            return Status(404, error_body(404, f"No such {what}: {rest[0]}"))
        if what == "files":
            return self._file(request, rest)
        if not rest:
            return self._listed(request) if request.method == "GET" else self._create(request)
        batch = self.batches[rest[0]]
        if rest[1:] == ["cancel"]:
            if batch["status"] in ("completed", "failed", "expired", "cancelled"):
                return Status(409, error_body(409, "the batch has ended"))
            batch["status"] = "cancelling"
        else:
            self._look(batch)
        return Json(_shown(batch))

    def _file(self, request: Request, rest: list[str]) -> Answer:
        if not rest:
            name = f"file-{len(self.files)}"
            self.files[name] = _uploaded(request)
            size = len(self.files[name])
            return Json({"id": name, "object": "file", "bytes": size, "purpose": "batch"})
        if request.method == "DELETE":
            del self.files[rest[0]]
            return Json({"id": rest[0], "object": "file", "deleted": True})
        return Status(200, self.files[rest[0]].decode())

    def _create(self, request: Request) -> Answer:
        id = f"batch_{len(self.batches)}"
        self.batches[id] = {
            "id": id,
            "object": "batch",
            "status": "validating",
            "created_at": int(time.time()),
            "expires_at": int(time.time()) + 86_400,
            "seen": 0,
            **request.body,
        }
        return Json(_shown(self.batches[id]))

    def _listed(self, request: Request) -> Answer:
        ids = list(reversed(self.batches))
        after = re.search("after=([^&]+)", request.path)
        ids = ids[ids.index(after[1]) + 1 :] if after else ids
        page = [_shown(self.batches[id]) for id in ids[:2]]
        return Json({"object": "list", "data": page, "has_more": len(ids) > 2})

    def _look(self, batch: dict[str, Any]) -> None:
        batch["seen"] += 1
        cancelled = batch["status"] == "cancelling"
        ended = batch["status"] in ("completed", "failed", "expired", "cancelled")
        if ended or (batch["seen"] < self.polls and not cancelled):
            batch["status"] = batch["status"] if ended else "in_progress"
            return
        batch["status"] = "cancelled" if cancelled else self.outcome
        if batch["status"] == "failed":
            fault = {"code": "invalid", "message": "a line is no\nJSON", "line": 3, "param": None}
            batch["errors"] = {"object": "list", "data": [fault]}
        else:
            self._answer_all(batch)

    def _answer_all(self, batch: dict[str, Any]) -> None:
        lines = [json.loads(line) for line in self.files[batch["input_file_id"]].splitlines()]
        good, bad = [], []
        for number, line in enumerate(reversed(lines)):  # order is not promised
            reply = self._replied(line)
            place = len(lines) - 1 - number
            if self.answered is not None and place >= self.answered:
                error = {"code": f"batch_{batch['status']}", "message": "Not executed in time."}
                if self.told:
                    bad.append({"custom_id": line["custom_id"], "response": None, "error": error})
                continue
            code, body = (reply.code, reply.body) if isinstance(reply, Status) else (200, reply)
            response = {"status_code": code, "request_id": f"req_{place}", "body": body}
            whole_line = {"custom_id": line["custom_id"], "response": response, "error": None}
            (good if code == 200 else bad).append(whole_line)
        for name, found in (("output_file_id", good), ("error_file_id", bad)):
            if found:
                batch[name] = f"file-{len(self.files)}"
                self.files[batch[name]] = b"\n".join(json.dumps(each).encode() for each in found)
        total = len(lines)
        batch["request_counts"] = {"total": total, "completed": len(good), "failed": len(bad)}

    def _replied(self, line: dict[str, Any]) -> dict[str, Any] | Status:
        raw = json.dumps(line["body"]).encode()
        assert line["method"] == "POST"
        assert line["url"] in (CHAT, RESPONSES)
        fault = violation(line["url"], {"content-type": "application/json"}, raw)
        if fault or line["body"].get("stream"):
            self.server.violations.append(fault or "a line of a batch asks for a stream")
        request = Request("POST", line["url"], {}, raw, line["body"], 0.0, 0)
        reply = self.reply(request)
        if isinstance(reply, Status):
            return reply if reply.body else replace(reply, body=error_body(reply.code))
        return whole(reply, request)


def _shown(batch: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in batch.items() if name != "seen"}


def _uploaded(request: Request) -> bytes:
    """The file in the parts of a form; its purpose must be there as well."""
    boundary = request.headers["content-type"].partition("boundary=")[2].strip('"').encode()
    parts = [part.partition(b"\r\n\r\n") for part in request.raw.split(b"--" + boundary)]
    found = {re.search(rb'name="(\w+)"', head)[1]: body for head, _, body in parts if body}  # type: ignore[index]
    assert found[b"purpose"].strip() == b"batch"
    return found[b"file"].removesuffix(b"\r\n")
