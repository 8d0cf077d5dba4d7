"""Shape: how a model is asked for an answer, what is read from its reply, which columns follow."""

from __future__ import annotations

import dataclasses
import enum
import json
import subprocess
import sys
from datetime import date, datetime, timezone
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any, Literal

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, Field
from typing_extensions import NotRequired, TypedDict

from chat_magics.batch.shape import Shape
from chat_magics.errors import AnswerUnfit, InvalidRequest


class Severity(enum.Enum):
    LOW = "low"
    HIGH = "high"


class Party(BaseModel):
    name: str = Field(description="full name", min_length=1)
    since: datetime | None = None


class Complaint(BaseModel):
    severity: Severity
    kind: Literal["billing", "technical"] = Field(description="what it is about")
    amount: float | None = None
    count: int = 1
    urgent: bool
    party: Party = Field(description="who complains")
    tags: list[str] = []
    received: datetime
    due: date


class Tree(BaseModel):
    value: int
    children: list[Tree] = []


@dataclasses.dataclass
class Point:
    x: int
    y: float = 0.5


class Place(TypedDict):
    city: str
    zip: NotRequired[str]


class Cat(BaseModel):
    kind: Literal["cat"]
    lives: int


class Dog(BaseModel):
    kind: Literal["dog"]
    name: str


GOOD = {
    "severity": "high",
    "kind": "billing",
    "amount": 12,
    "count": None,
    "urgent": True,
    "party": {"name": "Ada", "since": "2026-01-05T10:00:00+01:00"},
    "tags": ["late", "wrong"],
    "received": "2026-01-05T10:00:00",
    "due": "2026-02-01",
}


def sent(into: Any) -> dict[str, Any]:
    wire: dict[str, Any] = Shape.of(into).options["response_format"]["json_schema"]
    return wire


def objects(node: Any) -> list[dict[str, Any]]:
    """All schemas of objects within a schema."""
    inner = node.values() if isinstance(node, dict) else node if isinstance(node, list) else []
    found = [each for value in inner for each in objects(value)]
    return [node, *found] if isinstance(node, dict) and node.get("type") == "object" else found


def dtypes(into: Any) -> dict[str, str]:
    return {name: str(column.dtype) for name, column in Shape.of(into).frame([]).items()}


def test_text_is_asked_for_as_it_is_and_read_as_it_is() -> None:
    for shape in (Shape.of(None), Shape.of(str)):
        assert (shape.options, shape.instruction, shape.columns) == ({}, "", ("answer",))
        assert shape.read(' {"a": 1}\n') == ' {"a": 1}\n'
        column = shape.frame(["a", None])["answer"]
        assert (str(column.dtype), column.isna().tolist()) == ("string", [False, True])


def test_a_model_is_sent_as_strict_mode_wants_it() -> None:
    wire = sent(Complaint)
    assert (wire["name"], wire["strict"]) == ("Complaint", True)
    found = objects(wire["schema"])
    assert len(found) == 2
    for each in found:
        assert each["additionalProperties"] is False
        assert each["required"] == list(each["properties"])
    text = json.dumps(wire)
    assert '"default"' not in text
    assert '"title"' not in text
    assert wire["schema"]["properties"]["count"] == {
        "anyOf": [{"type": "integer"}, {"type": "null"}]
    }
    party = wire["schema"]["properties"]["party"]
    assert party == {"anyOf": [{"$ref": "#/$defs/Party"}], "description": "who complains"}


def test_what_strict_mode_does_not_check_is_told_in_the_description() -> None:
    name = sent(Party)["schema"]["properties"]["name"]
    assert name == {"type": "string", "description": "full name (minLength: 1)"}


@pytest.mark.parametrize(
    "into",
    [dict[str, int], Any, tuple[int, str], {"type": "object", "additionalProperties": True}],
)
def test_what_strict_mode_cannot_say_is_sent_as_advice(into: Any) -> None:
    assert sent(into)["strict"] is False
    assert sent(into)["schema"]["properties"]["answer"] is not None


def test_the_limits_of_strict_mode_are_kept() -> None:
    many: Any = {"enum": [f"v{number}" for number in range(1001)]}
    deep: Any = {"type": "string"}
    for _ in range(11):
        deep = {"type": "object", "properties": {"in": deep}, "required": ["in"]}
    assert sent(many)["strict"] is sent(deep)["strict"] is False
    assert sent({"enum": many["enum"][:1000]})["strict"] is True


def test_a_union_by_a_discriminator_is_any_of_them() -> None:
    pet = Annotated[Cat | Dog, Field(discriminator="kind")]
    wire = sent(pet)
    assert wire["strict"] is True
    ways = wire["schema"]["properties"]["answer"]
    assert ways == {"anyOf": [{"$ref": "#/$defs/Cat"}, {"$ref": "#/$defs/Dog"}]}
    shape = Shape.of(pet)
    value = shape.read('{"answer": {"kind": "cat", "lives": 9}}')
    assert shape.frame([value])["answer"].tolist() == [{"kind": "cat", "lives": 9}]


def test_a_scalar_is_wrapped_and_unwrapped() -> None:
    shape = Shape.of(int, "age")
    assert sent(int)["schema"]["properties"] == {"answer": {"type": "integer"}}
    assert shape.columns == ("age",)
    assert shape.read('{"answer": 41}') == shape.read("41") == shape.read("```\n41\n```") == 41


@pytest.mark.parametrize(
    ("into", "text", "value"),
    [
        (Literal["yes", "no"], "no", "no"),
        (Literal["yes", "no"], '"no"', "no"),
        (Literal["41", "42"], "42", "42"),
        (Severity, "high", "high"),
        (bool, '{"answer": true}', True),
        (float, "3", 3.0),
        (int | None, '{"answer": null}', None),
        (list[str], '{"answer": ["a", "b"]}', ["a", "b"]),
        (list[str], '["a"]', ["a"]),
        (datetime, "2026-01-05T10:00:00Z", "2026-01-05T10:00:00Z"),
        (Decimal, '{"answer": "1.10"}', "1.10"),
        (Point, '{"x": 1}', {"x": 1, "y": 0.5}),
        (Place, '{"city": "Graz", "zip": null}', {"city": "Graz"}),
        (Tree, '{"value": 1, "children": null}', {"value": 1, "children": []}),
        (dict[str, int], '{"answer": 3}', {"answer": 3}),
    ],
)
def test_an_answer_is_read(into: Any, text: str, value: Any) -> None:
    read = Shape.of(into).read(text)
    assert (type(read), read) == (type(value), value)


def test_a_model_is_read_also_in_a_fenced_block_with_words_around_it() -> None:
    shape = Shape.of(Complaint)
    text = json.dumps(GOOD)
    plain = shape.read(text)
    assert shape.read(f"Here it is:\n```json\n{text}\n```\nAnything else?") == plain
    assert (plain["count"], plain["amount"]) == (1, 12.0)
    assert json.loads(json.dumps(plain)) == plain


def test_json_that_holds_a_fence_is_not_cut() -> None:
    value = {"city": "```json\n{}\n```"}
    assert Shape.of(Place).read(json.dumps(value)) == value


@pytest.mark.parametrize(
    ("into", "text", "reason"),
    [
        (Party, "I cannot say.", "not JSON: Expecting value"),
        (Party, "", "not JSON"),
        (Party, '{"name": "A"', "not JSON"),
        (Party, "[" * 100_000, "not JSON"),
        (Party, '{"name": ""}', "name: String should have at least 1 character"),
        (Party, "{}", "name: Field required"),
        (Party, '{"name": "\\ud800"}', "unable to parse raw data"),
        (float, '{"answer": NaN}', "NaN is no number"),
        (float, '{"answer": 1e999}', "JSON"),
        (int, '{"answer": 9223372036854775808}', "9223372036854775808 is beyond 64 bits"),
        (int, "", "not JSON"),
        (int | str, '{"answer": "a wor', "not JSON"),
        (Literal["a"], '"a', "not JSON"),
        (int, "many", "valid integer"),
        (Literal["a", "b"], "c", "Input should be 'a' or 'b'"),
        (datetime, "9999-12-31T23:59:59-05:00", "out of range"),
        (list[int], '{"answer": ["x"]}', "0: Input should be a valid integer"),
        ({"type": "integer", "maximum": 5}, "6", "6 is greater than the maximum of 5"),
        ({"type": "string", "format": "date-time"}, "soon", "'soon' is not a 'date-time'"),
    ],
)
def test_what_does_not_fit_is_told_in_one_line(into: Any, text: str, reason: str) -> None:
    with pytest.raises(AnswerUnfit) as caught:
        Shape.of(into).read(text)
    assert reason in str(caught.value)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 400


def test_of_many_faults_the_first_are_told() -> None:
    with pytest.raises(AnswerUnfit, match=r"0: .*; 1: .*; 2: .*; and 6 more"):
        Shape.of(list[int]).read(json.dumps(["x"] * 9))


@pytest.mark.parametrize(
    ("into", "said"),
    [
        (object(), "is nothing that answers can be"),
        ("Complaint", "'Complaint' is nothing"),
        (len, "len is nothing"),
        (list["Nowhere"], "not fully defined"),  # type: ignore[name-defined]  # noqa: F821
        ({"type": "strin"}, "into is no JSON schema: at type, 'strin'"),
        ({"$ref": "https://example.org/x.json"}, "names nothing within"),
        ({"$ref": "#/$defs/gone"}, "names nothing within"),
        ({"$ref": "#"}, "names itself"),
        (Path("gone.json"), "gone.json cannot be read: No such file"),
    ],
)
def test_what_is_no_shape_is_told_before_anything_is_sent(into: Any, said: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        Shape.of(into)
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_schema_comes_from_a_file_and_in_the_wrapping_of_the_api(tmp_path: Path) -> None:
    schema = {"type": "object", "properties": {"a": {"type": "integer"}}, "required": ["a"]}
    file = tmp_path / "schema.json"
    file.write_text(json.dumps(schema), encoding="utf-8")
    shape = Shape.of(file)
    wrapped = {"type": "json_schema", "json_schema": {"name": "n", "schema": schema}}
    for same in (schema, wrapped, wrapped["json_schema"]):
        assert Shape.of(same).identity == shape.identity
    assert shape.read('{"a": 3}') == {"a": 3}
    for bad in ("[]", "{"):
        file.write_text(bad, encoding="utf-8")
        with pytest.raises(InvalidRequest, match=r"schema\.json"):
            Shape.of(file)


def test_a_reference_holds_where_a_schema_is_wrapped() -> None:
    tree = {"type": "array", "items": {"$ref": "#"}}
    inner = sent(tree)["schema"]["properties"]["answer"]
    assert inner["items"] == {"$ref": "#/properties/answer"}
    assert Shape.of(tree).read('{"answer": [[], [[]]]}') == [[], [[]]]


def test_the_identity_is_that_of_the_question() -> None:
    again: dict[str, Any] = {"int": int, "text": None, "party": Party, "choice": Literal["a"]}
    found = {name: Shape.of(into).identity for name, into in again.items()}
    assert len(set(found.values())) == len(found)
    assert Shape.of(int, "age").identity == found["int"]
    script = (
        "from chat_magics.batch.shape import Shape; from typing import Literal;"
        "print(Shape.of(Literal['a']).identity)"
    )
    root = Path(__file__).parents[1]
    other = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, cwd=root
    )
    assert other.stdout.strip() == found["choice"]


def test_columns_have_their_dtypes_with_rows_and_without() -> None:
    expected = {
        "severity": "category",
        "kind": "category",
        "amount": "Float64",
        "count": "Int64",
        "urgent": "boolean",
        "party": "struct<name: string, since: timestamp[us, tz=UTC]>[pyarrow]",
        "tags": "list<item: string>[pyarrow]",
        "received": "datetime64[us, UTC]",
        "due": "datetime64[us]",
    }
    shape = Shape.of(Complaint)
    assert dtypes(Complaint) == expected
    for values in ([None, None], [None, shape.read(json.dumps(GOOD))]):
        frame = pd.DataFrame(shape.frame(values))
        assert {name: str(dtype) for name, dtype in frame.dtypes.items()} == expected
        assert frame.iloc[0].isna().all()


def test_columns_hold_the_answers() -> None:
    shape = Shape.of(Complaint)
    index = pd.Index(["a", "a"])
    frame = pd.DataFrame(shape.frame([shape.read(json.dumps(GOOD)), None], index))
    assert frame.index.tolist() == ["a", "a"]
    row = frame.iloc[0]
    assert (row["severity"], row["amount"], row["count"]) == ("high", 12.0, 1)
    moment = datetime(2026, 1, 5, 9, tzinfo=timezone.utc)
    assert row["party"] == {"name": "Ada", "since": moment}
    assert row["received"] == datetime(2026, 1, 5, 10, tzinfo=timezone.utc)
    assert row["due"] == pd.Timestamp(2026, 2, 1)
    assert frame["severity"].cat.categories.tolist() == ["low", "high"]
    assert str(frame["severity"].cat.categories.dtype) == "string"


@pytest.mark.parametrize(
    ("into", "dtype"),
    [
        (Literal[1, 2], "category"),
        (Literal[True], "boolean"),
        (int | float, "Float64"),
        (int | str, "object"),
        (Literal[1, "a"], "object"),
        (dict[str, int], "object"),
        (Tree, "object"),
        (Any, "object"),
        ({"type": ["integer", "null"]}, "Int64"),
        ({"enum": ["a", None]}, "category"),
        ({"allOf": [{"type": "integer"}]}, "Int64"),
        (list[Point], "list<item: struct<x: int64, y: double>>[pyarrow]"),
    ],
)
def test_a_type_has_its_dtype(into: Any, dtype: str) -> None:
    assert list(dtypes(into).values())[-1] == dtype


def test_python_objects_of_one_length_stay_one_column() -> None:
    column = Shape.of(int | list[int]).frame([[1, 2], [3, 4], None])["answer"]
    assert column.tolist() == [[1, 2], [3, 4], None]


def test_without_pyarrow_records_and_lists_are_python_objects() -> None:
    script = (
        "import sys\n"
        "from importlib.machinery import PathFinder\n"
        "class Without(PathFinder):\n"
        "    @classmethod\n"
        "    def find_spec(cls, name, *more):\n"
        "        return None if name == 'pyarrow' else super().find_spec(name, *more)\n"
        "sys.meta_path[:] = [Without if f is PathFinder else f for f in sys.meta_path]\n"
        "from chat_magics.batch.shape import Shape\n"
        "from typing import Literal\n"
        "tags = Shape.of(list[str]).frame([['a'], None])['answer']\n"
        "assert str(tags.dtype) == 'object' and tags.tolist() == [['a'], None], tags\n"
        "kind = Shape.of(Literal['a', 'b']).frame(['a', None])['answer']\n"
        "assert str(kind.dtype) == 'category' and kind.isna().tolist() == [False, True]\n"
        "assert str(Shape.of(None).frame(['a', None])['answer'].dtype) == 'string'\n"
    )
    root = Path(__file__).parents[1]
    subprocess.run([sys.executable, "-c", script], check=True, cwd=root)


@given(st.text(max_size=200))
def test_whatever_a_model_says_is_an_answer_or_unfit(text: str) -> None:
    for into in (Party, int, Literal["a"], {"type": "array"}, datetime):
        shape = Shape.of(into)
        try:
            value = shape.read(text)
        except AnswerUnfit:
            continue
        assert len(shape.frame([value])[shape.columns[0]]) == 1
