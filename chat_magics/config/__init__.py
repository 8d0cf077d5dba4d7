"""Every setting, in one place: its default, its meaning, and where its value came from."""

from .policy import POLICY, Policy, policy_of
from .redis_url import password_of, shown
from .settings import OPENAI_URL, ChatConfig, default_home, is_sendable
from .sources import (
    Sourced,
    TypedKey,
    from_environment,
    key_to_send,
    may_go,
    resolve,
    resolve_sourced,
    save_key,
)

__all__ = [
    "OPENAI_URL",
    "POLICY",
    "ChatConfig",
    "Policy",
    "Sourced",
    "TypedKey",
    "default_home",
    "from_environment",
    "is_sendable",
    "key_to_send",
    "may_go",
    "password_of",
    "policy_of",
    "resolve",
    "resolve_sourced",
    "save_key",
    "shown",
]
