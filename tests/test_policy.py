"""The policy of who runs a machine: what it bounds and refuses, and what it does when broken."""

from __future__ import annotations

import os
from pathlib import Path

import pandas as pd
import pytest

import chat_magics.pandas
from chat_magics import ChatClient, ChatError, ChatRequest, Conversation, Message, Session
from chat_magics.config import policy_of, resolve_sourced
from chat_magics.errors import BudgetReached, ConfigError, NotAllowed
from tests.batch_server import BatchServer
from tests.chat_server import ChatServer, Reply
from tests.shell import Shell, refused

assert chat_magics.pandas  # registers the accessor

COURSE = """
models = ["test-model", "small*"]
tokens_in_all = 10_000
tokens_per_day = 1_000
dollars_per_day = "unlimited"
max_tokens = 100

[groups.staff]
members = ["grace", "alan"]
models = ["*"]
tokens_per_day = 5_000

[owners.alan]
tokens_in_all = "unlimited"
"""


@pytest.fixture
def policy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The policy of a course, in force."""
    path = tmp_path / "policy.toml"
    path.write_text(COURSE)
    monkeypatch.setenv("CHAT_MAGICS_POLICY", str(path))
    return path


def use(policy: Path, text: str) -> None:
    """Writes another one in its place."""
    policy.write_text(text)
    os.utime(policy, ns=(policy.stat().st_mtime_ns + 10**9,) * 2)


@pytest.fixture
def chat(policy: Path, server: ChatServer, monkeypatch: pytest.MonkeyPatch) -> Conversation:
    monkeypatch.setenv("CHAT_MAGICS_BASE_URL", server.url)
    return Conversation(session=Session())


def said_by(chat: Conversation, prompt: str = "Hello", **options: object) -> str:
    """The line with which it is refused."""
    with pytest.raises(ChatError) as error:
        assert chat.ask(prompt, **options).text
    return error.value.message


def test_groups_and_owners_go_before_everybody(policy: Path) -> None:
    def ruled(owner: str) -> tuple[object, ...]:
        found = policy_of(owner)
        assert found is not None
        rules = found.rules
        return found.allows("big"), rules.number("tokens_per_day"), rules.number("tokens_in_all")

    assert ruled("ada") == (False, 1_000, 10_000)
    assert ruled("grace") == (True, 5_000, 10_000)
    assert ruled("alan") == (True, 5_000, None)


def test_no_policy_rules_nothing() -> None:
    assert policy_of("ada") is None
    assert resolve_sourced()[0].policy is None


def test_a_model_that_is_not_allowed_is_refused_in_one_line_and_not_asked(
    chat: Conversation, server: ChatServer
) -> None:
    assert chat.ask("Hello").model == "test-model"
    assert chat.ask("Hello", model="small-2").text
    line = said_by(chat, model="big")
    assert line == "big is not allowed here; the policy allows test-model, small*"
    assert [body["model"] for body in server.bodies] == ["test-model", "small-2"]


def test_the_models_that_are_listed_are_the_allowed_ones(policy: Path) -> None:
    with ChatServer("big", "small-1", "test-model") as server:
        session = Session({"base_url": server.url})
        assert session.loop.run(session.client.models()) == ["small-1", "test-model"]
        assert session.loop.run(session.client.default_model()) == "small-1"
        assert session.client.known_models() == ["small-1", "test-model"]
        use(policy, 'models = ["other"]')
        session.refresh()
        with pytest.raises(NotAllowed, match="the policy allows none of the models"):
            session.loop.run(session.client.default_model())
        session.close()


def test_at_openai_the_default_model_is_an_allowed_one(policy: Path) -> None:
    session = Session()
    assert session.client.likely_model() == ("test-model", False)
    use(policy, 'models = ["gpt-4o-mini"]')
    session.refresh()
    assert session.loop.run(session.client.default_model()) == "gpt-4o-mini"
    session.close()


@pytest.mark.usefixtures("policy")
def test_what_is_looser_in_the_environment_takes_the_policys_value(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("CHAT_MAGICS_TOKENS_PER_DAY", "1000000")
    config, sources = resolve_sourced()
    assert (config.tokens_per_day, sources["tokens_per_day"]) == (1_000, "policy")
    assert (config.max_tokens, sources["max_tokens"]) == (100, "policy")
    assert config.dollars_per_day is None
    monkeypatch.setenv("CHAT_MAGICS_TOKENS_PER_DAY", "10")
    config, sources = resolve_sourced()
    assert (config.tokens_per_day, sources["tokens_per_day"]) == (10, "environment")


@pytest.mark.usefixtures("policy")
@pytest.mark.parametrize(
    ("given", "line"),
    [
        ({"tokens_per_day": 2_000}, "tokens_per_day (argument): the policy allows 1,000 at most"),
        ({"max_tokens": 101}, "max_tokens (argument): the policy allows 100 at most"),
        ({"model": "big"}, "model (argument): big is not allowed here; the policy allows"),
        ({"home": "elsewhere"}, "home (argument) cannot be set where a policy holds"),
        ({"history": "sqlite://"}, "history (argument) cannot be set where a policy holds"),
    ],
)
def test_an_argument_that_is_looser_is_refused(given: dict[str, object], line: str) -> None:
    with pytest.raises(ConfigError) as error:
        Session(given)
    assert error.value.message.startswith(line)


@pytest.mark.usefixtures("policy")
def test_the_magics_tell_it_and_cannot_loosen_it(shell: Shell, server: ChatServer) -> None:
    line = "the policy allows 1,000 at most"
    assert line in refused(shell, "%chat_config tokens_per_day 2000")
    shell.run("%config ChatMagics.tokens_per_day = 2000")  # IPython tells it in its log
    assert "2000" not in shell.run("%chat_config tokens_per_day").out
    assert "cannot be set where a policy holds" in refused(shell, "%chat_config owner grace")
    shell.run("%chat_config tokens_per_day 500")
    shell.run("%chat_config max_tokens 50")
    assert "big is not allowed here" in refused(shell, "%%chat --model big\nHello")
    assert "max_tokens is 101" in refused(shell, "%%chat --max-tokens 101\nHello")
    shown = shell.run("%chat_config").out
    assert "Note: the policy " in shown
    assert "tokens_in_all 10000" in shown
    shell.run("%%chat --max-tokens 99\nHello")
    (body,) = server.bodies
    assert body["max_tokens"] == 99


def test_a_reply_cannot_be_longer_by_any_name(
    chat: Conversation, policy: Path, server: ChatServer
) -> None:
    use(policy, 'models = ["*"]')
    chat.ask("Hello").wait()
    use(policy, "max_tokens = 100")
    chat.regenerate().wait()  # of what was asked before there was a limit
    chat.ask("Hello").wait()
    line = said_by(chat, options={"max_completion_tokens": 5000})
    assert line == "max_completion_tokens is 5000, and the policy allows 100 at most"
    assert [body.get("max_tokens") for body in server.bodies] == [None, 100, 100]
    request = ChatRequest(
        base_url=server.url, model="test-model", messages=(Message(role="user", content="Hi"),)
    )
    with pytest.raises(NotAllowed, match="max_tokens is not set"):
        chat.session.client.complete(request)


def test_what_was_ever_spent_counts_also_what_was_deleted(
    chat: Conversation, policy: Path, server: ChatServer
) -> None:
    server.default = Reply("Hello", prompt_tokens=400)
    chat.ask("Hello").wait()
    history = chat.session.history
    assert history.delete(chat.id) == 1
    use(policy, "tokens_in_all = 300")
    line = said_by(Conversation(session=chat.session))
    assert "of 300 tokens in all are spent" in line
    assert line.endswith("ask who runs this server for more")
    assert "raise" not in line


def test_a_budget_of_the_policy_cannot_be_raised_and_does_not_say_so(
    chat: Conversation, policy: Path
) -> None:
    use(policy, "tokens_per_day = 5")
    line = said_by(chat)
    assert line.endswith("this prompt takes about 9 tokens: wait for tomorrow")
    assert set(chat.session.budget_left(chat.id)) == {"tokens_per_day"}


def test_dollars_refuse_a_model_without_a_price_and_the_demo_costs_none(
    chat: Conversation, policy: Path
) -> None:
    use(policy, "dollars_in_all = 0")
    assert "choose another model" in said_by(chat)
    free = Conversation(base_url="demo", max_tokens=5)
    assert free.ask("Hello").text
    free.session.close()


def test_rows_are_held_to_it(chat: Conversation, policy: Path, server: ChatServer) -> None:
    frame, session = pd.DataFrame({"n": range(20)}), chat.session
    with pytest.raises(NotAllowed, match="big is not allowed here"):
        frame.chat.ask("What is {{n}}?", model="big", session=session)
    assert server.bodies == []
    use(policy, "tokens_in_all = 100")
    with pytest.raises(BudgetReached):
        frame.chat.ask("What is {{n}}? " * 40, session=session)


def test_a_whole_batch_must_fit_the_budget(
    chat: Conversation, policy: Path, server: ChatServer
) -> None:
    batches = BatchServer(server)
    use(policy, "tokens_in_all = 100\nmax_tokens = 50")
    with pytest.raises(BudgetReached):
        pd.DataFrame({"n": range(20)}).chat.ask(
            "What is {{n}}?", engine="openai-batch", session=chat.session
        )
    assert batches.batches == {}


def test_one_client_for_many_people_asks_for_each_by_their_own_rules(
    chat: Conversation, server: ChatServer
) -> None:
    shared = chat.session.client
    grace, ada = (Session({"owner": name}, client=shared) for name in ("grace", "ada"))
    assert Conversation(session=grace).ask("Hello", model="big").text
    assert "big is not allowed here" in said_by(Conversation(session=ada), model="big")
    for session in (grace, ada):
        session.close()
    assert len(server.bodies) == 1


def test_servers_that_are_not_named_are_refused(policy: Path) -> None:
    use(policy, 'servers = ["https://llm.example.org/v1/"]')
    with pytest.raises(ConfigError, match=r"the policy allows https://llm.example.org/v1$"):
        Session()
    for url in ("https://llm.example.org/v1", "demo"):
        Session({"base_url": url}).close()


def test_where_a_hub_knows_the_person_nobody_is_somebody_else(
    policy: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("JUPYTERHUB_USER", "ada")
    assert resolve_sourced()[0].owner == "ada"
    Session({"owner": "ada"}).close()
    with pytest.raises(ConfigError, match="the hub's user, ada"):
        Session({"owner": "grace"})
    monkeypatch.setenv("CHAT_MAGICS_OWNER", "grace")
    with pytest.raises(ConfigError, match="the hub's user, ada"):
        Session()


def test_a_change_holds_from_the_next_prompt_on_and_unsetting_it_changes_nothing(
    chat: Conversation, policy: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    chat.ask("Hello").wait()
    use(policy, 'models = ["other"]')
    assert "is not allowed here" in said_by(chat, model="test-model")
    monkeypatch.delenv("CHAT_MAGICS_POLICY")
    assert "is not allowed here" in said_by(chat, model="test-model")


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "holds no rule"),
        ("models = [", "Invalid value"),
        ("modles = ['a']", "modles: extra inputs are not permitted"),
        ("models = []", "models: must be a list of names, and not empty"),
        ("tokens_per_day = '10'", "tokens_per_day: input should be"),
        ("tokens_per_day = -1", "tokens_per_day: input should be greater than or equal to 0"),
        ("dollars_per_day = nan", "dollars_per_day: input should be a finite number"),
        ("dollars_per_day = inf", "dollars_per_day: input should be a finite number"),
        ("dollars_per_day = true", "dollars_per_day: input should be"),
        ("[groups.a]\ntokens_per_day = 1", "groups.a.members: field required"),
        (
            "[groups.a]\nmembers = ['x']\n[groups.b]\nmembers = ['x']",
            "'x' is in two groups: a and b",
        ),
        ("[owners]\nada = 1", "owners.ada: input should be"),
        ("\x00", "Invalid statement"),
    ],
)
def test_a_broken_policy_refuses_every_chat_in_one_line(policy: Path, text: str, why: str) -> None:
    use(policy, text)
    with pytest.raises(ConfigError) as error:
        Session({"base_url": "demo"})
    line = error.value.message
    assert line.startswith(f"no chat without the policy {policy}: ")
    assert why in line
    assert line.endswith("; ask who runs this server")
    assert "\n" not in line


def test_a_policy_that_goes_missing_refuses_every_chat(
    chat: Conversation, policy: Path, shell: Shell
) -> None:
    policy.unlink()
    assert said_by(chat).endswith("No such file or directory; ask who runs this server")
    assert "no chat without the policy" in refused(shell, "%%chat\nHello")
    with pytest.raises(ConfigError):
        ChatClient(*resolve_sourced())
