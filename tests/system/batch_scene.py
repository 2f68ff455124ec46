"""A run in batches as a process, and the server that it talks to."""

from __future__ import annotations

import os
import signal
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import orjson
from tests.system.nursery import Nursery
from tests.system.processes import call, write_config

from selfsown.core.journal import JOURNAL_NAME, Journal
from selfsown.core.rundir import DATA_FILES
from selfsown.testing.process import ServerProcess

PROVIDERS = ("openai", "anthropic")
CALM = ("--batch-looks", "3")


class Scene:
    """A server, and a process to run `complete` against it in batches."""

    def __init__(
        self,
        home: Path,
        server: ServerProcess,
        nursery: Nursery,
        provider: str,
        *,
        rows: int = 60,
        **batch: Any,
    ) -> None:
        """Write the config; `batch` changes the batch settings."""
        self.home, self.server, self.nursery, self.rows = home, server, nursery, rows
        home.mkdir()
        path = home / "rows.jsonl"
        path.write_bytes(b"".join(orjson.dumps({"n": n}) + b"\n" for n in range(rows)))
        self.config = write_config(
            home / "config.yaml",
            {
                "recipe": "complete",
                "rows": str(path),
                "options": {"prompt": "Say {{ n }}.", "max_tokens": 64},
                "models": {
                    "generator": {
                        "uri": f"{provider}:test-model",
                        "api_key": "sk-1",
                        "price": {"input": 1, "output": 2},
                    }
                },
                "budget": {"usd": 1},
                "batch": {
                    "enabled": True,
                    "requests": 25,
                    "linger_s": 0.02,
                    "poll_s": 0.01,
                    "poll_most_s": 0.05,
                    "lookup_s": 0.3,
                    **batch,
                },
                "out": str(home / "run"),
            },
        )

    def start(self, *flags: str) -> None:
        self.nursery.start("run", self.config, "--quiet", "--yes", *flags)

    def finish(self, *flags: str) -> None:
        self.start(*flags)
        assert self.nursery.wait(60) == 0

    @property
    def run_dir(self) -> Path:
        return self.home / "run"

    def interrupt_at(self, stage: str) -> int:
        """Start, and press Ctrl-C while the server stalls; the exit code."""
        self.wait_for(stage)
        os.kill(self.nursery._child, signal.SIGINT)
        code = self.nursery.wait(60)
        assert code is not None
        return code

    def wait_for(self, stage: str, *flags: str) -> None:
        """Start, and wait until the server stalls."""
        self.server.stall(stage)
        self.start(*flags)
        while not self.server.is_stalled:
            assert self.nursery.wait(0.005) is None, f"ended before `{stage}`"

    def kill_after(self, seconds: float) -> bool:
        """Start, and kill unless it ends before; whether it was killed."""
        self.start()
        if self.nursery.wait(seconds) is not None:
            return False
        return self.nursery.kill() == -9

    def kill_at(self, stage: str) -> None:
        """Start, and kill while the server stalls."""
        self.wait_for(stage)
        assert self.nursery.kill() == -9

    def data(self) -> dict[str, bytes]:
        return {name: (self.run_dir / name).read_bytes() for name in DATA_FILES}

    def made(self) -> Counter[str]:
        """Key → how often its call was made, over all batches that were ever submitted."""
        return Counter(
            item[0].partition("_")[2]
            for batch in self.server.batches()
            for item in batch["items"]
            if item[2] in ("succeeded", "bad")
        )

    def journal(self) -> Journal:
        return Journal(self.run_dir / JOURNAL_NAME, read_only=True)

    def check(self, whole: Scene | None) -> None:
        """Nothing made twice, nothing left open, the budget settled to the last nano-USD."""
        assert set(self.made().values()) == {1}, "a call was paid twice"
        assert len(self.made()) == self.rows
        if whole is not None:
            assert self.data() == whole.data()
        journal = self.journal()
        try:
            ended = journal.scalar("SELECT count(*) FROM batches WHERE event IN ('ended', 'lost')")
            assert ended == journal.scalar("SELECT count(*) FROM batches WHERE event='intent'")
            spent = journal.scalar("SELECT sum(cost_nano_usd) FROM attempts")
            assert journal.scalar("SELECT sum(nano_usd) FROM grants") == spent
        finally:
            journal.close()
        found = call("replay", self.run_dir, "--json")
        assert found.returncode == 0, found.stderr
        assert orjson.loads(found.stdout)["identical"]


@contextmanager
def scenery(*arguments: str) -> Iterator[tuple[ServerProcess, Nursery]]:
    """A server, and a nursery whose children find it under both providers' names."""
    before = dict(os.environ)
    with ServerProcess(*arguments) as server:
        os.environ["OPENAI_BASE_URL"] = server.url
        os.environ["ANTHROPIC_BASE_URL"] = server.url.removesuffix("/v1")
        try:
            with Nursery() as nursery:
                yield server, nursery
        finally:
            os.environ.clear()
            os.environ.update(before)
