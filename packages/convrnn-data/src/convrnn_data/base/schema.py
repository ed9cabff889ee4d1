"""Schemas of the files that the packages write: Pydantic models with strict types."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

Count = Annotated[int, Field(ge=0, lt=2**63)]
"""Number of things, or of bytes."""


class Document(BaseModel):
    """Base of the models of files.

    Types are strict, so that "1", 1.0 and true are not counts. Entries that the model does not name are ignored: later
    versions may add some.
    """

    model_config = ConfigDict(strict=True, frozen=True, allow_inf_nan=False, populate_by_name=True)
