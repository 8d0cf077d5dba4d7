"""Statistics: each figure compared with what pandas makes of the frame of exchanges."""

from __future__ import annotations

from collections import Counter

import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings

from chat_magics.frames import GROUPS, SCHEMA
from chat_magics.history import History
from tests.frame_samples import START, drawn_exchanges, filled, sound

NAMES = [column.name for column in SCHEMA["stats"]]


def tokens(frame, name):
    both = frame[f"usage_{name}"].fillna(0) + frame[f"wasted_{name}"].fillna(0)
    return int(both[~frame["cached"]].sum())


def money(values, *, unknown):
    return values.sum(min_count=1) if unknown else values.fillna(0.0).sum()


def expected(frame: pd.DataFrame) -> dict[str, object]:
    """The figures of these exchanges, by pandas."""
    asked, hits = frame[~frame["cached"]], int(frame["cached"].sum())
    replies = frame[frame["text"] != ""]
    characters = sum(map(len, [*frame["prompt"], *frame["text"]]))
    messages = len(frame) + len(replies)
    ended = frame[frame["status"] != "streaming"]
    tokenless = asked["usage_prompt_tokens"].isna() & asked["wasted_prompt_tokens"].isna()
    came = ~((asked["status"] == "error") & tokenless)
    unpriced = int((came & (asked["status"] != "streaming") & asked["cost"].isna()).sum())
    talks = frame.groupby("conversation")
    last = frame["ended"].fillna(frame["created"]).groupby(frame["conversation"]).max()
    timed = asked[(asked["latency"] - asked["time_to_first_token"]).fillna(0) > 0]
    timed = timed[timed["usage_completion_tokens"].notna()]
    writing = (timed["latency"] - timed["time_to_first_token"]).sum()
    errors = Counter(frame.loc[frame["status"] == "error", "error_type"].fillna("unknown"))
    return {
        "messages": messages,
        "user_messages": len(frame),
        "assistant_messages": len(replies),
        "characters": characters,
        "average_length": characters / messages if messages else pd.NA,
        "duration": (last - talks["created"].min()).dt.total_seconds().sum(),
        "exchanges": len(frame),
        "conversations": len(talks),
        **{name: tokens(frame, name) for name in NAMES if f"usage_{name}" in frame},
        "cost": money(frame["cost"], unknown=unpriced),
        "saved": money(frame["saved"], unknown=hits),
        "unpriced": unpriced,
        "hits": hits,
        "hit_rate": hits / len(ended) if len(ended) else pd.NA,
        "latency_median": asked["latency"].dropna().quantile(0.5),
        "latency_p95": asked["latency"].dropna().quantile(0.95),
        "first_token_median": asked["time_to_first_token"].dropna().quantile(0.5),
        "first_token_p95": asked["time_to_first_token"].dropna().quantile(0.95),
        "tokens_per_second": timed["usage_completion_tokens"].sum() / writing if writing else pd.NA,
        "attempts": int(frame["attempts"].sum()),
        "retries": int((frame["attempts"] - 1).clip(lower=0).sum()),
        "errors": int((frame["status"] == "error").sum()),
        "stopped": int(frame["status"].isin(["stopped", "interrupted"]).sum()),
        "truncated": int(
            (
                (replies["status"] != "streaming")
                & replies["finish_reason"].fillna("length").eq("length")
            ).sum()
        ),
        "error_types": ", ".join(
            f"{kind}: {count}"
            for kind, count in sorted(errors.items(), key=lambda e: (-e[1], e[0]))
        ),
    }


def same(row: pd.Series, figures: dict[str, object]) -> None:
    assert set(figures) == set(NAMES)
    for name, figure in figures.items():
        if pd.isna(figure):
            assert pd.isna(row[name]), name
        elif isinstance(figure, str):
            assert row[name] == figure, name
        else:
            assert row[name] == pytest.approx(figure, rel=1e-9, abs=1e-6), name


def compare(history: History) -> None:
    """Every figure, over all and by every group."""
    frame = history.exchanges()
    same(history.stats().iloc[0], expected(frame))
    model = frame["model"].fillna(frame["model_asked"])
    groups = {
        "model": model,
        "day": frame["created"].dt.floor("D"),
        "error": frame["error_type"].where(frame["status"] == "error"),
    }
    for by in GROUPS:
        values = groups.get(by, frame.get(by))
        wanted = frame[frame["status"] == "error"] if by == "error" else frame
        stats = history.stats(by)
        assert sound(stats, (GROUPS[by], *SCHEMA["stats"]))
        found = dict(iter(wanted.groupby(values[wanted.index], dropna=False)))
        assert len(stats) == len(found)
        for _, row in stats.iterrows():
            part = next(p for name, p in found.items() if alike(name, row[by]))
            same(row, expected(part))


def alike(one, other):
    return pd.isna(one) if pd.isna(other) else not pd.isna(one) and one == other


@settings(max_examples=12, suppress_health_check=list(HealthCheck))
@given(drawn_exchanges())
def test_figures_are_what_pandas_makes_of_the_exchanges(samples):
    history = History("sqlite://", on_warning=pytest.fail)
    try:
        filled(history, samples)
        compare(history)
    finally:
        history.close()


def test_an_empty_history_has_one_row_of_nothing_and_no_groups():
    history = History("sqlite://", on_warning=pytest.fail)
    row = history.stats().iloc[0]
    assert (row["messages"], row["cost"], row["duration"], row["error_types"]) == (0, 0.0, 0.0, "")
    assert pd.isna(row["average_length"])
    assert pd.isna(row["latency_p95"])
    assert all(history.stats(by).empty for by in GROUPS)
    history.close()


def test_days_come_in_order_and_other_groups_by_size():
    history = History("sqlite://", on_warning=pytest.fail)
    filled(history, [{"model": "b", "created": START.replace(day=9)}] + 2 * [{"model": "c"}])
    assert list(history.stats("model")["model"]) == ["c", "b"]
    assert list(history.stats("day")["day"].dt.day) == [5, 9]
    assert history.stats("model", since="2026-01-09")["model"].tolist() == ["b"]
    history.close()


def test_the_duration_is_that_of_each_conversation_summed_up():
    history = History("sqlite://", on_warning=pytest.fail)
    for talk in range(2):
        # SQLite's own functions would round it to the next second.
        ended = START.replace(second=1, microsecond=999_750)
        filled(history, [{"created": START, "ended": ended, "talk": talk}])
    assert history.stats()["duration"].item() == pytest.approx(3.9995, abs=1e-6)
    history.close()
