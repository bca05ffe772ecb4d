"""Every rule of the portable lint stands on something that MicroPython really does not do."""

import portable_rules
import pytest
from micropython_probe import INTERPRETERS, outcomes

LOUD = [rule for rule in [*portable_rules.ALL_RULES, *portable_rules.ABSENT_MODULES] if rule.probe]


@pytest.fixture(scope="module", params=INTERPRETERS)
def found(request: pytest.FixtureRequest) -> dict[str, str]:
    return outcomes([(rule.name, rule.probe) for rule in LOUD], request.param)


@pytest.mark.parametrize("name", [rule.name for rule in LOUD])
def test_micropython_refuses(name: str, found: dict[str, str]) -> None:
    expected = (
        "SyntaxError",
        "NameError",
        "AttributeError",
        "TypeError",
        "NotImplementedError",
        "ImportError",
        "IndexError",
    )
    assert found[name] in expected
