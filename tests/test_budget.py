"""The budget: what it refuses, in which words, and what it says is left."""

from __future__ import annotations

import pickle

import pytest

from chat_magics.budget import Budget, Spending
from chat_magics.errors import BudgetReached

NOTHING = Spending()


@pytest.mark.parametrize(
    ("budget", "day", "conversation", "estimate", "words"),
    [
        (
            Budget(tokens_per_day=1000),
            Spending(tokens=950),
            NOTHING,
            Spending(tokens=51),
            "950 tokens of 1,000 tokens today are spent, and this prompt takes about 51 tokens: "
            "raise tokens_per_day, or wait for tomorrow",
        ),
        (
            Budget(dollars_per_conversation=0.5),
            NOTHING,
            Spending(dollars=0.5),
            NOTHING,
            "$0.50 of $0.50 in this conversation are spent, and this prompt takes about $0: "
            "raise dollars_per_conversation, or start a new conversation",
        ),
        (
            Budget(dollars_per_day=5),
            NOTHING,
            NOTHING,
            Spending(tokens=5, unknown=1),
            "The price of this model is unknown, so dollars_per_day cannot be kept: "
            "set tokens_per_day instead",
        ),
    ],
)
def test_a_budget_refuses_in_one_line_that_names_the_setting(
    budget: Budget, day: Spending, conversation: Spending, estimate: Spending, words: str
) -> None:
    with pytest.raises(BudgetReached) as caught:
        budget.check(day, conversation, estimate)
    assert caught.value.message == words
    assert str(caught.value.code) in words


def test_a_budget_admits_up_to_its_last_token() -> None:
    budget = Budget(tokens_per_day=1000, tokens_per_conversation=500)
    budget.check(Spending(tokens=900), Spending(tokens=400), Spending(tokens=100))


def test_an_unknown_price_does_not_matter_to_a_budget_of_tokens() -> None:
    Budget(tokens_per_day=1000).check(NOTHING, NOTHING, Spending(tokens=5, unknown=1))


def test_what_is_left_is_told_for_the_budgets_that_are_set() -> None:
    budget = Budget(tokens_per_day=1000, dollars_per_conversation=0.5)
    left = budget.left(Spending(tokens=1200), Spending(dollars=0.125))
    assert left == {"tokens_per_day": 0, "dollars_per_conversation": 0.375}


def test_a_budget_is_active_where_anything_is_set() -> None:
    assert not Budget().active
    assert Budget(dollars_per_day=0.0).active
    assert pickle.loads(pickle.dumps(Budget(tokens_per_day=1))) == Budget(tokens_per_day=1)
