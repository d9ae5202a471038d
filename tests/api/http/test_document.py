"""`/openapi.json` says what may come: every refusal, in its one form, and messages to the digit."""

from __future__ import annotations

import re
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from api.http.document import REFUSALS
from api.http.message_schema import decimals, schema_of
from api.http.problems import HTTP_CODES
from contracts.errors import CommonweightError
from contracts.messages.for_contracts import EpochRoot, NodeFault, VerifierFault
from tests.house import House


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
