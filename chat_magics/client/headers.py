"""The headers that each request to a server carries, besides those of the openai package itself."""

from __future__ import annotations

import os
from typing import Any

import openai

__all__ = ["default_headers"]


def default_headers(
    key: str | None, organization: str | None, project: str | None, *, custom: bool
) -> Any:
    """Key, organisation and project as given; those of the environment where they may go.

    The openai package would send what OPENAI_CUSTOM_HEADERS holds to any server, and an
    Authorization in it in the place of the key.

    Args:
        key: sent as bearer token; None sends no Authorization header.
        organization: OpenAI's id of the organisation; None sends none.
        project: OpenAI's id of the project; None sends none.
        custom: send OPENAI_CUSTOM_HEADERS, but for an Authorization in it.
    """
    lines = os.environ.get("OPENAI_CUSTOM_HEADERS", "").split("\n")
    names = [line.split(":")[0].strip() for line in lines if ":" in line]
    unwanted = [name for name in names if not custom or name.lower() == "authorization"]
    # By their own spelling, which openai 2 does not see through; ours comes after it and wins.
    headers: dict[str, Any] = dict.fromkeys(unwanted, openai.omit)
    headers.pop("Authorization", None)
    headers["Authorization"] = f"Bearer {key}" if key else openai.omit
    headers["OpenAI-Organization"] = organization or openai.omit
    headers["OpenAI-Project"] = project or openai.omit
    return headers
