"""Policy: what who runs a machine allows its people: models, servers, tokens, dollars.

`CHAT_MAGICS_POLICY` names one TOML file. A setting may be tighter than it, and never looser; a
policy that cannot be read refuses every chat.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from ..errors import ConfigError, NotAllowed

if TYPE_CHECKING:
    from .policy_file import PolicyFile, Rules
    from .settings import ChatConfig

__all__ = ["CEILINGS", "POLICY", "Policy", "policy_of", "under_policy"]

POLICY = "CHAT_MAGICS_POLICY"
"""The environment variable that names the file; there is no other way to name it."""

CEILINGS = (
    "tokens_per_day",
    "dollars_per_day",
    "tokens_per_conversation",
    "dollars_per_conversation",
    "requests_per_minute",
    "answers_at_once",
    "max_tokens",
    "max_prompt_chars",
)
"""Settings that a policy bounds from above."""

_LONGEST_REPLY = ("max_tokens", "max_completion_tokens", "max_output_tokens")


@dataclass(frozen=True)
class Policy:
    """The rules of one file for one person.

    Args:
        path: of the file.
        rules: those that hold for the owner.
        owner: whose they are.
        file: all rules; None where these are the only ones.
    """

    path: str
    rules: Rules
    owner: str = ""
    file: PolicyFile | None = None

    def of(self, owner: str) -> Policy:
        """The same for somebody else, as where a server asks for many people."""
        if owner == self.owner or self.file is None:
            return self
        return replace(self, owner=owner, rules=self.file.rules_of(owner))

    def allows(self, model: str) -> bool:
        """True where a model may be asked.

        Example:
            >>> from chat_magics.config.policy_file import Rules
            >>> Policy("", Rules(models=("gpt-4o*",))).allows("gpt-4o-mini")
            True
        """
        models = self.rules.models
        return models is None or any(fnmatchcase(model, each) for each in models)

    @property
    def named_models(self) -> tuple[str, ...]:
        """The models that are named in full."""
        return tuple(name for name in self.rules.models or () if "*" not in name)

    def check(self, model: str, options: Mapping[str, Any]) -> None:
        """Does nothing where a model may be asked so.

        Raises:
            NotAllowed: it is none of the allowed models, or its reply could be too long.
        """
        if not self.allows(model):
            raise NotAllowed(
                f"{model} is not allowed here; the policy allows "
                f"{', '.join(self.rules.models or ())}",
                param="model",
            )
        longest = self.rules.number("max_tokens")
        if longest is None:
            return
        asked = {name: options[name] for name in _LONGEST_REPLY if name in options}
        for name, tokens in (asked or {"max_tokens": "not set"}).items():
            if not isinstance(tokens, int) or tokens > longest:
                raise NotAllowed(
                    f"{name} is {tokens}, and the policy allows {longest:,} at most", param=name
                )

    def bounded(self, values: Mapping[str, Any], sources: Mapping[str, str]) -> Iterator[str]:
        """The settings that take the value of the policy, since theirs is looser or not set.

        Args:
            values: of the settings.
            sources: where they came from.

        Raises:
            ConfigError: a person asks for what the policy forbids.
        """
        self._check_places(values, sources)
        for name in CEILINGS:
            most, value = self.rules.number(name), values[name]
            if most is None or (value is not None and value <= most):
                continue
            if sources.get(name) in ("argument", "%config"):
                raise ConfigError(f"{name} ({sources[name]}): the policy allows {most:,} at most")
            yield name

    def _check_places(self, values: Mapping[str, Any], sources: Mapping[str, str]) -> None:
        """What budgets are counted by, and where prompts go."""
        for name in ("owner", "home", "history"):
            source = sources.get(name, "default")
            given = source == "argument" and name != "owner"
            if given or source not in ("argument", "environment", "default"):
                raise ConfigError(f"{name} ({source}) cannot be set where a policy holds")
        signed_in = os.environ.get("JUPYTERHUB_USER")
        if signed_in and values["owner"] != signed_in:
            raise ConfigError(
                f"owner ({sources.get('owner', 'default')}): where a policy holds it is the hub's "
                f"user, {signed_in}"
            )
        servers, url = self.rules.servers, values["base_url"]
        if servers is not None and "*" not in servers and url != "demo":
            allowed = [each.strip().rstrip("/") for each in servers]
            if url not in allowed:
                source = sources.get("base_url", "default")
                raise ConfigError(
                    f"base_url ({source}): {url} is not allowed here; the policy allows "
                    f"{', '.join(allowed)}"
                )

    @property
    def summary(self) -> str:
        """One line: what is ruled."""
        shown = {name: _shown(value) for name, value in self.rules.given.items()}
        told = "; ".join(f"{name} {value}" for name, value in shown.items())
        return f"the policy {self.path} rules for you: {told or 'nothing'}"


def policy_of(owner: str, path: str | None = None) -> Policy | None:
    """The policy that holds for somebody; None where none is named.

    Args:
        owner: whose.
        path: of its file; by default the one that the environment names.

    Raises:
        ConfigError: it cannot be read, or is no policy. Nobody chats then.
    """
    named = path or os.environ.get(POLICY, "")
    if not named:
        return None
    from .policy_file import policy_file  # for who has one

    try:
        found = Path(named).stat()
        file = policy_file(named, found.st_mtime_ns, found.st_size)
        return Policy(named, file.rules_of(owner), owner, file)
    except ValidationError as error:
        raise ConfigError(_refusal(named, _first(error))) from None
    except OSError as error:
        raise ConfigError(_refusal(named, error.strerror or type(error).__name__)) from None
    except ValueError as error:  # no TOML, or no UTF-8
        raise ConfigError(_refusal(named, " ".join(str(error).split()))) from None


def under_policy(config: ChatConfig, sources: dict[str, str], path: str | None) -> ChatConfig:
    """The settings as the policy allows them; as they are where none is named.

    Args:
        config: what was resolved.
        sources: where each setting came from; what the policy bounds is noted in it.
        path: as for `policy_of`.

    Raises:
        ConfigError: a setting is what the policy forbids, or the policy cannot be read.
    """
    if not (path or os.environ.get(POLICY)):
        return config
    if not config.owner and (signed_in := os.environ.get("JUPYTERHUB_USER")):
        config = config.model_copy(update={"owner": signed_in})
    policy = policy_of(config.owner, path)
    assert policy is not None
    bounded = list(policy.bounded(dict(config), sources))
    if config.model and not policy.allows(config.model):
        models = ", ".join(policy.rules.models or ())
        raise ConfigError(
            f"model ({sources.get('model')}): {config.model} is not allowed here; "
            f"the policy allows {models}"
        )
    sources.update(dict.fromkeys(bounded, "policy"))
    return config.under(policy, bounded)


def _refusal(path: str, why: str) -> str:
    return f"no chat without the policy {path}: {why}; ask who runs this server"


def _first(error: ValidationError) -> str:
    first = error.errors(include_url=False, include_input=False)[0]
    named = [str(part) for part in first["loc"] if str(part) not in ("int", "float")]
    place = ".".join(part for part in named if not part.startswith(("constrained", "literal")))
    said = str(first["msg"]).removeprefix("Value error, ")
    return f"{place}: {said[:1].lower()}{said[1:]}" if place else said


def _shown(value: Any) -> str:
    return ", ".join(value) if isinstance(value, tuple) else f"{value}"
