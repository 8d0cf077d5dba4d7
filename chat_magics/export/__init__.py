"""Conversations into files, and out of them.

`writing.py` and `reading.py` are the two ways, `transcript.py` what goes over them. `*_file.py` are
our formats, with `values.py` for what those that are read back share, and `rows.py` for tables;
`cleaning.py` keeps keys and places of the machine here, `neutral.py` and `page.py` make model text
harmless, `files.py` writes whole or not at all. `openai_archive.py`, `llm_logs.py` and
`jupyter_chat.py` read what other tools wrote.
"""

from chat_magics.export.csv_file import read_csv
from chat_magics.export.formats import FORMATS
from chat_magics.export.notebook_file import Prompts
from chat_magics.export.parquet_file import write_parquet
from chat_magics.export.reading import Loaded, load
from chat_magics.export.transcript import Transcript, Unread
from chat_magics.export.writing import Exported, export

__all__ = [
    "FORMATS",
    "Exported",
    "Loaded",
    "Prompts",
    "Transcript",
    "Unread",
    "export",
    "load",
    "read_csv",
    "write_parquet",
]
