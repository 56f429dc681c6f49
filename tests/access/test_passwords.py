import time

import pytest
from argon2 import PasswordHasher

from pulvinar.access import passwords
from pulvinar.access.passwords import check_rules, hash_password, is_old, is_right
from pulvinar.errors import Invalid

GOOD = [
    "four unrelated words",
    "海马齿状回颗粒细胞层的厚度",
    "correct horse battery",
    "xxxQ9$vK2#pLm!t",
    "an 🧠 and a 🔬 in it",
]


@pytest.fixture(autouse=True)
def _real(monkeypatch):
    """Here it costs what it costs people."""
    monkeypatch.setattr(passwords, "_hasher", PasswordHasher())
    passwords._nobody.cache_clear()
    yield
    passwords._nobody.cache_clear()


@pytest.mark.parametrize("password", GOOD)
def test_a_long_password_of_any_script_and_kind_is_taken(password):
    check_rules(password, "ada", "ada@lab.org")


@pytest.mark.parametrize(
    ("password", "why"),
    [
        ("few", "short"),
        ("elevenchars", "short"),
        ("x" * 257, "long"),
        ("passwordpassword", "guessed"),
        ("123456789012", "guessed"),
        ("qwertyuiopasdf", "guessed"),
        ("aaaaaaaaaaaaaaaa", "guessed"),
        ("abcabcabcabcabc", "guessed"),
        ("iloveyou1234", "guessed"),
        ("my pulvinar secret", "platform"),
        ("lovelace wrote this", "platform"),
        ("LOVELACE wrote this", "platform"),
        ("mail lovelace@lab.org", "platform"),
    ],
)
def test_a_password_that_others_would_try_is_refused_and_it_is_said_why(password, why):
    with pytest.raises(Invalid, match=why) as caught:
        check_rules(password, "lovelace", "lovelace@lab.org")
    assert password not in str(caught.value)


def test_one_password_in_two_forms_of_unicode_is_one():
    kept = hash_password("café au lait noir")
    assert kept.startswith("$argon2id$")
    assert is_right("cafe\u0301 au lait noir", kept)
    assert not is_right("cafe au lait noir", kept)
    assert not is_old(kept)


def test_an_account_without_a_password_takes_as_long_and_is_wrong():
    kept = hash_password("granule cells in rows")
    is_right("warm", None)

    def cost(stored):
        began = time.perf_counter()
        assert not is_right("something else", stored)
        return time.perf_counter() - began

    known, unknown = (min(cost(stored) for _ in range(5)) for stored in (kept, None))
    assert 0.5 < unknown / known < 2
    assert not is_right("no password at all", None)
    assert not is_right("x", "no hash")
