"""Card text: every alert of every example patient, in the spelling and the dates of both profiles."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal

import pytest
from jinja2 import UndefinedError

from cards.library import Evidence, load
from cards.offers import Offers
from cards.record import Comparator, LabResult, When
from cards.rule import PROFILES, NotEvaluated, Profile, Raised, evaluate, triggered
from cards.vignettes import all_files, record
from cards.wording import SUMMARY_LIMIT, CardText, Wording

LIBRARY = load()
WORDINGS = {profile: Wording(LIBRARY, profile) for profile in PROFILES}


@dataclass(frozen=True, slots=True)
class Said:
    """One alert of one example patient, in one profile, and its card."""

    profile: Profile
    topic: str
    patient: str
    raised: Raised
    offers: Offers
    card: CardText

    def __str__(self) -> str:
        return f"{self.profile} {self.topic}: {self.patient}"


def _all() -> Iterator[Said]:
    """Every alert; each patient is asked about in both profiles, so that both spellings are seen."""
    for topic, file in all_files().items():
        for vignette in file.vignettes:
            patient = record(vignette, file.today, LIBRARY.terminology)
            settings = {name: Decimal(value) for name, value in vignette.settings.items()}
            for profile in PROFILES:
                rules = [rule for rule in LIBRARY.rules(profile, settings) if rule.topic == topic]
                asked = triggered(rules, vignette.hook, patient.drafts)
                offers = Offers(LIBRARY, profile, patient, file.today)
                for raised in evaluate(asked, vignette.hook, patient, file.today).raised:
                    card = WORDINGS[profile].text(raised, offers)
                    yield Said(profile, topic, vignette.name, raised, offers, card)


ALERTS = list(_all())
BRITISH = [said for said in ALERTS if said.profile == "uk"]
AMERICAN = [said for said in ALERTS if said.profile == "us"]


def _wrong(alerts: list[Said], pattern: str, flags: re.RegexFlag = re.IGNORECASE) -> list[str]:
    """Where a card says what it must not."""
    return [
        f"{said}: {match.group()!r}"
        for said in alerts
        for text in _words(said.card)
        if (match := re.search(pattern, text, flags))
    ]


def _words(card: CardText) -> list[str]:
    """All that a card says in our own words: the titles of sources are their own."""
    detail, _, _ = card.detail.partition("**Evidence**")
    labels = [each.label for each in card.suggestions]
    return [card.summary, detail, *labels, *(display for _, display in card.override_reasons)]


def test_every_variant_of_every_rule_has_a_patient() -> None:
    seen = {(said.topic, said.raised.alert.variant) for said in ALERTS}

    assert seen == {(topic, each) for topic, folder in LIBRARY.folders.items() for each in folder.definition.levels}


# --- summary -----------------------------------------------------------------------------------------------------


def test_a_summary_is_one_line_under_140_characters_and_is_never_cut() -> None:
    assert [str(said) for said in ALERTS if not 20 < len(said.card.summary) < 140] == []
    assert [str(said) for said in ALERTS if "…" in said.card.summary or "..." in said.card.summary] == []
    assert [str(said) for said in ALERTS if "\n" in said.card.summary or "  " in said.card.summary] == []


@pytest.mark.parametrize("profile", PROFILES)
@pytest.mark.parametrize(
    ("drug", "mcg"), [("levomefolate", Decimal(12500)), ("folic_acid", Decimal(800)), ("folic_acid", Decimal(5000))]
)
def test_a_summary_fits_even_with_the_longest_names_numbers_and_dates(
    profile: Profile, drug: str, mcg: Decimal
) -> None:
    # A stated bound of a longer name on a day of two digits.
    day = When.on(date(2026, 9, 26))
    result = LabResult("holotranscobalamin", day, Decimal(24), Comparator.BELOW, sent=Decimal(24), unit="pmol/L")
    longest = {"result": result, "dose_mcg": mcg}
    for said in ALERTS:
        if said.profile != profile:
            continue
        facts = dict(said.raised.alert.facts)
        facts.update({name: value for name, value in longest.items() if facts.get(name)})
        if isinstance(facts.get("drug"), str):
            facts["drug"] = drug if said.topic == "folate-before-b12" else "cobamamide"
        raised = replace(said.raised, alert=replace(said.raised.alert, facts=facts))

        card = WORDINGS[profile].text(raised, said.offers)

        assert not card.summary.endswith("…"), f"{said}: {card.summary}"
        assert len(card.summary) < 140


def test_a_summary_names_the_drug_or_what_is_measured() -> None:
    named = re.compile(r"cobalamin|folic acid|methylfolate|\bB12\b", re.IGNORECASE)

    assert [f"{said}: {said.card.summary}" for said in ALERTS if not named.search(said.card.summary)] == []


def test_a_card_about_a_site_names_the_site() -> None:
    about_sites = [said for said in ALERTS if said.topic == "buttock-injection-site"]

    assert about_sites
    assert [str(said) for said in about_sites if not re.search(r"buttock|glut|quadrant", said.card.summary)] == []


def test_a_summary_begins_with_a_capital_and_ends_with_a_full_stop() -> None:
    assert [said.card.summary for said in ALERTS if not re.fullmatch(r"[A-Z].*[.?]", said.card.summary)] == []


# --- detail ------------------------------------------------------------------------------------------------------


def test_a_detail_says_why_now_what_is_recommended_and_on_what_evidence_in_this_order() -> None:
    headings = [re.findall(r"\*\*(Why now|Recommended|Evidence)\*\* \S", said.card.detail) for said in ALERTS]

    assert headings
    assert {tuple(each) for each in headings} == {("Why now", "Recommended", "Evidence")}
    assert [str(said) for said in ALERTS if not said.card.detail.startswith("**Why now** ")] == []


def test_a_detail_can_be_read_while_signing() -> None:
    lengths = {str(said): len(said.card.detail.split()) for said in ALERTS}

    assert {name: words for name, words in lengths.items() if words > 160} == {}
    assert min(lengths.values()) > 20


def test_a_detail_holds_no_empty_paragraph() -> None:
    assert _wrong(ALERTS, r"\n\n\n|\n\s+\n|\*\*\s*\*\*") == []


def test_a_fact_is_a_sentence() -> None:
    """No stray punctuation where a part of a template was left out."""
    assert _wrong(ALERTS, r" [.,;:]|\.\.|,,|, ?\.|\( ?\)|\(,|  ") == []


# --- evidence ----------------------------------------------------------------------------------------------------


def _known_evidence() -> list[Evidence]:
    own = [each for folder in LIBRARY.folders.values() for each in folder.definition.evidence.values()]
    return [*LIBRARY.shared.evidence.values(), *own]


def _cited(said: Said) -> list[str]:
    return said.card.detail.partition("**Evidence** ")[2].split(" · ")


def _may_be(each: Evidence, citation: str) -> bool:
    """Whether a citation is of this source: its whole title, not the beginning of a longer one."""
    title = f"[{each.title}]({each.url})" if each.url else each.title
    return citation.startswith(f"{title}, {each.publisher}")


def test_a_card_shows_only_evidence_that_it_may_cite() -> None:
    known = _known_evidence()
    citable = [each for each in known if each.citable]

    assert len(citable) < len(known)
    for said in ALERTS:
        for citation in _cited(said):
            assert any(_may_be(each, citation) for each in citable), f"{said}: {citation}"


def test_second_hand_evidence_names_who_quotes_it() -> None:
    known = _known_evidence()
    shown = 0
    for said in ALERTS:
        for citation in _cited(said):
            sources = [each for each in known if each.citable and _may_be(each, citation)]
            if all(each.quoted_by for each in sources):
                assert any(f"quoted by {each.quoted_by}" in citation for each in sources), said
                shown += 1

    assert shown


def test_the_first_source_of_a_card_has_an_address() -> None:
    assert [str(said) for said in ALERTS if not (said.card.sources[0][1] or "").startswith("https://")] == []


def test_every_source_of_a_card_stands_in_its_evidence() -> None:
    for said in ALERTS:
        evidence = said.card.detail.partition("**Evidence** ")[2]
        assert [label for label, _ in said.card.sources if label.partition(": ")[2] not in evidence] == [], said


# --- dates, numbers, spelling ------------------------------------------------------------------------------------

MONTHS = "Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec"


def test_a_british_date_reads_day_month_year() -> None:
    assert any(re.search(rf"\b\d{{1,2}} (?:{MONTHS}) \d{{4}}\b", said.card.summary) for said in BRITISH)
    assert _wrong(BRITISH, rf"\b(?:{MONTHS})[a-z]* \d{{1,2}},") == []


def test_an_american_date_reads_month_day_year() -> None:
    assert any(re.search(rf"\b(?:{MONTHS}) \d{{1,2}}, \d{{4}}\b", said.card.summary) for said in AMERICAN)
    assert _wrong(AMERICAN, rf"\b\d{{1,2}} (?:{MONTHS})\b") == []


def test_no_date_is_in_digits_alone() -> None:
    assert _wrong(ALERTS, r"\b\d{4}-\d{2}|\b\d{1,2}[/.]\d{1,2}[/.]\d{2,4}\b") == []


def test_a_result_on_a_card_stands_there_with_its_day() -> None:
    """Advice on outdated data is a named risk of the standard: a reader must see how old they are."""
    told = [
        (said, lab, " ".join(_words(said.card)))
        for said in ALERTS
        for lab in said.raised.alert.facts.values()
        if isinstance(lab, LabResult)
    ]
    shown = [(said, lab, text) for said, lab, text in told if lab.reported and lab.reported in text]

    assert len(shown) > 100
    assert [str(said) for said, lab, text in shown if WORDINGS[said.profile].day(lab.when) not in text] == []


@pytest.mark.parametrize(
    ("profile", "when", "words"),
    [
        ("uk", date(2026, 2, 26), "26 Feb 2026"),
        ("us", date(2026, 2, 26), "Feb 26, 2026"),
        ("uk", date(2026, 2, 1), "1 Feb 2026"),
        ("us", When.on(date(2026, 2, 1)), "Feb 1, 2026"),
        ("uk", When(date(2025, 3, 1), date(2025, 3, 31)), "Mar 2025"),
        ("us", When(date(2025, 3, 1), date(2025, 3, 31)), "Mar 2025"),
        ("uk", When(date(2025, 1, 1), date(2025, 12, 31)), "2025"),
    ],
)
def test_a_date_is_written_as_precisely_as_it_is_known(profile: Profile, when: date | When, words: str) -> None:
    assert WORDINGS[profile].day(when) == words


@pytest.mark.parametrize(
    ("profile", "mcg", "words"),
    [
        ("uk", "5000", "5 mg"),
        ("us", "5000", "5 mg"),
        ("uk", "1000", "1 mg"),
        ("uk", "400", "400 micrograms"),
        ("us", "400", "400 mcg"),
        ("uk", "999", "999 micrograms"),
        ("uk", "2500.0", "2.5 mg"),
        ("uk", "10000", "10 mg"),  # never "1E+1 mg"
        ("us", "100", "100 mcg"),
        ("uk", "5000000", "5000 mg"),
    ],
)
def test_a_mass_is_written_as_a_prescriber_writes_it(profile: Profile, mcg: str, words: str) -> None:
    assert WORDINGS[profile].mass(Decimal(mcg)) == words


@pytest.mark.parametrize(
    ("concept", "words"),
    [
        ("b12_total_serum", "B12 96 ng/L, 26 Feb 2026"),
        ("holotranscobalamin", "active B12 96 ng/L, 26 Feb 2026"),
        ("mma_serum", "MMA 96 ng/L, 26 Feb 2026"),
        ("homocysteine", "homocysteine 96 ng/L, 26 Feb 2026"),
        ("hemoglobin", "haemoglobin 96 ng/L, 26 Feb 2026"),
    ],
)
def test_a_result_is_called_by_its_plain_name(concept: str, words: str) -> None:
    result = LabResult(concept, When.on(date(2026, 2, 26)), Decimal(96), sent=Decimal(96), unit="ng/L")

    assert WORDINGS["uk"].result(result) == words


def test_numbers_are_written_out() -> None:
    assert _wrong(ALERTS, r"\b\d+(?:\.\d+)?E[+-]?\d|\d\.\d{5,}|Decimal|\b\d+\.0\b") == []


def test_a_british_card_is_in_british_spelling() -> None:
    american = r"\b(?:an|leuk|hypokal)emi[ac]|hemoglobin|hematolog|hemoly|\bparesthe|\bceliac|(?<!o)edema\b"
    american += r"|\b\w*(?:[^sx]ize[ds]?|izing|ization)\b|\bcolor|\bfiber|\d mcg\b|complete blood count"

    assert _wrong(BRITISH, american) == []


def test_an_american_card_is_in_american_spelling() -> None:
    british = r"anaemi|kalaemi|haemo|haemat|paraesthe|coeliac|(?<!i)oedema|\d micrograms?\b|full blood count"
    british += r"|\b\w*(?:recogni|organi|stabili|normali|minimi)s(?:e|ed|es|ing)\b|\bcolour|\bfibre|\bjudgement"

    assert _wrong(AMERICAN, british) == []


@pytest.mark.parametrize(
    ("written", "american"),
    [
        ("Pernicious anaemia", "Pernicious anemia"),
        ("Anaemia", "Anemia"),
        ("haemoglobinopathy", "hemoglobinopathy"),
        ("paraesthesiae", "paresthesias"),
        ("Coeliac disease", "Celiac disease"),
        ("a full blood count", "a complete blood count"),
        ("hydroxocobalamin", "hydroxocobalamin"),
    ],
)
def test_american_spelling_is_made_from_british(written: str, american: str) -> None:
    assert WORDINGS["us"].spelling(written) == american
    assert WORDINGS["uk"].spelling(written) == written


# --- what must not show through ----------------------------------------------------------------------------------


def test_no_card_shows_a_placeholder() -> None:
    assert _wrong(ALERTS, r"\{\{|\}\}|\{%|%\}|\bNone\b|\bTrue\b|\bFalse\b|\bnan\b|\bundefined\b", re.NOFLAG) == []
    assert _wrong(ALERTS, r"<[A-Za-z_]+ |\[\]|\(\)|object at 0x|datetime|Period\(|When\(", re.NOFLAG) == []


def test_no_card_shows_a_name_of_the_code() -> None:
    assert _wrong(ALERTS, r"\b[a-z0-9]+_[a-z0-9_]+\b", re.NOFLAG) == []


def test_no_card_names_or_addresses_a_person() -> None:
    assert _wrong(ALERTS, r"\b(?:Mrs?|Ms|Dr)\b\.? [A-Z]|\bNHS number\b|\bMRN\b|\bPatient/", re.NOFLAG) == []


def test_a_label_fits_a_button() -> None:
    labels = {each.label for said in ALERTS for each in said.card.suggestions}

    assert labels
    assert [label for label in labels if not 5 <= len(label) <= 140 or "\n" in label] == []


def test_a_card_recommends_at_most_one_button() -> None:
    assert [str(said) for said in ALERTS if sum(each.recommended for each in said.card.suggestions) > 1] == []


def test_no_two_buttons_of_a_card_read_the_same() -> None:
    labels = {str(said): [each.label for each in said.card.suggestions] for said in ALERTS}

    assert {name: each for name, each in labels.items() if len(each) != len(set(each))} == {}


def test_a_fact_that_the_text_names_and_the_alert_lacks_is_an_error_never_a_blank() -> None:
    said = ALERTS[0]
    silent = replace(said.raised, alert=replace(said.raised.alert, facts={}))

    with pytest.raises(UndefinedError):
        WORDINGS[said.profile].text(silent, said.offers)


# --- the card of questions left open -----------------------------------------------------------------------------


@pytest.mark.parametrize("profile", PROFILES)
@pytest.mark.parametrize("reason", ["missing", "failed", "truncated", "unreadable", "unknown-unit", "future-date"])
def test_an_open_question_is_said_whole(profile: Profile, reason: str) -> None:
    for rule in LIBRARY.rules(profile):
        gap = NotEvaluated(rule, ("labs",), reason)

        card = WORDINGS[profile].not_evaluated((gap,))

        assert len(card.summary) < SUMMARY_LIMIT
        assert re.fullmatch(r"[A-Z].*: laboratory results .*\.", card.summary)
        assert reason not in card.summary
        assert card.summary.partition(":")[0] in card.detail
        assert "no alert here does not mean all clear" in card.detail


def test_two_open_questions_share_a_card_that_lists_both() -> None:
    rules = LIBRARY.rules("uk")[:2]
    gaps = (NotEvaluated(rules[0], ("labs", "problems"), "failed"), NotEvaluated(rules[1], ("doses",), "missing"))

    card = WORDINGS["uk"].not_evaluated(gaps)

    assert card.summary.startswith("2 vitamin B12 checks could not be made")
    assert "laboratory results and problem list (could not be retrieved)" in card.detail
    assert "injections given (not supplied)" in card.detail
    for rule in rules:
        assert f"- {LIBRARY.folders[rule.topic].definition.question}: " in card.detail
