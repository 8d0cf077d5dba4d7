"""The architecture, as a test: who may import whom, who may use which package, what is public."""

from __future__ import annotations

import ast
import importlib
import inspect
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple, get_origin

import pytest

ROOT = Path(__file__).resolve().parents[1] / "chat_magics"
PACKAGE = "chat_magics"

ORDER = [
    "messages",
    "errors",
    "checks",
    "attachments",
    "config",
    "interpreter",
    "private_files",
    "file_lock",
    "log_file",
    "telemetry",
    "tracing",
    "pricing",
    "retry",
    "failures",
    "redis_link",
    "cache_disk",
    "cache_store",
    "cache_redis",
    "cache",
    "limits_sqlite",
    "limits_redis",
    "limits",
    "budget",
    "answering",
    "answering_redis",
    "stream",
    "demo",
    "loop",
    "client",
    "markdown",
    "measures",
    "frames",
    "history",
    "caption",
    "export",
    "plots",
    "display",
    "conversation",
    "batch",
    "pandas",
    "magics",
    "server",
    "cli",
    "__main__",
]
"""Each module imports only from those before it."""

ROOMS = {
    "IPython": {"magics", "display"},
    "adbc_driver_manager": {"history"},
    "adbc_driver_sqlite": {"history"},
    "aiohttp": {"client"},
    "diskcache": {"cache_disk"},
    "distributed": {"batch"},
    "genai_prices": {"pricing"},
    "httpx": {"client"},
    "httpx2": {"client"},
    "psutil": {"history"},
    "psycopg": {"history"},
    "jinja2": {"server"},
    "jsonschema": {"batch"},
    "keyring": {"config"},
    "latex2mathml": {"markdown"},
    "matplotlib": {"plots"},
    "limits": {"limits_sqlite", "limits_redis", "limits"},
    "markdown_it": {"markdown"},
    "narwhals": {"batch"},
    "nh3": {"markdown"},
    "nbconvert": {"server"},
    "numpy": {"frames", "batch"},
    "openai": {"client", "failures"},
    "opentelemetry": {"tracing"},
    "pandas": {"measures", "frames", "export", "plots", "batch", "pandas"},
    "platformdirs": {"config"},
    "py3langid": {"measures"},
    "pyarrow": {"frames", "history", "export", "batch"},
    "polars": {"batch"},
    "jupyter_core": {"server"},
    "jupyter_server": {"server"},
    "prometheus_client": {"server"},
    "pydantic": {"messages", "config", "cache", "export", "history", "server", "batch"},
    "pydantic_core": {"stream", "batch"},
    "pydantic_settings": {"config", "server"},
    "pygments": {"markdown"},
    "redis": {"redis_link"},
    "referencing": {"batch"},
    "tqdm": {"batch"},
    "sqlalchemy": {"history"},
    "tenacity": {"retry"},
    "tomli": {"config"},
    "tomllib": {"config"},  # of Python from 3.11 on
    "tornado": {"demo", "server"},
    "traitlets": {"magics", "server"},
    "vaderSentiment": {"measures"},
    "voila": {"server"},
}
"""Who may use which package; `typing_extensions` is for all."""


LOADERS = {("", "magics"), ("", "interpreter")}
"""What the package itself imports, inside of functions: what loads the rest."""


class Import(NamedTuple):
    """One import: the module that stands in `room` at `line` imports `target`."""

    room: str
    target: str
    line: str


def files() -> list[Path]:
    return sorted(ROOT.rglob("*.py"))


def room_of(file: Path) -> str:
    """The module of the architecture that a file belongs to; empty for the package itself."""
    first = file.relative_to(ROOT).parts[0].removesuffix(".py")
    return "" if first == "__init__" else first


def for_type_checkers(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)


def walk(node: ast.AST) -> Iterator[ast.AST]:
    """All nodes but those below `if TYPE_CHECKING`."""
    yield node
    for child in ast.iter_child_nodes(node):
        if not for_type_checkers(child):
            yield from walk(child)
        elif isinstance(child, ast.If):
            for other in child.orelse:
                yield from walk(other)


def targets(node: ast.AST, package: list[str]) -> list[str]:
    """The full names that a statement imports, within `package`."""
    if isinstance(node, ast.Call) and ast.unparse(node.func).endswith("import_module"):
        texts = [part for part in ast.walk(node) if isinstance(part, ast.Constant)]
        return [str(text.value) for text in texts if str(text.value).isidentifier()]
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    if not isinstance(node, ast.ImportFrom):
        return []
    base = package[: len(package) - node.level + 1] if node.level else []
    full = ".".join([*base, *([node.module] if node.module else [])])
    whole = full == PACKAGE  # `from . import x` imports the module x
    return [f"{full}.{alias.name}" for alias in node.names] if whole else [full]


def imports() -> list[Import]:
    found: list[Import] = []
    for file in files():
        package = [PACKAGE, *file.relative_to(ROOT).parts[:-1]]
        for node in walk(ast.parse(file.read_text(encoding="utf-8"))):
            line = f"{file.relative_to(ROOT.parent)}:{getattr(node, 'lineno', 0)}"
            found += [Import(room_of(file), name, line) for name in targets(node, package)]
    return found


def test_every_module_has_its_place() -> None:
    rooms = {room_of(file) for file in files()} - {""}
    assert sorted(rooms - set(ORDER)) == [], "name it in ORDER, where it belongs"
    assert sorted(set(ORDER) - rooms) == [], "it is gone: take it out of ORDER"


def test_no_module_imports_upward() -> None:
    upward = []
    for room, target, line in imports():
        package, name, *_ = [*target.split("."), ""]
        if package != PACKAGE or name == room or (room, name) in LOADERS:
            continue
        if name not in ORDER or not room or ORDER.index(name) > ORDER.index(room):
            upward.append(f"{line} {room or PACKAGE} imports {name}")
    assert upward == []


def test_every_package_of_others_is_in_its_room() -> None:
    astray = []
    for room, target, line in imports():
        name = target.split(".")[0]
        if name in {PACKAGE, "typing_extensions"} or name in sys.stdlib_module_names:
            continue
        if room not in ROOMS.get(name, set()):
            astray.append(f"{line} {room} imports {name}")
    assert astray == []


def test_every_room_is_used() -> None:
    used = {(target.split(".")[0], room) for room, target, _ in imports()}
    unused = [(name, room) for name, rooms in ROOMS.items() for room in rooms]
    assert sorted(set(unused) - used) == [], "take it out of ROOMS"


def test_the_test_sees_imports_wherever_they_stand() -> None:
    source = (
        "if TYPE_CHECKING:\n    from ..magics import A\nelse:\n    import a\n"
        "def f():\n    from ..cli import B\n    from . import c\n    import d.e\n"
        "try:\n    from .. import magics\nexcept ImportError:\n    x = import_module('g')\n"
    )
    package = [PACKAGE, "client"]
    seen = [name for node in walk(ast.parse(source)) for name in targets(node, package)]
    expected = ["a", "chat_magics.cli", "chat_magics.client", "d.e", "chat_magics.magics", "g"]
    assert sorted(seen) == sorted(expected)


WIDGETS = ROOT.parent / "widgets" / "chat_widgets"


def test_the_panel_uses_only_what_is_public() -> None:
    """Of chat_magics the package and its rooms, and of those only what they name in __all__."""
    private = []
    for file in sorted(WIDGETS.rglob("*.py")):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if not isinstance(node, ast.ImportFrom) or not node.module:
                continue
            if node.level or node.module.split(".")[0] != PACKAGE:
                continue
            public = importlib.import_module(node.module).__all__
            rooms = ORDER if node.module == PACKAGE else []
            private += [
                f"{file.name}:{node.lineno} {alias.name}"
                for alias in node.names
                if node.module.count(".") > 1 or alias.name not in {*public, *rooms}
            ]
    assert private == []


def test_the_core_knows_nothing_of_the_panel() -> None:
    assert [line for _, target, line in imports() if target.startswith("chat_widgets")] == []


LOADED = """
import sys
from IPython.core.interactiveshell import InteractiveShell
shell = InteractiveShell()
before = set(sys.modules)
import chat_magics
shell.run_line_magic("load_ext", "chat_magics")
assert "chat" in shell.magics_manager.magics["cell"]
print("\\n".join(sorted(set(sys.modules) - before)))
"""


def test_loading_the_extension_imports_the_standard_library_and_ourselves_only() -> None:
    loaded = subprocess.run(
        [sys.executable, "-c", LOADED],
        capture_output=True,
        text=True,
        cwd=ROOT.parent,
        check=True,
        timeout=240,
    ).stdout.split()
    allowed = {PACKAGE, "IPython", "traitlets", *sys.stdlib_module_names}
    assert [name for name in loaded if name.split(".")[0] not in allowed] == []
    assert "chat_magics.magics" in loaded
    heavy = {f"chat_magics.{room}" for room in ORDER[:-4] if room not in ("errors", "display")}
    assert sorted(heavy & set(loaded)) == []


def names() -> list[str]:
    dotted = [file.relative_to(ROOT.parent).with_suffix("").parts for file in files()]
    return [".".join(parts).removesuffix(".__init__") for parts in dotted]


MODULES = [name for name in names() if not name.endswith("__main__")]


@pytest.mark.parametrize("name", MODULES)
def test_a_module_says_what_is_public_in_order_and_what_it_is_for(name: str) -> None:
    module = importlib.import_module(name)
    assert (module.__doc__ or "").strip()
    public = module.__all__
    assert len(set(public)) == len(public)
    for thing in (getattr(module, each) for each in public):
        alias = get_origin(thing) is not None  # for Python 3.10 an alias of a type is a class
        if (inspect.isclass(thing) and not alias) or inspect.isfunction(thing):
            assert inspect.getdoc(thing), thing
    assert public == sorted(public, key=order)
    own = {each for each, thing in vars(module).items() if is_own(thing, each, name)}
    assert sorted(own - set(public)) == [], "name it in __all__, or begin it with an underscore"


def order(name: str) -> tuple[bool, bool, str]:
    """Constants, then classes, then the rest."""
    return not name.isupper(), not name[0].isupper(), name


def is_own(thing: object, name: str, module: str) -> bool:
    defined = inspect.isclass(thing) or inspect.isfunction(thing)
    return defined and getattr(thing, "__module__", "") == module and name[0] != "_"


@pytest.mark.parametrize("name", importlib.import_module(PACKAGE).__all__)
def test_a_public_name_of_the_package_is_there(name: str) -> None:
    thing = getattr(importlib.import_module(PACKAGE), name)
    assert isinstance(thing, str) or inspect.getdoc(thing)


def test_another_name_of_the_package_is_not() -> None:
    with pytest.raises(AttributeError, match="has no attribute 'Nonsense'"):
        importlib.import_module(PACKAGE).Nonsense  # noqa: B018 - looking is the test
