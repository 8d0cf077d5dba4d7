"""The records: what is in them, that no key is, and that writing them harms nobody."""

from __future__ import annotations

import json
import logging
import os
import stat
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from chat_magics.log_file import LogFile
from chat_magics.telemetry import ErrorReport, RequestRecord, Telemetry

KEY = "sk-proj-abcdefghij0123456789"
RECORD = RequestRecord(request="e1", model="demo", host="demo", prompt="secret plan", reply="Yes")


def no_secrets() -> list[str]:
    return []


def lines(folder: Path) -> list[dict[str, Any]]:
    return [
        json.loads(line)
        for part in LogFile(folder).parts()
        for line in part.read_text(encoding="utf-8").splitlines()
    ]


def failed(message: str) -> Exception:
    try:
        api_key = KEY  # a variable of the frame, which a traceback must not show
        raise ConnectionError(message + api_key[:0])
    except ConnectionError as error:
        return error


def test_nothing_is_opened_before_the_first_record(tmp_path: Path) -> None:
    telemetry = Telemetry(tmp_path / "logs", secrets=no_secrets)
    assert not (tmp_path / "logs").exists()
    telemetry.request(RECORD)
    (line,) = lines(tmp_path / "logs")
    assert (line["event"], line["request"], line["model"]) == ("request", "e1", "demo")


def test_the_files_are_private(tmp_path: Path) -> None:
    Telemetry(tmp_path / "logs", secrets=no_secrets).request(RECORD)
    (part,) = LogFile(tmp_path / "logs").parts()
    assert stat.S_IMODE((tmp_path / "logs").stat().st_mode) == 0o700
    assert stat.S_IMODE(part.stat().st_mode) == 0o600


@pytest.mark.parametrize("on", [False, True])
def test_texts_are_recorded_only_where_it_is_switched_on(tmp_path: Path, on: bool) -> None:
    Telemetry(tmp_path, log_content=on, secrets=no_secrets).request(RECORD)
    (line,) = lines(tmp_path)
    assert (line["prompt"], line["reply"]) == (("secret plan", "Yes") if on else (None, None))


@pytest.mark.parametrize(
    ("text", "redacted"),
    [
        (f"Incorrect API key provided: {KEY}.", "Incorrect API key provided: ***."),
        ("sk-0123456789abcdefghij and more", "*** and more"),
        ("Authorization: Bearer abc.def-123", "Authorization: Bearer ***"),
        ("https://host/v1?api-key=0123456789abcdef&x=1", "https://host/v1?api-key=***&x=1"),
        ("{'api_key': '0123456789abcdef'}", "{'api_key': '***'}"),
        ("http://user:word@host:80/v1", "http://***@host:80/v1"),
        ("the value hunter2-azure is mine", "the value *** is mine"),
        ("a task-list-of-many-long-words", "a task-list-of-many-long-words"),
        ("x marks the spot", "x marks the spot"),
    ],
)
def test_what_looks_like_a_key_or_is_one_is_redacted(text: str, redacted: str) -> None:
    telemetry = Telemetry(None, secrets=lambda: ["x", "", "hunter2", "hunter2-azure"])
    assert telemetry.redact(text) == redacted


def test_a_failure_is_recorded_with_its_traceback_and_without_the_key(tmp_path: Path) -> None:
    telemetry = Telemetry(tmp_path, secrets=no_secrets)
    telemetry.failure(RECORD, failed(f"refused\n{KEY}"))
    (line,) = lines(tmp_path)
    assert (line["event"], line["status"]) == ("failure", "error")
    assert (line["error_type"], line["error"]) == ("ConnectionError", "refused ***")
    assert "in failed" in line["traceback"]
    assert KEY not in json.dumps(line)


def test_a_key_at_the_cut_of_a_long_error_is_redacted_too(tmp_path: Path) -> None:
    telemetry = Telemetry(tmp_path, secrets=no_secrets)
    telemetry.failure(RECORD, failed("." * 985 + " " + KEY))
    assert "sk-" not in json.dumps(lines(tmp_path))


def test_the_hook_is_given_a_redacted_report(tmp_path: Path) -> None:
    reports: list[ErrorReport] = []
    telemetry = Telemetry(tmp_path, secrets=no_secrets, on_error=reports.append)
    telemetry.failure(RECORD, failed(f"refused {KEY}"))
    (report,) = reports
    assert (report.exception_type, report.message) == ("ConnectionError", "refused ***")
    assert (report.record.request, report.record.time) == ("e1", RECORD.time)
    assert report.record.prompt is None
    assert "ConnectionError: refused ***" in report.traceback
    assert KEY not in repr(report)


def test_a_hook_that_fails_harms_nothing_and_is_recorded(tmp_path: Path) -> None:
    def hook(report: ErrorReport) -> None:
        raise KeyError("no such channel")

    Telemetry(tmp_path, secrets=no_secrets, on_error=hook).failure(RECORD, failed("refused"))
    events = [(line["event"], line.get("message")) for line in lines(tmp_path)]
    told = "the on_error hook failed: KeyError: 'no such channel'"
    assert events == [("failure", None), ("warning", told)]


def test_pythons_logging_is_given_the_same_values(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    telemetry = Telemetry(tmp_path, secrets=no_secrets)
    with caplog.at_level(logging.INFO, logger="chat_magics"):
        telemetry.request(replace(RECORD, latency=1.5, attempts=2))
        telemetry.failure(RECORD, failed(f"refused {KEY}"))
        telemetry.warning(f"the cache is full, says {KEY}")
    found = [(r.levelname, r.getMessage()) for r in caplog.records]
    assert found == [
        ("INFO", "complete: demo, 1.50 s, 2 attempts"),
        ("ERROR", "error: demo, 0.00 s, 0 attempts: refused ***"),
        ("WARNING", "the cache is full, says ***"),
    ]
    (in_file, *_) = lines(tmp_path)
    assert {"event": "request", **vars(caplog.records[0])["chat"]} == in_file


def test_several_objects_on_one_folder_do_not_double_lines(tmp_path: Path) -> None:
    first, second = (Telemetry(tmp_path, secrets=no_secrets) for _ in range(2))
    first.request(RECORD)
    second.request(RECORD)
    assert len(lines(tmp_path)) == 2


def test_full_parts_are_followed_and_old_ones_removed(tmp_path: Path) -> None:
    log = LogFile(tmp_path, max_bytes=1000, keep=3)
    for number in range(100):
        log.append(json.dumps({"number": number, "filling": "." * 80}))
    assert len(log.parts()) == 3
    assert lines(tmp_path)[-1]["number"] == 99
    assert max(part.stat().st_size for part in log.parts()) < 1200


def test_who_wrote_long_ago_goes_on_in_the_newest_part(tmp_path: Path) -> None:
    early, busy = (LogFile(tmp_path, max_bytes=100, keep=2) for _ in range(2))
    early.append("1")
    for _ in range(10):
        busy.append("." * 99)
    newest = LogFile(tmp_path).parts()[-1].name
    early.append("2")
    assert [part.name for part in LogFile(tmp_path).parts()][-2] == newest


def test_processes_that_write_at_once_lose_and_mix_no_line(tmp_path: Path) -> None:
    code = f"""if True:
        import json, sys
        from pathlib import Path
        from chat_magics.log_file import LogFile
        log = LogFile(Path({str(tmp_path / "logs")!r}), max_bytes=50_000, keep=100)
        for number in range(500):
            log.append(json.dumps([sys.argv[1], number, "." * (number * 37 % 3000)]))
    """
    processes = [subprocess.Popen([sys.executable, "-c", code, str(n)]) for n in range(3)]
    assert [process.wait() for process in processes] == [0, 0, 0]
    found = sorted((line[0], line[1]) for line in lines(tmp_path / "logs"))
    assert found == sorted((str(n), number) for n in range(3) for number in range(500))
    assert len(LogFile(tmp_path / "logs").parts()) > 10


def test_a_foreign_file_in_the_folder_is_left_alone(tmp_path: Path) -> None:
    foreign = tmp_path / "chat_magics.backup.jsonl"
    foreign.write_text("mine\n")
    telemetry = Telemetry(tmp_path, secrets=no_secrets)
    telemetry.request(RECORD)
    assert (telemetry.lost, len(lines(tmp_path)), foreign.read_text()) == (0, 1, "mine\n")


def test_a_folder_that_no_system_can_have_harms_nothing() -> None:
    telemetry = Telemetry(Path("no\0folder"), secrets=no_secrets)
    telemetry.request(RECORD)
    assert telemetry.lost == 1


def test_a_log_that_was_removed_is_begun_again(tmp_path: Path) -> None:
    telemetry = Telemetry(tmp_path, secrets=no_secrets)
    telemetry.request(RECORD)
    LogFile(tmp_path).parts()[0].unlink()
    telemetry.request(RECORD)
    assert len(lines(tmp_path)) == 1


def test_a_folder_that_cannot_be_used_is_counted_and_told_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").touch()
    telemetry = Telemetry(tmp_path / "file" / "logs", secrets=no_secrets)
    telemetry.request(RECORD)
    telemetry.request(RECORD)
    assert telemetry.lost == 2
    assert [r.levelname for r in caplog.records] == ["WARNING"]


@pytest.mark.skipif(sys.platform == "win32", reason="needs a limit on the size of files")
def test_a_line_cut_by_a_full_disk_is_counted_and_spoils_no_other_line(tmp_path: Path) -> None:
    code = f"""if True:
        import resource, signal
        from pathlib import Path
        from chat_magics.telemetry import RequestRecord, Telemetry
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        telemetry = Telemetry(Path({str(tmp_path)!r}), secrets=list)
        resource.setrlimit(resource.RLIMIT_FSIZE, (1000, resource.RLIM_INFINITY))
        for number in range(4):
            telemetry.request(RequestRecord(request=str(number)))
        lost = telemetry.lost
        resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY,) * 2)
        telemetry.request(RequestRecord(request="after"))
        print(lost)
    """
    lost = int(subprocess.run([sys.executable, "-c", code], capture_output=True).stdout)
    text = LogFile(tmp_path).parts()[0].read_text().splitlines()
    assert lost > 0
    assert json.loads(text[0])["request"] == "0"
    assert json.loads(text[-1])["request"] == "after"


def test_any_text_can_be_recorded(tmp_path: Path) -> None:
    odd = "lone \udc80, line\u2028end, 你好\n\x00"
    telemetry = Telemetry(tmp_path, log_content=True, secrets=no_secrets)
    telemetry.request(replace(RECORD, prompt=odd))
    assert lines_of_bytes(tmp_path)[0]["prompt"] == odd


def lines_of_bytes(folder: Path) -> list[dict[str, Any]]:
    (part,) = LogFile(folder).parts()
    return [json.loads(line) for line in part.read_bytes().split(b"\n") if line]


def test_nothing_is_printed_or_left_open_at_the_end(tmp_path: Path) -> None:
    code = f"""if True:
        from pathlib import Path
        from chat_magics.telemetry import RequestRecord, Telemetry
        telemetry = Telemetry(Path({str(tmp_path)!r}), secrets=list)
        telemetry.failure(RequestRecord(request="e1"), ValueError("no"))
        telemetry.warning("careful")
    """
    command = [sys.executable, "-W", "error", "-c", code]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert os.listdir(tmp_path).count("chat_magics.000001.jsonl") == 1
