"""Without a key, a command starts on the demo model, and says so."""

from __future__ import annotations

import os

from ..config import key_to_send, resolve_sourced

__all__ = ["use_demo_without_key"]


def use_demo_without_key(who: str) -> None:
    """Sets the environment of what is started, where the configured server needs a key.

    Args:
        who: talks to the demo model then, for the line that says so.

    Raises:
        ConfigError: a setting does not make sense.
    """
    config, sources = resolve_sourced()
    if config.at_openai and key_to_send(config, sources)[0] is None:
        os.environ["CHAT_MAGICS_BASE_URL"] = "demo"
        print(
            f"No key is set (OPENAI_API_KEY): {who} to the built-in demo model, "
            "behind which no language model stands.",
            flush=True,
        )
