"""A process of its own that runs one query on a history file and writes the rows out as Arrow.

It is a script, and imports nothing of chat_magics: importing the package would take longer than
reading many histories. `bulk.py` starts it, and tells why it must be another process.
"""

from __future__ import annotations

import json
import sys

__all__: list[str] = []


def _run() -> None:
    order = json.load(sys.stdin)
    # The parent's: where its packages are, this process has to look for them too.
    sys.path[:] = order["sys_path"]
    # Arrow does without it, and reading many histories takes less time than importing it.
    sys.modules["numpy"] = None  # type: ignore[assignment]
    import adbc_driver_sqlite
    import pyarrow as pa
    from adbc_driver_manager import AdbcConnection, AdbcStatement

    # Not by its dbapi module, which imports pandas and all of pyarrow: 0.7 s.
    with (
        adbc_driver_sqlite.connect(order["uri"]) as database,
        AdbcConnection(database) as connection,
        AdbcStatement(connection) as statement,
    ):
        statement.set_options(**{"adbc.sqlite.query.batch_rows": str(order["batch_rows"])})
        statement.set_sql_query(order["sql"])
        stream, _ = statement.execute_query()
        reader = pa.RecordBatchReader._import_from_c(stream.address)
        with pa.ipc.new_stream(sys.stdout.buffer, reader.schema) as writer:
            for batch in reader:
                writer.write_batch(batch)


if __name__ == "__main__":
    try:
        _run()
    except Exception as error:  # noqa: BLE001 - told to the parent, which reads another way
        sys.exit(f"{type(error).__name__}: {error}"[:500])
