"""What is said of the guardrails themselves, and what others find: programs of a team, and AWS's Access Analyzer."""

from __future__ import annotations

from reconciler.lint.rule import Rule
from reconciler.model import Level
from reconciler.wording import INSTALL

NOT_RUN, UNUSED = "XG122", "XG131"
ENDED = "XG063"
"""What is found of exceptions that have ended; a code of policies, since it is of no grant."""

ENDING = "XG067"
"""What is found of exceptions that end soon: the day after, nothing can be planned until they are looked at."""

NOTICE = 14
"""Days: so long before its end an exception is warned of."""

OBJECTION, NO_ANSWER = "XG140", "XG141"
OF_CHECKS = (OBJECTION, NO_ANSWER)
"""What is found by a team's own checks, each with a level of its own."""

ANALYZER, NEW_ACCESS = "XG150", "XG151"

RULES = (
    Rule(
        NOT_RUN, Level.ADVICE, "rules that did not run",
        "The catalogue of AWS's actions comes in a package of its own, which is not installed here.",
        INSTALL.format("lint"),
        "docs/guardrails.md",
        "The other rules run without it. Where policies/ set one of these rules to deny, this is a deny, too.",
    ),
    Rule(
        UNUSED, Level.WARN, "an exception that is for nothing",
        "What it lets through is not there any more, and it would let it through unseen when it comes back.",
        "remove the exception",
        "docs/guardrails.md",
        "It opens nothing today.",
    ),
    Rule(
        OBJECTION, Level.DENY, "a check of your own objects",
        "A program that policies/ name has ended with another code than 0.",
        "as the program says",
        "docs/guardrails.md: checks",
        "Each check has the level that policies/ give it; deny if they give none.",
    ),
    Rule(
        NO_ANSWER, Level.DENY, "a check of your own gave no answer",
        "A program that policies/ name could not be started, took too long, or wrote what is no answer.",
        "mend the program, or its entry in policies/",
        "docs/guardrails.md: checks",
        "What could not be checked was not found to be right: it has the level of its check.",
    ),
    Rule(
        ANALYZER, Level.WARN, "a finding of Access Analyzer",
        "AWS checks the documents themselves, by rules that only it knows all of.",
        "as Access Analyzer says; each finding has a link",
        "IAM Access Analyzer API Reference, ValidatePolicy",
        "Errors of it are denies, suggestions are advice.",
    ),
    Rule(
        NEW_ACCESS, Level.WARN, "access that was not there before",
        "AWS finds that the new document may allow what the one in AWS does not.",
        "nothing, if that is what the change is for",
        "IAM Access Analyzer API Reference, CheckNoNewAccess",
        "Most grants are changed to open something; the words say what to look at.",
    ),
)  # fmt: skip
"""The rules that are found elsewhere."""
