"""Claim: a published seed set is stored only if it is byte for byte the published file."""

from __future__ import annotations

import hashlib
import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from selfsown.core.errors import InputError
from selfsown.recipes.seeds import PUBLISHED, FetchError, get_seeds, read_seeds
from selfsown.recipes.seeds.fetch import PublishedSeeds

REAL = Path(__file__).parents[2] / "../shared/data/self_instruct/seed_tasks.jsonl"
BODY = b'{"instruction": "Say hi", "output": "hi"}\n'


class Server:
    """Serves `body` under every path of 127.0.0.1 and counts the requests."""

    def __init__(self) -> None:
        self.body, self.status, self.cut, self.request_count = BODY, 200, False, 0
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                outer.request_count += 1
                self.send_response(outer.status)
                self.send_header("Content-Length", str(len(outer.body)))
                self.end_headers()
                self.wfile.write(outer.body[: len(outer.body) // 2 if outer.cut else None])

            def log_message(self, format: str, *args: object) -> None:
                pass

        self._http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._http.server_port}/seeds.jsonl"
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


@pytest.fixture
def published(monkeypatch: pytest.MonkeyPatch, server: Server) -> PublishedSeeds:
    one = PublishedSeeds("tiny", server.url, hashlib.sha256(BODY).hexdigest(), "CC0-1.0", "a seed")
    monkeypatch.setitem(PUBLISHED, "tiny", one)
    return one


def test_the_published_file_is_stored_and_readable(
    published: PublishedSeeds, tmp_path: Path
) -> None:
    path = get_seeds("tiny", tmp_path / "tiny.jsonl")
    assert path.read_bytes() == BODY
    assert [task.instruction for task in read_seeds(path)] == ["Say hi"]
    assert [p.name for p in tmp_path.iterdir()] == ["tiny.jsonl"]


def test_the_pinned_checksum_is_that_of_the_published_175(server: Server, tmp_path: Path) -> None:
    if not REAL.is_file():
        pytest.skip("the published seeds are not beside the checkout (shared/data/self_instruct)")
    server.body = REAL.read_bytes()
    path = get_seeds("self-instruct", tmp_path / "seeds.jsonl", url=server.url)
    assert len(read_seeds(path)) == 175


def test_a_tampered_file_is_refused_and_nothing_is_written(
    published: PublishedSeeds, server: Server, tmp_path: Path
) -> None:
    server.body = BODY.replace(b"hi", b"HI")
    with pytest.raises(FetchError) as caught:
        get_seeds("tiny", tmp_path / "tiny.jsonl")
    assert hashlib.sha256(server.body).hexdigest() in caught.value.what
    assert published.sha256 in caught.value.why
    assert list(tmp_path.iterdir()) == []


def test_offline_says_where_to_put_the_file_and_how_to_verify_it(tmp_path: Path) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        closed = f"http://127.0.0.1:{unused.getsockname()[1]}/x"
        with pytest.raises(FetchError) as caught:
            get_seeds("self-instruct", tmp_path / "seeds.jsonl", url=closed)
    assert caught.value.exit_code == 3
    assert f"cannot fetch `{closed}`" in caught.value.what
    assert f"put the file at `{tmp_path / 'seeds.jsonl'}`" in caught.value.fix
    assert "selfsown seeds get self-instruct -o" in caught.value.fix
    assert PUBLISHED["self-instruct"].url in caught.value.fix
    assert "--seeds starter" in caught.value.fix


@pytest.mark.parametrize(("status", "cut"), [(404, False), (503, False), (200, True)])
def test_server_failures_are_translated(
    status: int, cut: bool, published: PublishedSeeds, server: Server, tmp_path: Path
) -> None:
    server.status, server.cut = status, cut
    with pytest.raises(FetchError):
        get_seeds("tiny", tmp_path / "tiny.jsonl")
    assert list(tmp_path.iterdir()) == []


def test_a_file_carried_there_by_hand_is_verified_without_the_network(
    published: PublishedSeeds, server: Server, tmp_path: Path
) -> None:
    path = tmp_path / "tiny.jsonl"
    path.write_bytes(BODY)
    assert get_seeds("tiny", path) == path
    assert server.request_count == 0


def test_another_file_is_replaced_only_when_told(
    published: PublishedSeeds, server: Server, tmp_path: Path
) -> None:
    path = tmp_path / "tiny.jsonl"
    path.write_text("mine")
    with pytest.raises(InputError, match="is not the published file"):
        get_seeds("tiny", path)
    assert (path.read_text(), server.request_count) == ("mine", 0)
    get_seeds("tiny", path, overwrite=True)
    assert path.read_bytes() == BODY


def test_a_crash_while_writing_keeps_the_old_file(
    published: PublishedSeeds, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "tiny.jsonl"
    path.write_text("mine")

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(FetchError, match="No space left"):
        get_seeds("tiny", path, overwrite=True)
    assert path.read_text() == "mine"
    assert [p.name for p in tmp_path.iterdir()] == ["tiny.jsonl"]


def test_wrong_names_places_and_addresses_are_the_users_errors(
    published: PublishedSeeds, tmp_path: Path
) -> None:
    with pytest.raises(InputError) as caught:
        get_seeds("self-instruc", tmp_path / "x")
    assert "did you mean `self-instruct`?" in caught.value.fix
    with pytest.raises(InputError, match="cannot be written"):
        get_seeds("tiny", tmp_path / "missing" / "x")
    with pytest.raises(InputError, match="cannot be written"):
        get_seeds("tiny", tmp_path)
    with pytest.raises(InputError, match="is not a web address"):
        get_seeds("tiny", tmp_path / "x", url="file:///etc/hosts")


def test_the_module_names_a_pinned_commit() -> None:
    for one in PUBLISHED.values():
        assert len(one.sha256) == 64
        assert any(len(part) == 40 for part in one.url.split("/"))
