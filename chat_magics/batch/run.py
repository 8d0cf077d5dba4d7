"""RowRun: prompts over rows, planned, asked once each, kept; stopped and taken up at any moment."""

from __future__ import annotations

from collections.abc import Container, Iterator, Sequence
from concurrent.futures import CancelledError, Future, wait
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING

from ..budget import Spending
from ..conversation.spending import spent
from ..errors import ChatError, StoreAway
from ..history import Exchange, RowEnded, new_id
from ..interpreter import heap_at_rest, short_turns
from ..pricing import estimate_tokens
from .asker import Answer, Asker, Job
from .engines import opened
from .how import How, Totals, Watching
from .keeper import Keeper
from .known import Known
from .outcome import Outcome, not_asked
from .pace import Pace
from .plan import RowsPlan, planned, tokens_around, typical_reply
from .purse import Purse, Rates
from .question import Asked, Question
from .sending import Sender
from .telling import Traced, row_record
from .together import TokensTogether
from .work import Work

if TYPE_CHECKING:
    from ..conversation import Session
    from ..history import History

__all__ = ["RowRun"]

LOOK_EVERY = 0.1
"""Seconds between two looks of who watches a run."""

_BLOCKS = (64, 128, 256)
"""Prompts that are stored together: few at first, so that the first is sent soon."""


class RowRun:
    """One question over rows: `plan` tells what it would ask, `go` asks.

    Args:
        session: whose client and history it uses.
        question: what is asked of each row.
        how: how.
        watching: shown how far it is; None for nobody.
    """

    ahead = 0
    """Blocks of a file that are sent before the first of them is back."""

    def __init__(
        self, session: Session, question: Question, how: How, watching: Watching | None = None
    ) -> None:
        self._session = session
        self._question = question
        self._how = how
        self._watching = watching
        self._known = Known(session, question, how)
        self._work: Work | None = None
        self._pace: Pace | None = None
        self._sender: Sender
        self._purse: Purse
        self._jobs: list[Job] = []
        self._answered = 0
        self._outcomes: dict[str | int, Outcome] = {}
        self.totals = Totals()
        self.id: str | None = None
        """Of its conversation in history; None where nothing had to be asked."""
        self.reason: ChatError | None = None
        """Why it ended before all was asked; None where it did not."""

    def plan(self, asked: Asked) -> RowsPlan:
        """What would be asked; looks up what is answered, and notes it for `go`."""
        self._outcomes = {**asked.settled, **self._known.outcomes(asked)}
        self._jobs = self._left_of(asked, self._outcomes)
        missing = sum(isinstance(key, int) for key in asked.settled)
        return planned(
            self._question,
            len(asked.keys),
            missing,
            len(asked.settled) - missing,
            len(asked.prompts),
            [job.prompt for job in self._jobs if job.found is None],
        )

    def _left_of(self, asked: Asked, there: Container[str | int]) -> list[Job]:
        left = [
            Job(new_id(), key, prompt) for key, prompt in asked.prompts.items() if key not in there
        ]
        return self._known.cached(left)

    def send_ahead(self, asked: Asked) -> bool:
        """Sends what is asked later on, where that is far away; whether more may be sent so.

        Args:
            asked: the prompts of rows that come after those that were planned.
        """
        return False

    # Asking

    def go(self, plan: RowsPlan) -> dict[str | int, Outcome]:
        """Asks what is left, and gives every outcome by key, or by row where it has no key.

        Blocks; an interrupt ends it cleanly, with what was answered.

        Raises:
            BudgetReached: the plan costs too much.
            ChatError: nothing was answered, and for a reason that holds for all rows.
        """
        plan.check(self._how.max_cost)
        if not self._jobs:
            return self._outcomes
        with self.under_way(plan):
            self.ask_planned()
        if self.reason is not None and not self._answered:
            raise self.reason
        return self._outcomes

    @contextmanager
    def under_way(self, plan: RowsPlan) -> Iterator[None]:
        """Within it, what is planned can be asked, in one part or several.

        Args:
            plan: of all of it.
        """
        session, how = self._session, self._how
        self._pace = Pace(how.concurrency, session.config.tokens_per_minute)
        title = self._question.prompt
        with ExitStack() as ending:
            # Before the run is stored: what cannot be reached leaves none.
            self._sender = ending.enter_context(
                opened(how.engine, session.client, session.config, how.concurrency, self._pace)
            )
            self._pace.widen(self._sender.ahead)
            day, ever = self._spent_before()
            self._purse = Purse(how.max_cost, session.budget, day, plan.typical, ever)
            self.id = session.store_now(lambda history: history.begin_run(title)).id
            ending.callback(self._note_end, self.id)
            ending.enter_context(short_turns())
            ending.enter_context(heap_at_rest())
            self.totals.to_ask = max(self.totals.to_ask, len(self._jobs))
            if self._watching is not None:
                self._watching.begin(plan, self.totals)
                ending.callback(self._watching.end)
            yield

    def _spent_before(self) -> tuple[Spending, Spending]:
        """Today and, where a budget asks for it, in all."""
        budget = self._session.budget
        if not budget.active:
            return Spending(), Spending()
        day, _, *ever = self._session.store_now(lambda history: spent(history, "", budget))
        return day, ever[0] if ever else Spending()

    def _note_end(self, id: str) -> None:
        def end(history: History) -> None:
            history.end_run(id)

        if not self._session.closed:
            try:
                self._session.store_now(end)
            except StoreAway:
                self._session.store_later(end)

    def ask_planned(self) -> dict[str | int, Outcome]:
        """Asks what `plan` found left, within `under_way`, and gives every outcome.

        Once the run was stopped, the rest is given as stopped.
        """
        jobs, self._jobs = self._jobs, []
        if self.reason is None:
            self._wait(self._session.loop.submit(self._work_on(jobs)))
        if self.reason is not None:
            stopped = not_asked("stopped", f"the run ended before: {self.reason.message}")
            for job in jobs:
                self._outcomes.setdefault(job.key, stopped)
        return self._outcomes

    def _wait(self, future: Future[None]) -> None:
        """Waits for the end, shows how far it is, and stops the run on an interrupt."""
        while True:
            try:
                if wait([future], LOOK_EVERY).done:
                    self._look()
                    return future.result()
                self._look()
            except CancelledError:
                self.reason = self.reason or ChatError("the session was closed")
                return None
            except KeyboardInterrupt:
                if self.reason is not None:
                    raise  # the second one
                self.stop("it was interrupted")

    def _look(self) -> None:
        if self._pace is not None:
            self.totals.window, self.totals.waits = self._pace.window, self._pace.refusals
        if self._watching is not None:
            self._watching.look()

    def stop(self, why: str) -> None:
        """Ends the run from any thread; what was answered is kept.

        Args:
            why: for a person.
        """
        self.reason = self.reason or ChatError(why)
        self._session.loop.post(self._stop_at_once, self.reason)

    def _stop_at_once(self, reason: ChatError) -> None:
        if self._work is not None:
            self._work.stop(reason, at_once=True)

    async def _work_on(self, jobs: Sequence[Job]) -> None:
        """One part of the run, on the loop of the session."""
        session, request = self._session, self._question.request
        rates = Rates(request.base_url, request.model)
        keeper = Keeper(session, self._first(), self._deliver, self._fail)
        around = tokens_around(self._question) + typical_reply(self._question)
        assert self._pace is not None
        assert self.id is not None
        asker = Asker(self._question, self._sender, rates)
        self._work = Work(
            _blocks(jobs),
            Traced(asker, request, self.id, session.telemetry),
            keeper,
            self._pace,
            self._purse,
            TokensTogether(session.client.admission, session.config),
            patience=session.config.max_retry_seconds,
            longest_wait=session.config.max_wait,
            tokens=lambda job: estimate_tokens(job.prompt) + around,
        )
        keeper.start()
        try:
            if self.reason is None:
                most = self._how.concurrency * self._sender.ahead
                await self._work.run(min(most, len(jobs)))
        finally:
            self.reason = self.reason or self._work.reason
            if self.reason is not None:
                keeper.hurry()
            await keeper.close()
            self.reason = self.reason or self._work.reason

    def _first(self) -> Exchange:
        request = self._question.request
        assert self.id is not None
        return Exchange(
            conversation=self.id,
            owner=request.owner,
            prompt="",
            sent="",
            system=request.messages[0].content if len(request.messages) > 1 else None,
            base_url=request.base_url,
            api=request.api,
            model_asked=request.model,
            options=request.options,
            surface="batch",
        )

    def _deliver(self, answers: Sequence[Answer]) -> None:
        for answer in answers:
            outcome = self._outcomes[answer.key] = answer.outcome
            if outcome.model is not None:
                self._answered += 1
                self._known.answered(answer.key)
            self.totals.count(outcome)
            if answer.failure is not None:
                self._log(answer.record, answer.failure)

    def _log(self, ended: RowEnded, failure: ChatError) -> None:
        record = row_record(self._question.request, self.id or "", ended, failure)
        self._session.telemetry.failure(record, failure)

    def _fail(self, error: ChatError) -> None:
        if self._work is not None:
            self._work.stop(error)


def _blocks(jobs: Sequence[Job]) -> Iterator[Sequence[Job]]:
    start, sizes = 0, iter(_BLOCKS)
    while start < len(jobs):
        size = next(sizes, _BLOCKS[-1])
        yield jobs[start : start + size]
        start += size
