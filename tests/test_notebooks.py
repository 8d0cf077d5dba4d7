"""The notebooks, run as nbconvert runs them: what their cells show in the end.

nbval runs them too, but knows neither updates of a display nor that an output is taken back.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbclient import NotebookClient

NOTEBOOKS = Path(__file__).parent.parent / "notebooks"


def ran(name: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """The code cells of a notebook after it ran on the demo model."""
    monkeypatch.setenv("CHAT_MAGICS_BASE_URL", "demo")
    notebook = nbformat.read(NOTEBOOKS / name, as_version=4)
    resources = {"metadata": {"path": str(folder)}}
    NotebookClient(notebook, timeout=120, kernel_name="python3", resources=resources).execute()
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def shown(cells: list[Any], begin: str) -> str:
    """All that the first cell with this beginning shows, as HTML where there is some."""
    cell = next(cell for cell in cells if cell.source.startswith(begin))
    data = [output.get("data", {"text/plain": output.get("text", "")}) for output in cell.outputs]
    return "\n".join(each.get("text/html", each.get("text/plain", "")) for each in data)


def test_the_quickstart_shows_replies_and_the_line_under_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    cells = ran("quickstart.ipynb", tmp_path, monkeypatch)
    reply = shown(cells, "%%chat -o answer")
    assert "<h2>Why a left join makes more rows</h2>" in reply
    assert reply.count("once for each match") == 1
    assert reply.count("demo · ") == 1
    assert "<table>" in shown(cells, "%chat Show me a table")
    assert "Nothing was sent." in shown(cells, "%%chat --dry-run")


def test_the_history_notebook_shows_frames_figures_and_a_picture(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    (tmp_path / "temporary").mkdir()
    monkeypatch.setenv("TMPDIR", str(tmp_path / "temporary"))
    cells = ran("history.ipynb", tmp_path, monkeypatch)
    assert "Total messages" in shown(cells, "%chat_stats")
    assert "left join" in shown(cells, "%chat_search").lower()
    plot = next(cell for cell in cells if cell.source.startswith("%chat_stats --all --plot"))
    assert "image/png" in plot.outputs[0].data
    assert "tokens" in plot.outputs[0].data["text/plain"]
    assert "joins" in shown(cells, "%chat_conversations tag")
    assert list((tmp_path / "temporary").iterdir()) == []


def test_the_app_shows_the_panel_outside_of_its_server_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    cells = ran("app.ipynb", tmp_path, monkeypatch)
    (shown_widget,) = next(cell for cell in cells if cell.source == "show()").outputs
    assert "application/vnd.jupyter.widget-view+json" in shown_widget["data"]


def test_the_rows_notebook_shows_a_plan_typed_columns_and_what_was_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    cells = ran("rows.ipynb", tmp_path, monkeypatch)
    assert "5 rows: 3 distinct prompts, 0 answered before, 3 to ask" in shown(cells, "plan =")
    assert "text is missing" in shown(cells, 'out[["text"')
    assert "category" in shown(cells, "out.dtypes")
    assert "[True, True, False, True, True] 0.0" in shown(cells, "again =")
    assert "Classify the complaint" in shown(cells, "from chat_magics import Session")
