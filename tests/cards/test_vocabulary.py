"""The words clinicians write: each names its own concept, and what only sounds alike names none.

The titles of all codes of the value sets are tried too, as they come where the code itself is left out.
"""

from __future__ import annotations

import csv
import re
from pathlib import Path
from typing import NamedTuple

import pytest
import yaml

from cards.terminology import Terminology

FOLDER = Path(__file__).parents[2] / "cards" / "value_sets"
TERMINOLOGY = Terminology.load()
FINDERS = {
    "conditions": TERMINOLOGY.conditions_in_text,
    "procedures": TERMINOLOGY.procedures_in_text,
    "labs": TERMINOLOGY.labs_in_text,
    "drugs": TERMINOLOGY.drugs_in_text,
}

# What is written on problem lists: general practitioners, neurologists, haematologists, coders; both sides of the sea.
CONDITIONS: dict[str, list[str]] = {
    "pernicious_anemia": [
        "Pernicious anaemia",
        "PERNICIOUS ANEMIA",
        "Anaemia, pernicious",
        "Anaemia - pernicious",
        "Anemia: pernicious",
        "pernicous anaemia",
        "Pernicious aneamia",
        "Addison's anaemia",
        "Addisonian anaemia",
        "Addison-Biermer anaemia",
        "Biermer's disease",
        "Biermer anaemia",
        "Vitamin B12 deficiency anaemia due to intrinsic factor deficiency",
        "Vitamin B12 deficiency anemia due to intrinsic factor deficiency",
        "B12 deficiency due to intrinsic factor deficiency",
        "Congenital intrinsic factor deficiency",
        "Congenital pernicious anaemia",
        "Lack of intrinsic factor",
        "Juvenile pernicious anaemia",
        "PA (pernicious anaemia) on 3/12 hydroxocobalamin",
        "PA - mother had thyroid disease",
        "PA, injections declined",
        "PA: on hydroxocobalamin",
        "Pernicious anaemia (disorder)",
    ],
    "atrophic_autoimmune_gastritis": [
        "Autoimmune gastritis",
        "Auto-immune gastritis",
        "Autoimmune atrophic gastritis",
        "Atrophic autoimmune gastritis",
        "Chronic autoimmune gastritis",
        "Chronic atrophic gastritis, autoimmune",
        "Autoimmune metaplastic atrophic gastritis",
        "AMAG",
        "Gastritis, autoimmune",
        "Type A gastritis",
        "Type A atrophic gastritis",
        "Intrinsic factor antibody positive",
        "Intrinsic factor antibodies positive",
        "Intrinsic factor Ab +ve",
        "Intrinsic factor antibody: positive",
        "Intrinsic factor antibodies detected",
        "Intrinsic-factor antibody test positive",
        "Intrinsic factor blocking antibody strongly positive",
        "Positive intrinsic factor antibody",
        "Positive for intrinsic factor antibodies",
        "Anti-intrinsic factor antibodies positive",
        "IFAb positive",
        "IFAb +ve",
        "IF antibody positive",
        "IF Ab positive",
        "anti-IF positive",
    ],
    "b12_deficiency_anemia": [
        "Vitamin B12 deficiency anaemia",
        "B12 deficiency anemia",
        "B12 deficient anaemia",
        "B12 def anaemia",
        "B12 def. anaemia",
        "Anaemia due to B12 deficiency",
        "Anaemia secondary to vitamin B12 deficiency",
        "Anaemia (B12 deficiency)",
        "Anaemia - B12 deficiency",
        "Anaemia, B12 deficiency",
        "anaemia from lack of B12",
        "Megaloblastic anaemia due to vitamin B12 deficiency",
        "Other vitamin B12 deficiency anaemias",
        "Vitamin B12 deficiency anaemia, unspecified",
        "Other dietary vitamin B12 deficiency anemia",
        "Combined B12 and folate deficiency anaemia",
        "Macrocytic anaemia due to low B12",
        "Cobalamin deficiency anaemia",
    ],
    "b12_deficiency_nonanemic_or_unspecified": [
        "Low vitamin B12",
        "Low vit. B12 level",
        "Low vit B12",
        "low vitB12",
        "LOW B12",
        "Low serum B12",
        "Low serum vitamin B12 level",
        "Low level of B12",
        "Low levels of vitamin B12",
        "Low B-12",
        "low B 12",
        "Very low B12",
        "Abnormally low vitamin B12",
        "Low folate and B12",
        "Low B12 & folate",
        "Vit B12 def",
        "Vit B12 def.",
        "Vit. B12 defic.",
        "vitamin B12 - deficiency",
        "B12 deficiency",
        "B12 deficient",
        "B-12 deficiency",
        "B 12 deficiency",
        "B12-deficiency",
        "Deficiency of vitamin B 12",
        "Deficiency of B12",
        "Deficiency, vitamin B12",
        "Vitamin B12 deficiency (non anaemic)",
        "Vitamin B>12< deficiency",
        "Serum B12 low",
        "Serum vitamin B12 low",
        "B12 low",
        "B12 is low",
        "B12 level low",
        "B12 level very low",
        "Vitamin B12 level below reference range",
        "Vitamin B12 below normal",
        "Decreased vitamin B12",
        "Decreased serum vitamin B12 level",
        "Reduced B12",
        "Subnormal B12",
        "B12 depletion",
        "Depleted B12 stores",
        "B12 insufficiency",
        "Vitamin B12 insufficiency",
        "Lack of vitamin B12",
        "Cobalamin deficiency",
        "Hypocobalaminaemia",
        "Hypocobalaminemia",
        "Hypovitaminosis B12",
        "Functional B12 deficiency",
        "B12 and folate deficiency",
        "B12/folate deficiency",
        "Nutritional B12 deficiency",
        "Severe B12 deficiency",
        "B12 deficiency secondary to metformin",
        "B12 low - on 3 monthly injections",
        "B12 ↓",
    ],
    "b12_deficiency_history_or_monitoring": [
        "B12 deficiency monitoring",
        "Vitamin B12 deficiency - follow-up",
        "B12 deficiency monitoring (regime/therapy)",
    ],
    "b12_neurological": [
        "Neuropathy due to vitamin B12 deficiency",
        "B12 deficiency neuropathy",
        "B12-related peripheral neuropathy",
        "Vitamin B12 deficiency with neuropathy",
        "Peripheral neuropathy secondary to B12 deficiency",
        "Peripheral neuropathy (B12 deficiency)",
        "B12 deficiency myelopathy",
        "Myelopathy due to vitamin B12 deficiency",
        "Dementia due to B12 deficiency",
        "Neurological symptoms due to B12 deficiency",
        "Cobalamin deficiency neuropathy",
        "Encephalopathy due to B12 deficiency",
    ],
    "subacute_combined_degeneration": [
        "Subacute combined degeneration of the cord",
        "Subacute combined degeneration of spinal cord",
        "Sub-acute combined degeneration",
        "subacute degeneration of cord",
        "Combined degeneration of the spinal cord",
        "Combined system disease",
        "SACD",
        "SACDC",
        "SCDC",
        "SCD of cord",
        "SCD of the spinal cord",
        "Funicular myelosis",
        "Lichtheim's disease",
    ],
    "myelopathy": [
        "Myelopathy",
        "Myeloneuropathy",
        "Myelo-neuropathy",
        "Dorsal column dysfunction",
        "Posterior column signs",
        "Dorsal column loss",
        "Degenerative myelopathy",
    ],
    "peripheral_neuropathy": [
        "Peripheral neuropathy",
        "Neuropathy, peripheral",
        "Neuropathy",
        "Sensory neuropathy",
        "Sensorimotor neuropathy",
        "Sensory-motor polyneuropathy",
        "Axonal polyneuropathy",
        "Length-dependent neuropathy",
        "Distal symmetrical polyneuropathy",
        "Small fibre neuropathy",
        "Small fiber neuropathy",
        "Polyneuropathy",
        "Polyneuropathy, unspecified",
        "Painful peripheral neuropathy",
        "Neuropathy in both feet",
        "Neuropathy of lower limbs",
        "Glove and stocking sensory loss",
        "Glove & stocking neuropathy",
        "Stocking distribution numbness",
        "Peripheral neuritis",
        "Polyneuritis",
        "Periph neuropathy",
    ],
    "paresthesia": [
        "Paraesthesia",
        "Paraesthesiae hands and feet",
        "Paresthesias",
        "Paresthesia of skin",
        "Parasthesia",
        "Dysaesthesia",
        "Dysesthesia",
        "Hypoaesthesia",
        "Numbness",
        "Numbness of both feet",
        "Numb feet",
        "Numb toes",
        "Numb both hands",
        "Feet numb",
        "Feet feel numb",
        "Fingers tingling",
        "Toes are tingling",
        "Tingling",
        "Tingling in hands and feet",
        "Numbness and tingling",
        "Pins and needles",
        "Pins & needles",
        "pins 'n' needles",
        "pins n needles in feet",
        "Burning feet",
        "Burning feet syndrome",
        "Burning sensation in feet",
        "Burning of both soles",
        "Reduced vibration sense",
        "Reduced vibration sense to ankles",
        "Absent vibration sense",
        "Vibration sense reduced",
        "Impaired vibratory sensation",
        "Loss of vibration sense",
        "Loss of sensation in feet",
        "Sensory loss",
        "Sensory disturbance",
        "Altered sensation in fingers",
        "Reduced sensation both feet",
        "Reduced pinprick sensation",
        "Lhermitte's sign",
        "Lhermitte phenomenon",
        "Unspecified disturbances of skin sensation",
        "Anaesthesia of skin",
    ],
    "ataxia_gait": [
        "Ataxia",
        "Ataxic gait",
        "Sensory ataxia",
        "Unsteady gait",
        "Unsteadiness on feet",
        "Unsteady on feet",
        "Gait unsteady",
        "Gait ataxia",
        "Gait disturbance",
        "Abnormality of gait",
        "Abnormalities of gait and mobility",
        "Abnormal gait",
        "Broad-based gait",
        "Wide based gait",
        "Poor balance",
        "Impaired balance",
        "Loss of balance",
        "Balance problems",
        "Balance disorder",
        "Balance poor",
        "Difficulty with balance",
        "Imbalance",
        "Off balance",
        "Disequilibrium",
        "Dysequilibrium",
        "Falls due to imbalance",
        "Falls due to poor balance",
        "Romberg positive",
        "Romberg's sign positive",
        "Romberg +ve",
        "Positive Romberg's test",
        "Impaired proprioception",
        "Reduced joint position sense",
        "Proprioception reduced in feet",
        "Loss of proprioception",
        "Lack of coordination",
        "Incoordination",
    ],
    "optic_neuropathy": [
        "Optic neuropathy",
        "Optic atrophy",
        "Optic neuritis",
        "Nutritional optic neuropathy",
        "Retrobulbar neuritis",
        "Optic disc pallor",
        "Disorder of optic nerve",
        "Blurred vision",
        "Blurring of vision",
        "Blurry vision",
        "Vision blurred",
        "Visual field loss",
        "Visual field defect",
        "Loss of visual field",
        "Visual loss",
        "Loss of vision",
        "Reduced visual acuity",
        "Visual disturbance",
        "Central scotoma",
        "Centrocaecal scotoma",
    ],
    "cognitive_impairment": [
        "Confusion",
        "Confused",
        "Acute confusion",
        "Confusional state",
        "Cognitive impairment",
        "Mild cognitive impairment",
        "MCI",
        "Cognitive decline",
        "Cognitive difficulties",
        "Cognitive dysfunction",
        "Impaired cognition",
        "Mild neurocognitive disorder",
        "Memory loss",
        "Memory problems",
        "Memory impairment",
        "Poor memory",
        "Short term memory loss",
        "Short-term memory problems",
        "Memory is getting worse",
        "Forgetful",
        "Forgetfulness",
        "Amnesia",
        "Brain fog",
        "Poor concentration",
        "Difficulty concentrating",
        "Disorientation",
        "Altered mental status",
        "Dementia",
        "Dementia, unspecified",
        "Psychosis",
        "Psychotic episode",
    ],
    "glossitis": [
        "Glossitis",
        "Atrophic glossitis",
        "Hunter's glossitis",
        "Sore tongue",
        "Red sore tongue",
        "Red, sore tongue",
        "Smooth tongue",
        "Beefy red tongue",
        "Tongue sore",
        "Tongue is sore",
        "Painful tongue",
        "Burning tongue",
        "Inflammation of tongue",
        "Soreness of the tongue",
        "Glossodynia",
        "Atrophy of tongue papillae",
    ],
    "megaloblastic_anemia": [
        "Megaloblastic anaemia",
        "Anaemia, megaloblastic",
        "Macrocytic anaemia",
        "Macrocytic anemia",
        "Anaemia - macrocytic",
        "Megaloblastic bone marrow",
    ],
    "folate_deficiency": [
        "Folate deficiency",
        "Folate def",
        "Folic acid deficiency",
        "Deficiency of folic acid",
        "Low folate",
        "Low serum folate",
        "Serum folate low",
        "Folate low",
        "Folate deficiency anaemia",
        "B12 and folate deficiency",
        "Folate and B12 deficiency",
    ],
    "inborn_error_cobalamin": [
        "Transcobalamin II deficiency",
        "Imerslund-Gräsbeck syndrome",
        "Imerslund syndrome",
        "Cobalamin C disease",
        "Inborn error of cobalamin metabolism",
        "cblC",
    ],
    "gastrectomy_status": [
        "Total gastrectomy",
        "Partial gastrectomy",
        "Gastrectomy 2015",
        "H/O gastrectomy",
        "Oesophagogastrectomy",
        "Esophagogastrectomy",
        "Billroth II",
        "Polya gastrectomy",
        "Antrectomy",
        "Removal of stomach",
        "Stomach removed",
        "Resection of stomach",
    ],
    "ileal_resection_status": [
        "Ileal resection",
        "Ileocaecal resection",
        "Ileocecal resection",
        "Ileo-caecal resection",
        "Ileocolic resection",
        "Resection of terminal ileum",
        "Terminal ileal resection",
        "Excision of ileum",
        "Resection of 30 cm of terminal ileum",
        "Right hemicolectomy",
    ],
    "bariatric_status": [
        "Gastric sleeve",
        "Sleeve gastrectomy",
        "Laparoscopic sleeve gastrectomy",
        "Gastric sleeve 2019",
        "Gastric bypass",
        "Roux-en-Y gastric bypass",
        "RYGB",
        "Mini gastric bypass",
        "OAGB",
        "SADI-S",
        "Gastric band",
        "Gastric banding",
        "Lap band",
        "Biliopancreatic diversion",
        "Duodenal switch",
        "Weight loss surgery",
        "Obesity surgery",
        "Bariatric surgery",
        "Stomach stapling",
        "Vertical banded gastroplasty",
    ],
    "crohn_ileal": [
        "Ileal Crohn's disease",
        "Crohn's disease of terminal ileum",
        "Crohns terminal ileum",
        "Small bowel Crohn's",
        "Ileocolonic Crohn's disease",
        "TI Crohn's",
        "Terminal ileitis",
        "Regional enteritis",
    ],
    "crohn_any": ["Crohn's disease", "Crohns", "Crohn's colitis", "Regional enteritis"],
    "celiac": ["Coeliac disease", "Celiac disease", "Coeliac", "Gluten-sensitive enteropathy", "Nontropical sprue"],
    "short_bowel_sibo_malabsorption": [
        "Short bowel syndrome",
        "Short gut",
        "SIBO",
        "Small intestinal bacterial overgrowth",
        "Malabsorption",
        "Blind loop syndrome",
        "Tropical sprue",
        "Intestinal failure",
    ],
    "vegan_diet": ["Vegan", "Vegan diet", "Veganism", "Strict vegetarian", "Plant-based diet"],
    "leber_hereditary_optic_neuropathy": [
        "LHON",
        "Leber's hereditary optic neuropathy",
        "Leber hereditary optic neuropathy",
        "Lebers optic atrophy",
        "Hereditary optic neuropathy (Leber)",
        "Leber's optic neuropathy",
    ],
    "toxic_amblyopia": ["Tobacco amblyopia", "Toxic amblyopia", "Amblyopia, tobacco", "Toxic optic neuropathy"],
    "nitrous_oxide_exposure": [
        "Nitrous oxide misuse",
        "Nitrous oxide abuse",
        "Recreational nitrous oxide use",
        "N2O use",
        "Uses nitrous oxide balloons",
        "Laughing gas abuse",
        "Whippets",
        "Nitrous oxide toxicity",
        "Nitrous-oxide-induced myelopathy".replace("Nitrous-oxide", "Nitrous oxide"),
    ],
    "ckd": ["CKD", "CKD stage 4", "CKD3b", "Chronic kidney disease stage 3", "End stage renal disease", "ESRD", "ESKD"],
    "dialysis": ["Haemodialysis", "On dialysis", "Peritoneal dialysis", "CAPD"],
    "hypokalemia": ["Hypokalaemia", "Hypokalemia", "Low potassium", "Low serum potassium", "Potassium low"],
    "bleeding_disorder": [
        "Haemophilia",
        "Hemophilia A",
        "Von Willebrand disease",
        "Factor VIII deficiency",
        "Bleeding disorder",
        "Thrombocytopenia",
        "ITP",
        "Coagulopathy",
    ],
    "anticoagulant_therapy": ["Anticoagulant therapy", "On warfarin", "Long term anticoagulation", "Warfarin therapy"],
    "needle_phobia": ["Needle phobia", "Fear of needles", "Terrified of needles", "Trypanophobia", "Needle-phobic"],
    "hospice_care": ["Hospice care", "Comfort care"],
    "diabetes": ["Type 2 diabetes mellitus", "T2DM", "NIDDM", "Diabetes"],
    "alcohol_use_disorder": ["Alcohol dependence", "Alcohol excess", "Alcoholism", "ETOH abuse", "Heavy drinker"],
    "charcot_marie_tooth": ["Charcot-Marie-Tooth disease", "CMT", "Hereditary motor and sensory neuropathy"],
    "iron_deficiency": ["Iron deficiency", "Iron deficiency anaemia", "Iron def", "Low ferritin", "Ferritin low"],
    "macular_degeneration": ["Macular degeneration", "AMD", "Wet AMD", "ARMD"],
    "cobalamin_cobalt_allergy": [
        "Allergy to vitamin B12",
        "Allergic to hydroxocobalamin",
        "Hydroxocobalamin allergy",
        "B12 injection allergy",
        "Vitamin B12 preparation adverse reaction",
        "Adverse reaction to hydroxocobalamin",
        "Hypersensitivity to cyanocobalamin",
        "Cobalt allergy",
        "Allergy - hydroxocobalamin",
    ],
    "pregnancy": ["Pregnant", "Pregnancy", "12 weeks pregnant", "Antenatal care", "Primigravida", "Second trimester"],
    "sciatic_nerve_injury": ["Sciatic nerve injury", "Injury of sciatic nerve", "Sciatic neuropathy"],
}

# Each names no condition that rules know, or at least not the one that is given.
NEAR_MISSES: list[tuple[str, str]] = [
    *((text, "b12_deficiency_nonanemic_or_unspecified") for text in (
        "Low B12 intake",
        "Low vitamin B12 intake",
        "Diet low in vitamin B12",
        "Low dose B12",
        "Low-dose vitamin B12",
        "B12 low dose",
        "B12 normal",
        "Normal B12",
        "B12 level normal",
        "B12 low normal",
        "Low-normal B12",
        "Borderline low B12",
        "Low folate",
        "Serum B12",
        "Vitamin B12 level",
        "Vitamin B12 injection",
        "B12 injections",
        "B12 definite improvement",
        "Vitamin B1 deficiency",
        "Vitamin B6 deficiency",
        "Vitamin D deficiency",
        "Low vitamin D, B12 normal",
        "Iron deficiency, B12 normal",
        "B12 high",
        "Low mood, B12 checked",
        "B12, low mood",
        "B12 deficiency monitoring",
        "Vitamin B12 supplementation",
        "Low back pain T12",
        "Vitamin B 120 mg",
    )),
    *((text, "pernicious_anemia") for text in (
        "PA",
        "PA chest x-ray",
        "PA system",
        "PA - chest",
        "PA, lateral views",
        "?PA",
        "PA?",
        "PA pressure raised",
        "Personal assistant (PA)",
        "Addison's disease",
        "Pernicious",
        "Intrinsic asthma",
        "Intrinsic factor antibody",
        "Anaemia",
    )),
    *((text, "atrophic_autoimmune_gastritis") for text in (
        "Atrophic gastritis",
        "Chronic atrophic gastritis",
        "Autoimmune hepatitis",
        "Autoimmune thyroiditis",
        "Intrinsic factor antibody",
        "Intrinsic factor antibody test requested",
        "Parietal cell antibody positive",
        "Rheumatoid factor positive",
        "Hepatitis B positive",
        "If antenatal, antibody positive",
    )),
    *((text, "subacute_combined_degeneration") for text in (
        "SCD",
        "Sickle cell disease (SCD)",
        "Sudden cardiac death (SCD)",
        "Subacute thyroiditis",
        "Degenerative disc disease",
    )),
    *((text, "peripheral_neuropathy") for text in (
        "Optic neuropathy",
        "Peripheral vascular disease",
        "Peripheral oedema",
        "Compression stockings",
        "Gloves and stockings supplied",
    )),
    *((text, "paresthesia") for text in (
        "Emotional numbness",
        "Dental anaesthesia",
        "Local anaesthetic",
        "Sensorineural hearing loss",
        "Heartburn",
        "Burning mouth",
        "Sensory integration therapy",
        "Sewing pins lost",
        "Altered sense of taste",
    )),
    *((text, "ataxia_gait") for text in (
        "Electrolyte imbalance",
        "Hormonal imbalance",
        "Muscle imbalance",
        "Acid-base imbalance",
        "Fluid balance chart",
        "Work-life balance",
        "Balanced diet",
        "Good balance",
        "Friedreich ataxia",
        "Romberg negative",
        "Gait normal",
    )),
    *((text, "optic_neuropathy") for text in (
        "Visual field normal",
        "Visual fields full to confrontation",
        "Visual acuity 6/6",
        "Vision screening",
        "Blurred vision due to cataract",
        "Blurred image quality",
        "Retinopathy with visual loss",
        "Migraine with visual disturbance",
        "Television",
    )),
    *((text, "cognitive_impairment") for text in (
        "Confusion assessment",
        "Confusion Assessment Method",
        "Memory clinic",
        "Memory foam mattress",
        "Cognitive behavioural therapy",
        "Cognition normal",
        "Good memory",
        "Dementia screening",
        "Concentration of haemoglobin low",
    )),
    *((text, "glossitis") for text in (
        "Tongue tie",
        "Geographic tongue",
        "Strawberry tongue",
        "Tongue normal",
        "Red tongue depressor".replace("tongue", "wooden"),
        "Sore throat",
    )),
    *((text, "bariatric_status") for text in (
        "Pre-gastric sleeve assessment",
        "Assessment for gastric sleeve",
        "Referred for bariatric surgery",
        "Gastric bypass assessment",
        "Bariatric bed",
        "Sleeve of shirt",
        "Long sleeve",
        "Compression sleeve",
        "Rotator cuff sleeve",
        "Gastric lavage",
    )),
    *((text, "gastrectomy_status") for text in (
        "Gastric sleeve", "Sleeve gastrectomy", "Gastrostomy", "Gastroscopy", "Stomach ache",
    )),
    *((text, "celiac") for text in ("Coeliac artery stenosis", "Celiac plexus block", "Coeliac axis compression")),
    *((text, "folate_deficiency") for text in (
        "Low folate intake", "Folate normal", "Folic acid low dose", "On folic acid",
    )),
    *((text, "short_bowel_sibo_malabsorption") for text in (
        "Lactose malabsorption", "Fructose malabsorption", "Short stature",
    )),
    *((text, "nitrous_oxide_exposure") for text in (
        "Nitric oxide",
        "Injury NOS, exposure to cold",
        "Nitrous oxide anaesthesia used",
        "Entonox in labour",
    )),
    *((text, "hypokalemia") for text in ("Low potassium diet", "Potassium normal", "Hyperkalaemia")),
    *((text, "ckd") for text in ("Kidney stone", "CKD-MBD screening", "Acute kidney injury")),
    *((text, "cobalamin_cobalt_allergy") for text in (
        "Penicillin allergy",
        "B12 deficiency",
        "No known allergies",
        "Allergy clinic, B12 injection given",
        "Allergic rhinitis",
    )),
    *((text, "leber_hereditary_optic_neuropathy") for text in (
        "Leber congenital amaurosis", "Hereditary optic atrophy",
    )),
]  # fmt: skip


@pytest.mark.parametrize(
    ("text", "concept"), [(text, concept) for concept, texts in CONDITIONS.items() for text in texts]
)
def test_what_clinicians_write_names_its_condition(text: str, concept: str) -> None:
    assert concept in TERMINOLOGY.conditions_in_text(text)


@pytest.mark.parametrize(
    ("text", "concept"), [(text, concept) for concept, texts in CONDITIONS.items() for text in texts]
)
def test_capitals_make_no_difference(text: str, concept: str) -> None:
    assert concept in TERMINOLOGY.conditions_in_text(text.upper())
    assert concept in TERMINOLOGY.conditions_in_text(text.lower())


@pytest.mark.parametrize(("text", "concept"), NEAR_MISSES)
def test_what_only_sounds_alike_is_not_that_condition(text: str, concept: str) -> None:
    assert concept not in TERMINOLOGY.conditions_in_text(text)


def test_the_patterns_of_the_value_sets_are_in_small_letters() -> None:
    # They are asked about texts in small letters; `\W` and the like are no letters.
    written = yaml.safe_load((FOLDER / "concepts.yaml").read_text(encoding="utf-8"))
    patterns = list(written.pop("fragments").values())
    patterns += [
        pattern
        for kind in written.values()
        for about in kind.values()
        for pattern in (*about.get("text", ()), *about.get("not", ()))
    ]

    assert len(patterns) > 500
    assert [each for each in patterns if re.search("[A-Z]", re.sub(r"\\.", "", each))] == []


def test_every_condition_that_has_words_is_tried() -> None:
    tried = {*CONDITIONS, *(concept for _, concept in NEAR_MISSES)}

    # Neurological findings, deficiency, its causes and what excludes: each has its table above.
    assert {
        "pernicious_anemia", "atrophic_autoimmune_gastritis", "b12_deficiency_anemia",
        "b12_deficiency_nonanemic_or_unspecified", "b12_neurological", "subacute_combined_degeneration", "myelopathy",
        "peripheral_neuropathy", "paresthesia", "ataxia_gait", "optic_neuropathy", "cognitive_impairment", "glossitis",
    } <= tried  # fmt: skip


# --- titles of codes -----------------------------------------------------------------------------------------------


class Title(NamedTuple):
    """A code of a value set, as its own system calls it."""

    kind: str
    concept: str
    system: str
    code: str
    display: str
    meaning: str
    specific: bool


def _titles() -> list[Title]:
    found = []
    for kind in FINDERS:
        for path in sorted((FOLDER / kind).glob("*.csv")):
            with path.open(encoding="utf-8", newline="") as file:
                for row in csv.DictReader(file):
                    found.append(
                        Title(
                            kind,
                            path.stem,
                            row["system"],
                            row["code"],
                            row["display"],
                            row["meaning"],
                            row["specific"] == "yes",
                        )
                    )
    return found


TITLES = _titles()
# CPT's titles are its owner's: they stand in the value sets as "CPT code 43644".
WITHOUT_TITLE = "CPT"
# Words of a drug go before the title of a code that may mean several forms of B12, or one part of a combination.
WORDS_GO_BEFORE_TITLES = "drugs"
# Their plain words name one thing for sure, whatever else the code may be used for: a polyneuropathy is a neuropathy.
SAYS_ENOUGH = {
    ("peripheral_neuropathy", "193188009"),
    ("peripheral_neuropathy", "G63"),
    ("optic_neuropathy", "H47.22"),
}


def _said(title: Title) -> set[str]:
    text = title.display
    tagged = text if text.endswith(")") else f"{text} (disorder)"
    return {text, text.upper(), text.replace("anemia", "anaemia"), text.replace("aemia", "emia"), tagged}


@pytest.mark.parametrize("kind", [each for each in FINDERS if each != WORDS_GO_BEFORE_TITLES])
def test_the_title_of_a_code_names_its_concept_without_the_code(kind: str) -> None:
    find = FINDERS[kind]
    own = [each for each in TITLES if each.kind == kind and each.specific and each.system != WITHOUT_TITLE]

    assert own
    assert [(each, said) for each in own for said in _said(each) if each.concept not in find(said)] == []


def test_the_title_of_a_drug_names_one_without_the_code() -> None:
    own = [each for each in TITLES if each.kind == "drugs" and each.specific]

    assert own
    assert [each for each in own if not TERMINOLOGY.drugs_in_text(each.display)] == []


@pytest.mark.parametrize("kind", FINDERS)
def test_the_title_of_a_code_that_says_other_things_too_names_nothing_for_sure(kind: str) -> None:
    find = FINDERS[kind]
    said_by_others = {(each.concept, each.display) for each in TITLES if each.specific}
    open_ones = [
        each
        for each in TITLES
        if each.kind == kind and not each.specific and (each.concept, each.display) not in said_by_others
    ]

    wrong = {(each.concept, each.code) for each in open_ones if each.concept in find(each.display)}
    assert wrong - SAYS_ENOUGH == set()


@pytest.mark.parametrize(
    ("text", "name", "meaning"),
    [
        ("Vegetarian", "vegan_diet", "weaker"),
        ("Vegetarian diet", "vegan_diet", "weaker"),
        ("Vegan diet", "vegan_diet", "strict"),
        ("Inadequate vitamin B12 intake", "b12_deficiency_nonanemic_or_unspecified", "intake"),
        ("Total gastrectomy", "gastrectomy_status", "total"),
        ("Partial gastrectomy", "gastrectomy_status", "unspecified"),
        ("Gastric sleeve", "bariatric_status", "sleeve"),
        ("Lap band", "bariatric_status", "band"),
        ("Right hemicolectomy", "ileal_resection_status", "hemicolectomy"),
        ("CKD stage 4", "ckd", "4"),
        ("CKD 3b", "ckd", "3b"),
        ("CKD G5", "ckd", "5"),
        ("Chronic kidney disease stage 3", "ckd", "3"),
        ("Chronic kidney disease", "ckd", "unspecified"),
        ("Von Willebrand disease", "bleeding_disorder", "haemophilia_or_willebrand"),
        ("Thrombocytopenia", "bleeding_disorder", None),
        ("Alzheimer's disease", "cognitive_impairment", "alzheimer"),
    ],
)
def test_words_say_as_much_as_the_code_would(text: str, name: str, meaning: str | None) -> None:
    assert name in TERMINOLOGY.conditions_in_text(text)
    assert TERMINOLOGY.meaning("condition", name, [text]) == meaning


def test_an_injection_that_was_stopped_is_told_from_one_that_was_given() -> None:
    [stopped] = [each for each in TITLES if each.concept == "b12_injection" and each.meaning == "stopped"]

    assert TERMINOLOGY.meaning("procedure", "b12_injection", [stopped.display]) == "stopped"
    assert TERMINOLOGY.meaning("procedure", "b12_injection", ["B12 injection"]) == "injection"


# --- drugs and tests -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "concept"),
    [
        ("Hydroxycobalamin 1mg/ml inj", "hydroxocobalamin"),
        ("Hydroxocobalamin", "hydroxocobalamin"),
        ("hydroxo-cobalamin 1 mg", "hydroxocobalamin"),
        ("Hydroxo B12", "hydroxocobalamin"),
        ("Hydroxocobolamin", "hydroxocobalamin"),
        ("Cyano-cobalamin 1000 mcg", "cyanocobalamin"),
        ("Cyano B12", "cyanocobalamin"),
        ("Methyl B12 5000 mcg", "mecobalamin"),
        ("Methyl-cobalamin", "mecobalamin"),
        ("adenosyl-B12", "cobamamide"),
        ("Vit B12 inj", "b12_form_unknown"),
        ("Vitamin B9 5 mg", "folic_acid"),
        ("esomeprazole 20mg", "ppi"),
        ("gas and air", "nitrous_oxide"),
        ("Klor-Con 20", "potassium_chloride"),
    ],
)
def test_what_prescribers_write_names_the_drug(text: str, concept: str) -> None:
    assert concept in TERMINOLOGY.drugs_in_text(text)


@pytest.mark.parametrize(
    ("text", "concept"),
    [
        ("Serum B12", "b12_total_serum"),
        ("S-B12", "b12_total_serum"),
        ("B12 (serum)", "b12_total_serum"),
        ("Plasma B12 level", "b12_total_serum"),
        ("B12 assay", "b12_total_serum"),
        ("Total B12", "b12_total_serum"),
        ("Vitamin B12 (active)", "holotranscobalamin"),
        ("HoloTC", "holotranscobalamin"),
        ("Serum MMA", "mma_serum"),
        ("Hcy", "homocysteine"),
        ("Haemoglobin concentration", "hemoglobin"),
        ("MCV (mean cell volume)", "mcv"),
        ("Plt", "platelets"),
        ("WCC", "wbc"),
        ("Serum potassium level", "potassium"),
        ("IF Ab", "intrinsic_factor_antibody"),
        ("Anti-intrinsic factor antibody", "intrinsic_factor_antibody"),
        ("Gastric parietal cell antibodies", "parietal_cell_antibody"),
    ],
)
def test_what_laboratories_write_names_the_test(text: str, concept: str) -> None:
    assert concept in TERMINOLOGY.labs_in_text(text)


@pytest.mark.parametrize(
    ("text", "concept"),
    [
        ("Gastric sleeve operation", "bariatric"),
        ("Laparoscopic gastric banding", "bariatric"),
        ("Oesophagogastrectomy", "gastrectomy"),
        ("Billroth II gastrectomy", "gastrectomy"),
        ("Ileocolic resection", "ileal_resection"),
        ("Right hemicolectomy", "ileal_resection"),
        ("B12 inj", "b12_injection"),
    ],
)
def test_what_surgeons_write_names_the_procedure(text: str, concept: str) -> None:
    assert concept in TERMINOLOGY.procedures_in_text(text)
