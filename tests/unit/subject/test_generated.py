"""Files that a build generates are added to the checkout."""

from pathlib import Path

from assay.subject.generated import complete
from tests.unit.subject.repositories import write


def test_a_checkout_gets_what_the_build_has_generated(tmp_path: Path) -> None:
    checkout, packages = tmp_path / "checkout", tmp_path / "site-packages"
    write(
        checkout,
        **{
            "flat/__init__.py": "mine",
            "libs/b/src/inner/deep/__init__.py": "",
            "tests/test_flat.py": "",
        },
    )
    (tmp_path / "elsewhere").mkdir()
    (checkout / "linked").symlink_to(tmp_path / "elsewhere")
    write(
        packages,
        **{
            "flat/__init__.py": "installed",
            "flat/_fast.so": "compiled",
            "flat/__pycache__/x.pyc": "",
            "flat/moved/x.py": "",
            "inner/deep/_version.py": "1",
            "alone.so": "compiled",
            "other.py": "",
            "flat-1.dist-info/METADATA": "",
            "linked/x.py": "",
            "assay_layers.pth": "",
        },
    )
    new = complete(checkout, [checkout, checkout / "libs" / "b"], packages)
    assert {str(file.relative_to(checkout)) for file in new} == {
        "flat/_fast.so",
        "libs/b/src/inner/deep/_version.py",
        "alone.so",
        "libs/b/alone.so",
        "libs/b/src/alone.so",
    }
    assert (checkout / "flat" / "__init__.py").read_text() == "mine"
    assert (checkout / "flat" / "_fast.so").read_text() == "compiled"
    assert list((tmp_path / "elsewhere").iterdir()) == []
    # Once it is complete nothing is added.
    assert complete(checkout, [checkout, checkout / "libs" / "b"], packages) == []
