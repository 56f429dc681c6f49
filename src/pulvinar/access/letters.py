"""What mails say, in both languages: nobody knows yet which one the reader prefers."""

from __future__ import annotations

from pulvinar.access.mail import Mail
from pulvinar.model.account import Account


def invitation(to: str, link: str, host: str) -> Mail:
    """An invitation to make an account."""
    return Mail(
        to,
        "Pulvinar: an invitation / 邀请",
        f"You are invited to make an account at {host}. The link works once, within 14 days:\n\n  {link}\n\n"
        "If you expected nothing like this, do nothing.\n\n"
        f"您受邀在 {host} 建立账户。链接在 14 天内有效，只能使用一次。如果这与您无关，请忽略本邮件。\n",
    )


def recovery(of: Account, link: str, host: str) -> Mail:
    """A way to a new password."""
    return Mail(
        of.profile.email,
        "Pulvinar: a new password / 设置新密码",
        f"Somebody asked for a new password of the account {of.login} at {host}. The link works once, within an hour:"
        f"\n\n  {link}\n\nIf it wasn't you, do nothing: your password stays as it is.\n\n"
        f"有人为 {host} 上的账户 {of.login} 申请设置新密码。链接在一小时内有效，只能使用一次。"
        "如果不是您本人，请忽略本邮件，密码不会改变。\n",
    )


def changed(of: Account, what_en: str, what_zh: str, host: str, to: str = "") -> Mail:
    """News of a change that the account's person should know of."""
    return Mail(
        to or of.profile.email,
        "Pulvinar: your account was changed / 账户已更改",
        f"At {host}, {what_en} of the account {of.login}. If it wasn't you, ask for a new password at once, and tell "
        f"the people who run the server.\n\n{host} 上账户 {of.login} 的{what_zh}。"
        "如果不是您本人，请立即申请新密码，并告知服务器管理员。\n",
    )
