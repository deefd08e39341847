"""The sandbox as people use it: choose, act, see the card, accept or override, share; and what goes wrong is said."""

from __future__ import annotations

import json
from typing import Any

from playwright.sync_api import Page, Request, expect

from tests.browser.conftest import Visitor

BUTTOCK = "/?scenario=start/2"


def body_of(request: Request) -> dict[str, Any]:
    sent: dict[str, Any] = json.loads(request.post_data or "null")
    return sent


def signed(visitor: Visitor, path: str = BUTTOCK) -> Page:
    """The page after the order was signed and answered."""
    page = visitor.open(path)
    page.get_by_role("button", name="Sign").click()
    expect(page.locator(".card").first).to_be_visible()
    return page


def test_without_javascript_the_chart_and_the_draft_are_there(visitor: Visitor) -> None:
    page = visitor.open("/", scripts=False)

    expect(page.get_by_text("67 years")).to_be_visible()
    expect(page.get_by_role("img", name="Vitamin B12, haemoglobin and injections over time")).to_be_visible()
    assert page.get_by_label("Medicine").input_value() == "Folic acid 5mg tablets"


def test_another_rule_shows_its_own_patients(visitor: Visitor) -> None:
    page = visitor.open("/")

    page.get_by_label("Patients of").select_option("nitrous-oxide")
    page.get_by_role("button", name="Show").click()

    expect(page.locator(".ehr-head")).to_contain_text("Example patient of Nitrous oxide")
    page.locator(".choices a").nth(3).click()
    expect(page.locator(".choices a").nth(3)).to_have_attribute("aria-current", "true")


def test_signing_calls_the_service_as_an_ehr_does(visitor: Visitor) -> None:
    page = visitor.open(BUTTOCK)

    with page.expect_request("**/cds-services/**") as call:
        page.get_by_role("button", name="Sign").click()

    sent = body_of(call.value)
    assert call.value.url == f"{visitor.site}/cds-services/b12-order-sign"
    assert sent["hook"] == "order-sign"
    assert len(sent["hookInstance"]) == 36
    expect(page.locator("#cards")).to_contain_text("Hydroxocobalamin: left buttock chosen.")
    expect(page.locator("#timing")).to_contain_text("POST /cds-services/b12-order-sign: 200 in")
    expect(page.locator("#rules")).to_contain_text("Buttock chosen for a vitamin B12 injection")
    assert len(json.loads(page.locator("#response").text_content() or "")["cards"]) == 1


def test_each_button_calls_its_own_hook(visitor: Visitor) -> None:
    page = visitor.open(BUTTOCK)
    hooks = {}
    for button, hook in (("Open chart", "patient-view"), ("Select", "order-select"), ("Sign", "order-sign")):
        with page.expect_response(f"**/cds-services/b12-{hook}") as answered:
            page.get_by_role("button", name=button).click()
        assert answered.value.status == 200
        hooks[hook] = body_of(answered.value.request)["context"]

    assert "draftOrders" not in hooks["patient-view"]
    assert hooks["order-select"]["selections"] == ["MedicationRequest/draft-1"]
    assert "selections" not in hooks["order-sign"]


def test_an_accepted_suggestion_changes_the_draft_tells_how_and_the_card_is_gone(visitor: Visitor) -> None:
    page = signed(visitor)

    with page.expect_request("**/feedback") as told:
        page.get_by_role("button", name="Move to the deltoid").click()

    expect(page.locator("#changes")).to_contain_text("Accepted: Move to the deltoid")
    expect(page.locator("#changes")).to_contain_text("Site: left buttock → left deltoid")
    expect(page.locator("#cards")).to_contain_text("No card: checked, nothing to say.")
    assert "deltoid" in page.get_by_label("Site").input_value().lower()
    [feedback] = body_of(told.value)["feedback"]
    assert told.value.url == f"{visitor.site}/cds-services/b12-order-sign/feedback"
    assert feedback["outcome"] == "accepted"
    assert len(feedback["acceptedSuggestions"]) == 1
    assert feedback["outcomeTimestamp"].endswith("Z")


def test_an_override_sends_its_reason_by_code(visitor: Visitor) -> None:
    page = signed(visitor)
    reason = page.locator(".card-override option").nth(1).inner_text()

    page.get_by_label("Override, because").select_option(label=reason)
    with page.expect_request("**/feedback") as told:
        page.get_by_role("button", name="Override").click()

    expect(page.locator("#changes")).to_contain_text(f"Because: {reason}")
    [feedback] = body_of(told.value)["feedback"]
    assert feedback["outcome"] == "overridden"
    assert feedback["overrideReason"]["reason"]["system"] == "urn:b12-cds:override-reason"
    assert feedback["overrideReason"]["reason"]["display"] == reason
    expect(page.locator("#feedback li")).to_contain_text("overridden: 200.")


def test_a_critical_card_interrupts_and_can_be_overridden_there(visitor: Visitor) -> None:
    page = visitor.open("/")
    page.get_by_role("button", name="Sign").click()
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text("Give B12 first or the same day.")

    dialog.get_by_role("button", name="Override").click()

    expect(page.locator("dialog")).to_be_hidden()
    expect(page.locator("#changes")).to_contain_text("Overridden: Folic acid 5 mg")


def test_a_changed_field_changes_the_order_that_is_signed(visitor: Visitor) -> None:
    page = visitor.open(BUTTOCK)

    page.get_by_label("Site").fill("deltoid, right")
    page.get_by_label("Site").blur()
    expect(page.locator(".draft-how")).to_have_text("1 mg intramuscular into the right deltoid, every 3 months")
    page.get_by_role("button", name="Sign").click()

    expect(page.locator("#cards")).to_contain_text("No card: checked, nothing to say.")


def test_a_value_that_cannot_be_is_told_beside_the_chart(visitor: Visitor) -> None:
    page = visitor.open(BUTTOCK)

    page.get_by_label("Dose").fill("much")
    page.get_by_label("Dose").blur()

    expect(page.locator("#note")).to_have_text("This must be a number above 0.")


def test_an_edited_scenario_is_shared_by_its_address(visitor: Visitor) -> None:
    page = visitor.open(BUTTOCK)
    page.get_by_label("Site").fill("ventrogluteal, right")
    page.get_by_label("Site").blur()
    expect(page.locator(".draft-how")).to_contain_text("right ventrogluteal")
    page.wait_for_function("location.hash.length > 10")
    address = page.url.removeprefix(visitor.site)

    other = visitor.open(address)

    expect(other.locator(".draft-how")).to_contain_text("right ventrogluteal")
    assert other.locator("#request").input_value() == page.locator("#request").input_value()
    assert "#request=" in address


def test_an_address_that_was_cut_short_shows_the_scenario_as_it_is(visitor: Visitor) -> None:
    page = visitor.open(f"{BUTTOCK}#request=7Zk")

    expect(page.locator(".draft-how")).to_contain_text("left buttock")


def test_pasted_text_that_is_no_request_is_refused_in_the_services_own_words_and_kept(visitor: Visitor) -> None:
    page = visitor.open("/?rule=own")

    page.locator("#request").fill('{"hook": "order-sign", oops')
    page.get_by_role("button", name="Send as it stands").click()

    expect(page.locator("#refusal")).to_have_text("The body is not JSON in UTF-8.")
    expect(page.locator("#cards")).to_contain_text("Not checked.")
    assert page.locator("#request").input_value() == '{"hook": "order-sign", oops'


def test_a_pasted_request_that_lacks_something_is_told_what(visitor: Visitor) -> None:
    page = visitor.open("/?rule=own")

    page.locator("#request").fill('{"hook": "order-sign", "hookInstance": "1", "context": {"patientId": "p"}}')
    page.get_by_role("button", name="Send as it stands").click()

    expect(page.locator("#refusal")).to_have_text("context.draftOrders is required.")


def test_a_pasted_request_becomes_a_chart_and_is_answered(visitor: Visitor) -> None:
    page = visitor.open("/?scenario=official/order-sign-folic-acid")
    text = page.locator("#request").input_value()
    own = visitor.open("/?rule=own")

    own.locator("#request").fill(text)
    expect(own.locator(".draft h5")).to_have_text("Folic Acid 5 MG Oral Tablet")
    own.get_by_role("button", name="Sign").click()

    expect(own.get_by_role("dialog")).to_contain_text("Give B12 first or the same day.")


def test_the_call_is_copied_as_curl(visitor: Visitor) -> None:
    page = signed(visitor)
    page.context.grant_permissions(["clipboard-read", "clipboard-write"], origin=visitor.site)
    page.locator("#request-part > summary").click()

    page.get_by_role("button", name="Copy as curl").click()

    expect(page.get_by_role("button", name="Copied")).to_be_visible()
    copied = page.evaluate("navigator.clipboard.readText()")
    assert copied.startswith(f"curl -s {visitor.site}/cds-services/b12-order-sign -H 'content-type: application/json'")
    assert json.loads(copied.split(" -d '", 1)[1].removesuffix("'"))["hook"] == "order-sign"


def test_a_rule_page_opens_its_example_patients_in_the_sandbox(visitor: Visitor) -> None:
    page = visitor.open("/rules/buttock-injection-site")
    name = page.locator(".patients th[scope=row] a").first.inner_text()

    page.locator(".patients th[scope=row] a").first.click()

    expect(page.get_by_role("heading", level=2, name=name)).to_be_visible()
