"""What words say: one normal form, and everything that a text names is meant as its own sentence part says."""

from __future__ import annotations

import re
import sys
import unicodedata
from collections.abc import Callable, Iterator
from typing import NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cards.memory import LONGEST_READ
from cards.terminology import Terminology
from cards.words import normalised
from cards.words.assertion import (
    ACT,
    DISEASE,
    DONE,
    LASTING,
    NAMED,
    SUFFERED,
    Assertion,
    Direction,
    Phrase,
    Sense,
    assertion,
    denies_what_is_asked,
    is_meant,
    phrases,
)

TERMINOLOGY = Terminology.load()

# --- the normal form -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("sent", "read"),
    [
        ("Pernicious  anaemia", "Pernicious anaemia"),
        ("Pernicious\tanaemia", "Pernicious anaemia"),
        ("Pernicious\r\nanaemia", "Pernicious anaemia"),
        ("Pernicious\u00a0anaemia", "Pernicious anaemia"),
        ("Pernicious\u2028anaemia", "Pernicious anaemia"),
        ("Pernicious \u200banaemia", "Pernicious anaemia"),
        ("Perni\u00adcious an\u200baemia\ufeff", "Pernicious anaemia"),
        ("  Pernicious anaemia\n", "Pernicious anaemia"),
        ("Ｐｅｒｎｉｃｉｏｕｓ　ａｎａｅｍｉａ", "Pernicious anaemia"),
        ("vitamin B₁₂", "vitamin B12"),
        ("Leber’s disease", "Leber's disease"),
        ("2–3 months", "2-3 months"),
        ("anaemia—resolved", "anaemia - resolved"),
        ("1½ tablets", "1 1/2 tablets"),
        ("½ tablet", "1/2 tablet"),
        ("5 × 10⁹/L", "5 × 10^9/L"),
        ("50 µg", "50 μg"),
        ("a\x00b", "a b"),
        ("", ""),
    ],
)
def test_a_text_has_one_form(sent: str, read: str) -> None:
    assert normalised(sent) == read


def test_every_format_character_is_dropped_and_no_letter_is() -> None:
    every = [chr(number) for number in range(sys.maxunicode + 1)]
    kept = [hex(ord(each)) for each in every if unicodedata.category(each) == "Cf" and normalised(f"a{each}b") != "ab"]
    lost = [hex(ord(each)) for each in every if unicodedata.category(each)[0] in "LN" and not normalised(each)]

    assert kept == []
    assert lost == []


@given(st.text(max_size=80))
def test_the_normal_form_has_no_form_of_its_own(text: str) -> None:
    found = normalised(text)

    assert normalised(found) == found
    assert found == found.strip()
    assert "  " not in found


def test_of_a_text_that_nobody_would_write_the_beginning_is_read() -> None:
    assert len(normalised("é" * 1_000_000)) == len(normalised("e" * 1_000_000)) == LONGEST_READ


# --- what clinicians write -------------------------------------------------------------------------------------------


# A text, then each thing in it with what is said of it; [operations and treatments] stand in brackets.
SAID = """
Pernicious anaemia, no evidence of neuropathy | Pernicious anaemia affirmed | neuropathy denied
PERNICIOUS ANAEMIA NO NEUROPATHY | PERNICIOUS ANAEMIA affirmed | NEUROPATHY denied
Pernicious anemia without neuropathy | Pernicious anemia affirmed | neuropathy denied
Pernicious anaemia with no neuro signs | Pernicious anaemia affirmed | neuro denied
no neuropathy, PA | neuropathy denied | PA affirmed
no neuropathy, PA on B12 | PA affirmed
no neuropathy, PA on IM or oral B12 | PA affirmed
No neuropathy; pernicious anaemia | neuropathy denied | pernicious anaemia affirmed
No neuropathy but pernicious anaemia | neuropathy denied | pernicious anaemia affirmed
No neuropathy however pernicious anaemia | pernicious anaemia affirmed
no numbness, tingling or ataxia | numbness denied | tingling denied | ataxia denied
No numbness, tingling, loss of balance or ataxia | numbness denied | tingling denied | ataxia denied
No numbness, tingling, or ataxia. Glossitis | ataxia denied | Glossitis affirmed
no numbness or tingling, pernicious anaemia | tingling denied | pernicious anaemia affirmed
no numbness and tingling | numbness denied | tingling denied
No numbness nor ataxia | numbness denied | ataxia denied
neither numbness nor ataxia | numbness denied | ataxia denied
Denies paraesthesiae. Ataxia. | paraesthesiae denied | Ataxia affirmed
Denies numbness, tingling, ataxia | numbness denied | tingling denied | ataxia denied
Denies numbness, tingling; has PA | tingling denied | PA affirmed
Denies numbness, has ataxia | numbness denied | ataxia affirmed
pt denied numbness | numbness denied
Numbness denied | numbness denied
Nitrous oxide misuse but denies numbness | Nitrous oxide affirmed | numbness denied
Macrocytosis without B12 deficiency | Macrocytosis affirmed | B12 deficiency denied
Macrocytosis, B12 deficiency excluded | Macrocytosis affirmed | B12 deficiency denied
B12 deficiency without anaemia | B12 deficiency affirmed | anaemia denied
Anaemia, not B12 deficiency | Anaemia affirmed | B12 deficiency denied
Anaemia not due to B12 deficiency | Anaemia affirmed | B12 deficiency denied
B12 deficiency (not PA) | B12 deficiency affirmed | PA denied
Vit. B12 deficiency, not PA | B12 deficiency affirmed | PA denied
No B12 deficiency. Iron deficiency anaemia | B12 deficiency denied | Iron affirmed
No signs of subacute combined degeneration | subacute denied
nil neurology, PA | neurology denied | PA affirmed
NAD neurologically. No ataxia | ataxia denied
No h/o PA | PA denied
No family history of PA | PA denied
Never had pernicious anaemia | pernicious anaemia denied
not known to have pernicious anaemia | pernicious anaemia denied
Does not have pernicious anaemia | pernicious anaemia denied
hasn't got PA | PA denied
doesnt have numbness | numbness denied
isn’t vegan | vegan denied
not a vegan | vegan denied
non-vegan diet | vegan denied
no longer vegan | vegan denied
ex-vegan | vegan past
vegan previously | vegan past
Vegan: no | Vegan denied
Vegan - No | Vegan denied
Vegan no | Vegan denied
Vegan? No | Vegan denied
Vegan: yes | Vegan affirmed
Numbness: nil | Numbness denied
Ataxia - absent | Ataxia denied
Pernicious anaemia unlikely | Pernicious anaemia denied
Unlikely to be pernicious anaemia | pernicious anaemia denied
Pernicious anaemia: ruled out | Pernicious anaemia denied
PA ruled out by gastro 2019 | PA denied
PA has been excluded | PA denied
PA - not confirmed | PA denied
excluded pernicious anaemia | pernicious anaemia denied
B12 deficiency not found on testing | B12 deficiency denied
Coeliac disease excluded, pernicious anaemia | Coeliac denied | pernicious anaemia affirmed
Pernicious anaemia, coeliac disease excluded | Pernicious anaemia affirmed | coeliac denied
negative for intrinsic factor antibodies | intrinsic factor denied
Intrinsic factor antibody negative | Intrinsic factor antibody denied
Negative intrinsic factor antibodies, PA clinically | intrinsic factor denied | PA affirmed
PA, IFAb neg | PA affirmed | IFAb denied
PA (IFAb -ve) | PA affirmed | IFAb denied
antibody-negative pernicious anaemia | pernicious anaemia affirmed
LHON mutation negative | LHON denied
Romberg negative, numbness | numbness affirmed
? pernicious anaemia | pernicious anaemia doubtful
?pernicious anaemia | pernicious anaemia doubtful
??PA | PA doubtful
PA? | PA doubtful
PA ? | PA doubtful
pernicious anaemia (?) | pernicious anaemia doubtful
Query PA | PA doubtful
Queried PA | PA doubtful
poss PA | PA doubtful
Possible pernicious anaemia, B12 deficiency | pernicious anaemia doubtful | B12 deficiency affirmed
Suspected PA | PA doubtful
PA suspected | PA doubtful
Probable pernicious anaemia | pernicious anaemia doubtful
Likely PA | PA doubtful
Pernicious anaemia likely | Pernicious anaemia doubtful
presumed pernicious anaemia | pernicious anaemia doubtful
May have pernicious anaemia | pernicious anaemia doubtful
could be PA | PA doubtful
r/o PA | PA doubtful
to rule out pernicious anaemia | pernicious anaemia doubtful
Can't rule out PA | PA doubtful
PA cannot be excluded | PA doubtful
screening for B12 deficiency | B12 deficiency doubtful
B12 deficiency screen | B12 deficiency doubtful
at risk of B12 deficiency | B12 deficiency doubtful
High risk of neuropathy | neuropathy doubtful
Return if numbness or ataxia | numbness doubtful | ataxia doubtful
prevention of B12 deficiency | B12 deficiency doubtful
B12 deficiency ?cause | B12 deficiency affirmed
B12 deficiency ? cause | B12 deficiency affirmed
B12 deficiency ?PA | B12 deficiency affirmed | PA doubtful
B12 deficiency, cause unknown | B12 deficiency affirmed
B12 deficiency, possible cause vegan diet | B12 deficiency affirmed
Neuropathy ?due to B12 deficiency | Neuropathy affirmed | B12 deficiency doubtful
Crohn?s disease | disease affirmed
History of B12 deficiency | B12 deficiency past
H/O B12 deficiency | B12 deficiency past
hx of B12 deficiency, now vegan | B12 deficiency past | vegan affirmed
Previous B12 deficiency | B12 deficiency past
Prior neuropathy; PA | neuropathy past | PA affirmed
B12 deficiency resolved | B12 deficiency past
B12 deficiency - now resolved | B12 deficiency past
Numbness has settled | Numbness past
numbness not resolved | numbness affirmed
B12 deficiency in remission | B12 deficiency past
6 month history of numbness | numbness affirmed
2 year history of pernicious anaemia | pernicious anaemia affirmed
3/12 history of tingling | tingling affirmed
previously diagnosed pernicious anaemia | pernicious anaemia affirmed
Previous surgery for Crohn's | Crohn affirmed
65 year old with pernicious anaemia | pernicious anaemia affirmed
Pernicious anaemia diagnosed 1999 | Pernicious anaemia affirmed
Pernicious anaemia (confirmed) | Pernicious anaemia affirmed
Family history of pernicious anaemia | pernicious anaemia another's
FH pernicious anaemia | pernicious anaemia another's
FHx: coeliac, pernicious anaemia. Own: vegan | coeliac another's | pernicious anaemia another's | vegan affirmed
F/H of PA | PA another's
Pernicious anaemia, FH thyroid disease | Pernicious anaemia affirmed | thyroid another's
Pernicious anaemia. No FH | Pernicious anaemia affirmed
PA - mother had thyroid disease | PA affirmed | thyroid another's
PA, mother has PA | thing affirmed
Mother: pernicious anaemia | pernicious anaemia another's
Mother has pernicious anaemia | pernicious anaemia another's
mum and sister have pernicious anaemia | pernicious anaemia another's
Mother's pernicious anaemia | pernicious anaemia another's
Pernicious anaemia (mother) | Pernicious anaemia another's
Pernicious anaemia - maternal aunt | Pernicious anaemia another's
Pernicious anaemia in her mother | Pernicious anaemia another's
Pernicious anaemia runs in the family | Pernicious anaemia another's
Father died of Crohn's, vegan | Crohn another's | vegan affirmed
partner is vegan | vegan another's
wife reports numbness | numbness affirmed
Numbness, noticed by daughter | Numbness affirmed
Mother of 3, pernicious anaemia | pernicious anaemia affirmed
Mother of two with pernicious anaemia | pernicious anaemia affirmed
PA, injections declined | PA affirmed | [injections] declined
PA, declined injections | PA affirmed | [injections] declined
PA injections declined | PA affirmed
Pernicious anaemia - refuses IM, wants tablets | Pernicious anaemia affirmed | [IM] declined
Pernicious anaemia, B12 injections stopped 2019 | Pernicious anaemia affirmed | [B12 injections] past
Pernicious anaemia not treated | Pernicious anaemia affirmed
Pernicious anaemia not well controlled | Pernicious anaemia affirmed
Pernicious anaemia, planned for loading | Pernicious anaemia affirmed
No treatment for pernicious anaemia | pernicious anaemia affirmed
No complications of pernicious anaemia | pernicious anaemia affirmed
No B12 injections since PA diagnosed | PA affirmed | [B12 injections] denied
No change in numbness | numbness affirmed
No improvement in neuropathy | neuropathy affirmed
numbness without improvement | numbness affirmed
not only B12 deficiency but neuropathy | B12 deficiency affirmed | neuropathy affirmed
Vit B12 def no. 2 | B12 affirmed
Total gastrectomy declined | [gastrectomy] declined
Total gastrectomy declined by the patient | [gastrectomy] declined
Declined total gastrectomy | [gastrectomy] declined
Gastrectomy (declined) | [gastrectomy] declined
Gastrectomy, declined due to frailty | [gastrectomy] declined
Doesn't want gastrectomy | [gastrectomy] declined
Gastrectomy cancelled | [gastrectomy] declined
Decided against gastric bypass | [gastric bypass] declined
Planned gastrectomy | [gastrectomy] planned
Gastrectomy planned for March | [gastrectomy] planned
Awaiting gastric bypass | [gastric bypass] planned
On waiting list for gastric bypass | [gastric bypass] planned
pre-gastrectomy | [gastrectomy] planned
Listed for total gastrectomy | [gastrectomy] planned
Considering bariatric surgery | [bariatric surgery] planned
Previous total gastrectomy | [gastrectomy] past
Gastrectomy 2012 | [gastrectomy] affirmed
Total gastrectomy, no complications | [gastrectomy] affirmed
Gastrectomy for cancer, no recurrence | [gastrectomy] affirmed
gastrectomy not performed | [gastrectomy] denied
not on methotrexate | [methotrexate] denied
methotrexate stopped in March | [methotrexate] past
came off methotrexate | [methotrexate] past
No known allergy to vitamin B12 | vitamin B12 denied
Not allergic to hydroxocobalamin | hydroxocobalamin denied
Allergy to B12 ruled out | B12 denied
B12 allergy - delabelled | B12 allergy denied
NKDA to B12 | B12 denied
Penicillin allergy, tolerates B12 | Penicillin affirmed | B12 denied
Allergic to cyanocobalamin, tolerates hydroxocobalamin | cyanocobalamin affirmed | hydroxocobalamin denied
hydroxocobalamin not tolerated | hydroxocobalamin affirmed
Does not tolerate hydroxocobalamin | hydroxocobalamin affirmed
Mild rash, no anaphylaxis | rash affirmed | anaphylaxis denied
Mild rash. Never had anaphylaxis | rash affirmed | anaphylaxis denied
Anaphylaxis after B12 | Anaphylaxis affirmed
avoid the buttock, use the left thigh | [buttock] denied | [thigh] affirmed
left thigh as buttock to be avoided | [thigh] affirmed | [buttock] denied
IM contraindicated, give s.c. | [IM] denied | [s.c] affirmed
not absorbed so IM every 3 months | [IM] affirmed
IM not SC | [IM] affirmed | [SC] denied
Do not give IV, IM or SC | [IV] denied | [IM] denied | [SC] denied
do not miss IM dose | [IM] affirmed
IM must not be stopped | [IM] affirmed
no B12 level needed | [B12 level] denied
B12 level not needed | [B12 level] denied
no longer needs B12 injection | [B12 injection] denied
B12 injection not required | [B12 injection] denied
"""


class Said(NamedTuple):
    """A thing that a text names, and what is said of it."""

    text: str
    thing: str
    acts: bool
    expected: Assertion


def _said() -> Iterator[Said]:
    for line in SAID.strip().splitlines():
        text, *things = line.split(" | ")
        for each in things:
            thing, _, expected = each.rpartition(" ")
            if thing != "thing":
                yield Said(normalised(text), thing.strip("[]"), thing.startswith("["), Assertion(expected))


def _asserted(text: str, thing: str, *, acts: bool) -> Assertion:
    match = re.search(rf"(?<!\w){re.escape(thing)}", text, re.IGNORECASE)
    assert match, f"{text} names no {thing}"
    return assertion(text, match.start(), match.end(), acts=acts)


@pytest.mark.parametrize("said", list(_said()), ids=lambda said: f"{said.text}: {said.thing}")
def test_a_thing_is_meant_as_its_own_sentence_part_says(said: Said) -> None:
    assert _asserted(said.text, said.thing, acts=said.acts) is said.expected


CHANGES: dict[str, Callable[[str], str]] = {
    "capitals": str.upper,
    "small letters": str.lower,
    "a full stop": lambda text: f"{text}.",
    "a sentence before": lambda text: f"Seen today. {text}",
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_capitals_and_a_sentence_before_do_not_change_what_is_meant(change: Callable[[str], str]) -> None:
    different = [
        each for each in _said() if _asserted(change(each.text), each.thing, acts=each.acts) is not each.expected
    ]

    assert different == []


@pytest.mark.parametrize(
    ("text", "concepts"),
    [
        ("Pernicious anaemia, no evidence of peripheral neuropathy", {"pernicious_anemia"}),
        ("No peripheral neuropathy, pernicious anaemia", {"pernicious_anemia"}),
        ("Pernicious anaemia, B12 injections declined", {"pernicious_anemia"}),
        ("Pernicious anaemia - mother had coeliac disease", {"pernicious_anemia"}),
        ("History of pernicious anaemia", {"pernicious_anemia"}),
        ("Pernicious anaemia in remission", {"pernicious_anemia"}),
        ("Macrocytosis without B12 deficiency", set()),
        ("Anaemia, no B12 deficiency", set()),
        ("Peripheral neuropathy, B12 deficiency excluded", {"peripheral_neuropathy"}),
        ("Ataxia. Denies paraesthesiae", {"ataxia_gait"}),
        ("No ataxia at first, then ataxia", {"ataxia_gait"}),
        ("FH pernicious anaemia; has pernicious anaemia", {"pernicious_anemia"}),
        ("Total gastrectomy declined", set()),
        ("Total gastrectomy refused, then total gastrectomy 2019", {"gastrectomy_status"}),
        ("Planned gastric bypass", set()),
        ("Allergy to cyanocobalamin, tolerates hydroxocobalamin", {"cobalamin_cobalt_allergy"}),
        ("No known allergy to vitamin B12", set()),
        ("Planning pregnancy", {"preconception"}),
        ("Never misused nitrous oxide", set()),
        ("Nitrous oxide misuse, no numbness", {"nitrous_oxide_exposure"}),
    ],
)
def test_a_text_names_the_conditions_that_it_affirms(text: str, concepts: set[str]) -> None:
    assert set(TERMINOLOGY.conditions_in_text(text)) == concepts


@pytest.mark.parametrize(
    ("text", "concepts"),
    [
        ("Mother had pernicious anaemia", {"pernicious_anemia"}),
        ("Family history of LHON", {"leber_hereditary_optic_neuropathy"}),
        ("LHON", {"leber_hereditary_optic_neuropathy"}),
        ("Mother had no pernicious anaemia", set()),
        ("No family history of LHON", set()),
        ("Brother: suspected LHON", set()),
    ],
)
def test_of_relatives_what_is_theirs_counts(text: str, concepts: set[str]) -> None:
    assert set(TERMINOLOGY.conditions_of_relatives_in_text(text)) == concepts


@pytest.mark.parametrize(
    ("text", "drugs"),
    [
        ("Multivitamin without folic acid", set()),
        ("B complex, no folic acid", set()),
        ("Not taking folic acid", set()),
        ("Folic acid declined", set()),
        ("Folic acid-free multivitamin", set()),
        ("Folic acid 5mg tablets (sugar-free)", {"folic_acid"}),
        ("Hydroxocobalamin 1mg/1ml, not for IV use", {"hydroxocobalamin"}),
        ("Folic acid 400 mcg, planning pregnancy", {"folic_acid"}),
    ],
)
def test_a_product_holds_what_it_does_not_deny(text: str, drugs: set[str]) -> None:
    assert set(TERMINOLOGY.drugs_in_text(text)) == drugs


@pytest.mark.parametrize(
    "value",
    ["No", "no.", "None", "Never", "nil", "Not currently", "negative", "Absent", "Denies use", "ex-user", "Former user",
     "Stopped in 2019", "ceased", "N", "False", "No, stopped in 2020", "Never used"],
)  # fmt: skip
def test_an_answer_that_says_no(value: str) -> None:
    assert denies_what_is_asked(value)


@pytest.mark.parametrize("value", ["Yes", "Current user", "weekly, no numbness", "20 balloons", "yes - not daily", ""])
def test_an_answer_that_says_yes(value: str) -> None:
    assert not denies_what_is_asked(value)


# --- every phrase of the file ----------------------------------------------------------------------------------------

AS_WRITTEN = {"<relative>": "mother", "<whose>": "her", "<be>": "is", "<not>": "not"}
PHRASES = phrases().phrases


def _written(phrase: Phrase) -> str:
    """A phrase as somebody writes it."""
    text = " ".join(AS_WRITTEN.get(word, word.replace("*", "ed")) for word in phrase.words)
    return text.replace(" - ", "-").replace("- ", "-").replace(" / ", "/")


def _said_of(thing: str, phrase: Phrase) -> list[str]:
    """Sentences in which a phrase is said of a thing."""
    words = _written(phrase)
    after, before = f"{words} {thing}", f"{thing} {words}"
    return {
        Direction.FOLLOWS: [after, f"{words}: {thing}"],
        Direction.PRECEDES: [before, f"{thing}: {words}"],
        Direction.EITHER: [after, before, f"{thing} ({words})"],
        Direction.BOTH: [after, before],
        Direction.PART_BEFORE: [f"{thing} ({words})"],
    }[phrase.direction]


def _of_another_thing(thing: str, phrase: Phrase) -> list[str]:
    """Sentences in which a phrase is said of another thing than this."""
    return [f"{thing}. {said}" for said in _said_of("gout", phrase)] + [
        f"{said}; {thing}" for said in _said_of("gout", phrase)
    ]


def _bears(phrase: Phrase, sense: Sense) -> bool:
    only_acts = phrase.acts or phrase.says in (Assertion.PLANNED, Assertion.DECLINED)
    return phrase.says in sense.against and (sense.acts or not only_acts)


def _meant(text: str, sense: Sense) -> bool:
    start = text.index("zebraitis")
    return is_meant(text, start, start + len("zebraitis"), sense)


SENSES = {"disease": DISEASE, "lasting": LASTING, "act": ACT, "done": DONE, "suffered": SUFFERED, "named": NAMED}


@pytest.mark.parametrize("sense", SENSES.values(), ids=SENSES)
def test_every_phrase_turns_what_it_is_said_of_and_nothing_else(sense: Sense) -> None:
    wrong = []
    for phrase in PHRASES:
        if phrase.says is not None:
            wrong += [text for text in _said_of("zebraitis", phrase) if _meant(text, sense) is _bears(phrase, sense)]
            wrong += [text for text in _of_another_thing("zebraitis", phrase) if not _meant(text, sense)]

    assert wrong == []


def test_what_says_nothing_turns_nothing() -> None:
    wrong = [
        text
        for phrase in PHRASES
        if phrase.says is None
        for text in (f"{_written(phrase)} zebraitis", f"zebraitis {_written(phrase)}")
        if not _meant(text, ACT)
    ]

    assert wrong == []


def test_of_a_thing_that_is_named_twice_one_affirmation_is_enough() -> None:
    wrong = [
        text
        for phrase in PHRASES
        if phrase.says in DISEASE.against
        for said in _said_of("coeliac disease", phrase)[:1]
        for text in (f"{said}. Coeliac disease", f"Coeliac disease. {said}")
        if "celiac" not in TERMINOLOGY.conditions_in_text(text)
    ]

    assert wrong == []


@given(st.text(alphabet="no ?,.;:-()PAdenies nortor'", max_size=60), st.integers(0, 60), st.integers(0, 60))
def test_any_text_has_an_answer(text: str, one: int, other: int) -> None:
    found = normalised(text)
    start, end = sorted((min(one, len(found)), min(other, len(found))))

    assert assertion(found, start, end) in Assertion
    assert assertion(found, start, end, acts=True) in Assertion


def _steps(text: str) -> int:
    """How many calls it takes to tell which conditions a text names."""
    steps = 0

    def count(_frame: object, event: str, _argument: object) -> None:
        nonlocal steps
        steps += event in ("call", "c_call")

    sys.setprofile(count)
    try:
        TERMINOLOGY.conditions_in_text(text)
    finally:
        sys.setprofile(None)
    return steps


@pytest.mark.parametrize(
    "piece",
    ["no ataxia ", "denies ataxia, ", "ataxia denied, ", "? ataxia ", "if or ataxia, ", "mother ataxia or, ", ",? "],
)
def test_a_text_of_twice_the_length_takes_twice_the_steps(piece: str) -> None:
    once, twice = (normalised(piece * (length // len(piece))) for length in (LONGEST_READ // 2, LONGEST_READ))
    _steps(once)

    assert _steps(f"{twice[:-1]}.") <= 2.2 * _steps(f"{once[:-1]}.") + 100
