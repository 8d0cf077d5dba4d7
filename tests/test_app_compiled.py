"""The templates of a page are compiled once for all pages."""

from __future__ import annotations

from pathlib import Path
from types import CodeType

import pytest
from traitlets.config import Config
from voila.exporter import VoilaExporter
from voila.paths import collect_template_paths

from chat_magics.server import ServeSettings
from chat_magics.server.application import voila_config


@pytest.fixture
def config() -> Config:
    """What the server tells Voilà."""
    return voila_config(ServeSettings())


def code(config: Config, paths: list[str]) -> CodeType:
    """What an exporter of one page runs."""
    exporter = VoilaExporter(config=config, template_paths=paths, base_url="/")
    found: CodeType = exporter.template.root_render_func.__code__
    return found


def test_two_pages_of_a_server_run_the_same_code(config: Config) -> None:
    paths = collect_template_paths(["voila", "nbconvert"], "chat_magics")
    assert code(config, paths) is code(config, paths)
    assert code(config, paths) is not code(voila_config(ServeSettings()), paths)


def test_a_template_that_was_changed_is_read_anew(config: Config, tmp_path: Path) -> None:
    template = tmp_path / "index.html.j2"
    template.write_text("before")
    before = code(config, [str(tmp_path)])
    template.write_text("after")
    assert "after" in code(config, [str(tmp_path)]).co_consts
    assert "before" in before.co_consts
