"""What mails on requests and agreements say, in both languages.

A title or a name that somebody chose is in none of them: mail is read in places that its writer does not know.
"""

from __future__ import annotations

from pulvinar.access.mail import Mail
from pulvinar.model.access_request import RequestState


def asked(to: str, link: str, host: str) -> Mail:
    """Somebody asks to read a dataset."""
    return Mail(
        to,
        "Pulvinar: a request for access / 访问申请",
        f"At {host}, somebody asks to read a dataset that you may share. Your inbox says who and what for:"
        f"\n\n  {link}\n\n{host} 上有人申请读取您有权共享的数据集。申请人和用途见收件箱。\n",
    )


def decided(to: str, state: RequestState, link: str, host: str) -> Mail:
    """What became of a request."""
    granted = state is RequestState.GRANTED
    en, zh = ("was granted", "已获批准") if granted else ("was not granted", "未获批准")
    return Mail(
        to,
        "Pulvinar: your request for access / 您的访问申请",
        f"At {host}, your request to read a dataset {en}. Your inbox says more:\n\n  {link}\n\n"
        f"您在 {host} 上的数据集读取申请{zh}。详情见收件箱。\n",
    )


def accepted(to: str, link: str, host: str) -> Mail:
    """Somebody accepted an agreement that waits to be countersigned."""
    return Mail(
        to,
        "Pulvinar: an agreement to countersign / 待会签的协议",
        f"At {host}, somebody accepted an agreement which you are to countersign:\n\n  {link}\n\n"
        f"{host} 上有人接受了一份协议，请您会签。\n",
    )


def countersigned(to: str, link: str, host: str) -> Mail:
    """What somebody accepted counts from now on."""
    return Mail(
        to,
        "Pulvinar: your agreement was countersigned / 协议已会签",
        f"At {host}, an agreement that you accepted was countersigned, and counts from now on:\n\n  {link}\n\n"
        f"您在 {host} 上接受的协议已会签，即日生效。\n",
    )
