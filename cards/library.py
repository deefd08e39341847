"""Reads the rule folders into typed rules; refuses a malformed one, naming file and field."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from functools import cache
from importlib import import_module
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Any, Literal, TypeVar

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from cards.record import Source
from cards.rule import PROFILES, Criteria, Hook, Level, Limits, Need, Problem, Profile, Rule, Trigger
from cards.terminology import Terminology

CARDS = Path(__file__).parent
_Model = TypeVar("_Model", bound=BaseModel)
Selection = Literal["any", "at-most-one"]
Mark = Literal["read", "second-hand", "lead", "unverified", "project choice", "founding document"]
# Marks that a card may show a clinician as its source (clinical rules, table of marks).
CITABLE: frozenset[Mark] = frozenset({"read", "second-hand", "founding document"})


class RuleError(Exception):
    """A rule folder that cannot be used; the message names file and field."""


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Evidence(_Strict):
    """One source: what it says, how it was read, and where a reader finds it."""

    title: str
    publisher: str
    year: int | None = None
    url: str | None = None
    quoted_by: str | None = None
    says: str
    mark: Mark

    @model_validator(mode="after")
    def _second_hand_names_both(self) -> Evidence:
        if self.mark == "second-hand" and not self.quoted_by:
            raise ValueError("a second-hand source names who quotes it (quoted_by)")
        return self

    @property
    def citable(self) -> bool:
        """Whether a card may show it."""
        return self.mark in CITABLE


class ThresholdValue(_Strict):
    """A threshold in one profile, with the evidence it rests on, or none when it is a service setting."""

    value: Decimal | bool
    cite: str | None = None


class Threshold(_Strict):
    """A number that decides: what it means, its unit, the unit of a nudge, and its value per profile."""

    means: str
    unit: str
    step: Decimal = Decimal(1)
    uk: ThresholdValue
    us: ThresholdValue

    def in_profile(self, profile: Profile) -> Decimal:
        """The value; yes and no are 1 and 0."""
        return Decimal((self.uk if profile == "uk" else self.us).value)


class SourceNeed(_Strict):
    """How much of one source a rule reads."""

    months: int | None = None
    of: tuple[str, ...] = ()
    only_in: Profile | None = None
    instead: Source | None = None
    on: tuple[Hook, ...] = ()


class Change(_Strict):
    """What an update sets in the order that the card is about."""

    site: Literal["deltoid", "vastus_lateralis", "ventrogluteal"] | None = None
    start: Literal["tomorrow"] | None = None
    interval: str | None = None
    dose: Literal["usual"] | None = None
    route: Literal["intramuscular", "subcutaneous"] | None = None
    end: Literal["none"] | None = None
    status: Literal["active"] | None = None

    @model_validator(mode="after")
    def _one_change(self) -> Change:
        if len(self.model_dump(exclude_none=True)) != 1:
            raise ValueError("a change sets exactly one thing")
        return self


class CreateOrder(_Strict):
    """A new order by a regimen of `regimens.yaml`."""

    order: str


class CreateTest(_Strict):
    """A new laboratory request of `regimens.yaml`."""

    test: str


class CreateTask(_Strict):
    """A task for the team: a code of `regimens.yaml`."""

    task: str


class RecordElsewhere(_Strict):
    """A statement that a dose was given elsewhere, for the clinician to date."""

    given_elsewhere: Literal[True]


class ChangeOrder(_Strict):
    """An update of the order that the card is about."""

    change: Change


class DeleteDraft(_Strict):
    """Removal of the draft that the card is about."""

    delete: Literal["draft"]


Action = CreateOrder | CreateTest | CreateTask | RecordElsewhere | ChangeOrder | DeleteDraft


class SuggestionSpec(_Strict):
    """One button: offered when all facts of `when` hold and none of `unless`."""

    label: str
    when: tuple[str, ...] = ()
    unless: tuple[str, ...] = ()
    recommended: bool = False
    actions: Annotated[tuple[Action, ...], Field(min_length=1)]


class CardSpec(_Strict):
    """The wording: templates by Jinja2, one summary for all variants or one each."""

    summary: str | dict[str, str]
    why_now: str
    recommended: str
    guidance_differs: str | None = None
    suggestions: tuple[SuggestionSpec, ...] = ()
    selection: Selection | dict[str, Selection] = "at-most-one"
    override_reasons: tuple[str, ...]

    def summary_of(self, variant: str) -> str:
        """The summary template of a variant."""
        return self.summary if isinstance(self.summary, str) else self.summary[variant]

    def selection_of(self, variant: str) -> Selection:
        """How many buttons of a variant's card may be chosen."""
        return self.selection if isinstance(self.selection, str) else self.selection[variant]


class Review(_Strict):
    """The honest state of clinical review: no invented reviewers."""

    state: Literal["awaiting clinical sign-off"]
    evidence_checked: date
    due: date


class Definition(_Strict):
    """A `card.yaml`, field by field."""

    topic: Annotated[str, Field(pattern=r"^[a-z0-9-]+$")]
    title: str
    version: int
    hooks: tuple[Hook, ...]
    question: str
    needs: dict[Source, SourceNeed] = {}
    uses: dict[Source, SourceNeed] = {}
    thresholds: dict[str, Threshold] = {}
    levels: dict[str, Level | dict[Profile, Level]]
    card: CardSpec
    evidence: dict[str, Evidence]
    cites: dict[Profile, Annotated[tuple[str, ...], Field(min_length=1)]]
    notes: tuple[str, ...] = ()
    review: Review

    @model_validator(mode="after")
    def _hangs_together(self) -> Definition:
        if isinstance(self.card.summary, dict) and set(self.card.summary) != set(self.levels):
            raise ValueError("card.summary and levels name different variants")
        if isinstance(self.card.selection, dict) and set(self.card.selection) != set(self.levels):
            raise ValueError("card.selection and levels name different variants")
        per_profile: dict[str, Mapping[Profile, object]] = {"cites": self.cites}
        per_profile |= {f"levels.{name}": each for name, each in self.levels.items() if isinstance(each, dict)}
        for name, values in per_profile.items():
            if lacking := [profile for profile in PROFILES if profile not in values]:
                raise ValueError(f"{name}: nothing for {', '.join(lacking)}")
        return self

    def level(self, variant: str, profile: Profile) -> Level:
        """The level of a variant in a profile."""
        level = self.levels[variant]
        return level if isinstance(level, Level) else level[profile]


class OverrideReason(_Strict):
    """One reason that a clinician may give, mapped to a category of HL7's non-adherence reason codes."""

    display: str
    category: Literal[
        "cds-not-applicable",
        "cds-suboptimal-context",
        "recipient-disagrees-evidence",
        "recipient-concerns-outcomes",
        "does-not-align-preferences",
        "not-convenient-feasible",
    ]


class RootProblem(_Strict):
    """A root problem that several rules may see: whose, and the rules that may speak of it, the first ones first."""

    of: Literal["order", "patient"]
    topics: tuple[str, ...]


class Shared(_Strict):
    """`shared.yaml`: what all rules have in common."""

    precedence: tuple[str, ...]
    problems: dict[str, RootProblem]
    thresholds: dict[str, Threshold]
    evidence: dict[str, Evidence]
    override_reasons: dict[str, OverrideReason]


class Step(_Strict):
    """One dosage instruction of a regimen: `times` in `every` `unit`s, for as long as `lasts`; or one dose, today."""

    times: int = 1
    every: int = 1
    unit: Literal["d", "wk", "mo"] = "d"
    lasts: int | None = None
    lasts_unit: Literal["d", "wk", "mo"] = "wk"
    once: bool = False


class Regimen(_Strict):
    """An order that a suggestion creates: drug, dose in milligrams, route, and its steps in sequence."""

    drug: str
    text: str
    dose_mg: Decimal
    route: Literal["intramuscular", "oral"] = "intramuscular"
    steps: Annotated[tuple[Step, ...], Field(min_length=1)]


class RegimenPair(_Strict):
    """A regimen in each profile."""

    means: str
    uk: Regimen
    us: Regimen

    def in_profile(self, profile: Profile) -> Regimen:
        """The regimen of a profile."""
        return self.uk if profile == "uk" else self.us


class CodedText(_Strict):
    """Something with a text and codes of the value sets, each a short system name and a code."""

    text: str
    code: tuple[str, str] | None = None
    codes: tuple[tuple[str, str], ...] = ()
    left: tuple[str, str] | None = None
    right: tuple[str, str] | None = None


class CodedDrug(_Strict):
    """A drug that a suggestion may order."""

    name: str
    codes: tuple[tuple[str, str], ...]


class Regimens(_Strict):
    """`regimens.yaml`: what suggestions order."""

    orders: dict[str, RegimenPair]
    drugs: dict[str, CodedDrug]
    tests: dict[str, CodedText]
    tasks: dict[str, CodedText]
    sites: dict[str, CodedText]
    routes: dict[str, CodedText]


@dataclass(frozen=True, slots=True)
class RuleFolder:
    """One rule as its three files say it."""

    definition: Definition
    folder: Path
    criteria: Criteria
    triggered_by: Trigger


@dataclass(frozen=True, slots=True)
class Library:
    """Every rule, and what they share."""

    shared: Shared
    regimens: Regimens
    folders: Mapping[str, RuleFolder]
    terminology: Terminology

    def rules(self, profile: Profile, overrides: Mapping[str, Decimal] | None = None) -> tuple[Rule, ...]:
        """The rules with the thresholds of `profile`, in order of precedence.

        `overrides` are a site's own values, by name; raises `RuleError` for a name that no threshold has.
        """
        known = {*self.shared.thresholds, *(n for f in self.folders.values() for n in f.definition.thresholds)}
        if unknown := sorted(set(overrides or {}) - known):
            raise RuleError(f"thresholds: unknown {', '.join(unknown)}")
        shared = _resolved(self.shared.thresholds, profile, overrides or {})
        return tuple(
            sorted(
                (self._rule(folder, profile, shared, overrides or {}) for folder in self.folders.values()),
                key=lambda rule: rule.precedence,
            )
        )

    def _rule(
        self, folder: RuleFolder, profile: Profile, shared: Mapping[str, Decimal], overrides: Mapping[str, Decimal]
    ) -> Rule:
        definition = folder.definition
        own = _resolved(definition.thresholds, profile, overrides)
        # A rule that has a shared threshold of its own does not share what follows from it.
        limits = Limits(profile, {**shared, **own}, shared if own.keys().isdisjoint(shared) else None)
        return Rule(
            topic=definition.topic,
            version=definition.version,
            hooks=frozenset(definition.hooks),
            needs=_needs(definition.needs, profile),
            uses=(*_needs(definition.uses, profile), *_for_suggestions(definition)),
            levels={variant: definition.level(variant, profile) for variant in definition.levels},
            limits=limits,
            criteria=folder.criteria,
            triggered_by=folder.triggered_by,
            precedence=self.shared.precedence.index(definition.topic),
            problems=tuple(
                Problem(name, problem.of == "order", problem.topics.index(definition.topic))
                for name, problem in self.shared.problems.items()
                if definition.topic in problem.topics
            ),
        )


def _resolved(
    thresholds: Mapping[str, Threshold], profile: Profile, overrides: Mapping[str, Decimal]
) -> dict[str, Decimal]:
    """The values of a profile, a site's own ones in their place."""
    return {name: overrides.get(name, each.in_profile(profile)) for name, each in thresholds.items()}


def _needs(needs: Mapping[Source, SourceNeed], profile: Profile) -> tuple[Need, ...]:
    return tuple(
        Need(source, need.months, frozenset(need.of), need.instead, frozenset(need.on))
        for source, need in needs.items()
        if need.only_in in (None, profile)
    )


def _for_suggestions(definition: Definition) -> tuple[Need, ...]:
    """What must be looked at before something is offered: allergies before a drug, open orders before a test."""
    actions = [action for suggestion in definition.card.suggestions for action in suggestion.actions]
    wanted = []
    if any(isinstance(each, CreateOrder) for each in actions):
        wanted.append(Source.ALLERGIES)
    if any(isinstance(each, CreateTest) for each in actions):
        wanted.append(Source.TESTS)
    return tuple(Need(source) for source in wanted if source not in {*definition.needs, *definition.uses})


@cache
def load(cards: Path = CARDS) -> Library:
    """Read every rule folder in `cards`, once.

    Raises `RuleError`, naming file and field, for a folder that cannot be used.
    """
    shared = _parse(Shared, cards / "shared.yaml")
    regimens = _parse(Regimens, cards / "regimens.yaml")
    terminology = Terminology.load()
    folders = {}
    for path in sorted(cards.glob("*/card.yaml")):
        folder = _folder(path.parent)
        _check(folder, shared, regimens, terminology, path)
        folders[folder.definition.topic] = folder
    return Library(shared, regimens, MappingProxyType(folders), terminology)


def _folder(folder: Path) -> RuleFolder:
    definition = _parse(Definition, folder / "card.yaml")
    try:
        module = import_module(f"cards.{folder.name}.criteria")
        return RuleFolder(definition, folder, module.criteria, module.triggered_by)
    except (ModuleNotFoundError, AttributeError) as error:
        raise RuleError(f"{folder / 'criteria.py'}: {error}") from error


def _check(folder: RuleFolder, shared: Shared, regimens: Regimens, terminology: Terminology, path: Path) -> None:
    """Whether a folder agrees with its name and with what it refers to."""
    definition = folder.definition
    evidence = {**shared.evidence, **definition.evidence}
    if definition.topic.replace("-", "_") != folder.folder.name:
        raise RuleError(f"{path}: topic: the folder is called {folder.folder.name}")
    if definition.topic not in shared.precedence:
        raise RuleError(f"{path}: topic: not in the precedence of shared.yaml")
    for need in (*definition.needs.values(), *definition.uses.values()):
        _refer(path, "needs.of", need.of, dict.fromkeys(terminology.names))
    _refer(path, "card.override_reasons", definition.card.override_reasons, shared.override_reasons)
    thresholds = {**shared.thresholds, **definition.thresholds}.values()
    cited = {value.cite for each in thresholds for value in (each.uk, each.us) if value.cite}
    _refer(path, "thresholds.cite", cited, evidence)
    for profile in PROFILES:
        keys = definition.cites[profile]
        _refer(path, f"cites.{profile}", keys, evidence)
        if uncitable := [key for key in keys if not evidence[key].citable]:
            raise RuleError(f"{path}: cites.{profile}: a card may not cite {', '.join(uncitable)}")
        if evidence[keys[0]].url is None:
            raise RuleError(f"{path}: cites.{profile}: the first source needs a url")
    for suggestion in definition.card.suggestions:
        for action in suggestion.actions:
            if isinstance(action, CreateOrder):
                _refer(path, "suggestions.order", [action.order], regimens.orders)
            elif isinstance(action, CreateTest):
                _refer(path, "suggestions.test", [action.test], regimens.tests)
            elif isinstance(action, CreateTask):
                _refer(path, "suggestions.task", [action.task], regimens.tasks)


def _refer(path: Path, field: str, names: Iterable[str], known: Mapping[str, object]) -> None:
    if unknown := sorted(set(names) - set(known)):
        raise RuleError(f"{path}: {field}: unknown {', '.join(unknown)}")


def read_yaml(path: Path) -> Any:
    """The content of a YAML file. Raises `RuleError` naming the file."""
    try:
        return yaml.load(path.read_text(encoding="utf-8"), Loader=_Loader)  # noqa: S506 - a safe loader either way
    except (OSError, yaml.YAMLError) as error:
        raise RuleError(f"{path}: {error}") from error


_SAFE_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class _Loader(_SAFE_LOADER):  # type: ignore[misc]
    """Refuses a mapping that has one key twice: the first would be lost without a word."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        """The mapping. Raises `yaml.constructor.ConstructorError` for a key that stands in it twice."""
        seen: set[str] = set()
        for key, _ in node.value:
            if key.value in seen:
                raise yaml.constructor.ConstructorError(None, None, f"{key.value} stands here twice", key.start_mark)
            seen.add(key.value)
        mapping: dict[Any, Any] = super().construct_mapping(node, deep)
        return mapping


def _parse(model: type[_Model], path: Path) -> _Model:
    try:
        return model.model_validate(read_yaml(path))
    except ValidationError as error:
        faults = "; ".join(f"{'.'.join(map(str, each['loc']))}: {each['msg']}" for each in error.errors())
        raise RuleError(f"{path}: {faults}") from error
