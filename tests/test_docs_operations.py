"""docs/operations.md: its commands run, its alerts are those of the file, on metrics that are."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import promql_parser
import pytest
import yaml
from jupyter_client import MultiKernelManager

from chat_magics.history import History
from chat_magics.server.metrics import Metrics
from chat_magics.server.seats import Seats
from tests.history_samples import ask
from tests.postgres import INSTALL, PostgresServer, programs

ROOT = Path(__file__).parent.parent
PAGE = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")
ALERTS = yaml.safe_load((ROOT / "deploy" / "prometheus" / "alerts.yaml").read_text())
RULES = [rule for group in ALERTS["groups"] for rule in group["rules"]]


def _commands(program: str) -> list[list[str]]:
    lines = re.findall(rf"^({program} .*)$", PAGE, re.MULTILINE)
    return [shlex.split(line) for line in lines]


def _said(place: str) -> list[str]:
    history = History(place, owner="", on_warning=pytest.fail)
    said = [exchange.text for exchange in history.load_exchanges()]
    history.close()
    return said


def _with_something(place: str) -> None:
    history = History(place, owner="", on_warning=pytest.fail)
    ask(history, history.new_conversation("kept"), text="worth keeping")
    history.close()


def test_a_history_in_a_file_is_saved_while_it_is_open_and_brought_back(tmp_path: Path) -> None:
    (tmp_path / "srv" / "chat").mkdir(parents=True)
    _with_something(str(tmp_path / "srv/chat/history.db"))
    app = History(str(tmp_path / "srv/chat/history.db"), on_warning=pytest.fail)
    commands = _commands("chat-magics move")
    assert len(commands) == 2
    for _, *words in commands:
        arguments = [word.replace("sqlite:///", f"sqlite:///{tmp_path}") for word in words]
        command = [sys.executable, "-m", "chat_magics", *arguments]
        done = subprocess.run(command, capture_output=True, text=True, timeout=120)
        assert "verified by count and hash" in done.stdout, done.stderr
    app.close()
    assert _said(str(tmp_path / "srv/chat/restored.db")) == ["worth keeping"]


@pytest.mark.postgres
@pytest.mark.skipif(programs() is None, reason=INSTALL)
def test_a_history_in_postgresql_is_saved_and_brought_back(tmp_path: Path) -> None:
    with PostgresServer() as server:
        places = {name: server.database(name) for name in ("chat", "restored")}
        _with_something(places["chat"])
        for program, *words in [*_commands("pg_dump"), *_commands("pg_restore")]:
            told = " ".join(words).replace("/backup", str(tmp_path))
            for name, url in places.items():
                told = re.sub(rf"postgresql://\S+/{name}(?= |$)", url, told)
            folder = programs()
            assert folder is not None
            done = subprocess.run(
                [str(folder / program), *told.split()],
                capture_output=True,
                text=True,
                env={**os.environ, "PGCONNECT_TIMEOUT": "30"},
            )
            assert done.returncode == 0, done.stderr
        assert _said(places["restored"]) == ["worth keeping"]


def test_each_alert_is_told(tmp_path: Path) -> None:
    told = re.findall(r"^\| `(Chat\w+)` \|", PAGE, re.MULTILINE)
    assert told == [rule["alert"] for rule in RULES]


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: str(rule["alert"]))
def test_an_alert_is_an_expression_over_metrics_that_are(
    rule: dict[str, str], tmp_path: Path
) -> None:
    promql_parser.parse(rule["expr"])
    seats = Seats(MultiKernelManager(), 1)
    metrics = Metrics(tmp_path, seats, 20, {"limits": "redis://127.0.0.1:1"})
    told = metrics.registry.collect()
    samples = {sample.name for family in told for sample in family.samples}
    families = {family.name for family in metrics.registry.collect()}
    known = {"up"} | samples | {f"{name}_{end}" for name in families for end in ("total", "bucket")}
    assert set(re.findall(r"\bchat_magics_\w+", rule["expr"])) <= known | {"chat_magics"}
    if rule["alert"] != "ChatServerDown":
        assert "chat_magics_" in rule["expr"]
