"""Card text: Jinja2 templates of `card.yaml`, sandboxed, compiled at start; an undefined name is an error."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import date
from decimal import Decimal
from types import CodeType
from typing import Any

from jinja2 import StrictUndefined, Template, TemplateSyntaxError
from jinja2.sandbox import SandboxedEnvironment

from cards.fact import fact
from cards.library import Action, CreateOrder, Evidence, Library, RuleError, RuleFolder, SuggestionSpec
from cards.offers import Offers, Withheld, only_removes
from cards.record import Course, LabResult, Source, When
from cards.rule import FAULT, Hook, NotEvaluated, Profile, Raised

# Parts of a card that are rendered together; no template and no fact holds this character.
_NEXT_PART = "\x1e"
# Compiling is dear, and each client of a service has a wording of its own: by the template's source.
_COMPILED: dict[str, CodeType] = {}
SUMMARY_LIMIT = 139  # CDS Hooks 2.0.1: strictly under 140 characters
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")

# British as written in the rules, American for the `us` profile.
_AMERICAN = {
    "anaemia": "anemia",
    "haematology": "hematology",
    "haemoglobin": "hemoglobin",
    "haemolysis": "hemolysis",
    "haemophilia": "hemophilia",
    "hypokalaemia": "hypokalemia",
    "paraesthesiae": "paresthesias",
    "lymphoedema": "lymphedema",
    "oestrogen": "estrogen",
    "coeliac": "celiac",
    "aluminium": "aluminum",
    "recognised": "recognized",
    "full blood count": "complete blood count",
}
_BRITISH = re.compile("|".join(map(re.escape, _AMERICAN)), re.IGNORECASE)
# Behind a number: British prescribers write micrograms out, American ones abbreviate. The letters stand before the test
# for the number: they are searched fast.
_MCG = re.compile(r" mcg(?<=\d mcg)\b")
_MICROGRAMS = re.compile(r"(?<=\d) micrograms?\b")

SOURCE_NAMES = {
    Source.PATIENT: "age",
    Source.PROBLEMS: "problem list",
    Source.MEDICATIONS: "medicines",
    Source.DOSES: "injections given",
    Source.STATEMENTS: "patient-reported medicines",
    Source.DISPENSES: "dispensing",
    Source.LABS: "laboratory results",
    Source.PROCEDURES: "procedures",
    Source.ALLERGIES: "allergies",
    Source.FAMILY: "family history",
    Source.TESTS: "orders for tests and services",
    Source.APPOINTMENTS: "appointments",
    Source.CLAIMS: "claims",
}
REASONS = {
    "missing": "not supplied",
    "failed": "could not be retrieved",
    "truncated": "incomplete",
    "unreadable": "could not be read",
    "another-patient": "belongs to another patient",
    "duplicate": "holds one resource in two versions",
    "unknown-code": "has a code that is not known",
    "unknown-status": "has a status that is not known",
    "unknown-unit": "has a unit that is not known",
    "unit-missing": "has no unit",
    "unknown-strength": "the product's strength is not known",
    "dose-missing": "no dose",
    "no-date": "has no date",
    "future-date": "is dated in the future",
    "impossible-date": "has an impossible date",
    "timing-missing": "does not say how often",
    "timing-unread": "says how often in words that could not be read",
    "implausible-value": "has an impossible value",
    "open-bound": "is a bound that leaves its band open",
    "no-dose-recorded": "no injection of any kind is recorded",
    "contradiction": "contradicts itself",
    "too-long": "is too long to be read",
    FAULT: "failed to work this out",
}
# Why drafted orders could not be read: of one, and of several.
_UNREAD_DRAFTS = {
    "unreadable": ("1 order that could not be read", "{number} orders that could not be read"),
    "unresolved": (
        "1 order that does not say what it is for: its drug or test could not be found",
        "{number} orders that do not say what they are for: their drugs or tests could not be found",
    ),
    "another-patient": ("1 order for another patient", "{number} orders for another patient"),
}


@fact(frozen=True, slots=True)
class SuggestionText:
    """One button, with what it does."""

    label: str
    recommended: bool
    actions: tuple[Action, ...]


@fact(frozen=True, slots=True)
class CardText:
    """A card in words: `sources` are label and address, the first is the card's own source."""

    summary: str
    detail: str
    sources: tuple[tuple[str, str | None], ...]
    suggestions: tuple[SuggestionText, ...] = ()
    selection: str = "at-most-one"
    override_reasons: tuple[tuple[str, str], ...] = ()


@fact(frozen=True, slots=True)
class _Templates:
    """A rule's words in one profile: per variant all its parts as one template, which is rendered at one go."""

    folder: RuleFolder
    cards: Mapping[str, Template]
    evidence: str
    sources: tuple[tuple[str, str | None], ...]
    override_reasons: tuple[tuple[str, str], ...]


class Wording:
    """The words of every rule in one profile, compiled once."""

    def __init__(self, library: Library, profile: Profile) -> None:
        self._profile = profile
        self._library = library
        # Cards are Markdown, and facts are our own words, numbers and dates: nothing here is HTML.
        # Not optimised: a filter of one profile, worked out beforehand, would show in the other.
        self._jinja = SandboxedEnvironment(
            undefined=StrictUndefined, autoescape=False, trim_blocks=True, optimized=False
        )
        self._jinja.filters.update(
            day=self.day,
            mass=self.mass,
            drug=self.drug,
            cap=_capitalised,
            result=self.result,
            words=self.spelling,
        )
        self._rules = {topic: self._compile(folder) for topic, folder in library.folders.items()}

    def text(self, raised: Raised, offers: Offers) -> CardText:
        """The card of an alert, with the buttons that `offers` does not withhold.

        Raises `jinja2.UndefinedError` for a fact that the text names and the alert lacks.
        """
        rule = self._rules[raised.rule.topic]
        variant, about = raised.alert.variant, raised.alert.about
        facts: dict[str, Any] = {**raised.alert.facts, "variant": variant}
        words = self.spelling(_rendered(rule.cards[variant], facts))
        summary, why_now, recommended, differs, *labels = words.split(_NEXT_PART)
        summary = _one_line(summary)
        parts = [f"**Why now** {_paragraph(why_now)}", f"**Recommended** {_paragraph(recommended)}"]
        if differs := _paragraph(differs):
            parts.append(differs)
        if about and about.medicine.by_text:
            parts.append(self.spelling("The drug was recognised by its wording, not by a code."))
        suggestions, withheld = _suggestions(rule.folder, labels, facts, about, offers)
        if Withheld.ALLERGY in withheld:
            parts.append("An allergy to cobalamin or cobalt is recorded: no cobalamin order is offered here.")
        if Withheld.OPTIC_NERVE in withheld:
            parts.append("Leber's or a like optic nerve disease is recorded: no cyanocobalamin order is offered here.")
        if raised.age_unknown:
            parts.append("The birth date is not known: taken as an adult.")
        if raised.not_available:
            parts.append(f"Not available to this check: {_listed(raised.not_available)}.")
        parts.append(f"**Evidence** {rule.evidence}")
        return CardText(
            summary=summary if len(summary) <= SUMMARY_LIMIT else summary[: SUMMARY_LIMIT - 1] + "…",
            detail="\n\n".join(parts),
            sources=rule.sources,
            suggestions=suggestions,
            selection=rule.folder.definition.card.selection_of(variant),
            override_reasons=rule.override_reasons,
        )

    def not_evaluated(self, gaps: tuple[NotEvaluated, ...], unread: tuple[str, ...] = ()) -> CardText:
        """The one card that says which questions could not be answered, and for want of what.

        `unread`: why drafted orders could not be read, one reason for each.
        """
        questions = [self._library.folders[gap.rule.topic].definition.question for gap in gaps]
        lines = [
            f"- {question}: {_listed_data(gap.data)} ({REASONS.get(gap.reason, gap.reason)})"
            for question, gap in zip(questions, gaps, strict=True)
        ]
        faulty = any(gap.reason == FAULT for gap in gaps)
        if unread:
            orders = "1 drafted order" if len(unread) == 1 else f"{len(unread)} drafted orders"
            summary = f"{orders} could not be checked for vitamin B12"
            summary += f", and {len(gaps)} other check{'s' * (len(gaps) > 1)} could not be made." if gaps else "."
        elif len(gaps) > 1:
            summary = f"{len(gaps)} vitamin B12 checks could not be made"
            summary += "." if faulty else ": data were not available."
        else:
            summary = f"{questions[0]}: {_listed_data(gaps[0].data)} {REASONS.get(gaps[0].reason, gaps[0].reason)}."
        lines += [
            f"- {_UNREAD_DRAFTS[reason][number > 1].format(number=number)}"
            for reason, number in Counter(unread).items()
        ]
        heading = "These questions are open" if gaps else "Vitamin B12 was not checked for"
        detail = f"**Why now** {heading}:\n\n" + "\n".join(lines)
        lacking = "Look the missing data up before signing" if gaps else "Look these orders over before signing"
        if faulty:
            lacking = "Check this by hand, and look up what is missing, before signing"
        detail += f"\n\n**Recommended** {lacking}; no alert here does not mean all clear."
        return CardText(
            summary=_one_line(self.spelling(summary))[:SUMMARY_LIMIT],
            detail=self.spelling(detail),
            sources=(("Vitamin B12 decision support", None),),
        )

    def day(self, when: date | When) -> str:
        """`26 Feb 2026`, or `Feb 26, 2026` in the `us` profile; a date known to the month or year as just that."""
        if isinstance(when, When):
            if when.earliest != when.latest:
                same_month = when.earliest.month == when.latest.month
                return f"{_MONTHS[when.latest.month - 1]} {when.latest.year}" if same_month else str(when.latest.year)
            when = when.latest
        month = _MONTHS[when.month - 1]
        return f"{month} {when.day}, {when.year}" if self._profile == "us" else f"{when.day} {month} {when.year}"

    def mass(self, mcg: Decimal) -> str:
        """Micrograms as a prescriber writes them: `5 mg`, `400 micrograms` (`400 mcg` in the `us` profile)."""
        if mcg >= 1000:
            return f"{(mcg / 1000).normalize():f} mg"
        unit = "microgram" if mcg == 1 else "micrograms"
        return f"{mcg.normalize():f} {'mcg' if self._profile == 'us' else unit}"

    def drug(self, ingredient: str) -> str:
        """The plain name of an ingredient."""
        return self._library.terminology.title(ingredient).lower().replace("b12", "B12")

    def result(self, lab: LabResult) -> str:
        """`B12 96 ng/L, 26 Feb 2026`: what was measured, the value as sent, and when."""
        names = {"b12_total_serum": "B12", "holotranscobalamin": "active B12", "mma_serum": "MMA"}
        name = names.get(lab.concept) or self._library.terminology.title(lab.concept)
        return f"{name} {lab.reported}, {self.day(lab.when)}"

    def spelling(self, text: str) -> str:
        """The profile's spelling."""
        if self._profile == "uk":
            return _MCG.sub(" micrograms", text)

        def american(match: re.Match[str]) -> str:
            word = _AMERICAN[match.group().lower()]
            return _capitalised(word) if match.group()[0].isupper() else word

        return _MICROGRAMS.sub(" mcg", _BRITISH.sub(american, text))

    def _compile(self, folder: RuleFolder) -> _Templates:
        definition = folder.definition
        evidence = {**self._library.shared.evidence, **definition.evidence}
        cited = [evidence[key] for key in definition.cites[self._profile]]
        reasons = self._library.shared.override_reasons
        return _Templates(
            folder=folder,
            cards={variant: self._card(folder, variant) for variant in definition.levels},
            evidence=" · ".join(_citation(each) for each in cited),
            sources=tuple((_label(each), each.url) for each in cited),
            override_reasons=tuple(
                (code, self.spelling(reasons[code].display)) for code in definition.card.override_reasons
            ),
        )

    def _card(self, folder: RuleFolder, variant: str) -> Template:
        """All words of one variant: summary, why now, recommended, where guidance differs, then the buttons."""
        card = folder.definition.card
        labels = [each.label.replace("{{ order_text }}", self._order_text(each.actions)) for each in card.suggestions]
        parts = [card.summary_of(variant), card.why_now, card.recommended, card.guidance_differs or "", *labels]
        try:
            return self._template(_NEXT_PART.join(parts))
        except TemplateSyntaxError as error:
            raise RuleError(f"{folder.folder / 'card.yaml'}: card, {variant}: {error}") from error

    def _template(self, source: str) -> Template:
        """A template that this profile's filters fill; what it compiles to is the same for every client."""
        code = _COMPILED.get(source)
        if code is None:
            code = _COMPILED[source] = self._jinja.compile(source)
        return Template.from_code(self._jinja, code, self._jinja.make_globals(None))

    def _order_text(self, actions: tuple[Action, ...]) -> str:
        """The orders that the actions create, in words."""
        orders = [each.order for each in actions if isinstance(each, CreateOrder)]
        regimens = self._library.regimens.orders
        return "; ".join(regimens[name].in_profile(self._profile).text for name in orders)


def _suggestions(
    folder: RuleFolder, labels: Sequence[str], facts: Mapping[str, Any], about: Course | None, offers: Offers
) -> tuple[tuple[SuggestionText, ...], set[Withheld]]:
    """The buttons whose facts hold and that are not withheld, and why others were.

    Of those that are recommended, the first is. To delete is never the only way out.
    """
    offered: list[SuggestionText] = []
    recommended = False
    why: set[Withheld] = set()
    for spec, label in zip(folder.definition.card.suggestions, labels, strict=True):
        if not _holds(spec, facts):
            continue
        if withheld := [reason for each in spec.actions if (reason := offers.withheld(each, about))]:
            why.update(withheld)
            continue
        is_first = spec.recommended and not recommended
        recommended = recommended or is_first
        offered.append(SuggestionText(_one_line(label), is_first, spec.actions))
    if only_removes(action for each in offered for action in each.actions):
        offered = []
    return tuple(offered), why


def _holds(spec: SuggestionSpec, facts: Mapping[str, Any]) -> bool:
    """Whether the facts call for a suggestion."""
    for name in spec.when:
        if not facts[name]:
            return False
    return not (spec.unless and any(facts[name] for name in spec.unless))


def _rendered(template: Template, facts: dict[str, Any]) -> str:
    """The text of a template; the facts are all that it may name, and are taken as they are."""
    return "".join(template.root_render_func(template.new_context(facts, shared=True)))


def _label(evidence: Evidence) -> str:
    return f"{evidence.publisher}: {evidence.title}"


def _citation(evidence: Evidence) -> str:
    """Title, publisher, year, and who quotes it; linked when it has an address."""
    title = f"[{evidence.title}]({evidence.url})" if evidence.url else evidence.title
    year = f", {evidence.year}" if evidence.year else ""
    quoted = f", quoted by {evidence.quoted_by}" if evidence.quoted_by else ""
    return f"{title}, {evidence.publisher}{year}{quoted}"


def _capitalised(text: str) -> str:
    return text[:1].upper() + text[1:]


def _one_line(text: str) -> str:
    return " ".join(text.split())


def _paragraph(text: str) -> str:
    return "\n".join(line.strip() for line in text.strip().splitlines() if line.strip())


def _listed(sources: tuple[Source, ...]) -> str:
    return ", ".join(SOURCE_NAMES[source] for source in sources)


def _listed_data(data: tuple[str, ...]) -> str:
    names = (SOURCE_NAMES[Source(name)] if name in set(Source) else "the draft order" for name in data)
    return " and ".join(names) or "the service"


def worth_a_card(gaps: tuple[NotEvaluated, ...], hook: Hook) -> tuple[NotEvaluated, ...]:
    """The rules that could not be evaluated and that a clinician should hear of."""
    return tuple(gap for gap in gaps if gap.worth_a_card(hook))
