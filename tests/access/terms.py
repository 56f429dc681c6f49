"""Terms of an agreement for tests."""

from dataclasses import replace

from pulvinar.model.agreement import AgreementField, Bilingual, FieldKind, Terms

TERMS = Terms(
    Bilingual("Data use agreement", "数据使用协议"),
    Bilingual("Use the data for research only.\n\nTell no one who took part.", "仅用于研究。\n\n不得识别参与者。"),
    (
        AgreementField("institute", FieldKind.TEXT, Bilingual("Institute", "单位")),
        AgreementField(
            "role",
            FieldKind.CHOICE,
            Bilingual("Your role", "角色"),
            choices=(Bilingual("student", "学生"), Bilingual("staff", "职员")),
        ),
        AgreementField("until", FieldKind.DATE, Bilingual("Project ends", "项目结束"), required=False),
        AgreementField("ethics", FieldKind.TICK, Bilingual("There is an ethics approval", "已获伦理批准")),
    ),
)
COUNTERSIGNED = replace(TERMS, countersigned=True, lasts_days=365, grace_days=7)
SAID = {"institute": "Institute of Brains", "role": "staff", "until": "2027-01-31", "ethics": "on"}
