"""A refused field is told in words that name it and what would be right, never in those of a library."""

from __future__ import annotations

import re
from typing import Any, Literal

import pytest
from pydantic import BaseModel, Field, ValidationError

from api.http.field_words import describe

pytestmark = pytest.mark.unit


class Shape(BaseModel, extra="forbid"):
    text: str = Field("a", max_length=3, min_length=1, pattern="^[a-z]*$")
    number: int = Field(1, ge=1, le=9)
    rate: float = 0.0
    flag: bool = False
    names: dict[str, str] = Field({"a": "b"}, min_length=1)
    rows: list[int] = Field([], max_length=2)
    kind: Literal["a", "b"] = "a"


CASES: list[tuple[dict[str, Any], str]] = [
    ({"names": {}}, "names holds 0, and at least 1 are needed"),
    ({"rows": [1, 2, 3]}, "rows holds 3, and at most 2 are taken"),
    ({"rows": [1, "x"]}, "rows.1 must be a whole number"),
    ({"text": 5}, "text must be text"),
    ({"text": "abcd"}, "text has more than 3 characters"),
    ({"text": ""}, "text has fewer than 1 characters"),
    ({"text": "A"}, "text is spelt otherwise than it must be (^[a-z]*$)"),
    ({"number": 0}, "number must be at least 1"),
    ({"number": 10}, "number must be at most 9"),
    ({"number": "x"}, "number must be a whole number"),
    ({"number": 1.5}, "number must be a whole number"),
    ({"rate": "x"}, "rate must be a number"),
    ({"flag": "x"}, "flag must be true or false"),
    ({"names": []}, "names must be an object"),
    ({"rows": {}}, "rows must be a list"),
    ({"kind": "c"}, "kind must be 'a' or 'b'"),
    ({"more": 1}, "more is no field of this"),
]


@pytest.mark.parametrize(("body", "said"), CASES, ids=[said for _, said in CASES])
def test_what_is_wrong_is_said_in_our_words(body: dict[str, Any], said: str) -> None:
    with pytest.raises(ValidationError) as caught:
        Shape.model_validate(body)
    found = [describe({**error, "loc": ("body", *error["loc"])}) for error in caught.value.errors()]
    assert found == [said]
    assert not re.search(r"validation|Input should|pydantic|dictionary", found[0], re.IGNORECASE)


def test_the_place_is_named() -> None:
    assert describe({"loc": ("query", "limit"), "type": "missing"}) == "limit in the query is missing"
    assert describe({"loc": ("body",), "type": "json_invalid", "ctx": {"error": "x"}}) == "the body is not JSON"
    assert describe({"loc": ("path", "run"), "type": "some_new_one"}) == "run in the path cannot be read (some new one)"
