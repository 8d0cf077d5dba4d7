"""What a start costs: loading the extension, and a plain Python's way to its first text."""

from __future__ import annotations

from itertools import count

from .pairs import Row, in_turns, row
from .place import Place
from .server import MODEL

__all__ = ["first_text", "load_ext"]

_IMPORT_OPENAI = """
import time
started = time.process_time()
import openai
print(time.process_time() - started)
"""

_LOAD_EXT = """
import time
from IPython.core.interactiveshell import InteractiveShell
shell = InteractiveShell.instance()
started = time.process_time()
shell.run_line_magic("load_ext", "chat_magics")
print(time.process_time() - started)
"""

_FIRST_OF_OPENAI = f"""
import sys
from openai import OpenAI
stream = OpenAI().chat.completions.create(
    model={MODEL!r}, messages=[{{"role": "user", "content": sys.argv[1]}}], stream=True
)
for chunk in stream:
    if chunk.choices:
        print(chunk.choices[0].delta.content or "", end="", flush=True)
"""

_FIRST_OF_OURS = """
import sys
from chat_magics import Conversation
for piece in Conversation().ask(sys.argv[1]):
    print(piece, end="", flush=True)
"""


def load_ext(place: Place) -> list[Row]:
    """CPU of `%load_ext chat_magics` in a bare IPython, against `import openai`."""
    pairs = in_turns(
        lambda: float(place.run(_IMPORT_OPENAI)), lambda: float(place.run(_LOAD_EXT)), pairs=7
    )
    what = "CPU of `%load_ext chat_magics`, against `import openai`"
    return [row(what, pairs, at_most=0.15, unit="ms", factor=1000)]


def first_text(place: Place) -> list[Row]:
    """From the start of a process to the first text, against the shortest openai script."""
    # Another prompt each time: the cache must not answer.
    prompts = (f"Hello {number}, tokens=20" for number in count())
    pairs = in_turns(
        lambda: place.until_first_output(_FIRST_OF_OPENAI, next(prompts)),
        lambda: place.until_first_output(_FIRST_OF_OURS, next(prompts)),
        pairs=15,
    )
    what = "process start to first text, against the shortest script with openai"
    return [row(what, pairs, at_most=1.5, unit="ms", factor=1000)]
