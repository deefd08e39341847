"""What an EHR sends to say what became of cards."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Annotated, Literal, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator
from pydantic.alias_generators import to_camel
from pydantic_core import PydanticCustomError

from service.cds_hooks.wire import Text

_RFC_3339 = re.compile(r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(\.\d+)?([Zz]|[+-]\d\d:\d\d)", re.ASCII)


def _moment(value: object) -> datetime:
    """A moment in UTC from what RFC 3339 allows; the standard asks for UTC, other offsets are understood."""
    if isinstance(value, str) and _RFC_3339.fullmatch(value):
        try:
            return datetime.fromisoformat(value.upper()).astimezone(UTC)
        except (ValueError, OverflowError):
            pass
    raise PydanticCustomError("not_a_moment", "not a date and time with its zone")


Moment = Annotated[datetime, BeforeValidator(_moment)]


class _Received(BaseModel):
    """Members that the standard does not name are accepted and left alone."""

    model_config = ConfigDict(frozen=True, hide_input_in_errors=True, alias_generator=to_camel)


class AcceptedSuggestion(_Received):
    """A suggestion that was followed, by the uuid that its card gave it."""

    id: Text


class ReasonCoding(_Received):
    """The reason that was chosen; EHRs leave out `display` and, when it is of their own, `system`."""

    code: Text
    system: str | None = None
    display: str | None = None


class GivenReason(_Received):
    """Why a card was not followed: a reason from the list, words of the clinician, or both."""

    model_config = ConfigDict(
        json_schema_extra={
            "anyOf": [
                {"required": ["reason"], "properties": {"reason": {"type": "object"}}},
                {"required": ["userComment"], "properties": {"userComment": {"type": "string"}}},
            ]
        }
    )

    reason: ReasonCoding | None = None
    user_comment: str | None = None

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        if self.reason is None and self.user_comment is None:
            raise PydanticCustomError("no_reason", "neither reason nor userComment")
        return self


class FeedbackEntry(_Received):
    """What became of one card."""

    model_config = ConfigDict(
        json_schema_extra={
            "anyOf": [
                {"properties": {"outcome": {"const": "overridden"}}},
                {"required": ["acceptedSuggestions"], "properties": {"acceptedSuggestions": {"type": "array"}}},
            ]
        }
    )

    card: Text
    outcome: Literal["accepted", "overridden"]
    accepted_suggestions: Annotated[list[AcceptedSuggestion], Field(min_length=1)] | None = None
    override_reason: GivenReason | None = None
    outcome_timestamp: Moment

    @model_validator(mode="after")
    def _accepted_says_what(self) -> Self:
        if self.outcome == "accepted" and self.accepted_suggestions is None:
            raise PydanticCustomError("nothing_accepted", "accepted without acceptedSuggestions")
        return self


class CDSFeedback(_Received):
    """The body of a call of a feedback endpoint; it may speak of several cards, of several hook calls."""

    feedback: list[FeedbackEntry]
