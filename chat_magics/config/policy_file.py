"""The file of a policy: its schema, and how it is read. Loaded only where there is one."""

from __future__ import annotations

import sys
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator
from typing_extensions import Self

__all__ = ["PolicyFile", "Rules", "policy_file"]

Unlimited = Literal["unlimited"]
Some = Annotated[int, Field(ge=0, strict=True)] | Unlimited | None
Positive = Annotated[int, Field(ge=1, strict=True)] | Unlimited | None
Dollars = Annotated[float, Field(ge=0, strict=True, allow_inf_nan=False)] | Unlimited | None


class Rules(BaseModel):
    """What holds for somebody; None where nothing is ruled.

    Args:
        models: those that may be asked; `*` stands for any text.
        servers: base URLs that may be asked, the demo model besides.
        tokens_per_day: at most, as the setting of that name; so are the next three.
        dollars_per_day: 0 refuses all that costs.
        tokens_per_conversation: at most.
        dollars_per_conversation: at most.
        tokens_in_all: at most, ever.
        dollars_in_all: at most, ever.
        requests_per_minute: at most.
        answers_at_once: at most.
        max_tokens: the longest reply; a budget is kept to within this.
        max_prompt_chars: at most.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    models: tuple[str, ...] | None = None
    servers: tuple[str, ...] | None = None
    tokens_per_day: Some = None
    dollars_per_day: Dollars = None
    tokens_per_conversation: Some = None
    dollars_per_conversation: Dollars = None
    tokens_in_all: Some = None
    dollars_in_all: Dollars = None
    requests_per_minute: Positive = None
    answers_at_once: Positive = None
    max_tokens: Positive = None
    max_prompt_chars: Positive = None

    @field_validator("models", "servers")
    @classmethod
    def _names_something(cls, names: tuple[str, ...] | None) -> tuple[str, ...] | None:
        if names is not None and not (names and all(name.strip() for name in names)):
            raise ValueError("must be a list of names, and not empty")
        return names

    def number(self, name: str) -> float | None:
        """A limit; None where there is none."""
        value = getattr(self, name)
        return None if value == "unlimited" else value

    @property
    def given(self) -> dict[str, Any]:
        """The rules themselves, without those that are not there."""
        return {name: getattr(self, name) for name in Rules.model_fields if self._has(name)}

    def _has(self, name: str) -> bool:
        return getattr(self, name) is not None


class _Group(Rules):
    members: tuple[str, ...]


class PolicyFile(Rules):
    """All that a policy file holds: rules for everybody, for groups, for single owners."""

    groups: dict[str, _Group] = Field(default_factory=dict)
    owners: dict[str, Rules] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _rules_something(self) -> Self:
        if not (self.given or self.groups or self.owners):
            raise ValueError("holds no rule")
        seen: dict[str, str] = {}
        for group, rules in self.groups.items():
            for member in rules.members:
                if seen.setdefault(member, group) != group:
                    raise ValueError(f"{member!r} is in two groups: {seen[member]} and {group}")
        return self

    def rules_of(self, owner: str) -> Rules:
        """The rules of everybody, those of the owner's group and those of the owner, in this order.

        Args:
            owner: who asks; the later rules go before the earlier ones.
        """
        found = dict(self.given)
        for group in self.groups.values():
            if owner in group.members:
                found |= group.given
        if owner in self.owners:
            found |= self.owners[owner].given
        return Rules.model_construct(**{**dict.fromkeys(Rules.model_fields), **found})


@lru_cache(maxsize=4)
def policy_file(path: str, changed: int, size: int) -> PolicyFile:
    """What a file holds; read once for each of its states.

    Args:
        path: of the file.
        changed: when it was, in nanoseconds.
        size: bytes.

    Raises:
        OSError: it cannot be read.
        ValueError: it is no TOML, or no policy.
    """
    if sys.version_info >= (3, 11):
        import tomllib
    else:
        import tomli as tomllib
    return PolicyFile.model_validate(tomllib.loads(Path(path).read_text(encoding="utf-8")))
