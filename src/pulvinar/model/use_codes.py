"""What data may be used for, in the codes of the Data Use Ontology of GA4GH (https://github.com/EBISPOT/DUO).

The codes and their numbers are that ontology's; what each means is said here in plain words.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from pulvinar.model.agreement import Bilingual


@dataclass(frozen=True)
class UseCode:
    """One code: its number in the ontology, its name, what it means; `detail` is what it leaves to be said."""

    code: str
    number: str
    name: Bilingual
    meaning: Bilingual
    detail: Bilingual | None = None

    @property
    def address(self) -> str:
        """Where the ontology defines it."""
        return f"http://purl.obolibrary.org/obo/DUO_{self.number}"


def _codes(*codes: UseCode) -> Mapping[str, UseCode]:
    return {one.code: one for one in codes}


USE_CODES = _codes(
    UseCode(
        "NRES",
        "0000004",
        Bilingual("No restriction", "无限制"),
        Bilingual("Any use at all.", "可用于任何目的。"),
    ),
    UseCode(
        "GRU",
        "0000042",
        Bilingual("General research use", "一般研究用途"),
        Bilingual("Any research, whatever its question.", "可用于任何研究，不限课题。"),
    ),
    UseCode(
        "HMB",
        "0000006",
        Bilingual("Health, medical or biomedical research", "健康、医学或生物医学研究"),
        Bilingual("Only research on health or disease.", "仅用于健康或疾病研究。"),
    ),
    UseCode(
        "DS",
        "0000007",
        Bilingual("Disease-specific research", "特定疾病研究"),
        Bilingual("Only research on the disease that is named.", "仅用于所指明疾病的研究。"),
        Bilingual("Disease", "疾病"),
    ),
    UseCode(
        "POA",
        "0000011",
        Bilingual("Population origins or ancestry research only", "仅限人群起源或祖源研究"),
        Bilingual("Only research on where populations come from.", "仅用于人群来源的研究。"),
    ),
    UseCode(
        "NMDS",
        "0000015",
        Bilingual("No general methods research", "不得用于一般方法研究"),
        Bilingual("Not to develop or test methods for their own sake.", "不得仅为开发或测试方法而使用。"),
    ),
    UseCode(
        "NPU",
        "0000045",
        Bilingual("Not-for-profit organisations only", "仅限非营利机构"),
        Bilingual("The user works at an organisation that makes no profit.", "使用者须属于非营利机构。"),
    ),
    UseCode(
        "NCU",
        "0000046",
        Bilingual("Non-commercial use only", "仅限非商业用途"),
        Bilingual("Nobody is to earn money by the use.", "不得用于商业目的。"),
    ),
    UseCode(
        "NPUNCU",
        "0000018",
        Bilingual("Not-for-profit, non-commercial use only", "仅限非营利机构的非商业用途"),
        Bilingual("A not-for-profit organisation, and no commercial use.", "须为非营利机构，且不作商业用途。"),
    ),
    UseCode(
        "PUB",
        "0000019",
        Bilingual("Publication required", "须发表成果"),
        Bilingual("Results are made available to the research community.", "研究成果须向学界公开。"),
    ),
    UseCode(
        "COL",
        "0000020",
        Bilingual("Collaboration required", "须合作研究"),
        Bilingual("The people who made the data take part in the study.", "须与数据产生者合作。"),
    ),
    UseCode(
        "IRB",
        "0000021",
        Bilingual("Ethics approval required", "须伦理批准"),
        Bilingual("An ethics board has approved the study.", "研究须经伦理委员会批准。"),
    ),
    UseCode(
        "GS",
        "0000022",
        Bilingual("Geographical restriction", "地域限制"),
        Bilingual("Only in the countries that are named.", "仅限所列国家或地区。"),
        Bilingual("Countries, with commas", "国家或地区，以逗号分隔"),
    ),
    UseCode(
        "MOR",
        "0000024",
        Bilingual("Publication moratorium", "发表暂缓期"),
        Bilingual("Nothing is published before the day that is named.", "在所定日期之前不得发表。"),
        Bilingual("Day, as 2027-01-31", "日期，如 2027-01-31"),
    ),
    UseCode(
        "TS",
        "0000025",
        Bilingual("Time limit on use", "使用期限"),
        Bilingual("The use ends by the day that is named.", "须在所定日期前结束使用。"),
        Bilingual("Day, as 2027-01-31", "日期，如 2027-01-31"),
    ),
    UseCode(
        "US",
        "0000026",
        Bilingual("User-specific restriction", "限定使用者"),
        Bilingual("Only the people who are named.", "仅限所列人员。"),
        Bilingual("Login names or ORCIDs, with commas", "登录名或 ORCID，以逗号分隔"),
    ),
    UseCode(
        "PS",
        "0000027",
        Bilingual("Project-specific restriction", "限定项目"),
        Bilingual("Only the project that is named.", "仅限所指明的项目。"),
        Bilingual("Project", "项目"),
    ),
    UseCode(
        "IS",
        "0000028",
        Bilingual("Institution-specific restriction", "限定机构"),
        Bilingual("Only the institutes that are named.", "仅限所列机构。"),
        Bilingual("Institutes, with commas", "机构，以逗号分隔"),
    ),
    UseCode(
        "RTN",
        "0000029",
        Bilingual("Return to database or resource", "须回交数据"),
        Bilingual("What is derived of the data is given back.", "衍生数据须交回本库。"),
    ),
    UseCode(
        "RS",
        "0000012",
        Bilingual("Research-specific restriction", "限定研究类型"),
        Bilingual("Only the kind of study that is named.", "仅限所指明类型的研究。"),
        Bilingual("Kind of study", "研究类型"),
    ),
)
