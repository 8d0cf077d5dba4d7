"""A process that dies in mid-reply, two processes on one home, and a restart that goes on."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

from chat_magics import Conversation
from tests.chat_server import ChatServer, Hang, Reply
from tests.talks import CANARY, leaks, session_on, until, user_texts

ROOT = Path(__file__).parents[1]

PYTHON = f"""
import sys
from chat_magics import Conversation, Session
session = Session({{"base_url": sys.argv[1], "api_key": "{CANARY}", "model": "test-model"}})
"""


def start(server: ChatServer, code: str) -> subprocess.Popen[str]:
    """A process that runs this code with a session on the server."""
    command = [sys.executable, "-c", PYTHON + code, server.url]
    return subprocess.Popen(
        command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )


def kill(process: subprocess.Popen[str]) -> None:
    """As `kill -9` does."""
    process.send_signal(signal.SIGKILL)
    process.communicate()


ASK = """
for piece in Conversation("crash", session=session).ask("What was I asked?"):
    print(piece, flush=True)
"""


def test_after_kill_9_the_prompt_and_the_partial_are_there(server: ChatServer, home: Path):
    server.script(Reply(["x" * 3000, "y"], stall_after=1))
    process = start(server, ASK)
    assert process.stdout.readline() == "x" * 3000 + "\n"
    until(lambda: b"x" * 2500 in b"".join(p.read_bytes() for p in home.glob("history.db*")))
    kill(process)
    with session_on(server) as session:
        (left,) = Conversation.open("crash", session=session).exchanges()
        assert (left.prompt, left.status) == ("What was I asked?", "interrupted")
        assert left.text == "x" * 3000


def test_after_kill_9_before_the_first_token_the_prompt_is_there(server: ChatServer):
    server.script(Hang())
    process = start(server, ASK)
    server.until(lambda: server.held == 1)
    kill(process)
    with session_on(server) as session:
        chat = Conversation.open("crash", session=session)
        assert [(e.prompt, e.status) for e in chat.exchanges()] == [
            ("What was I asked?", "interrupted")
        ]
        assert chat.ask("Go on").text
    assert user_texts(server.bodies[-1]) == ["Go on"]


def test_a_process_that_ends_in_mid_reply_leaves_it_interrupted(server: ChatServer):
    server.script(Reply(["one ", "two"], stall_after=1))
    process = start(server, 'print(next(iter(Conversation("end", session=session).ask("Q"))))')
    assert process.communicate(timeout=240)[0] == "one \n"
    assert process.returncode == 0
    with session_on(server) as session:
        (left,) = Conversation.open("end", session=session).exchanges()
        assert (left.prompt, left.status, left.text) == ("Q", "interrupted", "one ")


TALK = """
chat = Conversation(sys.stdin.readline().strip(), session=session)
for number in range(15):
    assert chat.ask(f"{chat.name} {number}", use_cache=False).text
session.close()
"""


def test_two_processes_chat_on_one_home_and_nothing_is_lost(server: ChatServer, home: Path):
    processes = {name: start(server, TALK) for name in ("left", "right")}
    for name, process in processes.items():
        process.stdin.write(name + "\n")
        process.stdin.flush()
    assert all(p.communicate(timeout=240) and p.returncode == 0 for p in processes.values())
    with session_on(server) as session:
        for name in processes:
            exchanges = Conversation.open(name, session=session).exchanges()
            assert [e.prompt for e in exchanges] == [f"{name} {n}" for n in range(15)]
            assert {e.status for e in exchanges} == {"complete"}
    assert len((home / "logs" / "chat_magics.000001.jsonl").read_text().splitlines()) == 30
    assert leaks(home) == []


def test_a_restart_goes_on_with_the_same_context(server: ChatServer):
    code = 'c = Conversation("talk", session=session); c.ask("Q1").text; print(c.ask("Q2").text)'
    process = start(server, code + "; print(c.id)")
    output = process.communicate(timeout=240)[0].split("\n")
    with session_on(server) as session:
        chat = Conversation.open(output[1], session=session)
        assert chat.ask("Q3").text
    before, after = server.bodies[1]["messages"], server.bodies[2]["messages"]
    reply = {"role": "assistant", "content": output[0]}
    assert after == [*before, reply, {"role": "user", "content": "Q3"}]
