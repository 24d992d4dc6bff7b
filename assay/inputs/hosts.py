"""Check that a plan loads no machine but this one and those that the user names."""

from assay.errors import InputError
from assay.inputs.claims_file import url_of
from assay.plan import Plan
from assay.system import hosts


def check_hosts(plan: Plan) -> None:
    """Check the URLs of all variants, before anything is loaded.

    Raises:
        InputError: A URL leads to another machine, which the user does not allow.
    """
    messages: dict[str, None] = {}
    for topic in plan.topics:
        for variant in topic.variants:
            url = url_of(topic.target, variant)
            refusal = hosts.refusal(url, plan.settings.allow_hosts) if url else ""
            if refusal:
                messages[f"{topic.file}: {refusal}"] = None
    if messages:
        raise InputError("\n".join(messages))
