"""`/openapi.json` says what may come: every refusal, in its one form, and messages to the digit."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from api.app import bare_app
from api.http.document import REFUSALS
from api.http.problems import HTTP_CODES
from contracts.errors import CommonweightError
from contracts.messages.for_contracts import EpochRoot, NodeFault, VerifierFault
from contracts.wire.message_schema import decimals, schema_of
from tests.house import House

ROOT = Path(__file__).parent.parent.parent.parent


def statuses(kind: type[CommonweightError]) -> set[int]:
    """Of an error and all below it."""
    return {kind.status}.union(*(statuses(one) for one in kind.__subclasses__()))


@pytest.mark.integration
def test_every_operation_has_every_refusal(house: House) -> None:
    document = house.client.get("/openapi.json").json()
    problem = {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}
    operations = [operation for methods in document["paths"].values() for operation in methods.values()]
    assert len(operations) > 30
    for operation in operations:
        for status in REFUSALS:
            assert operation["responses"][str(status)]["content"] == problem
    assert (statuses(CommonweightError) | {*HTTP_CODES, 429, 500}) - {405} <= set(REFUSALS)
    assert not {"HTTPValidationError", "ValidationError"} & document["components"]["schemas"].keys()


def forms(field: dict[str, Any]) -> list[dict[str, Any]]:
    """A field's schema, and those of what it is made of: of null, of a list's elements, of an object's values."""
    inner = [
        *field.get("anyOf", []),
        *(field[key] for key in ("items", "additionalProperties") if isinstance(field.get(key), dict)),
    ]
    return [field, *(form for one in inner for form in forms(one))]


def fields_of(schemas: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Every field of every class, and of the messages within."""
    for name, schema in schemas.items():
        yield from of_one(name, schema)


def of_one(name: str, schema: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for field, form in schema.get("properties", {}).items():
        yield f"{name}.{field}", form
        for inner in forms(form):
            if "properties" in inner:
                yield from of_one(f"{name}.{field}", inner)


def lacks(form: dict[str, Any]) -> set[str]:
    """What the document does not say of a field."""
    parts = forms(form)
    numbers = [one for one in parts if one.get("type") in ("integer", "number")]
    is_object = any("$ref" in one or "properties" in one for one in parts)
    said = {
        "description": "description" in form,
        "example": is_object or any("examples" in one for one in parts),
        "unit": not numbers or any("x-unit" in one for one in parts),
        "bounds": all("minimum" in one and "maximum" in one for one in numbers),
    }
    return {what for what, is_said in said.items() if not is_said}


@pytest.mark.unit
def test_every_field_has_description_unit_and_example() -> None:
    document = bare_app().openapi()
    found = dict(fields_of(document["components"]["schemas"]))
    assert len(found) > 300
    assert {name: missing for name, form in found.items() if (missing := lacks(form))} == {}


@pytest.mark.unit
def test_every_json_answer_has_a_class() -> None:
    document = bare_app().openapi()
    names: list[str] = []
    for path, methods in document["paths"].items():
        for operation in methods.values():
            names.append(operation["operationId"])
            content = operation["responses"]["200"].get("content", {})
            if path.startswith("/v1/") and "application/json" in content:
                schema = content["application/json"]["schema"]
                assert any("$ref" in one for one in forms(schema)) or path == "/v1/balances/{book}", path
    assert len(set(names)) == len(names) > 40


@pytest.mark.unit
def test_the_document_is_made_without_settings(tmp_path: Path) -> None:
    """Without a server, a folder or a variable; and it is that of any server."""
    environment = {"PATH": "", "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, "-m", "api.openapi"], cwd=tmp_path, env=environment, capture_output=True, check=True
    )
    assert done.stderr == b"", "no words of libraries on the screen"
    assert json.loads(done.stdout) == json.loads(json.dumps(bare_app().openapi()))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.integration
def test_a_server_has_the_same_document(house: House) -> None:
    assert house.client.get("/openapi.json").json() == json.loads(json.dumps(bare_app().openapi()))


@pytest.mark.unit
@given(st.integers(0, 2**70), st.integers(0, 2**70), st.integers(0, 2**71))
@example(2**53, 2**64 - 1, 2**64)
@example(2**53, 2**64 - 1, 2**53 - 1)
@example(0, 2**256 - 1, 2**256)
@example(0, 2**256 - 1, 2**256 - 1)
@example(7, 7, 7)
def test_a_pattern_holds_the_numbers_between_two(one: int, other: int, number: int) -> None:
    low, high = min(one, other), max(one, other)
    pattern = re.compile(decimals(low, high))
    for near in (number, low, high, low - 1, high + 1, (low + high) // 2, number % (high - low + 1) + low):
        if near >= 0:
            assert bool(pattern.fullmatch(str(near))) == (low <= near <= high)
    assert not pattern.fullmatch(f"0{low}")


@pytest.mark.unit
@pytest.mark.parametrize("kind", [EpochRoot, VerifierFault, NodeFault])
def test_a_message_has_its_fields_and_no_other(kind: Any) -> None:
    schema = schema_of(kind)
    assert schema["required"] == list(schema["properties"]) == list(kind.__dataclass_fields__)
    assert schema["additionalProperties"] is False
