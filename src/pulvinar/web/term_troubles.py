"""What can be wrong in the forms of requests, agreements and rules, for translation."""

from __future__ import annotations

from pulvinar.web.phrases import mark

TROUBLES = (
    mark("an agreement says everything in both languages"),
    mark("title, text and each field"),
    mark("the agreement says this already"),
    mark("change its text, its fields or its terms"),
    mark("a field that is a choice has choices, and no other has"),
    mark("one choice a line"),
    mark("the agreement says something else by now"),
    mark("read it again"),
    mark("this is accepted already"),
    mark("there is nothing to do"),
    mark("this can't be countersigned any more"),
    mark("it counts already, has ended, or has to be renewed"),
    mark("the agreement asks for it"),
    mark("the agreement is not accepted"),
    mark("set the tick at its end"),
    mark("this is no number of days"),
    mark("you may read this dataset already"),
    mark("there is nothing to ask for"),
    mark("you may read this dataset once you have accepted its agreement"),
    mark("nobody has to grant it"),
    mark("you have asked already"),
    mark("your inbox says what became of it"),
    mark("the purpose is missing, or too long"),
    mark("nothing is granted at once without a code"),
    mark("choose the tier for all with an account"),
    mark("this is no day"),
    mark("this is no number"),
    mark("a whole number"),
    mark("only a rule on persons has a number of them"),
)
"""Messages and hints that pages show; those with a value in them are shown as they are."""
