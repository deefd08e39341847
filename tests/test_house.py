"""Rules of this repository that no linter knows."""

from __future__ import annotations

import ast
import re
import shutil
import subprocess
import tomllib
from functools import cache
from itertools import pairwise
from pathlib import Path

import pytest

from service.settings import ENV_PREFIX, Settings

ROOT = Path(__file__).parents[1]
FOLDERS = {".ci", "cards", "docker", "openapi", "service", "tests"}
TEXT = {
    ".py",
    ".lua",
    ".md",
    ".yaml",
    ".yml",
    ".json",
    ".csv",
    ".toml",
    ".lock",
    ".txt",
    ".cfg",
    ".sh",
    ".css",
    ".html",
    ".js",
    ".svg",
    "",
}
SCREENSHOTS = Path("service/web/screenshots")
# Written apart, so that this file does not name them either.
REGISTRIES = [
    "pypi" + ".org",
    "python" + "hosted",
    "npm" + "js.",
    "yarn" + "pkg.",
    "crates" + ".io",
    "proxy.golang" + ".org",
    "conda" + ".anaconda",
    "quay" + ".io",
    "gcr" + ".io",
    "ghcr" + ".io",
    "docker" + ".io",
    "deb" + "ian.org",
    "archive.ubu" + "ntu.com",
]
_WEB = "https:" + "//"
_INDEX = "index" + "-url"
DOWNLOAD = re.compile(
    rf"https?:/{{2}}\S+\.(?:whl|tar\.gz|tgz|zip|deb|rpm|jar)\b|\S*[-_]{_INDEX}[= ]+\S*:/{{2}}", re.IGNORECASE
)
OPEN_WORK = re.compile(r"\b(?:" + "|".join(("TO" + "DO", "FIX" + "ME", "XX" + "X", "HA" + "CK")) + r")\b")
OWN_MACHINE = re.compile(r"(?<![\w.~-])/(?:home|root|Users|tmp|var/tmp)/\w")


@cache
def _committed() -> tuple[Path, ...]:
    """The files that git tracks and that are there."""
    if shutil.which("git") is None:
        pytest.skip("git is not installed: what is committed cannot be told")
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=False)
    if listed.returncode != 0 or not listed.stdout:
        pytest.skip("not a git checkout: what is committed cannot be told")
    return tuple(Path(name) for name in listed.stdout.split("\0") if name and (ROOT / name).is_file())


@cache
def _text(file: Path) -> str:
    return (ROOT / file).read_text(encoding="utf-8")


def _texts() -> list[Path]:
    return [file for file in _committed() if file.suffix in TEXT]


def _modules() -> list[Path]:
    return [path for folder in ("cards", "service", "tests") for path in sorted((ROOT / folder).rglob("*.py"))]


def _lines(pattern: re.Pattern[str]) -> list[str]:
    """The lines of committed files that hold a pattern, each with its place."""
    return [
        f"{file}:{number}: {line.strip()[:120]}"
        for file in _texts()
        for number, line in enumerate(_text(file).splitlines(), 1)
        if pattern.search(line)
    ]


# --- what is committed -------------------------------------------------------------------------------------------


def test_only_the_known_folders_are_committed() -> None:
    assert {file.parts[0] for file in _committed() if len(file.parts) > 1} <= FOLDERS


def test_every_committed_file_but_the_screenshots_is_text_in_utf_8() -> None:
    pictures = {file for file in _committed() if file.parent == SCREENSHOTS and file.suffix == ".png"}

    assert [str(file) for file in _committed() if file.suffix not in TEXT and file not in pictures] == []
    assert [str(file) for file in _texts() if "\x00" in _text(file)] == []


def test_no_committed_file_names_a_package_registry_or_a_download_address() -> None:
    registries = re.compile("|".join(map(re.escape, REGISTRIES)), re.IGNORECASE)

    assert _lines(registries) == []
    assert _lines(DOWNLOAD) == []


def test_no_work_is_left_open_in_a_committed_file() -> None:
    assert _lines(OPEN_WORK) == []


def test_no_committed_file_names_a_folder_of_its_authors_machine() -> None:
    assert _lines(OWN_MACHINE) == []


@pytest.mark.parametrize(
    ("pattern", "line"),
    [
        (re.compile(re.escape(REGISTRIES[0])), f"see {_WEB}{REGISTRIES[0]}/project/ruff"),
        (DOWNLOAD, f"curl {_WEB}example.org/b12-1.0.tar" + ".gz"),
        (DOWNLOAD, f"pip install --extra-{_INDEX} {_WEB}example.org/simple"),
        (OPEN_WORK, "# TO" + "DO: later"),
        (OWN_MACHINE, "cd /ho" + "me/someone/b12"),
    ],
)
def test_what_is_looked_for_would_be_found(pattern: re.Pattern[str], line: str) -> None:
    assert pattern.search(line)


# --- modules -----------------------------------------------------------------------------------------------------


def test_every_module_says_what_it_is_for() -> None:
    silent = [
        str(path.relative_to(ROOT))
        for path in _modules()
        if (source := path.read_text(encoding="utf-8")).strip() and not ast.get_docstring(ast.parse(source))
    ]

    assert len(_modules()) > 50
    assert silent == []


def test_tests_use_no_mocks_and_no_sleep() -> None:
    banned = re.compile(
        r"unittest\.moc" + r"k|\bmoc" + r"ker\b|\bmonkeypatc" + r"h\.setattr|time\.slee" + r"p|\bslee" + r"p\("
    )
    tests = [path for path in _modules() if path.relative_to(ROOT).parts[:2] not in (("tests", "bench"),)]

    assert [
        str(path.relative_to(ROOT))
        for path in tests
        if path.is_relative_to(ROOT / "tests") and banned.search(path.read_text(encoding="utf-8"))
    ] == []


@pytest.mark.parametrize("folder", sorted(path.parent.name for path in (ROOT / "cards").glob("*/card.yaml")))
def test_every_rule_folder_has_its_files(folder: str) -> None:
    names = {path.name for path in (ROOT / "cards" / folder).iterdir() if path.is_file()}

    assert names == {"__init__.py", "card.yaml", "criteria.py", "vignettes.yaml"}


CRITERIA = sorted((ROOT / "cards").glob("*/criteria.py"))


@pytest.mark.parametrize("path", CRITERIA, ids=lambda path: path.parent.name)
def test_no_rule_asks_for_the_profile(path: Path) -> None:
    """The profiles differ by thresholds and words alone."""
    assert asks_for_the_profile(path.read_text(encoding="utf-8")) == []


def asks_for_the_profile(source: str) -> list[int]:
    """The lines of a module that name the profile, its type, or one of its values."""
    return [
        node.lineno
        for node in ast.walk(ast.parse(source))
        if (isinstance(node, ast.Attribute) and node.attr == "profile")
        or (isinstance(node, ast.Name) and node.id in ("profile", "Profile", "PROFILES"))
        or (isinstance(node, ast.Constant) and node.value in ("uk", "us"))
    ]


@pytest.mark.parametrize(
    "source", ["if limits.profile == 'uk':\n    pass", "from cards.rule import Profile\nProfile", "x = 'us'"]
)
def test_a_rule_that_asks_for_the_profile_would_be_found(source: str) -> None:
    assert asks_for_the_profile(source)


# --- README, Makefile, settings ----------------------------------------------------------------------------------

DOCUMENTS = [
    ROOT / name
    for name in ("README.md", "cards/README.md", "docker/README.md", "tests/README.md", "service/DECISIONS.md")
]


def _targets() -> set[str]:
    return set(re.findall(r"^([a-z][a-z-]*):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_make_command_of_a_document_exists(document: Path) -> None:
    text = document.read_text(encoding="utf-8")
    # In prose a command stands in backticks; in a block it begins a line.
    named = set(re.findall(r"(?:^|`)make ([a-z-]+)", text, re.MULTILINE))

    assert named - _targets() == set()
    assert named or document.name != "README.md" or document.parent != ROOT


def test_the_readme_names_the_two_commands() -> None:
    readme = DOCUMENTS[0].read_text(encoding="utf-8")

    assert re.findall(r"^make ([a-z]+)", readme, re.MULTILINE) == ["serve", "test"]


def test_every_target_of_the_makefile_says_what_it_makes() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")

    assert len(_targets()) > 5
    assert [target for target in _targets() if not re.search(rf"^{target}:.*  ## \S", makefile, re.MULTILINE)] == []


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_file_that_a_document_points_to_exists(document: Path) -> None:
    text = document.read_text(encoding="utf-8")
    linked = [link.partition("#")[0] for link in re.findall(r"\]\(([^)]+)\)", text) if "://" not in link]
    sent = re.findall(r"-d @(\S+)", text)

    missing = [name for name in linked if name and not (document.parent / name).exists()]
    missing += [name for name in sent if not (ROOT / name).exists()]

    assert missing == []


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_test_that_a_document_names_exists(document: Path) -> None:
    named = set(re.findall(r"`(test_\w+)`", document.read_text(encoding="utf-8")))
    tests = [path for path in _modules() if path.is_relative_to(ROOT / "tests")]
    known = {name for path in tests for name in re.findall(r"def (test_\w+)\(", path.read_text(encoding="utf-8"))}

    assert named - known == set()


def test_the_readme_holds_no_placeholder() -> None:
    assert re.findall(r"@@\w+@@|\bTBD\b|\bLOREM\b", DOCUMENTS[0].read_text(encoding="utf-8"), re.IGNORECASE) == []


def test_every_setting_stands_in_the_readme_and_every_setting_of_the_readme_exists() -> None:
    readme = DOCUMENTS[0].read_text(encoding="utf-8")
    listed = re.findall(rf"^\| `{ENV_PREFIX}([A-Z_]+)` \|", readme, re.MULTILINE)

    assert sorted(listed) == sorted(name.upper() for name in Settings.model_fields)


@pytest.mark.parametrize("name", ["profile", "max_body_bytes"])
def test_the_readme_states_the_default_of_a_setting(name: str) -> None:
    readme = DOCUMENTS[0].read_text(encoding="utf-8")
    [row] = re.findall(rf"^\| `{ENV_PREFIX}{name.upper()}` \|.*\| (.+) \|$", readme, re.MULTILINE)

    assert row.strip("`") == str(Settings.model_fields[name].default)


# --- lock files --------------------------------------------------------------------------------------------------

LOCKS = ("requirements.lock", "requirements-dev.lock", "requirements-spark.lock")
PINNED = re.compile(r"([a-z0-9-]+)==([0-9][\w.]*)(?: ; [^\\]+)?((?: \\\n    --hash=sha256:[0-9a-f]{64})+)\n?")


def _pins(lock: str) -> dict[str, str]:
    return {name: version for name, version, _ in PINNED.findall((ROOT / lock).read_text(encoding="utf-8"))}


@pytest.mark.parametrize("lock", LOCKS)
def test_a_lock_file_pins_every_package_with_its_hashes(lock: str) -> None:
    text = (ROOT / lock).read_text(encoding="utf-8")
    rest = PINNED.sub("", text)

    assert len(_pins(lock)) > 10
    assert [line for line in rest.splitlines() if line.strip() and not line.lstrip().startswith("#")] == []


def _dependencies(extra: str | None = None) -> set[str]:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    wanted = project["optional-dependencies"][extra] if extra else project["dependencies"]
    names = {re.split(r"[\s;<>=~\[]", each)[0].lower().replace(".", "-").replace("_", "-") for each in wanted}
    return names - {project["name"]}


def test_the_lock_files_hold_every_dependency_of_the_project() -> None:
    assert (_dependencies() | _dependencies("tracing")) - set(_pins("requirements.lock")) == set()
    assert (_dependencies() | _dependencies("dev")) - set(_pins("requirements-dev.lock")) == set()
    assert _dependencies("spark") - {"b12-cds"} - set(_pins("requirements-spark.lock")) == set()


@pytest.mark.parametrize(("narrow", "wide"), list(pairwise(LOCKS)))
def test_all_lock_files_pin_the_same_versions(narrow: str, wide: str) -> None:
    others = _pins(wide)

    assert {name: version for name, version in _pins(narrow).items() if others.get(name) != version} == {}


def test_what_only_tests_need_is_not_installed_to_serve() -> None:
    # anyio is what the server runs on, too.
    assert (_dependencies("dev") & set(_pins("requirements.lock"))) - {"anyio"} == set()
