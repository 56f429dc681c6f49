from dataclasses import replace
from pathlib import Path

import pytest

from pulvinar.errors import Invalid
from pulvinar.ingest.inspection import inspect
from pulvinar.ingest.intake import ingest
from pulvinar.ingest.reader import Options
from pulvinar.ingest.record import RecordAnswers
from pulvinar.ingest.request import Means, Request
from pulvinar.ingest.sandbox import Limits

ANSWERS = RecordAnswers(title="A brain", species="mouse", licence="CC0-1.0")
NOTHING = Path("/nothing/is/read")

OPTIONS = [
    (Options(axes="qq"), "--axes 'qq'"),
    (Options(axes="zyz"), "--axes 'zyz'"),
    (Options(time_step_s=0.0), "--time-step 0"),
    (Options(time_step_s=float("nan")), "--time-step nan"),
    (Options(voxel_size_um=(1.0, 0.0, 1.0)), "--voxel-size"),
    (Options(unit="parsec"), "--unit 'parsec'"),
    (Options(orientation="XYZ"), "--orientation"),
]
REQUESTS = [
    (Request(NOTHING, answers=replace(ANSWERS, title="  ")), "--title is blank"),
    (Request(NOTHING, answers=replace(ANSWERS, keywords=("mouse", "\t"))), "--keyword is blank"),
    (Request(NOTHING, answers=replace(ANSWERS, species="unicorn")), "unicorn"),
    (Request(NOTHING, answers=ANSWERS, name=" "), "--name is blank"),
    (Request(NOTHING, answers=ANSWERS, color="zz"), "--color 'zz'"),
    (Request(NOTHING, answers=ANSWERS, label_names=Path("/nosuch.csv")), "--label-names: .*/nosuch.csv"),
    (Request(NOTHING, answers=ANSWERS, label_names=Path(__file__)), "--label-names"),
]


@pytest.mark.parametrize(("options", "said"), OPTIONS)
def test_an_option_that_can_not_be_is_refused_by_its_flag(tmp_path, options, said):
    with pytest.raises(Invalid, match=said):
        inspect(NOTHING, options, scratch=tmp_path, limits=Limits())


@pytest.mark.parametrize(
    ("request_", "said"), [*REQUESTS, *((Request(NOTHING, one, ANSWERS), s) for one, s in OPTIONS)]
)
def test_a_request_is_refused_by_its_flag_before_anything_is_read(tmp_path, request_, said):
    means = Means(database=None, store=None, scratch=tmp_path / "scratch", limits=Limits())
    with pytest.raises(Invalid, match=said):
        ingest(means, request_)
    assert not means.scratch.exists()
