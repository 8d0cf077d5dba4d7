"""Fixtures of tests of the panel in JupyterLab: the model, the lab and the browser of a module."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser

from tests.chat_server import ChatServer
from tests.chromium import chromium
from tests.lab import Lab
from tests.panel_lab import lab_with_extension

__all__ = ["browser", "lab", "model"]


@pytest.fixture(scope="module")
def model() -> Iterator[ChatServer]:
    """The model server that the lab's kernels ask."""
    with ChatServer() as started:
        yield started
    assert started.violations == []


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory, model: ChatServer) -> Iterator[Lab]:
    """JupyterLab with our extension."""
    with lab_with_extension(tmp_path_factory.mktemp("lab"), model) as started:
        yield started


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """A real Chromium."""
    with chromium() as started:
        yield started
