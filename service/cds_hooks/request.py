"""What an EHR sends when it calls a hook: the envelope, not what is inside context and prefetch."""

from __future__ import annotations

from typing import Annotated, Any, TypeVar

from pydantic import (
    BaseModel,
    ConfigDict,
    SecretStr,
    StrictInt,
    ValidationError,
    ValidatorFunctionWrapHandler,
    WithJsonSchema,
    WrapValidator,
)
from pydantic.alias_generators import to_camel

from service.cds_hooks.wire import Text

_Field = TypeVar("_Field")


def _unusable_is_absent(value: object, read: ValidatorFunctionWrapHandler) -> object:
    try:
        return read(value)
    except ValidationError:
        return None


# What is accepted is anything; the document says so, or it would promise refusals.
_as_the_standard = WithJsonSchema({"description": "As the standard has it; what cannot be used is read as absent."})
Lenient = Annotated[_Field | None, WrapValidator(_unusable_is_absent), _as_the_standard]


class FHIRAuthorization(BaseModel):
    """The EHR's leave to read from its FHIR server; a member that cannot be used is read as absent."""

    model_config = ConfigDict(frozen=True, hide_input_in_errors=True)

    access_token: Lenient[SecretStr] = None
    token_type: Lenient[Text] = None
    expires_in: Lenient[StrictInt] = None
    scope: Lenient[Text] = None
    subject: Lenient[Text] = None
    # Not lenient: what this patient is compared with decides whose data are read.
    patient: str | None = None

    @property
    def complete(self) -> bool:
        """Whether all is there that the standard requires (CDS Hooks 2.0.1, FHIR Resource Access)."""
        return (
            self.access_token is not None
            and bool(self.access_token.get_secret_value())
            and self.token_type is not None
            and self.token_type.lower() == "bearer"
            and self.expires_in is not None
            and self.scope is not None
            and self.subject is not None
        )


class CDSRequest(BaseModel):
    """The body of a hook call; members that the standard does not name are accepted and left alone."""

    model_config = ConfigDict(
        frozen=True,
        hide_input_in_errors=True,
        alias_generator=to_camel,
        json_schema_extra={
            "anyOf": [
                {"properties": {"fhirAuthorization": {"type": "null"}}},
                {"required": ["fhirServer"], "properties": {"fhirServer": {"type": "string", "minLength": 1}}},
            ]
        },
    )

    hook: Text
    hook_instance: Text
    context: dict[str, Any]
    prefetch: dict[str, Any] | None = None
    fhir_server: str | None = None
    fhir_authorization: FHIRAuthorization | None = None
