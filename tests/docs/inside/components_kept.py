from sse_components.testing import render_component


def test_a_step_is_there_at_the_next_call_and_the_next_refresh() -> None:
    wizard = render_component("shop.Wizard")
    assert wizard.text == "Step 1"
    wizard = wizard.call("go_on").call("go_on")
    assert wizard.text == "Step 3"
    assert wizard.refresh().text == "Step 3"
    assert wizard.props == {}
