"""Both batch protocols of the test server: OpenAI's and Anthropic's."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Final
from urllib.parse import parse_qs

import orjson

from selfsown.core.request import JSON
from selfsown.testing.batch_desk import BatchDesk, Item, Stored, lines
from selfsown.testing.connection import Incoming
from selfsown.testing.replies import Planned, error_reply, read_body

_OPENAI: Final = "/v1/batches"
_FILES: Final = "/v1/files"
_ANTHROPIC: Final = "/v1/messages/batches"
BATCH_PATHS: Final = (_ANTHROPIC, _OPENAI, _FILES)
"""What the paths of requests about batches begin with."""
_MOST: Final = {_OPENAI: 50_000, _ANTHROPIC: 100_000}
_ID: Final = {_OPENAI: "batch_", _ANTHROPIC: "msgbatch_"}

Answer = Callable[[str, Mapping[str, JSON]], Planned]
"""Path of the call and its body → the reply that it would get alone."""


class BatchPages:
    """Answers requests about batches; the desk keeps them."""

    def __init__(self, desk: BatchDesk, answer: Answer) -> None:
        self._desk, self._answer = desk, answer

    def handle(self, incoming: Incoming) -> Planned:
        """The reply to a request whose path begins with one of `BATCH_PATHS`."""
        path, _, query = incoming.path.partition("?")
        base = next(base for base in BATCH_PATHS if path.startswith(base))
        if self._desk.fails(f"{incoming.method} {path}"):
            return error_reply(500, "server_error", "The server had an error.")
        rest = path[len(base) :].strip("/").split("/") if path != base else []
        stage = _stage(incoming.method, base, rest)
        if self._desk.stalls(stage):
            return Planned(200, b"{}", delivery="hang")
        reply = self._reply_to(incoming, base, rest, query)
        if self._desk.stalls(f"after {stage}"):
            return replace(reply, delivery="hang")
        if self._desk.stalls(f"amid {stage}"):
            return replace(reply, delivery="stall")
        return reply

    def _reply_to(self, incoming: Incoming, base: str, rest: list[str], query: str) -> Planned:
        if base == _FILES:
            return self._file(incoming, rest)
        if not rest:
            return (
                self._create(base, incoming)
                if incoming.method == "POST"
                else self._list(base, query)
            )
        batch = self._desk.batches.get(rest[0])
        if batch is None or not batch.id.startswith(_ID[base]):
            return error_reply(404, "not_found", "There is no such batch.")
        if rest[1:] == ["cancel"]:
            self._desk.cancel(batch)
        elif rest[1:] == ["results"]:
            return self._results(batch)
        else:
            self._desk.look(batch)
        return _json(self._shown(base, batch))

    def _file(self, incoming: Incoming, rest: list[str]) -> Planned:
        if incoming.method == "POST":
            parts = _form_parts(incoming)
            if parts.get("purpose") != b"batch" or "file" not in parts:
                return error_reply(400, "invalid_request", "`purpose` or `file` is missing.")
            name = self._desk.add_file(parts["file"])
            self._desk.save()
            return _json({"id": name, "object": "file", "purpose": "batch"})
        if len(rest) == 2 and rest[1] == "content" and rest[0] in self._desk.files:
            content = self._desk.read_out(self._desk.files[rest[0]])
            return Planned(200, content, content_type="application/jsonl")
        return error_reply(404, "not_found", "There is no such file.")

    def _create(self, base: str, incoming: Incoming) -> Planned:
        body = read_body(incoming.body)
        if not isinstance(body, Mapping):
            return error_reply(400, "invalid_json", "The body is not a JSON object.")
        if base == _OPENAI:
            file = self._desk.files.get(str(body.get("input_file_id")))
            if file is None or body.get("completion_window") != "24h":
                return error_reply(400, "invalid_request", "`input_file_id` names no file.")
            requests = [_openai_request(orjson.loads(line)) for line in file.splitlines()]
            about = {name: value for name, value in body.items() if name != "completion_window"}
        else:
            listed = body.get("requests")
            requests = [_anthropic_request(each) for each in listed] if listed else []  # type: ignore[union-attr]
            about = {}
        ids = [custom_id for custom_id, _, _ in requests]
        if not ids or len(set(ids)) != len(ids) or len(ids) > _MOST[base]:
            return error_reply(400, "invalid_request", "Custom ids must be unique, and not so many")
        batch = self._desk.submit(
            _ID[base], requests, about, int(dt.datetime.now(dt.UTC).timestamp())
        )
        reply = _json(self._shown(base, batch))
        if self._desk.loses_reply(batch):
            return Planned(200, reply.body, delivery="cut")
        return reply

    def _list(self, base: str, query: str) -> Planned:
        given = {name: values[0] for name, values in parse_qs(query).items()}
        shown = [each for each in self._desk.listed() if each.id.startswith(_ID[base])]
        after = given.get("after") or given.get("after_id")
        ids = [each.id for each in shown]
        if after in ids:
            shown = shown[ids.index(after) + 1 :]
        page = shown[: int(given.get("limit", "20"))]
        form: dict[str, JSON] = {
            "data": [self._shown(base, each) for each in page],
            "has_more": len(shown) > len(page),
            "last_id": page[-1].id if page else None,
        }
        return _json(form)

    def _results(self, batch: Stored) -> Planned:
        if batch.status != "ended":
            return error_reply(404, "not_found", "The batch has not ended.")
        found = [self._anthropic_result(item) for item in self._desk.results(batch)]
        content = self._desk.read_out(lines(found))
        return Planned(200, content, content_type="application/x-jsonl")

    def _shown(self, base: str, batch: Stored) -> dict[str, JSON]:
        return self._openai(batch) if base == _OPENAI else self._anthropic(batch)

    def _openai(self, batch: Stored) -> dict[str, JSON]:
        total, done = len(batch.items), batch.done(self._desk.options.looks)
        bad = sum(item.fate != "succeeded" for item in batch.items)
        shown: dict[str, JSON] = {
            "id": batch.id,
            "object": "batch",
            "created_at": batch.created_at,
            **batch.about,
            "status": "in_progress",
            "request_counts": {"total": total, "completed": done, "failed": 0},
        }
        if batch.status == "failed":
            error = {"code": batch.why, "message": "Enqueued token limit reached.", "line": None}
            shown |= {"status": "failed", "errors": {"object": "list", "data": [error]}}
        elif batch.status == "ended":
            good = [item for item in self._desk.results(batch) if item.fate == "succeeded"]
            rest = [item for item in self._desk.results(batch) if item.fate != "succeeded"]
            expired = any(item.fate == "expired" for item in batch.items)
            status = "cancelled" if batch.canceled else "expired" if expired else "completed"
            shown["status"] = status
            shown["request_counts"] = {"total": total, "completed": total - bad, "failed": bad}
            for name, items in (("output", good), ("error", rest)):
                shown[f"{name}_file_id"] = self._made_file(f"{batch.id}-{name}", items)
        return shown

    def _made_file(self, name: str, items: list[Item]) -> str | None:
        if not items:
            return None
        if name not in self._desk.files:
            self._desk.files[name] = lines([self._openai_result(item) for item in items])
            self._desk.save()
        return name

    def _openai_result(self, item: Item) -> dict[str, JSON]:
        line: dict[str, JSON] = {"id": "batch_req", "custom_id": item.custom_id}
        if item.fate in ("expired", "canceled"):
            code = "batch_expired" if item.fate == "expired" else "batch_cancelled"
            error = {"code": code, "message": "This request was not executed."}
            return {**line, "response": None, "error": error}
        reply = self._reply(item)
        response: dict[str, JSON] = {"status_code": reply.status, "body": orjson.loads(reply.body)}
        return {**line, "response": response, "error": None}

    def _anthropic(self, batch: Stored) -> dict[str, JSON]:
        counts = dict.fromkeys(("processing", "succeeded", "errored", "canceled", "expired"), 0)
        if batch.status == "ended":
            for item in batch.items:
                counts["errored" if item.fate == "bad" else item.fate] += 1
        else:
            counts["processing"] = len(batch.items)
        created = dt.datetime.fromtimestamp(batch.created_at, dt.UTC).isoformat()
        return {
            "id": batch.id,
            "type": "message_batch",
            "processing_status": "ended" if batch.status == "ended" else "in_progress",
            "request_counts": counts,
            "created_at": created,
            "results_url": f"{_ANTHROPIC}/{batch.id}/results" if batch.status == "ended" else None,
        }

    def _anthropic_result(self, item: Item) -> dict[str, JSON]:
        if item.fate in ("expired", "canceled"):
            return {"custom_id": item.custom_id, "result": {"type": item.fate}}
        reply = self._reply(item)
        body = orjson.loads(reply.body)
        if reply.status == 200:
            result: dict[str, JSON] = {"type": "succeeded", "message": body}
        else:
            name = "invalid_request_error" if reply.status == 400 else "api_error"
            error = {"type": name, "message": body["error"]["message"]}
            result = {"type": "errored", "error": {"type": "error", "error": error}}
        return {"custom_id": item.custom_id, "result": result}

    def _reply(self, item: Item) -> Planned:
        if item.fate == "bad":
            return error_reply(400, "invalid_value", "This request is refused every time.")
        if item.fate == "errored":
            return error_reply(500, "server_error", "The server had an error.")
        assert isinstance(item.body, Mapping)
        return self._answer(item.path, item.body)


def _stage(method: str, base: str, rest: list[str]) -> str:
    """What a request is for: `upload`, `create`, `list`, `look`, `cancel` or `results`."""
    if base == _FILES:
        return "upload" if method == "POST" else "results"
    if not rest:
        return "create" if method == "POST" else "list"
    return rest[1] if rest[1:] else "look"


def _json(form: Mapping[str, JSON]) -> Planned:
    return Planned(200, orjson.dumps(form))


def _openai_request(line: Mapping[str, JSON]) -> tuple[str, str, JSON]:
    return str(line["custom_id"]), str(line["url"]), line["body"]


def _anthropic_request(request: JSON) -> tuple[str, str, JSON]:
    assert isinstance(request, Mapping)
    return str(request["custom_id"]), "/v1/messages", request["params"]


def _form_parts(incoming: Incoming) -> dict[str, bytes]:
    """Name → content of the parts of a multipart body."""
    _, _, edge = incoming.header("content-type").partition("boundary=")
    found: dict[str, bytes] = {}
    for part in incoming.body.split(f"--{edge}".encode()) if edge else ():
        head, separator, content = part.partition(b"\r\n\r\n")
        if separator:
            name = head.partition(b'name="')[2].partition(b'"')[0].decode()
            found[name] = content.removesuffix(b"\r\n")
    return found
