"""The settings as traits, so that `%config ChatMagics` lists and sets them.

They say nothing about defaults: None is «not set here», and `chat_magics.config` goes on looking
in the environment. The key is no trait: `%config` would print it.
"""

from __future__ import annotations

from typing import Any

from IPython.core.error import UsageError
from IPython.core.magic import Magics
from traitlets import All, Bool, TraitError, Unicode, observe
from traitlets.config import Config

from .traits import Number, Switch, SwitchOrText, Table, Text, Texts, Whole

__all__ = ["Settings"]


def _text(help: str) -> Any:
    return Text(None, allow_none=True, help=help).tag(config=True)


def _number(help: str) -> Any:
    return Number(None, allow_none=True, help=help).tag(config=True)


def _whole(help: str) -> Any:
    return Whole(None, allow_none=True, help=help).tag(config=True)


def _switch(help: str) -> Any:
    return Switch(None, allow_none=True, help=help).tag(config=True)


class Settings(Magics):
    """What `%config ChatMagics` shows; each as in `%chat_config`, None where not set here."""

    base_url = _text("where the model server is; demo is the built-in demo model")
    organization = _text("OpenAI organisation")
    project = _text("OpenAI project")
    keyring = _switch("keep the key in the system keyring")
    model = _text("the model")
    fallback_models = Texts(
        Unicode(),
        default_value=None,
        allow_none=True,
        help="listed where none can be asked",
    ).tag(config=True)
    api = _text("chat or responses")
    system = _text("the system prompt")
    temperature = _number("0 to 2")
    max_tokens = _whole("longest reply, in tokens")
    options = Table(default_value=None, allow_none=True, help="further options of the API").tag(
        config=True
    )
    max_prompt_chars = _whole("longest prompt, in characters as typed")
    max_attachment_kb = _whole("largest text file that goes with a prompt, in kB")
    max_image_mb = _whole("largest image that goes with a prompt, in MB")
    connect_timeout = _number("seconds to reach the server")
    stall_timeout = _number("longest gap between bytes, seconds")
    total_timeout = _number("seconds a reply may take in all")
    max_attempts = _whole("requests for one reply, at most")
    max_retry_seconds = _number("seconds for all retries together")
    max_wait = _number("longest single wait, seconds")
    transport = _text("auto, aiohttp or httpx")
    cache = SwitchOrText(
        [Bool(), Unicode()],
        default_value=None,
        allow_none=True,
        help="answer equal requests from the cache; redis://HOST:6379/0 keeps it there",
    ).tag(config=True)
    cache_ttl = _number("seconds that a cached reply is good for")
    cache_mb = _whole("size limit of the cache, MiB")
    limits = _text("redis://HOST:6379/0 counts limits over several machines")
    requests_per_minute = _whole("limit over all kernels")
    tokens_per_minute = _whole("limit of each run over rows, prompts and replies")
    requests_per_minute_per_address = _whole("the same for all who ask from one address")
    answers_at_once = _whole("replies under way at a time for one owner")
    max_limit_wait = _number("longest wait for one of these limits, seconds")
    tokens_per_day = _whole("budget of tokens a day")
    dollars_per_day = _number("budget of dollars a day")
    tokens_per_conversation = _whole("budget of tokens a conversation")
    dollars_per_conversation = _number("budget of dollars a conversation")
    log_content = _switch("write prompts and replies into the log as well")
    traces = _switch("send spans to the collector that the OTEL_ variables name")
    owner = _text("whose conversations these are")
    address = _text("where the owner asks from, as the app knows it")
    history = _text("SQLAlchemy URL or path of the history")
    home = _text("folder of history, cache and logs")
    warm_up = _switch("import the heavy parts while the kernel is idle")

    def update_config(self, config: Config) -> None:
        """Takes in what `%config` sets.

        Raises:
            TraitError: there is no such setting.
        """
        for name in config.get("ChatMagics", {}):
            if name == "api_key":
                raise TraitError("a key is never taken from a cell: type %chat_config api_key")
            if name not in self.trait_names(config=True):
                raise TraitError(_unknown(name))
        super().update_config(config)

    @observe(All)
    def _makes_sense(self, change: Any) -> None:
        """Takes back at once what `chat_magics.config` would refuse at the next question."""
        name, value = change["name"], change["new"]
        if value is None or name not in self.trait_names(config=True):
            return
        from ..config import resolve  # pydantic, when a setting is changed
        from ..errors import ConfigError

        session = getattr(self.shell, "chat_magics_session", None)
        try:
            resolve({name: value})
            if session is not None:
                session.refresh()
        except ConfigError as error:
            setattr(self, name, change["old"])
            raise TraitError(str(error).replace(" (argument)", "")) from None

    def settings_here(self) -> dict[str, Any]:
        """The settings that were set by `%config` or `%chat_config`, by name."""
        names = self.trait_names(config=True)
        return {name: value for name in names if (value := getattr(self, name)) is not None}

    def set_here(self, name: str, value: Any) -> None:
        """Sets one, or unsets it by None; a value that does not make sense changes nothing.

        Raises:
            UsageError: there is no such setting, or the value does not make sense.
        """
        if name not in self.trait_names(config=True):
            raise UsageError(_unknown(name))
        try:
            setattr(self, name, value)
        except TraitError as error:
            raise UsageError(str(error)) from None


def _unknown(name: str) -> str:
    return f"there is no setting {name!r}; %chat_config lists them"
