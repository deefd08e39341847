"""The templates and static files of the human pages: from a page's model to its HTML."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from importlib.resources import files
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

STATIC = "/static"
_STATIC_FILES = files("service.web").joinpath("static")


@dataclass(frozen=True, slots=True)
class Page:
    """An entry of the menu."""

    name: str
    path: str


class Pages:
    """Renders templates. `menu` are the pages that this app has."""

    def __init__(self, menu: Sequence[Page]) -> None:
        self._jinja = Environment(
            loader=PackageLoader("service.web"),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self._jinja.filters["capitalize_first"] = lambda text: text[:1].upper() + text[1:]
        versions = {each.name: sha256(each.read_bytes()).hexdigest()[:12] for each in _STATIC_FILES.iterdir()}
        # The version in the address lets a browser keep a file for as long as it likes.
        self._jinja.globals.update(pages=tuple(menu), static=lambda name: f"{STATIC}/{name}?v={versions[name]}")

    def html(self, template: str, **model: Any) -> str:
        """The page as HTML; a name that the template uses and `model` lacks raises `jinja2.UndefinedError`."""
        return self._jinja.get_template(template).render(**model)
