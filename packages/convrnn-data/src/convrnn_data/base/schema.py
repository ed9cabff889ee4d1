"""Schemas of the files that the packages write: Pydantic models with strict types."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

Count = Annotated[int, Field(ge=0, lt=2**63)]
"""Non-negative number of items or bytes."""


class Document(BaseModel):
    """Base class of file schemas.

    Types are strict: "1", 1.0 and true are not counts. Unknown entries are ignored, since later versions may add some.
    """

    model_config = ConfigDict(strict=True, frozen=True, allow_inf_nan=False, populate_by_name=True)
