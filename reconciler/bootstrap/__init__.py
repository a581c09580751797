"""Templates of the roles that xgrant works with, from one model to CloudFormation and Terraform. Pure: asks nobody."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from reconciler.bootstrap import cloudformation, sizes, terraform
from reconciler.bootstrap.hub import hub, oidc, stack_set, store
from reconciler.bootstrap.member import member
from reconciler.bootstrap.model import Template
from reconciler.bootstrap.options import Options, check

__all__ = ["TEMPLATES", "files", "parts_of", "templates"]

TEMPLATES: Mapping[str, Callable[[Options], Template]] = {
    "member": member,
    "hub": hub,
    "oidc": oidc,
    "store": store,
    "stackset": stack_set,
}
"""What makes a template, by the name that the command line has for it."""


def parts_of(what: str, options: Options) -> tuple[str, ...]:
    """Return the names of the templates that are asked for; `all` are those that the options say enough of."""
    if what != "all":
        return (what,)
    said = {"member": True, "hub": True, "oidc": options.jobs, "store": options.bucket, "stackset": options.units}
    return tuple(name for name in TEMPLATES if said[name])


def templates(what: tuple[str, ...], options: Options) -> tuple[Template, ...]:
    """Return the templates of these names.

    Raises:
        UsageError: the options lack something or are wrong, or a template is larger than AWS takes.

    """
    check(options, what)
    made = tuple(TEMPLATES[name](options) for name in what)
    for template in made:
        sizes.check(template)
    return made


def files(made: tuple[Template, ...], form: str) -> dict[str, str]:
    """Return the text of each template by the name of its file; of Terraform each has a folder, which is a module."""
    if form == "terraform":
        return {f"{template.name}/main.tf.json": terraform.render(template) for template in made}
    return {f"{template.name}.yaml": cloudformation.render(template) for template in made}
