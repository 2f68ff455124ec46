"""Claim: a batch outlives the process that made it, and the user says what becomes of it."""

from __future__ import annotations

from pathlib import Path

import orjson
import pytest
from tests.system.batch_scene import CALM, PROVIDERS, Scene, scenery
from tests.system.processes import call

from selfsown.testing.process import ServerProcess

pytestmark = [pytest.mark.slow, pytest.mark.parametrize("provider", PROVIDERS)]


def test_ctrl_c_leaves_the_batch_and_the_next_start_takes_its_answers(
    tmp_path: Path, provider: str
) -> None:
    with scenery(*CALM) as (server, nursery):
        scene = Scene(tmp_path / "run", server, nursery, provider, requests=None)
        assert scene.interrupt_at("look") == 130
        found = orjson.loads(call("status", scene.run_dir, "--json", "--quick").stdout)
        (batch,) = server.batches()
        assert found["state"] == "suspended"
        assert [each["name"] for each in found["batches"]] == [batch["id"]]
        shown = call("status", scene.run_dir, "--quick").stdout
        assert f"waiting for batch {batch['id']}, 0 of 60 done" in shown
        plan = orjson.loads(call("plan", scene.config, "--json").stdout)
        assert (plan["new_calls"], plan["waiting_calls"], plan["worst_usd"]) == (0, 60, 0)
        scene.finish()
        assert len(server.batches()) == 1
        scene.check(None)


def test_without_batch_what_a_batch_holds_is_waited_for_and_the_rest_is_asked_at_once(
    tmp_path: Path, provider: str
) -> None:
    with scenery(*CALM) as (server, nursery):
        scene = Scene(tmp_path / "run", server, nursery, provider, requests=25)
        scene.server.stall("after create")
        scene.kill_at("after create")
        before = sum(len(batch["items"]) for batch in server.batches())
        scene.finish("--no-batch")
        assert sum(len(batch["items"]) for batch in server.batches()) == before == 25
        counters = server.counters()
        assert counters["requests"] == counters["distinct"] == 60
        journal = scene.journal()
        assert journal.scalar("SELECT count(*) FROM batches WHERE event='ended'") == 1
        journal.close()


def test_rows_beyond_a_large_batch_do_not_wait_for_it(tmp_path: Path, provider: str) -> None:
    with scenery("--batch-looks", "1000000") as (server, nursery):
        scene = Scene(tmp_path / "run", server, nursery, provider, rows=300, requests=200)
        scene.kill_at("after create")
        (batch,) = server.batches()
        assert len(batch["items"]) == 200
        scene.start("--no-batch")
        while server.counters(bodies=False)["requests"] != 100:
            assert nursery.wait(0.01) is None
        assert nursery.kill() == -9


def test_cancel_keeps_what_was_answered_and_frees_the_rest(tmp_path: Path, provider: str) -> None:
    with scenery("--batch-looks", "40") as (server, nursery):
        scene = Scene(tmp_path / "run", server, nursery, provider, requests=None)
        scene.kill_after(0.8)
        while not server.batches():
            scene.kill_after(0.8)
        told = call("cancel", scene.run_dir)
        assert told.returncode == 0, told.stderr
        assert f"{server.batches()[0]['id']}: ended, " in told.stdout
        fates = [item[2] for item in server.batches()[0]["items"]]
        assert 0 < fates.count("canceled") <= 60
        scene.finish("--no-batch")
        counters = server.counters()
        assert counters["requests"] == counters["distinct"] == 60
        assert len(server.batches()) == 1
        assert "no batch is waited for" in call("cancel", scene.run_dir).stderr


def test_a_server_that_restarts_meanwhile_loses_nothing(tmp_path: Path, provider: str) -> None:
    store = ("--batch-store", str(tmp_path / "store.json"))
    with scenery(*store, "--batch-looks", "1000000") as (server, nursery):
        scene = Scene(tmp_path / "run", server, nursery, provider, requests=None)
        scene.wait_for("look")
        port = server.url.partition("127.0.0.1:")[2].partition("/")[0]
        server.stop()
        with ServerProcess(*store, *CALM, "--port", port) as again:
            assert nursery.wait(60) == 0
            scene.server = again
            scene.check(None)
            assert len(again.batches()) == 1


def test_what_the_provider_has_lost_is_given_up_only_when_told_so(
    tmp_path: Path, provider: str
) -> None:
    with scenery(*CALM) as (server, nursery):
        scene = Scene(tmp_path / "run", server, nursery, provider, requests=None)
        scene.kill_at("look")
    with scenery(*CALM) as (server, nursery):  # another one, which knows of no batch
        scene.server, scene.nursery = server, nursery
        scene.start()
        assert nursery.wait(60) == 3
        refused = call("cancel", scene.run_dir)
        assert refused.returncode == 3
        assert "is not there" in refused.stderr
        told = call("cancel", scene.run_dir, "--forget")
        assert told.returncode == 0, told.stderr
        assert "given up" in told.stdout
        scene.finish()
        journal = scene.journal()
        worst = journal.scalar(
            "SELECT json_extract(detail, '$.worst[0]') FROM batches WHERE event='intent' LIMIT 1"
        )
        spent = journal.scalar("SELECT sum(cost_nano_usd) FROM attempts")
        assert journal.scalar("SELECT sum(nano_usd) FROM grants") == worst + spent
        journal.close()
