"""What a hook call is answered with: cards, suggestions and links, as the standard constrains them."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self
from uuid import UUID

from pydantic import Field, StringConstraints, model_validator

from service.cds_hooks.wire import Extension, Message, Text

WebAddress = Annotated[str, StringConstraints(pattern=r"^https?://[^\s/]+\S*$")]


class Coding(Message):
    """A code in a code system."""

    code: Text
    system: Text
    display: Text | None = None


class OverrideReason(Message):
    """A reason that the clinician may give for not following a card; it needs a display."""

    code: Text
    system: Text
    display: Text


class Source(Message):
    """Where the guidance on a card comes from."""

    label: Text
    url: WebAddress | None = None
    icon: WebAddress | None = None
    topic: Coding | None = None
    extension: Extension = None


class Action(Message):
    """One change that a suggestion makes in the EHR."""

    type: Literal["create", "update", "delete"]
    description: Text
    resource: dict[str, Any] | None = None
    resource_id: Annotated[str, StringConstraints(pattern=r"^[A-Z][A-Za-z]+/[^/\s]+$")] | None = None
    extension: Extension = None

    @model_validator(mode="after")
    def _names_what_it_changes(self) -> Self:
        if self.type == "delete":
            if self.resource is not None or self.resource_id is None:
                raise ValueError("a delete names its resource by resourceId and carries none")
        elif self.resource is None or not self.resource.get("resourceType"):
            raise ValueError(f"{self.type} carries a FHIR resource")
        if self.type == "update" and not (self.resource or {}).get("id"):
            raise ValueError("an update carries the id of the resource it replaces")
        return self


class Suggestion(Message):
    """Something that the clinician can accept with one click; its actions happen together."""

    label: Text
    uuid: UUID | None = None
    is_recommended: bool | None = None
    actions: Annotated[list[Action], Field(min_length=1)] | None = None
    extension: Extension = None


class Link(Message):
    """A page or a SMART app to read on."""

    label: Text
    url: WebAddress
    type: Literal["absolute", "smart"]
    app_context: Text | None = None
    autolaunchable: bool | None = None
    extension: Extension = None

    @model_validator(mode="after")
    def _only_apps_get_a_context(self) -> Self:
        if self.app_context is not None and self.type != "smart":
            raise ValueError("appContext is for smart links only")
        return self


class Card(Message):
    """One message to the clinician."""

    uuid: UUID | None = None
    summary: Annotated[str, StringConstraints(min_length=1, max_length=139)]
    detail: Text | None = None
    indicator: Literal["info", "warning", "critical"]
    source: Source
    suggestions: Annotated[list[Suggestion], Field(min_length=1)] | None = None
    selection_behavior: Literal["at-most-one", "any"] | None = None
    override_reasons: Annotated[list[OverrideReason], Field(min_length=1)] | None = None
    links: Annotated[list[Link], Field(min_length=1)] | None = None
    extension: Extension = None

    @model_validator(mode="after")
    def _suggestions_say_how_to_choose(self) -> Self:
        if (self.suggestions is None) != (self.selection_behavior is None):
            raise ValueError("selectionBehavior stands with suggestions, and only with them")
        recommended = sum(bool(each.is_recommended) for each in self.suggestions or ())
        if self.selection_behavior == "at-most-one" and recommended > 1:
            raise ValueError("at-most-one allows one recommended suggestion")
        return self


class CDSResponse(Message):
    """The whole answer; an empty list of cards means that there is nothing to say."""

    cards: list[Card]
    system_actions: Annotated[list[Action], Field(min_length=1)] | None = None
    extension: Extension = None
