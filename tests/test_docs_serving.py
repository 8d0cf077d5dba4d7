"""docs/serving.md: its tables are those of the code."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from pydantic.fields import FieldInfo

from chat_magics.server import ServeSettings, serve_settings
from chat_magics.server.api import handlers
from chat_magics.server.serving import DEFAULTS

PAGE = (Path(__file__).parent.parent / "docs" / "serving.md").read_text(encoding="utf-8")
PREFIX = "CHAT_MAGICS_SERVE_"
FIELDS = ServeSettings.model_fields


def _row(name: str, field: FieldInfo) -> str:
    default = _default(field.get_default())
    return f"| `{name}` | {default} | `{PREFIX}{name.upper()}` | {field.description} |"


def _default(value: Any) -> str:
    if value is None:
        return "not set"
    if isinstance(value, tuple):
        return ", ".join(f"`{each}`" for each in value) or "none"
    return f"`{str(value).lower()}`" if isinstance(value, bool) else f"`{value}`"


def test_the_table_of_the_servers_settings_is_that_of_the_code() -> None:
    table = [line for line in PAGE.splitlines() if re.match(rf"\| `.* \| `{PREFIX}", line)]
    rows = [_row(name, field) for name, field in FIELDS.items()]
    assert table == rows, "docs/serving.md should have:\n" + "\n".join(rows)


@pytest.mark.parametrize("name", ["token", "cookie_secret"])
def test_a_secret_of_the_server_may_stand_in_a_file(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = tmp_path / name
    kept.write_text("let-me-in-let-me-in\n")
    monkeypatch.setenv(f"{PREFIX}{name.upper()}_FILE", str(kept))
    found = getattr(serve_settings({}), name)
    assert found.get_secret_value() == "let-me-in-let-me-in"


def test_every_path_of_the_api_is_told() -> None:
    paths = [path.partition("(")[0] for path, _ in handlers()]
    assert [path for path in paths if "/admin/" not in path and path not in PAGE] == []


@pytest.mark.parametrize("name", DEFAULTS)
def test_what_the_app_limits_by_itself_is_told(name: str) -> None:
    assert re.search(rf"\| {DEFAULTS[name]} \| `CHAT_MAGICS_{name}` \|", PAGE)
