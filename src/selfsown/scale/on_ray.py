"""Shards as Ray tasks: Ray places them, and starts them again where a worker or a node dies.

Without an address a Ray of our own is started on 127.0.0.1 and ends with the command. It sends no
usage statistics and opens no dashboard. Where the driver is killed, so that it can end nothing, Ray
and its workers end at once and two helpers of Ray's within a minute.

What a shard needs beside its task must be there on every node: this package, the recipe's module,
and API keys in the environment.
"""

from __future__ import annotations

import os
import shutil
import socket
import tempfile
from collections.abc import Iterator
from types import TracebackType
from typing import Any, Final

from selfsown.core.errors import ConfigError, EnvironmentFailure, MissingExtra
from selfsown.scale.executor import DEATHS, lost
from selfsown.scale.shard import work
from selfsown.scale.tasks import Outcome, Task, read_outcome

_GRACE_S: Final = 20.0
_KNOCK_S: Final = 5.0


class OnRay:
    """An executor over a Ray cluster."""

    def __init__(self, workers: int | None, address: str | None, *, has_store: bool) -> None:
        """Connect to `address`, or start a local Ray.

        Args:
            workers: most shards in work at once; None: as many as the cluster has CPUs.
            address: of a cluster (`auto`, `HOST:PORT`, `ray://...`); None starts one here.
            has_store: whether shards can be restored on another node.

        Raises:
            MissingExtra: Ray is not installed.
            ConfigError: there are several nodes and no store.
            EnvironmentFailure: Ray cannot be reached or started.
        """
        self._ray = _import_ray()
        self._folder = ""
        """Where a Ray of our own keeps its sockets and logs, removed with it."""
        self._start(workers, address)
        nodes = [node for node in self._ray.nodes() if node["Alive"]]
        if len(nodes) > 1 and not has_store:
            self._close()
            raise ConfigError(
                f"the Ray cluster has {len(nodes)} nodes, and no store was given",
                why="a shard keeps its journal on its node's disk, where no other node sees it",
                fix="--store URL, for example s3://BUCKET/FOLDER",
            )
        self._limit = workers or max(1, int(self._ray.cluster_resources().get("CPU", 1)))
        remote = self._ray.remote(num_cpus=1, max_retries=DEATHS, retry_exceptions=False)
        self._work = remote(work)
        self._tasks: dict[Any, Task] = {}

    def run(self, tasks: Iterator[Task]) -> Iterator[Outcome]:
        """Hand out tasks and yield outcomes as they come."""
        while True:
            while len(self._tasks) < self._limit and (task := next(tasks, None)) is not None:
                self._tasks[self._work.remote(task.to_mapping())] = task
            if not self._tasks:
                return
            yield from self._ended(None)

    def interrupt(self) -> Iterator[Outcome]:
        """Interrupt the tasks in work; what they still say is on their disks, not here."""
        for reference in self._tasks:
            self._ray.cancel(reference, force=False)
        while self._tasks:
            ended = list(self._ended(_GRACE_S))
            if not ended:
                return
            yield from ended

    def _ended(self, timeout_s: float | None) -> Iterator[Outcome]:
        ready, _ = self._ray.wait(list(self._tasks), num_returns=1, timeout=timeout_s)
        for reference in ready:
            task = self._tasks.pop(reference)
            try:
                yield read_outcome(self._ray.get(reference))
            except self._ray.exceptions.TaskCancelledError:
                yield _stopped(task)
            except self._ray.exceptions.RayError:
                yield lost(task, DEATHS)

    def _start(self, workers: int | None, address: str | None) -> None:
        options: dict[str, Any] = {"log_to_driver": False, "logging_level": "ERROR"}
        if address is None:
            os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
            options |= {"address": "local", "num_cpus": workers, "include_dashboard": False}
            self._folder = tempfile.mkdtemp(prefix="selfsown-ray-")
            options |= {"_node_ip_address": "127.0.0.1", "_temp_dir": self._folder}
        else:
            _require_reachable(address)
            options |= {"address": address}
        try:
            self._ray.init(**options)
        except (ConnectionError, RuntimeError, OSError, ValueError, TimeoutError) as error:
            raise _unusable(address or "this machine", error) from error

    def __enter__(self) -> OnRay:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._close()

    def _close(self) -> None:
        self._ray.shutdown()
        if self._folder:
            shutil.rmtree(self._folder, ignore_errors=True)


def _import_ray() -> Any:
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    try:
        import ray
    except ImportError as error:
        raise MissingExtra(
            "`--on ray` needs Ray, which is not installed",
            why="it is an extra, since one machine does without it",
            fix="pip install 'selfsown[ray]', or `--on processes`",
        ) from error
    return ray


def _require_reachable(address: str) -> None:
    """Knock at `HOST:PORT`, since Ray itself takes minutes to say that nobody is there.

    Raises:
        EnvironmentFailure: nobody is.
    """
    host, _, port = address.rpartition("://")[2].rpartition(":")
    if host and port.isdecimal():
        try:
            socket.create_connection((host.strip("[]"), int(port)), _KNOCK_S).close()
        except (OSError, OverflowError) as error:
            raise _unusable(address, error) from error


def _unusable(place: str, error: Exception) -> EnvironmentFailure:
    return EnvironmentFailure(
        f"Ray at `{place}` cannot be used: {error}",
        why="`--on ray` hands the shards to it",
        fix="check the address, or leave --address out to start a Ray here",
    )


def _stopped(task: Task) -> Outcome:
    return Outcome(
        shard=task.shard,
        status="suspended",
        kind="Interrupted",
        what="the shard was interrupted",
        why="the driver was asked to stop; all answers so far are in the shard's journal",
        fix="run the same command again: it resumes",
    )
