"""The manual says what the code does."""

from scripts import claims_reference


def test_the_reference_of_claims_toml_is_up_to_date() -> None:
    text = claims_reference.PAGE.read_text(encoding="utf-8")
    assert (
        claims_reference.page(text) == text
    ), "type: python -m scripts.claims_reference"


def test_every_key_of_claims_toml_is_explained() -> None:
    tables = set(claims_reference.TABLES)
    for model in tables:
        for name, field in model.model_fields.items():
            holds_table = any(one.__name__ in str(field.annotation) for one in tables)
            assert field.description or holds_table, f"{model.__name__}.{name}"
