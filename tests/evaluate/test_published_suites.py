"""Claim: a published suite is stored only if it is what was published; a change is noticed."""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from selfsown.core.errors import ConfigError, EnvironmentFailure, InputError
from selfsown.evaluate.open_suite import open_suite
from selfsown.evaluate.published_suites import PUBLISHED, get_suite
from selfsown.evaluate.superni import TEST_LIST

SHARED = Path(__file__).parents[2] / "../shared/data"
USER_TASKS = SHARED / "self_instruct/user_oriented_instructions.jsonl"
TASKS = SHARED / "superni/test_tasks.txt"


class Server:
    """Serves files by path and counts the requests."""

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}
        self.request_count = 0
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                outer.request_count += 1
                body = outer.files.get(self.path.lstrip("/"))
                self.send_response(404 if body is None else 200)
                self.send_header("Content-Length", str(len(body or b"")))
                self.end_headers()
                self.wfile.write(body or b"")

            def log_message(self, format: str, *args: object) -> None:
                pass

        self._http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.base = f"http://127.0.0.1:{self._http.server_port}/"
        self._thread = threading.Thread(target=self._http.serve_forever, args=(0.01,))
        self._thread.start()

    def close(self) -> None:
        self._http.shutdown()
        self._http.server_close()
        self._thread.join()


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    running = Server()
    yield running
    running.close()


def pinned(monkeypatch: pytest.MonkeyPatch, name: str, data: bytes) -> None:
    sha256 = hashlib.sha256(data).hexdigest()
    monkeypatch.setitem(PUBLISHED, name, replace(PUBLISHED[name], sha256=sha256))


def task(answer: str) -> bytes:
    instances = [{"input": f"x{n}", "output": [answer]} for n in range(3)]
    form = {"Definition": ["Do it."], "Categories": ["Word Analogy"], "Instances": instances}
    return json.dumps(form).encode()


def test_the_pinned_checksums_are_those_of_the_published_files(
    server: Server, tmp_path: Path
) -> None:
    if not USER_TASKS.is_file():
        pytest.skip("the published data are not beside the checkout (shared/data)")
    server.files["human_eval/user_oriented_instructions.jsonl"] = USER_TASKS.read_bytes()
    path = get_suite("user-oriented", tmp_path / "u.jsonl", base=server.base)
    assert len(open_suite(f"user-oriented={path}").instances) == 252
    assert hashlib.sha256(TASKS.read_bytes()).hexdigest() == PUBLISHED["superni"].sha256


def test_a_suite_is_found_by_its_name_once_it_was_fetched(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    data = b'{"instruction": "i", "instances": [{"input": "", "output": "o"}]}\n'
    pinned(monkeypatch, "user-oriented", data)
    server.files["human_eval/user_oriented_instructions.jsonl"] = data
    get_suite("user-oriented", base=server.base)
    assert open_suite("user-oriented").instances[0].prompt == "i\nOutput:"
    get_suite("user-oriented", base=server.base)
    assert server.request_count == 1


def test_a_tampered_file_is_refused_and_nothing_is_written(server: Server, tmp_path: Path) -> None:
    server.files["human_eval/user_oriented_instructions.jsonl"] = b"other"
    with pytest.raises(EnvironmentFailure, match="is not the published file"):
        get_suite("user-oriented", tmp_path / "u.jsonl", base=server.base)
    assert list(tmp_path.iterdir()) == []


def test_a_file_of_the_users_is_never_replaced(server: Server, tmp_path: Path) -> None:
    (tmp_path / "u.jsonl").write_text("mine")
    with pytest.raises(InputError, match="exists and is not the published file"):
        get_suite("user-oriented", tmp_path / "u.jsonl", base=server.base)
    assert server.request_count == 0


def test_what_cannot_be_fetched_says_how_to_go_on(server: Server, tmp_path: Path) -> None:
    with pytest.raises(EnvironmentFailure) as caught:
        get_suite("superni", tmp_path / "s.jsonl", base=server.base)
    assert "HTTP status 404" in caught.value.what and "superni=PATH" in caught.value.fix
    with pytest.raises(ConfigError, match="no published suite `mmlu`"):
        get_suite("mmlu")


def test_superni_is_put_together_and_a_later_change_of_a_task_is_noticed(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = b"task1_a\ntask2_b\n"
    pinned(monkeypatch, "superni", names)
    server.files = {
        TEST_LIST: names,
        "tasks/task1_a.json": task("yes"),
        "tasks/task2_b.json": task("no"),
    }
    del server.files["tasks/task2_b.json"]
    with pytest.raises(EnvironmentFailure, match="HTTP status 404"):
        get_suite("superni", tmp_path / "s.jsonl", base=server.base)
    del server.files["tasks/task1_a.json"]  # was fetched, and is not asked for again
    server.files["tasks/task2_b.json"] = task("no")
    path = get_suite("superni", tmp_path / "s.jsonl", base=server.base)
    assert {one.name for one in tmp_path.iterdir()} == {"s.jsonl", "s.jsonl.sha256"}
    suite = open_suite(f"superni={path}")
    assert [one.id for one in suite.instances][2:4] == ["task1_a/2", "task2_b/0"]
    before, count = path.read_bytes(), server.request_count
    assert get_suite("superni", path, base=server.base).read_bytes() == before
    assert server.request_count == count
    path.unlink()
    server.files["tasks/task1_a.json"] = task("yes")
    server.files["tasks/task2_b.json"] = task("maybe")
    with pytest.raises(EnvironmentFailure, match=r"tasks/task2_b\.json` is not the published file"):
        get_suite("superni", path, base=server.base)
    assert not path.exists()
