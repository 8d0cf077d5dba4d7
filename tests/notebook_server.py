"""What the tests' JupyterLab and Voilà have in common: how they start, and their notebooks."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

__all__ = ["program", "write_notebook"]

_START = (
    "import runpy, sys;"
    "sys.modules['rfc3987_syntax'] = None;"  # a grammar that is compiled for seconds at import
    "sys.argv = sys.argv[1:];"
    "runpy.run_module(sys.argv[0], run_name='__main__', alter_sys=True)"
)


def program(module: str) -> list[str]:
    """The command of a server that is a module, without what takes it seconds to import."""
    return [sys.executable, "-c", _START, module]


def write_notebook(path: Path, *sources: str) -> None:
    """Makes a notebook with these code cells, whose ids are `cell-0` and so on."""
    code: dict[str, Any] = {"cell_type": "code", "metadata": {}, "execution_count": None}
    cells = [
        {**code, "id": f"cell-{number}", "source": source, "outputs": []}
        for number, source in enumerate(sources)
    ]
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    metadata = {"kernelspec": kernel}
    notebook = {"nbformat": 4, "nbformat_minor": 5, "metadata": metadata, "cells": cells}
    path.write_text(json.dumps(notebook))
