"""The ordinary patients: who they are, what they take, what is being ordered; nothing that concerns vitamin B12.

Near misses are wanted: other injections into the buttock, monthly and three-monthly depots, other vitamins, 1000 mg
doses, iron, low haemoglobin with a cause. Not wanted is whatever a rule may speak about: metformin, acid suppression,
methotrexate, colchicine, antiepileptics, nitrous oxide, vegan diet, surgery of stomach or ileum, macrocytosis, low
potassium, neuropathy, dementia. `population.py` expands each line into FHIR.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal


@dataclass(frozen=True, slots=True)
class Medicine:
    """A medicine as a clinician writes it.

    `often`: `2/d` is twice a day, `1/12wk` every 12 weeks, `once`, `as needed`; `since`: a year; `ended`: no longer
    taken; `given`: how many doses were given here, at that interval; `code`: `SYSTEM code`.
    """

    product: str
    dose: str = "1 tablet"
    often: str = "1/d"
    route: str = "oral"
    site: str = ""
    code: str = ""
    since: int = 2023
    ended: bool = False
    given: int = 0


@dataclass(frozen=True, slots=True)
class Problem:
    """A diagnosis, in words and perhaps with codes (`SYSTEM code`)."""

    text: str
    since: int
    codes: tuple[str, ...] = ()
    ended: int | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Ordinary:
    """An ordinary patient.

    `land` decides spelling, units and codes of the chart, not the profile of the service. `visits`, `samples` (blood)
    and `ward` (days on a ward) say how much is recorded; `tests` which panels each sample has; `usual` the results
    that are not those of a healthy person.
    """

    name: str
    born: str
    sex: Literal["female", "male"]
    land: Literal["uk", "us"]
    drafts: tuple[Medicine, ...]
    problems: tuple[Problem, ...] = ()
    medicines: tuple[Medicine, ...] = ()
    procedures: tuple[tuple[str, str], ...] = ()
    vaccines: tuple[tuple[str, str], ...] = ()
    allergies: tuple[str, ...] = ()
    family: tuple[tuple[str, str], ...] = ()
    booked: str = "Routine review"
    visits: int = 24
    samples: int = 8
    ward: int = 0
    tests: tuple[str, ...] = ("blood count", "electrolytes", "liver", "lipids")
    usual: Mapping[str, float] = field(default_factory=dict)


def _inhaled(product: str, dose: str, often: str, code: str = "", since: int = 2023) -> Medicine:
    return Medicine(product, dose, often, "inhalation", code=code, since=since)


def _on_skin(product: str, often: str = "2/d", code: str = "") -> Medicine:
    return Medicine(product, "a thin layer", often, "topical", code=code)


def _im(product: str, dose: str, often: str, site: str, code: str = "", given: int = 0) -> Medicine:
    return Medicine(product, dose, often, "intramuscular", site, code, given=given)


def _sc(product: str, dose: str, often: str, site: str = "abdomen", code: str = "", given: int = 0) -> Medicine:
    return Medicine(product, dose, often, "subcutaneous", site, code, given=given)


INFLUENZA = _im("Influenza vaccine (inactivated) suspension for injection", "0.5 mL", "once", "left deltoid")
PARACETAMOL = Medicine("Paracetamol 500mg tablets", "2 tablets", "4/d", code="ATC N02BE01")
ACETAMINOPHEN = Medicine("Acetaminophen 500 MG Oral Tablet", "2 tablets", "as needed", code="ATC N02BE01")
ATORVASTATIN = Medicine("Atorvastatin 20mg tablets", often="1/d", code="ATC C10AA05", since=2020)
IBUPROFEN = Medicine("Ibuprofen 400mg tablets", "1 tablet", "3/d", code="ATC M01AE01")

PATIENTS = (
    Ordinary(
        "asthma in a young woman",
        "1998-05-02",
        "female",
        "uk",
        drafts=(
            _inhaled("Salbutamol 100micrograms/dose inhaler CFC free", "2 puffs", "as needed", "ATC R03AC02"),
            Medicine("Prednisolone 5mg tablets", "8 tablets", "1/d", code="ATC H02AB06"),
        ),
        problems=(Problem("Asthma", 2009, ("SNOMED 195967001",)), Problem("Allergic rhinitis", 2012)),
        medicines=(
            _inhaled("Beclometasone 100micrograms/dose inhaler", "2 puffs", "2/d", "ATC R03BA01"),
            Medicine("Cetirizine 10mg tablets", often="as needed", code="ATC R06AE07"),
        ),
        allergies=("House dust mite", "Cat dander"),
        family=(("mother", "Asthma"),),
        booked="Asthma review",
    ),
    Ordinary(
        "asthma in a child of seven",
        "2019-08-14",
        "male",
        "us",
        drafts=(_inhaled("Albuterol 0.09 MG/ACTUAT Metered Dose Inhaler", "2 puffs", "as needed", "ATC R03AC02"),),
        problems=(
            Problem("Asthma", 2022, ("ICD10CM J45.909",)),
            Problem("Atopic dermatitis", 2020, ("ICD10CM L20.9",)),
        ),
        medicines=(_inhaled("Fluticasone propionate 0.044 MG/ACTUAT inhaler", "2 puffs", "2/d", "ATC R03BA05"),),
        vaccines=(("MMR", "03"), ("Varicella", "21"), ("DTaP", "20"), ("IPV", "10"), ("Hep A, pediatric", "83")),
        allergies=("Peanut",),
        visits=40,
        samples=3,
        ward=2,
        tests=("blood count", "electrolytes"),
    ),
    Ordinary(
        "normal pregnancy in the second trimester",
        "1995-01-23",
        "female",
        "uk",
        drafts=(
            _im("Pertussis-containing vaccine (Tdap/IPV) suspension for injection", "0.5 mL", "once", "left deltoid"),
            Medicine("Aspirin 75mg dispersible tablets", "2 tablets", "1/d", code="ATC B01AC06"),
        ),
        problems=(Problem("Pregnant, 20 weeks, normal scan", 2026, ("SNOMED 77386006",)),),
        medicines=(Medicine("Cyclizine 50mg tablets", often="as needed", ended=True, code="ATC R06AE03", since=2026),),
        procedures=(("Ultrasound scan, fetal anomaly", "2026"), ("Ultrasound scan, dating", "2026")),
        booked="Midwife appointment",
        visits=26,
        tests=("blood count", "electrolytes", "liver", "iron", "diabetes"),
        usual={"hb": 121, "mcv": 89},
    ),
    Ordinary(
        "planning a pregnancy, folic acid 400 micrograms",
        "1993-03-30",
        "female",
        "uk",
        drafts=(Medicine("Folic acid 400microgram tablets", code="SNOMED 63718003"),),
        problems=(Problem("Pre-conception advice", 2026), Problem("Removal of contraceptive implant", 2026)),
        visits=26,
        samples=9,
    ),
    Ordinary(
        "type 1 diabetes, planning a pregnancy, folic acid 5 mg",
        "1992-11-11",
        "female",
        "uk",
        drafts=(Medicine("Folic acid 5mg tablets", code="SNOMED 63718003"),),
        problems=(
            Problem("Type 1 diabetes mellitus", 2003, ("SNOMED 46635009",)),
            Problem("Trying to conceive", 2026),
        ),
        medicines=(
            _sc("Insulin glargine 100units/ml pre-filled pen", "18 units", "1/d", "left buttock", "ATC A10AE04"),
            _sc("Insulin aspart 100units/ml pre-filled pen", "6 units", "3/d", "abdomen", "ATC A10AB05"),
        ),
        procedures=(("Digital retinal screening", "2026"), ("Diabetic foot examination", "2026")),
        booked="Diabetes clinic",
        tests=("blood count", "electrolytes", "lipids", "diabetes", "thyroid"),
        usual={"hba1c": 50, "glucose": 8.1},
    ),
    Ordinary(
        "type 2 diabetes on gliclazide and an injection once a week",
        "1964-02-19",
        "male",
        "uk",
        drafts=(
            Medicine("Gliclazide 80mg tablets", "1 tablet", "2/d", code="ATC A10BB09"),
            _sc("Semaglutide 1mg/0.74ml pre-filled pen", "1 mg", "1/wk", "abdomen", "ATC A10BJ06"),
        ),
        problems=(
            Problem("Type 2 diabetes mellitus", 2021, ("SNOMED 44054006",)),
            Problem("Hyperlipidaemia", 2019, ("SNOMED 55822004",)),
        ),
        medicines=(ATORVASTATIN, Medicine("Empagliflozin 10mg tablets", code="ATC A10BK03")),
        procedures=(("Digital retinal screening", "2026"),),
        booked="Diabetes annual review",
        tests=("blood count", "electrolytes", "lipids", "diabetes"),
        usual={"hba1c": 56, "glucose": 8.8},
    ),
    Ordinary(
        "type 2 diabetes on insulin into the buttock",
        "1957-07-07",
        "female",
        "us",
        drafts=(_sc("Insulin glargine 100 UNT/ML Pen Injector", "22 units", "1/d", "right buttock", "ATC A10AE04"),),
        problems=(Problem("Type 2 diabetes mellitus", 2022, ("ICD10CM E11.9",)), Problem("Obesity", 2010)),
        medicines=(Medicine("Lisinopril 10 MG Oral Tablet", code="ATC C09AA03"), ATORVASTATIN),
        tests=("blood count", "electrolytes", "lipids", "diabetes"),
        visits=22,
        usual={"hba1c": 60, "glucose": 9.0},
    ),
    Ordinary(
        "fracture of the wrist",
        "1971-10-01",
        "female",
        "us",
        drafts=(ACETAMINOPHEN, Medicine("Oxycodone 5 MG Oral Tablet", often="as needed", code="ATC N02AA05")),
        problems=(Problem("Closed fracture of lower end of right radius", 2026, ("ICD10CM S52.501A",)),),
        procedures=(("Application of forearm cast", "2026"), ("Radiography of wrist", "2026")),
        booked="Fracture clinic",
        visits=22,
        ward=1,
    ),
    Ordinary(
        "breast cancer on letrozole",
        "1959-06-17",
        "female",
        "uk",
        drafts=(Medicine("Letrozole 2.5mg tablets", code="ATC L02BG04"),),
        problems=(Problem("Malignant neoplasm of breast", 2023, ("SNOMED 254837009",)),),
        medicines=(
            Medicine("Letrozole 2.5mg tablets", code="ATC L02BG04"),
            Medicine("Colecalciferol 800unit capsules", "1 capsule", code="ATC A11CC05"),
        ),
        procedures=(("Wide local excision of breast lesion", "2023"), ("Radiotherapy to breast", "2023")),
        booked="Mammogram",
        tests=("blood count", "electrolytes", "liver", "bone"),
    ),
    Ordinary(
        "breast cancer on fulvestrant into both buttocks",
        "1953-12-05",
        "female",
        "us",
        drafts=(
            _im("Fulvestrant 50 MG/ML Prefilled Syringe", "500 mg", "1/4wk", "left buttock", "ATC L02BA03"),
            _im("Fulvestrant 50 MG/ML Prefilled Syringe", "250 mg", "1/4wk", "buttock", "ATC L02BA03"),
        ),
        problems=(Problem("Malignant neoplasm of right breast, metastatic to bone", 2024, ("ICD10CM C50.911",)),),
        medicines=(
            _im("Fulvestrant 50 MG/ML Prefilled Syringe", "500 mg", "1/4wk", "right buttock", "ATC L02BA03", 26),
            _sc("Denosumab 70 MG/ML Injection", "120 mg", "1/4wk", "left thigh", "ATC M05BX04", 20),
        ),
        procedures=(("Mastectomy of right breast", "2019"),),
        booked="Oncology infusion unit",
        tests=("blood count", "electrolytes", "liver", "bone"),
        visits=18,
    ),
    Ordinary(
        "breast cancer on chemotherapy",
        "1975-04-09",
        "female",
        "us",
        drafts=(
            Medicine("Cyclophosphamide 20 MG/ML Injection", "1000 mg", "1/3wk", "intravenous", code="ATC L01AA01"),
            Medicine("Doxorubicin 2 MG/ML Injection", "100 mg", "1/3wk", "intravenous", code="ATC L01DB01"),
            _sc("Pegfilgrastim 10 MG/ML Prefilled Syringe", "6 mg", "once", "abdomen", "ATC L03AA13"),
        ),
        problems=(Problem("Malignant neoplasm of breast", 2026, ("ICD10CM C50.911",)),),
        medicines=(
            Medicine("Doxorubicin 2 MG/ML Injection", "100 mg", "1/3wk", "intravenous", code="ATC L01DB01", given=3),
            Medicine("Ondansetron 8 MG Oral Tablet", often="as needed", code="ATC A04AA01", since=2026),
        ),
        procedures=(("Insertion of central venous port", "2026"), ("Echocardiogram", "2026")),
        visits=20,
        samples=12,
        tests=("blood count", "electrolytes", "liver"),
        usual={"wbc": 4.6, "platelets": 190},
    ),
    Ordinary(
        "toddler of 18 months, immunisations",
        "2025-05-20",
        "female",
        "us",
        drafts=(
            _im("Hepatitis A vaccine, pediatric, injection", "0.5 mL", "once", "left thigh"),
            _im("Diphtheria, tetanus, acellular pertussis vaccine injection", "0.5 mL", "once", "right thigh"),
        ),
        problems=(Problem("Encounter for routine child health examination", 2026, ("ICD10CM Z00.129",)),),
        medicines=(Medicine("Cholecalciferol 400 UNT/ML Oral Solution", "1 mL", code="ATC A11CC05", since=2025),),
        vaccines=(
            ("Hep B, adolescent or pediatric", "08"),
            ("DTaP", "20"),
            ("IPV", "10"),
            ("Pneumococcal conjugate PCV 13", "133"),
            ("Rotavirus, pentavalent", "116"),
            ("MMR", "03"),
            ("Varicella", "21"),
        ),
        booked="Well child visit",
        visits=34,
        samples=2,
        ward=3,
        tests=("blood count",),
    ),
    Ordinary(
        "newborn after ten days on the neonatal unit, vitamin K",
        "2026-11-13",
        "male",
        "uk",
        drafts=(_im("Phytomenadione 2mg/0.2ml solution for injection", "1 mg", "once", "left buttock", "ATC B02BA01"),),
        problems=(Problem("Neonatal jaundice", 2026), Problem("Term infant, normal delivery", 2026)),
        procedures=(("Newborn hearing screening", "2026"), ("Phototherapy of newborn", "2026")),
        booked="Health visitor, new birth visit",
        visits=2,
        samples=6,
        ward=10,
        tests=("newborn",),
    ),
    Ordinary(
        "syphilis, benzathine benzylpenicillin into both buttocks",
        "1988-09-27",
        "male",
        "uk",
        drafts=(
            _im(
                "Benzathine benzylpenicillin 2.4million unit powder and solvent for suspension for injection",
                "2.4 million units",
                "1/wk",
                "upper outer quadrant of the left buttock",
                "ATC J01CE08",
            ),
        ),
        problems=(Problem("Latent syphilis", 2026),),
        medicines=(
            _im("Benzathine benzylpenicillin injection", "2.4 million units", "1/wk", "right buttock", given=2),
        ),
        booked="Sexual health clinic",
        samples=9,
    ),
    Ordinary(
        "rheumatic heart disease, penicillin into the buttock every 4 weeks",
        "2005-03-12",
        "female",
        "us",
        drafts=(
            _im("Penicillin G benzathine 600000 UNT/ML Prefilled Syringe", "1.2 million units", "1/4wk", "buttock"),
        ),
        problems=(Problem("Rheumatic mitral regurgitation", 2017),),
        medicines=(
            _im("Penicillin G benzathine injection", "1.2 million units", "1/4wk", "left gluteus medius", given=30),
        ),
        procedures=(("Echocardiogram", "2025"), ("Echocardiogram", "2024")),
        booked="Cardiology clinic",
        visits=18,
    ),
    Ordinary(
        "contraception by a depot injection into the buttock",
        "2001-12-24",
        "female",
        "us",
        drafts=(_im("Medroxyprogesterone acetate 150 MG/ML Injection", "150 mg", "1/12wk", "buttock", "ATC G03AC06"),),
        problems=(Problem("Surveillance of injectable contraceptive", 2023, ("ICD10CM Z30.42",)),),
        medicines=(
            _im(
                "Medroxyprogesterone acetate 150 MG/ML Injection",
                "150 mg",
                "1/12wk",
                "left gluteus medius",
                "ATC G03AC06",
                given=11,
            ),
        ),
    ),
    Ordinary(
        "contraception by the pill",
        "2003-06-06",
        "female",
        "uk",
        drafts=(Medicine("Ethinylestradiol 30micrograms / Levonorgestrel 150micrograms tablets", code="ATC G03AA07"),),
        problems=(Problem("Contraception", 2022),),
        medicines=(
            Medicine("Ethinylestradiol 30micrograms / Levonorgestrel 150micrograms tablets", code="ATC G03AA07"),
        ),
        booked="Pill check",
        visits=30,
    ),
    Ordinary(
        "hypertension",
        "1962-08-30",
        "male",
        "uk",
        drafts=(
            Medicine("Amlodipine 10mg tablets", code="ATC C08CA01"),
            Medicine("Ramipril 5mg capsules", "1 capsule", code="ATC C09AA05"),
        ),
        problems=(Problem("Hypertensive disorder", 2018, ("SNOMED 38341003",)),),
        medicines=(Medicine("Amlodipine 5mg tablets", code="ATC C08CA01", since=2018), ATORVASTATIN, INFLUENZA),
        procedures=(("24 hour ambulatory blood pressure recording", "2018"), ("12 lead electrocardiogram", "2024")),
        family=(("father", "Stroke"),),
        booked="Blood pressure check",
        usual={"systolic": 146, "diastolic": 88},
    ),
    Ordinary(
        "hypothyroidism",
        "1969-01-15",
        "female",
        "us",
        drafts=(Medicine("Levothyroxine sodium 0.1 MG Oral Tablet", code="ATC H03AA01"),),
        problems=(Problem("Hypothyroidism", 2012, ("ICD10CM E03.9", "SNOMED 40930008")),),
        medicines=(Medicine("Levothyroxine sodium 0.1 MG Oral Tablet", code="ATC H03AA01", since=2012),),
        family=(("mother", "Hypothyroidism"),),
        tests=("blood count", "electrolytes", "lipids", "thyroid"),
    ),
    Ordinary(
        "chronic obstructive pulmonary disease",
        "1950-03-03",
        "male",
        "uk",
        drafts=(_inhaled("Tiotropium 18microgram inhalation capsules", "1 capsule", "1/d", "ATC R03BB04"), INFLUENZA),
        problems=(Problem("Chronic obstructive pulmonary disease", 2013, ("SNOMED 13645005",)),),
        medicines=(
            _inhaled("Tiotropium 18microgram inhalation capsules", "1 capsule", "1/d", "ATC R03BB04", 2014),
            _inhaled("Salbutamol 100micrograms/dose inhaler", "2 puffs", "as needed", "ATC R03AC02", 2013),
        ),
        procedures=(("Spirometry", "2025"), ("Chest X-ray", "2024"), ("Pulmonary rehabilitation", "2023")),
        booked="COPD annual review",
        usual={"spo2": 93},
    ),
    Ordinary(
        "depression",
        "1984-04-28",
        "female",
        "uk",
        drafts=(Medicine("Sertraline 100mg tablets", code="ATC N06AB06"),),
        problems=(Problem("Depressive disorder", 2022, ("SNOMED 35489007",)), Problem("Insomnia", 2023)),
        medicines=(Medicine("Sertraline 50mg tablets", code="ATC N06AB06", since=2022),),
        procedures=(("Cognitive behavioural therapy", "2023"),),
        booked="Medication review",
        visits=28,
        tests=("blood count", "electrolytes", "liver", "thyroid"),
    ),
    Ordinary(
        "migraine",
        "1990-02-02",
        "female",
        "us",
        drafts=(
            _sc("Sumatriptan 12 MG/ML Auto-Injector", "6 mg", "as needed", "left thigh", "ATC N02CC01"),
            Medicine("Propranolol hydrochloride 40 MG Oral Tablet", often="2/d", code="ATC C07AA05"),
        ),
        problems=(Problem("Migraine", 2010, ("ICD10CM G43.909", "SNOMED 37796009")),),
        medicines=(Medicine("Sumatriptan 50 MG Oral Tablet", often="as needed", code="ATC N02CC01", since=2015),),
        visits=26,
    ),
    Ordinary(
        "atrial fibrillation on apixaban",
        "1948-10-10",
        "male",
        "uk",
        drafts=(Medicine("Apixaban 5mg tablets", often="2/d", code="ATC B01AF02"), INFLUENZA),
        problems=(
            Problem("Atrial fibrillation", 2020, ("SNOMED 49436004",)),
            Problem("Hypertensive disorder", 2005, ("SNOMED 38341003",)),
        ),
        medicines=(
            Medicine("Apixaban 5mg tablets", often="2/d", code="ATC B01AF02", since=2020),
            Medicine("Bisoprolol 2.5mg tablets", code="ATC C07AB07", since=2020),
        ),
        procedures=(("12 lead electrocardiogram", "2025"), ("Echocardiogram", "2020")),
        booked="Anticoagulation review",
    ),
    Ordinary(
        "heart failure",
        "1946-05-25",
        "male",
        "us",
        drafts=(
            Medicine("Furosemide 40 MG Oral Tablet", code="ATC C03CA01"),
            Medicine("Bisoprolol fumarate 5 MG Oral Tablet", code="ATC C07AB07"),
        ),
        problems=(Problem("Chronic systolic heart failure", 2022, ("ICD10CM I50.22", "SNOMED 84114007")),),
        medicines=(
            Medicine("Lisinopril 20 MG Oral Tablet", code="ATC C09AA03", since=2022),
            Medicine("Spironolactone 25 MG Oral Tablet", code="ATC C03DA01", since=2022),
            Medicine("Furosemide 40 MG Oral Tablet", code="ATC C03CA01", since=2022),
        ),
        procedures=(("Echocardiogram", "2025"), ("Coronary angiography", "2022")),
        booked="Heart failure clinic",
        samples=9,
        ward=2,
        tests=("blood count", "electrolytes", "liver"),
        usual={"potassium": 4.7, "creatinine": 104, "egfr": 62},
    ),
    Ordinary(
        "osteoarthritis of the knee",
        "1955-11-30",
        "female",
        "uk",
        drafts=(
            PARACETAMOL,
            Medicine("Methylprednisolone acetate 40mg/1ml injection", "40 mg", "once", "intra-articular", "right knee"),
        ),
        problems=(Problem("Osteoarthritis of knee", 2016, ("SNOMED 396275006",)),),
        medicines=(_on_skin("Diclofenac 1.16% gel", "3/d", "ATC M02AA15"), PARACETAMOL),
        procedures=(("X-ray of knee", "2022"), ("Physiotherapy", "2023"), ("Injection into knee joint", "2024")),
        booked="Physiotherapy",
    ),
    Ordinary(
        "gout",
        "1960-12-12",
        "male",
        "us",
        drafts=(Medicine("Allopurinol 300 MG Oral Tablet", code="ATC M04AA01"),),
        problems=(Problem("Gout", 2019, ("ICD10CM M10.9", "SNOMED 90560007")),),
        medicines=(
            Medicine("Allopurinol 100 MG Oral Tablet", code="ATC M04AA01", since=2020),
            Medicine("Naproxen 500 MG Oral Tablet", often="as needed", code="ATC M01AE02", since=2019),
        ),
        tests=("blood count", "electrolytes", "lipids", "urate"),
        usual={"urate": 395},
    ),
    Ordinary(
        "psoriasis on topical treatment",
        "1979-07-21",
        "male",
        "uk",
        drafts=(_on_skin("Calcipotriol 50micrograms/g / Betamethasone 0.5mg/g gel", "1/d", "ATC D05AX52"),),
        problems=(Problem("Psoriasis", 2004, ("SNOMED 9014002",)),),
        medicines=(_on_skin("Emulsifying ointment", "as needed"), _on_skin("Coal tar 5% shampoo", "2/wk")),
        procedures=(("Narrowband UVB phototherapy", "2022"),),
        booked="Dermatology clinic",
        visits=28,
    ),
    Ordinary(
        "iron deficiency anaemia with normal B12",
        "1982-01-09",
        "female",
        "uk",
        drafts=(Medicine("Ferrous fumarate 210mg tablets", code="ATC B03AA02"),),
        problems=(
            Problem("Iron deficiency anaemia", 2026, ("SNOMED 87522002",)),
            Problem("Heavy menstrual bleeding", 2024),
        ),
        medicines=(
            Medicine("Ferrous fumarate 210mg tablets", code="ATC B03AA02", since=2026),
            Medicine("Tranexamic acid 500mg tablets", "2 tablets", "as needed", code="ATC B02AA02"),
        ),
        booked="Blood test",
        samples=7,
        tests=("blood count", "electrolytes", "liver", "iron", "vitamins"),
        usual={"hb": 103, "mcv": 74, "mch": 24, "ferritin": 7, "rbc": 4.2, "hct": 0.34},
    ),
    Ordinary(
        "chronic kidney disease stage 3",
        "1951-02-14",
        "female",
        "us",
        drafts=(Medicine("Losartan potassium 50 MG Oral Tablet", code="ATC C09CA01"),),
        problems=(
            Problem("Chronic kidney disease, stage 3", 2020, ("ICD10CM N18.30", "SNOMED 433144002")),
            Problem("Essential hypertension", 2008, ("ICD10CM I10",)),
        ),
        medicines=(Medicine("Losartan potassium 50 MG Oral Tablet", code="ATC C09CA01", since=2018), ATORVASTATIN),
        tests=("blood count", "electrolytes", "lipids", "bone"),
        usual={"egfr": 47, "creatinine": 118, "potassium": 4.8, "urea": 8.4},
    ),
    Ordinary(
        "HIV on tablets",
        "1986-06-18",
        "male",
        "uk",
        drafts=(
            Medicine("Bictegravir 50mg / Emtricitabine 200mg / Tenofovir alafenamide 25mg tablets", code="ATC J05AR20"),
        ),
        problems=(Problem("Human immunodeficiency virus infection", 2016, ("SNOMED 86406008",)),),
        medicines=(
            Medicine(
                "Bictegravir 50mg / Emtricitabine 200mg / Tenofovir alafenamide 25mg tablets",
                code="ATC J05AR20",
                since=2021,
            ),
        ),
        booked="HIV clinic",
        samples=7,
        tests=("blood count", "electrolytes", "liver", "lipids", "HIV", "vitamins"),
    ),
    Ordinary(
        "HIV on gluteal injections every 2 months",
        "1991-09-09",
        "male",
        "us",
        drafts=(
            _im("Cabotegravir 200 MG/ML Injection", "600 mg", "1/2mo", "left gluteus medius", "ATC J05AJ04"),
            _im("Rilpivirine 300 MG/ML Injection", "900 mg", "1/2mo", "right gluteus medius", "ATC J05AG05"),
        ),
        problems=(Problem("HIV disease", 2019, ("ICD10CM B20",)),),
        medicines=(
            _im("Cabotegravir 200 MG/ML Injection", "600 mg", "1/2mo", "left buttock", "ATC J05AJ04", given=12),
            _im("Rilpivirine 300 MG/ML Injection", "900 mg", "1/2mo", "right buttock", "ATC J05AG05", given=12),
        ),
        visits=16,
        tests=("blood count", "electrolytes", "liver", "HIV"),
    ),
    Ordinary(
        "chronic hepatitis B",
        "1977-03-19",
        "male",
        "us",
        drafts=(Medicine("Entecavir 0.5 MG Oral Tablet", code="ATC J05AF10"),),
        problems=(Problem("Chronic viral hepatitis B", 2014, ("ICD10CM B18.1", "SNOMED 61977001")),),
        medicines=(Medicine("Entecavir 0.5 MG Oral Tablet", code="ATC J05AF10", since=2018),),
        procedures=(("Ultrasound of liver", "2026"), ("Transient elastography of liver", "2025")),
        usual={"alt": 48},
    ),
    Ordinary(
        "schizophrenia on a depot injection into the buttock",
        "1980-08-08",
        "male",
        "uk",
        drafts=(
            _im(
                "Zuclopenthixol decanoate 200mg/1ml solution for injection ampoules",
                "200 mg",
                "1/2wk",
                "upper outer quadrant of the right buttock",
                "ATC N05AF05",
            ),
        ),
        problems=(Problem("Schizophrenia", 2004, ("SNOMED 58214004",)),),
        medicines=(
            _im(
                "Zuclopenthixol decanoate 200mg/1ml solution for injection ampoules",
                "200 mg",
                "1/2wk",
                "left buttock",
                "ATC N05AF05",
                given=50,
            ),
            Medicine("Procyclidine 5mg tablets", often="2/d", code="ATC N04AA04"),
        ),
        booked="Depot injection clinic",
        visits=14,
        tests=("blood count", "electrolytes", "liver", "lipids", "diabetes"),
    ),
    Ordinary(
        "bipolar disorder on aripiprazole once a month into the gluteal muscle",
        "1987-10-31",
        "female",
        "us",
        drafts=(
            _im("Aripiprazole 400 MG Extended Release Injection", "400 mg", "1/mo", "gluteal", "ATC N05AX12"),
            Medicine("Aripiprazole 10 MG Oral Tablet", code="ATC N05AX12"),
        ),
        problems=(Problem("Bipolar disorder", 2011),),
        medicines=(
            _im("Aripiprazole 400 MG Extended Release Injection", "400 mg", "1/mo", "left gluteus medius", given=22),
            Medicine("Lithium carbonate 300 MG Oral Capsule", "1 capsule", "2/d", code="ATC N05AN01"),
        ),
        visits=18,
        tests=("blood count", "electrolytes", "lipids", "thyroid"),
    ),
    Ordinary(
        "prostate cancer on goserelin",
        "1949-04-04",
        "male",
        "uk",
        drafts=(_sc("Goserelin 10.8mg implant pre-filled syringe", "10.8 mg", "1/12wk", "abdomen", "ATC L02AE03"),),
        problems=(Problem("Malignant tumour of prostate", 2022, ("SNOMED 399068003",)),),
        medicines=(
            _sc("Goserelin 10.8mg implant pre-filled syringe", "10.8 mg", "1/12wk", "abdomen", "ATC L02AE03", given=12),
        ),
        procedures=(("Prostate biopsy", "2022"), ("Radiotherapy to prostate", "2023")),
        booked="Goserelin implant",
        tests=("blood count", "electrolytes", "liver", "PSA"),
    ),
    Ordinary(
        "eczema in a child of three",
        "2023-06-15",
        "female",
        "uk",
        drafts=(_on_skin("Hydrocortisone 1% cream", "2/d", "ATC D07AA02"),),
        problems=(Problem("Atopic eczema", 2024, ("SNOMED 24079001",)),),
        medicines=(_on_skin("White soft paraffin 50% / Liquid paraffin 50% ointment", "4/d"),),
        vaccines=(("6-in-1 vaccine", ""), ("MenB vaccine", ""), ("MMR vaccine", "")),
        allergies=("Hen's egg",),
        visits=44,
        samples=2,
        ward=1,
        tests=("blood count",),
    ),
    Ordinary(
        "urinary infection, ceftriaxone into the buttock",
        "1966-02-27",
        "female",
        "us",
        drafts=(
            _im("Ceftriaxone 1000 MG Injection", "1000 mg", "once", "right buttock", "ATC J01DD04"),
            Medicine("Nitrofurantoin 100 MG Oral Capsule", "1 capsule", "2/d", code="ATC J01XE01"),
        ),
        problems=(Problem("Urinary tract infection, site not specified", 2026, ("ICD10CM N39.0",)),),
        visits=28,
        samples=9,
    ),
    Ordinary(
        "appendicectomy",
        "2002-11-02",
        "male",
        "uk",
        drafts=(
            PARACETAMOL,
            IBUPROFEN,
            _sc("Enoxaparin 40mg/0.4ml pre-filled syringe", "40 mg", "1/d", "abdomen", "ATC B01AB05"),
        ),
        problems=(Problem("Acute appendicitis", 2026, ("SNOMED 74400008",)),),
        medicines=(
            Medicine("Co-amoxiclav 1000mg/200mg powder for injection", "1.2 g", "3/d", "intravenous", given=9),
            _sc("Enoxaparin 40mg/0.4ml pre-filled syringe", "40 mg", "1/d", "abdomen", given=4),
        ),
        procedures=(("Laparoscopic appendicectomy", "2026"), ("CT of abdomen", "2026")),
        booked="Surgical outpatient clinic",
        visits=14,
        samples=8,
        ward=4,
        tests=("blood count", "electrolytes", "liver"),
    ),
    Ordinary(
        "cataract surgery",
        "1945-09-16",
        "female",
        "us",
        drafts=(
            Medicine("Prednisolone acetate 10 MG/ML Ophthalmic Suspension", "1 drop", "4/d", "ophthalmic", "right eye"),
        ),
        problems=(Problem("Age-related cataract", 2023, ("ICD10CM H25.9", "SNOMED 193570009")),),
        medicines=(ATORVASTATIN,),
        procedures=(("Phacoemulsification with intraocular lens, right eye", "2026"),),
        booked="Ophthalmology postoperative visit",
        visits=26,
    ),
    Ordinary(
        "low back pain, diclofenac into the buttock",
        "1973-05-13",
        "male",
        "uk",
        drafts=(
            PARACETAMOL,
            _im("Diclofenac 75mg/3ml solution for injection ampoules", "75 mg", "once", "left buttock", "ATC M01AB05"),
        ),
        problems=(Problem("Low back pain", 2025, ("SNOMED 279039007",)),),
        medicines=(Medicine("Naproxen 250mg tablets", often="2/d", ended=True, code="ATC M01AE02"),),
        procedures=(("Physiotherapy", "2025"),),
        visits=26,
    ),
    Ordinary(
        "acne",
        "2008-12-30",
        "female",
        "us",
        drafts=(
            _on_skin("Adapalene 0.001 MG/MG / Benzoyl peroxide 0.025 MG/MG Topical Gel", "1/d", "ATC D10AD53"),
            Medicine("Doxycycline 100 MG Oral Capsule", "1 capsule", code="ATC J01AA02"),
        ),
        problems=(Problem("Acne vulgaris", 2022, ("ICD10CM L70.0",)),),
        visits=34,
        samples=6,
    ),
    Ordinary(
        "postpartum, six weeks",
        "1994-07-19",
        "female",
        "us",
        drafts=(
            IBUPROFEN,
            Medicine("Norethindrone 0.35 MG Oral Tablet", code="ATC G03AC01"),
            _im("Rho(D) immune globulin 1500 UNT Injection", "300 ug", "once", "right gluteus medius", "ATC J06BB01"),
        ),
        problems=(Problem("Encounter for routine postpartum follow-up", 2026, ("ICD10CM Z39.2",)),),
        procedures=(("Spontaneous vaginal delivery", "2026"),),
        booked="Postpartum visit",
        ward=2,
        visits=20,
        tests=("blood count", "electrolytes", "iron"),
        usual={"hb": 124},
    ),
    Ordinary(
        "osteoporosis, vitamin D by injection into the buttock",
        "1947-01-27",
        "female",
        "uk",
        drafts=(
            _im("Ergocalciferol 300,000units/1ml solution for injection", "300000 units", "1/3mo", "left buttock"),
            Medicine("Alendronic acid 70mg tablets", often="1/wk", code="ATC M05BA04"),
        ),
        problems=(Problem("Osteoporosis", 2021, ("SNOMED 64859006",)), Problem("Vitamin D deficiency", 2022)),
        medicines=(
            _im("Ergocalciferol 300,000units/1ml injection", "300000 units", "1/3mo", "right buttock", given=8),
            Medicine("Calcium carbonate 1.25g / Colecalciferol 400unit chewable tablets", often="2/d"),
        ),
        procedures=(("DXA scan of lumbar spine and hip", "2025"),),
        tests=("blood count", "electrolytes", "liver", "bone"),
    ),
    Ordinary(
        "hypogonadism, testosterone 1000 mg into the buttock every 12 weeks",
        "1968-06-26",
        "male",
        "uk",
        drafts=(
            _im(
                "Testosterone undecanoate 1g/4ml solution for injection",
                "1000 mg",
                "1/12wk",
                "upper outer quadrant of the left buttock",
                "ATC G03BA03",
            ),
        ),
        problems=(Problem("Hypogonadism, male", 2021),),
        medicines=(
            _im("Testosterone undecanoate 1g/4ml injection", "1000 mg", "1/12wk", "buttock", "ATC G03BA03", given=14),
        ),
        booked="Testosterone injection",
        tests=("blood count", "electrolytes", "liver", "PSA"),
    ),
    Ordinary(
        "tuberculosis on isoniazid with pyridoxine",
        "1983-02-22",
        "male",
        "us",
        drafts=(
            Medicine("Isoniazid 300 MG Oral Tablet", code="ATC J04AC01"),
            Medicine("Pyridoxine hydrochloride 25 MG Oral Tablet", code="ATC A11HA02"),
        ),
        problems=(Problem("Pulmonary tuberculosis", 2026),),
        medicines=(
            Medicine("Rifampin 300 MG Oral Capsule", "2 capsules", code="ATC J04AB02", since=2026),
            Medicine("Vitamin B6 25 MG Oral Tablet", code="ATC A11HA02", since=2026),
        ),
        procedures=(("Chest X-ray", "2026"), ("Sputum culture", "2026")),
        booked="Directly observed therapy",
        samples=9,
        tests=("blood count", "electrolytes", "liver"),
    ),
    Ordinary(
        "rheumatoid arthritis on adalimumab",
        "1970-03-08",
        "female",
        "uk",
        drafts=(_sc("Adalimumab 40mg/0.4ml pre-filled pen", "40 mg", "1/2wk", "right thigh", "ATC L04AB04"),),
        problems=(Problem("Rheumatoid arthritis", 2015),),
        medicines=(
            Medicine("Hydroxychloroquine 200mg tablets", code="ATC P01BA02", since=2016),
            _sc("Adalimumab 40mg/0.4ml pre-filled pen", "40 mg", "1/2wk", "left thigh", "ATC L04AB04"),
        ),
        booked="Rheumatology clinic, Room B12",
        tests=("blood count", "electrolytes", "liver", "inflammation"),
    ),
    Ordinary(
        "allergy to bee stings",
        "1999-08-23",
        "male",
        "us",
        drafts=(_im("Epinephrine 0.3 MG Auto-Injector", "0.3 mg", "as needed", "left thigh", "ATC C01CA24"),),
        problems=(Problem("Allergy to bee venom", 2014),),
        medicines=(_sc("Honey bee venom allergenic extract", "0.1 mg", "1/4wk", "left upper arm", given=24),),
        allergies=("Bee venom",),
        visits=24,
    ),
    Ordinary(
        "healthy, health check",
        "1981-11-01",
        "male",
        "uk",
        drafts=(INFLUENZA, Medicine("Vitamin C 500mg tablets", code="ATC A11GA01")),
        booked="NHS health check",
        visits=30,
        samples=9,
        allergies=("No known allergies",),
    ),
)
