"""What a request to the sandbox may ask to be taken for granted: the day, the profile, a site's thresholds."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Literal

from pydantic import BaseModel, ConfigDict

AS_IF = "urn:b12-cds:as-if"


class AsIf(BaseModel):
    """The value of `extension["urn:b12-cds:as-if"]`; what is left out is as the service has it."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    today: date | None = None
    profile: Literal["uk", "us"] | None = None
    thresholds: dict[str, Decimal | bool] = {}
