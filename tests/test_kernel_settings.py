"""Settings, Tab and restarts in a real kernel; a notebook run by nbclient; the warm-up."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

from chat_magics.config import ChatConfig
from tests.chat_server import ChatServer, Status
from tests.kernel import Kernel
from tests.talks import until, user_texts

HEAVY = ["pydantic", "openai", "aiohttp", "sqlalchemy", "diskcache", "genai_prices", "nh3"]
LOADED = f"import sys; sorted(set({HEAVY}) & set(sys.modules))"


@pytest.fixture(scope="module")
def started(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kernel]:
    """One kernel for the tests of this file, of a notebook that has a path."""
    folder = tmp_path_factory.mktemp("kernel")
    with Kernel(folder, JPY_SESSION_NAME="/books/joins.ipynb", CHAT_MAGICS_CACHE_MB="99") as kernel:
        yield kernel


@pytest.fixture
def kernel(started: Kernel, server: ChatServer) -> Iterator[Kernel]:
    """The kernel, started anew, on the tests' server."""
    started.restart()
    started.run("%load_ext chat_magics")
    started.run(f"%config ChatMagics.base_url = {server.url!r}")
    started.run("%config ChatMagics.model = 'test-model'")
    yield started
    server.release()


def setting(listed: str, name: str) -> list[str]:
    """The columns of one setting in what %chat_config prints."""
    (line,) = [line for line in listed.splitlines() if line.startswith(f"{name} ")]
    return re.split(r"\s{2,}", line)


def test_each_setting_is_listed_with_its_value_and_source(kernel: Kernel, server: ChatServer):
    listed = kernel.run("%chat_config").stdout
    assert [line.split()[0] for line in listed.splitlines()] == list(ChatConfig.model_fields)
    assert setting(listed, "base_url")[1:3] == [server.url, "%config"]
    assert setting(listed, "cache_mb")[1:3] == ["99", "environment"]
    assert setting(listed, "cache_ttl")[1:3] == ["3600.0", "default"]
    assert setting(listed, "temperature")[1:3] == ["not set", "default"]


def test_a_setting_is_set_used_and_reset(kernel: Kernel, server: ChatServer):
    assert setting(kernel.run("%chat_config system 'Be brief'").stdout, "system")[1] == "Be brief"
    kernel.run('%chat_config options {"seed": 7}')
    kernel.run("%chat Q1")
    kernel.run("%chat_config system default\n%chat_config options default")
    kernel.run("%chat Q2", "next")
    first, second = server.bodies
    assert first["messages"][0] == {"role": "system", "content": "Be brief"}
    assert first["seed"] == 7
    assert user_texts(second) == ["Q1", "Q2"]
    assert second["messages"][0]["role"] == "user"
    assert "seed" not in second


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("temperature 9", "temperature: input should be less than or equal to 2"),
        ("temperature warm", "temperature"),
        ("cache_mb 0", "cache_mb"),
        ("base_url nowhere", "base_url: must be like https://host/v1, or demo"),
        ("api gpt", "api"),
        ("modle x", "there is no setting 'modle'; %chat_config lists them"),
        ("cache maybe", "cache: must be true, false, or the address of a Redis"),
        ("max_tokens 1.5", "max_tokens: must be a whole number, not 1.5 (longest reply, in"),
        ("options 3", "options: must be a dict, not 3 (further options of the API)"),
        ("fallback_models a,,b", "fallback_models: must name one model at least, and hold no"),
        ("fallback_models [1]", "fallback_models: must be a list of texts, not 1 (listed where"),
    ],
)
def test_a_bad_value_is_refused_in_one_line_and_changes_nothing(
    started: Kernel, line: str, said: str
):
    started.run("%load_ext chat_magics")
    before = started.run("%chat_config").stdout
    ran = started.run(f"%chat_config {line}")
    assert re.fullmatch(r"UsageError: [^\n]+\n", ran.stderr)
    assert said in ran.stderr
    assert started.run("%chat_config").stdout == before


def test_config_lists_and_sets_and_refuses(kernel: Kernel, server: ChatServer):
    listed = kernel.run("%config ChatMagics").stdout
    assert listed.count("ChatMagics(Settings) options") == 1
    assert "ChatMagics.temperature=<Number>\n    0 to 2\n    Current: None" in listed
    kernel.run("%config ChatMagics.temperature = 0.5")
    ran = kernel.run("%config ChatMagics.temperature = 7")
    assert len((ran.stderr + ran.stdout).strip().splitlines()) == 1
    assert "temperature: input should be less than or equal to 2" in ran.stderr + ran.stdout
    kernel.run("%chat Hello")
    assert server.bodies[0]["temperature"] == 0.5
    assert kernel.run("%config").stdout.count("ChatMagics") == 1


@pytest.mark.parametrize(
    ("statement", "said"),
    [
        ("temperature = 'warm'", "temperature: must be a number, not 'warm' (0 to 2)"),
        ("api = 3", "api: must be text, not 3 (chat or responses)"),
        ("modle = 'x'", "there is no setting 'modle'; %chat_config lists them"),
        ("api_key = 'sk-x'", "a key is never taken from a cell: type %chat_config api_key"),
        ("fallback_models = ['']", "fallback_models: must name one model at least, and hold no"),
    ],
)
def test_config_refuses_in_one_line_of_ours(started: Kernel, statement: str, said: str):
    started.run("%load_ext chat_magics")
    ran = started.run(f"%config ChatMagics.{statement}")
    assert re.fullmatch(r"ERROR:root:[^\n]+\n", ran.stderr)
    assert said in ran.stderr
    assert ran.stdout == ""


def test_a_list_is_taken_with_commas(kernel: Kernel):
    for line in ("%chat_config fallback_models one, two", "%config ChatMagics.fallback_models = x"):
        kernel.run("x = ' one,two'")
        kernel.run(line)
        assert "('one', 'two')" in kernel.run("%chat_config fallback_models").stdout
        kernel.run("%chat_config fallback_models default")


CELL = "\nWhy does a left join make rows?\nand so on"


def test_tab_completes_in_the_first_line_of_a_cell(kernel: Kernel, server: ChatServer):
    server.models = ["test-model", "test-large", "other"]
    kernel.run("%chat_models\n%chat_new joins\n%chat Hello")

    def tab(line: str) -> list[str]:
        return kernel.complete(line + CELL, len(line))

    assert tab("%%chat --te") == ["%%chat --temperature"]
    assert "%%chat -t 1 --dry-run" in tab("%%chat -t 1 --d")
    assert tab("%%chat -m test-") == ["%%chat -m test-model", "%%chat -m test-large"]
    assert tab("%%chat --model o") == ["%%chat --model other"]
    assert "%%chat -c joins" in tab("%%chat -c ")
    assert tab("%%chat -f ma") == ["%%chat -f markdown"]
    assert tab("%%chat -m zzz") == []
    assert kernel.complete("%chat_config cache_") == [
        "%chat_config cache_mb",
        "%chat_config cache_ttl",
    ]
    assert "%chat_open joins" in kernel.complete("%chat_open jo")
    assert kernel.complete("%chat_config api ") == [
        "%chat_config api chat",
        "%chat_config api responses",
        "%chat_config api default",
    ]
    assert kernel.complete("%chat_doctor --") == ["%chat_doctor --ask"]
    assert kernel.complete("%chat_cache -") == ["%chat_cache --clear"]
    assert len(server.posts) == 1


def test_tab_quotes_a_name_as_the_line_wants_it(kernel: Kernel):
    kernel.run("%chat_new left joins")
    for line in ("%%chat -c le", '%%chat -c "left j', '%%chat --conversation="left '):
        (whole,) = kernel.complete(line + CELL, len(line))
        assert whole == line[: line.index("le")].rstrip('"') + '"left joins"'
    assert kernel.complete("%%chat -c 'left j") == ["%%chat -c 'left joins'"]
    assert kernel.complete("%chat_open left j") == ["%chat_open left joins"]
    line = '%%chat -c "left j'
    assert kernel.complete(line + '"' + CELL, len(line)) == ['%%chat -c "left joins']


def test_a_restarted_kernel_offers_the_notebooks_last_conversation(
    kernel: Kernel, server: ChatServer
):
    kernel.run("%chat_new mine")
    kernel.run("%chat Q1", "a")
    kernel.run("%chat Q2", "b")
    kernel.restart()
    kernel.run("%load_ext chat_magics")
    kernel.run(f"%config ChatMagics.base_url = {server.url!r}")
    kernel.run("%config ChatMagics.model = 'test-model'")
    offered = kernel.run("%chat Something else", "c").stdout
    assert offered == "A new conversation. This notebook's last one, «mine»: %chat_open mine\n"
    assert "Opened mine, 2 exchanges." in kernel.run("%chat_open mine", "d").stdout
    kernel.run("%chat Q2, better", "b")
    kernel.run("%chat Q3", "e")
    sent = [user_texts(body) for body in server.bodies[2:]]
    assert sent == [["Something else"], ["Q1", "Q2, better"], ["Q1", "Q2, better", "Q3"]]


def test_the_offer_waits_for_an_answer_that_is_shown(kernel: Kernel, server: ChatServer):
    kernel.run("%chat Q1", "a")
    kernel.restart()
    kernel.run("%load_ext chat_magics")
    kernel.run(f"%config ChatMagics.base_url = {server.url!r}")
    kernel.run("%config ChatMagics.model = 'test-model'")
    server.script(Status(400))
    kernel.run("%chat fails", "b")
    assert kernel.run("%chat -q says nothing", "c").stdout == ""
    assert "This notebook's last one" in kernel.run("%chat three", "d").stdout
    assert kernel.run("%chat four", "e").stdout == ""


def test_loading_the_extension_loads_nothing_heavy(started: Kernel):
    started.restart()
    assert started.run(f"%load_ext chat_magics\n{LOADED}").result == "[]"


def test_an_idle_kernel_loads_the_heavy_parts_without_a_cell(home: Path):
    with Kernel(home, CHAT_MAGICS_WARM_UP="1", CHAT_MAGICS_BASE_URL="demo") as kernel:
        # history.db is opened at last, so that no cell need ask and disturb the idle kernel.
        assert kernel.run(f"%load_ext chat_magics\n{LOADED}").result == "[]"
        until((home / "history.db").exists, timeout=240)
        loaded = kernel.run(LOADED).result
        assert loaded == str(sorted({*HEAVY} - {"genai_prices"}))  # after the first text
        ran = kernel.run("%chat Hello")
        assert (ran.status, ran.stderr) == ("ok", "")


def test_a_warm_up_without_a_key_disturbs_nobody(home: Path):
    with Kernel(home, CHAT_MAGICS_WARM_UP="1") as kernel:
        kernel.run("%load_ext chat_magics")
        kernel.run(
            "import threading\n"
            "[warm] = [t for t in threading.enumerate() if t.name == 'chat_magics-warm-up']\n"
            "end = lambda: (warm.join(), open('warm', 'w').close())\n"
            "threading.Thread(target=end).start()"
        )
        until((home / "warm").exists, timeout=240)
        ran = kernel.run("%chat Hello")
        assert re.fullmatch(r"UsageError: no key: [^\n]+\n", ran.stderr)
        assert ran.stdout == ""


def test_a_warm_up_that_is_switched_off_never_begins(started: Kernel):
    started.restart()
    ran = started.run("%load_ext chat_magics\nimport threading; threading.enumerate()")
    assert "warm-up" not in ran.result


def test_a_notebook_runs_in_nbclient_where_no_cell_ids_are_sent(
    server: ChatServer, home: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("CHAT_MAGICS_WARM_UP", "0")
    monkeypatch.setenv("CHAT_MAGICS_BASE_URL", server.url)
    monkeypatch.setenv("CHAT_MAGICS_MODEL", "test-model")
    cells = ["%load_ext chat_magics", "%%chat\nQ1", "%%chat -o answer\nQ2", "print(answer)"]
    book = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells])
    NotebookClient(book, kernel_name="python3", resources={}).execute()
    outputs = [cell.outputs for cell in book.cells]
    assert outputs[1][0].data["text/plain"] == "Hello from the test server."
    assert outputs[3][0].text == "Hello from the test server.\n"
    assert [user_texts(body) for body in server.bodies] == [["Q1"], ["Q1", "Q2"]]
