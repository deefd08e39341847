"""Which addresses count as a client's FHIR server, and which links of it are followed."""

from __future__ import annotations

import pytest

from service.fhir.servers import next_page, permitted

BASE = "https://ehr.example.org/fhir/r4"


@pytest.mark.parametrize(
    ("address", "asked"),
    [
        (BASE, BASE),
        (f"{BASE}/", BASE),
        ("HTTPS://EHR.example.org:443/fhir/r4", BASE),
        (f"{BASE}/tenant-1", f"{BASE}/tenant-1"),
    ],
)
def test_a_server_is_known_by_its_origin_and_path(address: str, asked: str) -> None:
    assert permitted(address, (f"{BASE}/",)) == asked


@pytest.mark.parametrize(
    "address",
    [
        "",
        "ehr.example.org/fhir/r4",
        "http://ehr.example.org/fhir/r4",
        "https://ehr.example.org:8443/fhir/r4",
        "https://ehr.example.org:port/fhir/r4",
        "https://ehr.example.org.evil.example/fhir/r4",
        "https://ehr.example.org@evil.example/fhir/r4",
        "https://user@ehr.example.org/fhir/r4",
        "https://evil.example\\@ehr.example.org/fhir/r4",
        "https://ehr.example.org/fhir",
        "https://ehr.example.org/FHIR/r4",
        "https://ehr.example.org/fhir/r4x",
        "https://ehr.example.org/fhir/r4/../admin",
        "https://ehr.example.org/fhir/r4/%2e%2e/admin",
        "https://ehr.example.org/fhir/r4/..",
        "https://ehr.example.org/fhir/r4//evil.example",
        "https://ehr.example.org/fhir/r4?redirect=x",
        "https://ehr.example.org/fhir/r4#x",
        "file:///fhir/r4",
    ],
)
def test_an_address_that_only_looks_like_the_server_is_not_asked(address: str) -> None:
    assert permitted(address, (BASE,)) is None


@pytest.mark.parametrize(
    ("link", "followed"),
    [
        ("https://ehr.example.org/paging?page=2", "https://ehr.example.org/paging?page=2"),
        ("https://EHR.example.org:443/paging?page=2", "https://EHR.example.org:443/paging?page=2"),
        ("?page=2", f"{BASE}/Condition?page=2"),
        ("/fhir?page=2#top", "https://ehr.example.org/fhir?page=2"),
        ("https://evil.example/paging?page=2", None),
        ("//evil.example/paging", None),
        ("http://ehr.example.org/paging", None),
        ("https://ehr.example.org:9000/paging", None),
        ("https://user@ehr.example.org/paging", None),
        ("https://ehr.example.org/pa ging", None),
        ("https://ehr.example.org/p\u00e4ging", None),
        ("https://[ehr/", None),
    ],
)
def test_the_next_page_stays_on_the_servers_origin(link: str, followed: str | None) -> None:
    assert next_page(link, f"{BASE}/Condition") == followed
