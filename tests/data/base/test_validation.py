from typing import Annotated, Literal

import pytest
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from convrnn_data.base.validation import first_problem


class Inner(BaseModel):
    sizes: list[int]


class Model(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)

    name: str
    kind: Literal["a", "b"] = "a"
    count: Annotated[int, Field(ge=1)] = 1
    inner: Inner | None = None

    @field_validator("name")
    @classmethod
    def _lower(cls, name: str) -> str:
        if name != name.lower():
            raise ValueError(f"must be in lower case, got {name!r}")
        return name


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{}", "name is required, got no value"),
        ('{"name": "n", "more": 1}', "more is not a known entry"),
        ('{"name": "n", "count": 0}', "count must be greater than or equal to 1, got 0"),
        ('{"name": "n", "count": true}', "count must be a valid integer, got True"),
        ('{"name": "n", "kind": "c"}', "kind must be 'a' or 'b', got 'c'"),
        ('{"name": "N"}', "name must be in lower case, got 'N'"),
        ('{"name": ["x"]}', "name must be a valid string, got a list"),
        ('{"name": "n", "inner": {"sizes": [1, "x"]}}', "inner.sizes[1] must be a valid integer, got 'x'"),
        ('{"name": ' + "1" * 99 + "}", f"name must be a valid string, got {'1' * 60}…"),
        ("[]", "it must be an object, got a list"),
        ('{"name": "n"', "it must be valid JSON, got a damaged file (EOF while parsing"),
    ],
)
def test_first_problem(text: str, words: str):
    with pytest.raises(ValidationError) as caught:
        Model.model_validate_json(text)
    assert first_problem(caught.value).startswith(words)
