"""The kinds of values in requests and answers: each kind of value with its form, its bounds, its unit and an
example, which `/openapi.json` shows.

An answer is a claim of the server: its class checks the form, and not whether the claim is true.
"""

from __future__ import annotations

import re
from typing import Annotated, Any, Self, TypeAlias, TypeVar

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    StringConstraints,
    TypeAdapter,
    ValidationError,
    WithJsonSchema,
)
from pydantic.config import JsonDict

from contracts.errors import BadField, CommonweightError
from contracts.messages.fields import LARGEST_NUMBER
from contracts.wire.message_schema import decimals

_BEYOND = re.compile(r"[1-9][0-9]{15,19}")
LARGEST = 2**31 - 1
"""The largest number of an epoch, a round, an entry or a block that a path or a query names."""
PAGE = 100
"""Most lines in a list whose every line costs work."""
LONGEST_TEXT = 4000
"""Longest text from another party, in characters."""
EPOCHS = "epochs, counted from 1"
ROUNDS = "rounds, counted from 1; 0 before the first"
BLOCKS = "blocks of the chain"
ENTRIES = "entries of the log, counted from 0"
TOKENS = "1e-18 tokens"
ERRORS = "1e-18"
_DIGEST = "0x5a1b7c0e9d3f48a6b2c4d6e8f00112233445566778899aabbccddeeff0010203"
_ADDRESS = "0x7E5F4552091A69125d5DfCb7b8C2659029395Bdf"

Object: TypeAlias = dict[str, object]
"""A JSON object without fixed keys."""


UINT256 = decimals(0, 2**256 - 1)
"""A pattern: a uint256 as a decimal text."""


class AnswerMisfit(CommonweightError):
    """The answer of a server does not have the form that the route promises."""

    code = "answer-misfit"
    status = 502


def unit(text: str) -> JsonDict:
    """The unit of a number, or of a text that holds one, as `/openapi.json` shows it."""
    return {"x-unit": text}


class Part(BaseModel):
    """Base of the answers: fields are read as they are named, without conversion. Unknown fields of a newer server
    are left out."""

    model_config = ConfigDict(strict=True, frozen=True, defer_build=True, validate_by_name=True, validate_by_alias=True)

    def to_json(self) -> Object:
        """The answer as it came, without the fields that this version does not know."""
        return self.model_dump(mode="json", by_alias=True, exclude_unset=True)


class Body(BaseModel):
    """Base of the request bodies: exactly the named fields. The reader of a body is built with its class, since a web
    framework that builds it later prints a library's words on the user's screen."""

    model_config = ConfigDict(extra="forbid")

    @classmethod
    def made(cls, **fields: Any) -> Self:
        """A body that a client makes. Raises BadField with the field that a server would refuse."""
        try:
            return cls(**fields)
        except ValidationError as error:
            raise BadField(_first(error)) from None

    def to_json(self) -> Object:
        """The body as it is sent."""
        return self.model_dump(mode="json", by_alias=True)


Kind = TypeVar("Kind")


def read_as(kind: type[Kind], value: object) -> Kind:
    """Decoded JSON as a class of answers, or a list or dict of them. Raises AnswerMisfit with the field."""
    try:
        return reader(kind).validate_python(value)
    except ValidationError as error:
        raise AnswerMisfit(_first(error)) from None


def _first(error: ValidationError) -> str:
    """The first field that does not fit, and the reason."""
    first = error.errors(include_url=False, include_input=False, include_context=False)[0]
    field = ".".join(map(str, first["loc"])) or "the whole"
    return f"{field[:200]}: {first['msg'][:200]}"


_ADAPTERS: dict[Any, TypeAdapter[Any]] = {}


def reader(kind: type[Kind]) -> TypeAdapter[Kind]:
    """Strict reader of a class of answers, except for states, which JSON has as text."""
    if kind not in _ADAPTERS:
        is_class = isinstance(kind, type) and issubclass(kind, BaseModel)
        _ADAPTERS[kind] = TypeAdapter(kind) if is_class else TypeAdapter(kind, config=ConfigDict(strict=True))
    return _ADAPTERS[kind]


# -- of answers -------------------------------------------------------------------------------------------------------

Digest = Annotated[
    str, Field(pattern=r"^0x[0-9a-fA-F]{64}$", examples=[_DIGEST], json_schema_extra=unit("32 bytes, 0x-hex"))
]
Address = Annotated[
    str, Field(pattern=r"^0x[0-9a-fA-F]{40}$", examples=[_ADDRESS], json_schema_extra=unit("20 bytes, 0x-hex"))
]
"""An address with its checksum, or in the log's spelling where a document quotes the log."""
SignatureText = Annotated[
    str,
    Field(
        pattern=r"^0x([0-9a-fA-F]{2})*$",
        examples=["0x" + "1f" * 32 + "2e" * 32 + "1b"],
        json_schema_extra=unit("bytes, 0x-hex: r, s and v of a key"),
    ),
]
Octets = Annotated[
    str, Field(pattern=r"^0x([0-9a-fA-F]{2})*$", examples=["0xa9059cbb"], json_schema_extra=unit("bytes, 0x-hex"))
]
BlobName = Annotated[
    str,
    Field(pattern=r"^[0-9a-f]{64}$", examples=[_DIGEST[2:]], json_schema_extra=unit("BLAKE3 digest, 64 hex digits")),
]
Amount = Annotated[
    str, Field(pattern=r"^(0|[1-9][0-9]*)$", examples=["250000000000000000000"], json_schema_extra=unit(TOKENS))
]
"""A whole number beyond what every JSON reader holds, as a decimal string."""
Balance = Annotated[
    str, Field(pattern=r"^(0|-?[1-9][0-9]*)$", examples=["-250000000000000000000"], json_schema_extra=unit(TOKENS))
]
"""An amount of a book in which debits are negative."""
MicroUsd = Annotated[
    str, Field(pattern=r"^(0|[1-9][0-9]*)$", examples=["7500000"], json_schema_extra=unit("1e-6 US dollars"))
]
Hour = Annotated[int, Field(ge=0, le=2**32 - 1, examples=[490_000], json_schema_extra=unit("hours since 1970, UTC"))]
Wei = Annotated[str, Field(pattern=r"^(0|[1-9][0-9]*)$", examples=["0"], json_schema_extra=unit("wei"))]
Error = Annotated[str, Field(pattern=r"^(0|[1-9][0-9]*)$", examples=["2500000000000"], json_schema_extra=unit(ERRORS))]
"""A measured error, or its limit."""
Count = Annotated[int, Field(ge=0, le=LARGEST_NUMBER, examples=[3], json_schema_extra=unit("count"))]
EpochNumber = Annotated[int, Field(ge=0, le=LARGEST_NUMBER, examples=[1], json_schema_extra=unit(EPOCHS))]
RoundNumber = Annotated[
    int,
    Field(ge=0, le=LARGEST_NUMBER, examples=[2], json_schema_extra=unit(ROUNDS)),
]
Entry = Annotated[int, Field(ge=0, le=LARGEST_NUMBER, examples=[412], json_schema_extra=unit(ENTRIES))]
BlockNumber = Annotated[
    int,
    Field(ge=-LARGEST_NUMBER, le=LARGEST_NUMBER, examples=[19_000_123], json_schema_extra=unit(BLOCKS)),
]
Seconds = Annotated[
    int, Field(ge=0, le=LARGEST_NUMBER, examples=[1_767_225_600], json_schema_extra=unit("Unix seconds"))
]
Duration = Annotated[int, Field(ge=0, le=LARGEST_NUMBER, examples=[3_600], json_schema_extra=unit("seconds"))]
Ppm = Annotated[int, Field(ge=0, le=1_000_000, examples=[1_000], json_schema_extra=unit("parts per million"))]
Gas = Annotated[int, Field(ge=0, le=LARGEST_NUMBER, examples=[12_000_000], json_schema_extra=unit("gas"))]
Tokens = Annotated[
    int, Field(ge=0, le=LARGEST_NUMBER, examples=[81_920], json_schema_extra=unit("tokens of training data"))
]
Bytes = Annotated[int, Field(ge=0, le=LARGEST_NUMBER, examples=[268_435_456], json_schema_extra=unit("bytes"))]
Segment = Annotated[
    int, Field(ge=0, le=2**32 - 1, examples=[4], json_schema_extra=unit("segments of a proof, counted from 0"))
]
SegmentKey = Annotated[
    str, Field(pattern=r"^(0|[1-9][0-9]{0,9})$", examples=["4"], json_schema_extra=unit("segments of a proof"))
]
"""A segment number as a key of a JSON object, which must be text."""


def _from_decimals(value: object) -> object:
    """The number in a decimal text, which messages use beyond 2^53 - 1; any other value stays as it is."""
    is_text = isinstance(value, str) and _BEYOND.fullmatch(value) is not None
    return int(str(value)) if is_text else value


def _to_decimals(value: int) -> int | str:
    return value if value <= LARGEST_NUMBER else str(value)


def uint64(example: int, unit_: str) -> Any:
    """A uint64 of a message: a number, or a decimal text beyond 2^53 - 1."""
    number: JsonDict = {"type": "integer", "minimum": 0, "maximum": LARGEST_NUMBER}
    text: JsonDict = {"type": "string", "pattern": decimals(LARGEST_NUMBER + 1, 2**64 - 1)}
    schema = {"anyOf": [number, text], "examples": [example], **unit(unit_)}
    return Annotated[
        int,
        Field(ge=0, le=2**64 - 1),
        BeforeValidator(_from_decimals),
        PlainSerializer(_to_decimals),
        WithJsonSchema(schema),
    ]


Loss = uint64(2_310_000_000, "1e-9 nats per token")
StatedBytes = uint64(268_435_456, "bytes")
"""A size that a party stated and nobody checked."""
Text = Annotated[str, Field(examples=["a few words"])]
"""Well-formed text from any party."""
Name = Annotated[str, Field(min_length=1, examples=["claim:" + _DIGEST])]
"""A name that the server gave."""
Flag = Annotated[bool, Field(examples=[True])]

# -- of requests ------------------------------------------------------------------------------------------------------

Signature = Annotated[
    str,
    StringConstraints(pattern=r"^0x([0-9a-fA-F]{2}){0,80}$"),
    Field(examples=["0x" + "1f" * 32 + "2e" * 32 + "1b"], json_schema_extra=unit("bytes, 0x-hex")),
]
RequestText = Annotated[str, StringConstraints(max_length=LONGEST_TEXT), Field(examples=["inner_lr"])]
"""Well-formed text, without half surrogates."""
EthAddress = Annotated[
    str,
    StringConstraints(pattern=r"^0x[0-9a-fA-F]{40}$"),
    Field(examples=[_ADDRESS], json_schema_extra=unit("20 bytes, 0x-hex")),
]


def whole_number(value: Any) -> Any:
    """A whole number that JSON spells as 5.0 becomes 5; any other value stays as it is."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _whole_numbers(fields: Any) -> Any:
    return {name: whole_number(value) for name, value in fields.items()} if isinstance(fields, dict) else fields


MessageFields = Annotated[Object, BeforeValidator(_whole_numbers)]
"""The fields of a signed message; `from_json` of its struct reads them strictly."""
