"""What readers notice is said in Chinese too."""

import re

import pytest

from pulvinar.web.findings import SENTENCES, progress_line, translated
from pulvinar.web.language import translations

ENGLISH, CHINESE = translations("en").gettext, translations("zh").gettext


@pytest.mark.parametrize(
    ("message", "said"),
    [
        ("the header has no unit of length: mm is assumed", "文件头没有长度单位：按毫米处理"),
        ("sform and qform lie 57500 µm apart: the sform is taken", "sform 与 qform 相距 57500 µm：采用 sform"),
        ("7 of its 64 chunks are not stored: they read as fill", "64 个数据块中有 7 个未存储：读作填充值"),
        ("its text is not UTF-8: Latin-1 is assumed", "its text 不是 UTF-8：按 Latin-1 处理"),
        ("a plugin's own 100% doubt", "a plugin's own 100% doubt"),
    ],
)
def test_a_finding_is_said_in_chinese_with_its_values(message, said):
    assert translated(message, CHINESE) == said
    assert translated(message, ENGLISH) == message


@pytest.mark.parametrize("sentence", SENTENCES)
def test_every_sentence_finds_itself_and_keeps_its_values(sentence):
    values = {name: f"<{name}>" for name in re.findall(r"%\((\w+)\)s", sentence)}
    message = sentence % values
    assert translated(message, ENGLISH) == message
    told = translated(message, CHINESE)
    assert told != message
    assert all(value in told for value in values.values())


def test_no_sentence_stands_twice():
    assert len(set(SENTENCES)) == len(SENTENCES)


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("computing checksums: 40%", "正在计算校验和: 40%"),
        ("looking at what is in brain: 1.tif", "正在查看 brain: 1.tif 的内容"),
        ("brain.tif: 7%", "brain.tif: 7%"),
        ("", ""),
    ],
)
def test_progress_is_said_in_chinese_with_its_share(line, said):
    assert progress_line(line, CHINESE) == said
