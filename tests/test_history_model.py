"""History against a plain model of it: whatever is done in whatever order, both agree."""

from __future__ import annotations

import shutil
import tempfile
from datetime import datetime, timezone
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, invariant, rule

from chat_magics.errors import InvalidRequest, NotFound, StoreError
from chat_magics.history import ConversationRecord, Exchange, History
from chat_magics.history.exchange import now
from chat_magics.history.search_words import words
from tests.history_samples import make

ODD = st.sampled_from("\x00\x10" + "0 ")
TEXT = st.text(ODD | st.characters(exclude_categories=["Cs"]), max_size=12)
NAMES = st.sampled_from(["one", "two", "drei"])
EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)
ENDS = st.sampled_from(["complete", "stopped", "interrupted", "error"])


class HistoryMachine(RuleBasedStateMachine):
    """The model: two dicts, of conversations and of exchanges, by id."""

    talks = Bundle("talks")
    asked = Bundle("asked")

    def place(self) -> str:
        self.folder = Path(tempfile.mkdtemp())
        return str(self.folder / "history.db")

    def __init__(self) -> None:
        super().__init__()
        self.where = self.place()
        self.history = History(self.where, on_warning=pytest.fail)
        self.talk_model: dict[str, ConversationRecord] = {}
        self.model: dict[str, Exchange] = {}
        self.deleted: dict[str, tuple[ConversationRecord, list[Exchange]]] = {}
        self.costs: dict[str, float] = {}

    def teardown(self) -> None:
        self.history.close()
        shutil.rmtree(self.folder)

    @rule(target=talks, name=NAMES | st.none())
    def new_conversation(self, name: str | None) -> ConversationRecord:
        return self.history.new_conversation(name)

    @rule(talk=talks)
    def add(self, talk: ConversationRecord) -> None:
        taken = talk.name in self.names(but=talk.id)
        if talk.id in self.talk_model or taken:
            with pytest.raises(InvalidRequest if taken else StoreError):
                self.history.add(talk)
            return
        self.talk_model[talk.id] = self.history.add(talk)

    @rule(target=asked, talk=talks, prompt=TEXT, cut=st.booleans())
    def begin(self, talk: ConversationRecord, prompt: str, cut: bool) -> str | None:
        known = self.talk_model.get(talk.id, talk)
        exchange = make(talk, prompt)
        if talk.id in self.deleted and talk.id not in self.talk_model:
            with pytest.raises(NotFound):
                self.history.begin(exchange, talk, [])
            return None
        path = (*(() if cut else known.path), exchange.id)
        if talk.id not in self.talk_model and talk.name in self.names(but=talk.id):
            with pytest.raises(InvalidRequest):
                self.history.begin(exchange, talk, path)
            return None
        stored = self.history.begin(exchange, talk, path)
        self.model[exchange.id] = exchange
        title = known.title or " ".join(prompt.split())
        changed = {"path": path, "used": exchange.created, "title": title}
        self.talk_model[talk.id] = known.model_copy(update=changed)
        assert stored == self.talk_model[talk.id]
        return exchange.id

    @rule(id=asked, text=TEXT)
    def append_partial(self, id: str | None, text: str) -> None:
        if id not in self.model or self.model[id].ended:
            with pytest.raises(StoreError if id in self.model else NotFound):
                self.history.append_partial(id or "0" * 32, text)
            return
        self.history.append_partial(id, text)
        self.model[id] = self.model[id].model_copy(update={"text": text})

    @rule(id=asked, text=TEXT, status=ENDS, cost=st.floats(0, 9) | st.none(), empty=st.booleans())
    def finish(self, id: str | None, text: str, status: str, cost: float, empty: bool) -> None:
        if id not in self.model:
            return
        final = {"text": text, "status": status, "cost": cost, "ended": now()}
        done = self.model[id].model_copy(update=final)
        if self.model[id].ended:
            with pytest.raises(StoreError):
                self.history.finish(done, path=[])
            return
        self.history.finish(done, path=[] if empty else None)
        self.model[id] = done
        self.costs[id] = cost or 0.0
        if empty:
            talk = self.talk_model[done.conversation]
            self.talk_model[talk.id] = talk.model_copy(update={"path": ()})

    @rule(talk=talks, name=NAMES | st.none())
    def rename(self, talk: ConversationRecord, name: str | None) -> None:
        if name in self.names(but=talk.id):
            with pytest.raises(InvalidRequest):
                self.history.rename(talk.id, name)
        elif talk.id not in self.talk_model:
            with pytest.raises(NotFound):
                self.history.rename(talk.id, name)
        else:
            self.talk_model[talk.id] = self.history.rename(talk.id, name)
            assert self.talk_model[talk.id].name == name

    @rule(talk=talks, tag=NAMES, add=st.booleans())
    def tag(self, talk: ConversationRecord, tag: str, add: bool) -> None:
        change = self.history.tag if add else self.history.untag
        if talk.id not in self.talk_model:
            with pytest.raises(NotFound):
                change(talk.id, tag)
            return
        known = self.talk_model[talk.id]
        tags = {*known.tags, tag} if add else {*known.tags} - {tag}
        self.talk_model[talk.id] = known.model_copy(update={"tags": tuple(sorted(tags))})
        assert change(talk.id, tag) == self.talk_model[talk.id]

    @rule(talk=talks)
    def delete(self, talk: ConversationRecord) -> None:
        own = [asked for asked in self.model.values() if asked.conversation == talk.id]
        streams = any(asked.ended is None for asked in own)
        if talk.id not in self.talk_model or streams:
            with pytest.raises(InvalidRequest if streams else NotFound):
                self.history.delete(talk.id)
            return
        assert self.history.delete(talk.id) == len(own)
        gone = self.talk_model.pop(talk.id)
        if own:
            self.deleted[talk.id] = (gone, own)
        for asked in own:
            del self.model[asked.id]

    @rule(talk=talks)
    def put_back(self, talk: ConversationRecord) -> None:
        if talk.id not in self.deleted or talk.id in self.talk_model:
            return
        gone, own = self.deleted.pop(talk.id)
        assert self.history.put(gone, own).outcome == "added"
        taken = gone.name in self.names(but=gone.id)
        title = gone.title or " ".join(own[0].prompt.split())
        back = {"name": None if taken else gone.name, "title": title}
        self.talk_model[gone.id] = gone.model_copy(update=back)
        self.model.update({asked.id: asked for asked in own})
        assert self.history.put(self.talk_model[gone.id], own[::-1]) == (gone.id, "present", "")

    @rule(id=asked)
    def search(self, id: str | None) -> None:
        prompt = words(self.model[id].prompt) if id in self.model else []
        if prompt:
            found = self.history.search(f'"{" ".join(prompt)}"', exchanges=[id])
            assert len(found) == (self.model[id].ended is not None)

    @rule()
    def reopen(self) -> None:
        self.history.close()
        self.history = History(self.where, on_warning=pytest.fail)

    @invariant()
    def history_and_model_agree(self) -> None:
        stored = {talk.id: talk for talk in self.history.load_conversations(limit=1000)}
        assert stored == self.talk_model
        assert {exchange.id: exchange for exchange in self.history.load_exchanges()} == self.model
        assert self.history.spent(EPOCH).cost == pytest.approx(sum(self.costs.values()))

    def names(self, but: str) -> set[str]:
        return {t.name for t in self.talk_model.values() if t.name is not None and t.id != but}


QUICK = settings(
    max_examples=25,
    stateful_step_count=20,
    suppress_health_check=list(HealthCheck),
)

TestHistoryInAFile = HistoryMachine.TestCase
TestHistoryInAFile.settings = QUICK
