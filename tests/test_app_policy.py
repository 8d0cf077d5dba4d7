"""A policy where many people ask one server: the rules of each are those of their group."""

from __future__ import annotations

from pathlib import Path

from tests.app_people import app_on, failure

COURSE = """
models = ["small"]

[groups.staff]
members = ["grace"]
models = ["large"]
"""


def test_each_person_is_offered_and_given_the_models_of_their_group(tmp_path: Path) -> None:
    policy = tmp_path / "policy.toml"
    policy.write_text(COURSE)
    with app_on(
        tmp_path, "--auth", "proxy", CHAT_MAGICS_POLICY=str(policy), CHAT_MAGICS_MODEL=""
    ) as app:
        app.model.models = ["large", "small", "other"]
        for name, model, other in (("ada", "small", "large"), ("grace", "large", "small")):
            person = app.person(name)
            offered = person.get("api/models").json
            assert (offered["models"], offered["default"]) == ([model], model)
            assert person.query("Hello").json["model"] == model
            assert failure(person.query("Hello", model=other))["status"] == 403
