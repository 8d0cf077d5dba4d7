"""The text of the benchmarks' replies: Markdown of one mix at every length, cut into tokens."""

from __future__ import annotations

import re
from functools import lru_cache

__all__ = ["SECTION_TOKENS", "tokens"]

SECTION_TOKENS = 500
"""Of each section: a reply of whole sections has the same mix at every length."""

_TOKEN = re.compile(r" ?[A-Za-z]{1,7}| ?\d{1,3}|\n+| +|[^\w\s]")
"""About four characters each, as a model's tokens are."""

_SECTION = r"""## Part {n}: joining two tables

A left join keeps **every row** of the left table. Where the right one has no partner, its columns
are filled with `NULL`; where it has several, the row of the left table comes *several times*, and
that is why a join can make rows. See [the manual](https://example.org/join/{n}) for the details.

- The key of the right table should be unique.
- Count before and after:
  - rows of the left table,
  - rows of the result.
- Where they differ, look for `duplicated()` keys.

```python
import pandas as pd

orders = pd.DataFrame({{"customer": [1, 2, 2, 3], "price": [10.0, 20.5, 7.25, {n}]}})
names = pd.DataFrame({{"customer": [1, 2], "name": ["Ada", "Grace"]}})
joined = orders.merge(names, on="customer", how="left", validate="many_to_one")
print(joined.groupby("name", dropna=False)["price"].agg(["sum", "mean"]))
```

| join | rows kept on the left | rows kept on the right |
|---|---|---|
| inner | with a partner | with a partner |
| left | all of them | with a partner |
| outer | all of them | all of them |

For $m$ rows with $k_i$ partners each the result has $\sum_i \max(1, k_i)$ rows:

$$ N = \sum_{{i=1}}^{{m}} \max(1, k_i) \ge m $$

> A join that makes rows is no fault of the join: the key was not what it was taken for.

"""

_FILLER = re.findall(r" \w+", " the rows that were not there before came from the right table")


@lru_cache
def tokens(count: int) -> tuple[str, ...]:
    """So many tokens of Markdown: headings, paragraphs, lists, code, tables, quotes and math."""
    found: list[str] = []
    section = 1
    while len(found) < count:
        found += _section(section)
        section += 1
    return tuple(found[:count])


def _section(number: int) -> list[str]:
    found = _TOKEN.findall(_SECTION.format(n=number))
    missing = SECTION_TOKENS - len(found) - 2
    assert missing > 0, "the section is longer than it may be"
    filler = (_FILLER * (missing // len(_FILLER) + 1))[:missing]
    return [*found, *filler, ".", "\n\n"]
