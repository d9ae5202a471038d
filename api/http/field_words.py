"""An error of a field, in our words: pydantic's own are about its types, and about JSON in Python."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_WORDS = {
    "missing": "is missing",
    "extra_forbidden": "is no field of this",
    "json_invalid": "is not JSON",
    "string_type": "must be text",
    "string_pattern_mismatch": "is spelt otherwise than it must be ({pattern})",
    "string_too_long": "has more than {max_length} characters",
    "string_too_short": "has fewer than {min_length} characters",
    "int_type": "must be a whole number",
    "int_parsing": "must be a whole number",
    "int_parsing_size": "is too large a number",
    "int_from_float": "must be a whole number",
    "float_type": "must be a number",
    "float_parsing": "must be a number",
    "finite_number": "must be a finite number",
    "bool_type": "must be true or false",
    "bool_parsing": "must be true or false",
    "list_type": "must be a list",
    "dict_type": "must be an object",
    "model_attributes_type": "must be an object",
    "model_type": "must be an object",
    "greater_than_equal": "must be at least {ge}",
    "greater_than": "must be more than {gt}",
    "less_than_equal": "must be at most {le}",
    "less_than": "must be less than {lt}",
    "literal_error": "must be {expected}",
    "enum": "must be {expected}",
    "union_tag_invalid": "must name one of {expected_tags} in {discriminator}",
    "union_tag_not_found": "needs a field {discriminator}",
    "value_error": "{error}",
}
_LENGTH = "holds {actual_length}, and {bound}"


def describe(error: Mapping[str, Any]) -> str:
    """One error of pydantic's list: the field, and its right form."""
    return f"{_field(error['loc'])} {_wrong(error)}"


def _field(parts: tuple[int | str, ...]) -> str:
    """The name of a field; in a query or a path with that word."""
    where, *inside = parts
    names = ".".join(map(str, inside))
    if where == "body":
        return names or "the body"
    return f"{names} in the {where}" if names else f"the {where}"


def _wrong(error: Mapping[str, Any]) -> str:
    context = error.get("ctx", {})
    if error["type"] in ("too_short", "too_long"):
        short = error["type"] == "too_short"
        bound = (
            f"at least {context['min_length']} are needed" if short else f"at most {context['max_length']} are taken"
        )
        return _LENGTH.format(actual_length=context["actual_length"], bound=bound)
    words = _WORDS.get(error["type"])
    return f"cannot be read ({error['type'].replace('_', ' ')})" if words is None else words.format(**context)
