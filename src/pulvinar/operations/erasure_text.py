"""A certificate of erasure for people to read, in both languages."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pulvinar.model.text import plain


def certificate_text(certificate: Mapping[str, Any], subject: str = "") -> str:
    """What was erased, when, by whom and why, first in English and then in Chinese.

    `subject` is the pseudonym, which the certificate itself doesn't hold: who was forgotten is named to who asked only.
    """
    assets, kept = certificate["assets"], certificate["kept_of_several"]
    total = sum(one["size_bytes"] for one in assets)
    digests = "\n".join(f"  {one['kind']}  {one['digest']}  {one['id']}" for one in assets)
    flagged = "\n".join(f"  {one['kind']}  {one['digest']}  {one['id']}" for one in kept)
    who, why = plain(certificate["erased_by"]), plain(certificate["reason"])
    english = [
        f"CERTIFICATE OF ERASURE {certificate['id']}",
        f"Subject: {plain(subject) or '(by digest)'}; SHA-256 {certificate['subject_sha256']}",
        f"Erased {certificate['erased']} by {who}; reason: {why}; term until {certificate['term_ends']}",
        f"Assets erased: {len(assets)} ({total:,} bytes, {certificate['objects_removed']} objects removed), "
        f"records of {len(certificate['records'])} versions",
        digests,
        f"Key for backups destroyed: {'yes' if certificate['key_destroyed'] else 'there was none'}",
        f"Made from several people's data, kept: {len(kept)}",
        flagged,
        "Leaves of the manifests stay, so that digests of published versions can still be proved.",
    ]
    chinese = [
        f"删除证明 {certificate['id']}",
        f"受试者：{plain(subject) or '（仅摘要）'}；SHA-256 {certificate['subject_sha256']}",
        f"删除时间 {certificate['erased']}，执行者 {who}；理由：{why}；期限至 {certificate['term_ends']}",
        f"已删除资产：{len(assets)}（{total:,} 字节，移除 {certificate['objects_removed']} 个对象），"
        f"以及 {len(certificate['records'])} 个版本的记录",
        digests,
        f"备份密钥已销毁：{'是' if certificate['key_destroyed'] else '原本没有'}",
        f"由多人数据生成、予以保留：{len(kept)}",
        flagged,
        "清单的叶节点保留，已发布版本的摘要仍可验证。",
    ]
    return "\n".join(line for line in (*english, "", *chinese) if line or line == "")
