"""The study of many samples: the memory of Assay without that of its generator."""

from scripts.studies.volume import apart


def test_the_generator_is_not_counted_twice() -> None:
    assert apart({"assay": 300, "generator": 60}) == {"assay": 240, "generator": 60}
    assert apart({"assay": 300}) == {"assay": 300}
    assert apart({"generator": 60}) == {"generator": 60}
