"""What all messages have in common: camel case names, no members but the standard's, and extensions."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, StringConstraints
from pydantic.alias_generators import to_camel

Text = Annotated[str, StringConstraints(min_length=1)]
Extension = dict[str, Any] | None


class Message(BaseModel):
    """A JSON object that this service sends."""

    model_config = ConfigDict(extra="forbid", alias_generator=to_camel)
