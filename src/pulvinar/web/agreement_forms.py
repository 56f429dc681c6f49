"""The form in which an agreement is written: what it sends, as terms."""

from __future__ import annotations

from dataclasses import dataclass

from pulvinar.errors import Invalid
from pulvinar.model.agreement import AgreementField, Bilingual, FieldKind, Terms
from pulvinar.web.forms import Form
from pulvinar.web.phrases import mark

BLANK_ROWS = 2
_MOST_ROWS = 30
FIELD_KINDS = {
    FieldKind.TEXT: mark("Text"),
    FieldKind.CHOICE: mark("Choice"),
    FieldKind.DATE: mark("Date"),
    FieldKind.TICK: mark("Tick"),
}


@dataclass(frozen=True)
class Row:
    """A field of an agreement as the form has it; its choices are lines of "English | 中文"."""

    name: str = ""
    kind: str = ""
    label_en: str = ""
    label_zh: str = ""
    required: bool = True
    choices: str = ""


def rows_of(terms: Terms) -> list[Row]:
    """The fields of terms, for the form."""
    return [
        Row(
            one.name,
            one.kind.value,
            one.label.en,
            one.label.zh,
            one.required,
            "\n".join(f"{choice.en} | {choice.zh}" for choice in one.choices),
        )
        for one in terms.fields
    ]


def rows_sent(form: Form) -> list[Row]:
    """The rows that a form brings, without those that are blank."""
    found = [_row(form, number) for number in range(_MOST_ROWS)]
    return [one for one in found if one.label_en.strip() or one.label_zh.strip()]


def _row(form: Form, number: int) -> Row:
    def sent(name: str) -> str:
        return form[f"{name}-{number}"]

    required = sent("required") == "yes"
    return Row(sent("name"), sent("kind"), sent("label_en"), sent("label_zh"), required, sent("choices"))


def terms_sent(form: Form) -> Terms:
    """What a form says, as terms. Raises `Invalid`."""
    rows = rows_sent(form)
    return Terms(
        Bilingual(form["title_en"].strip(), form["title_zh"].strip()),
        Bilingual(_text(form["text_en"]), _text(form["text_zh"])),
        tuple(_field(row, number, {one.name for one in rows}) for number, row in enumerate(rows)),
        form["countersigned"] == "yes",
        _days(form["lasts_days"]),
        _days(form["grace_days"]),
    )


def _field(row: Row, number: int, taken: set[str]) -> AgreementField:
    name = row.name or next(one for n in range(_MOST_ROWS * 2) if (one := f"field{number + n}") not in taken)
    if row.kind not in list(FieldKind):
        raise Invalid("a field has no kind", hint="text, choice, date or tick")
    label = Bilingual(row.label_en.strip(), row.label_zh.strip())
    kind = FieldKind(row.kind)
    choices = tuple(map(_choice, filter(str.strip, row.choices.splitlines()))) if kind is FieldKind.CHOICE else ()
    return AgreementField(name, kind, label, row.required, choices)


def _choice(line: str) -> Bilingual:
    en, _, zh = line.replace("｜", "|").partition("|")
    return Bilingual(en.strip(), zh.strip() or en.strip())


def _text(said: str) -> str:
    return said.replace("\r\n", "\n").strip()


def _days(said: str) -> int:
    try:
        return int(said or 0)
    except ValueError as error:
        raise Invalid("this is no number of days", hint="0 days: until it is ended") from error
