from pathlib import Path

import pytest

from pulvinar.errors import Invalid
from pulvinar.settings import Settings, load_settings


def test_arguments_beat_environment_beats_file_beats_default(tmp_path: Path):
    file = tmp_path / "pulvinar.toml"
    file.write_text("port = 1\nhost = 'file'\nnode = 'file'\n")
    environment = {"PULVINAR_PORT": "2", "PULVINAR_HOST": "environment"}
    settings = load_settings(file, environment, port=3)
    assert (settings.port, settings.host, settings.node) == (3, "environment", "file")
    assert settings.cutout_budget_mb == Settings().cutout_budget_mb


def test_the_file_can_be_named_in_the_environment(tmp_path: Path):
    file = tmp_path / "pulvinar.toml"
    file.write_text("port = 77\n")
    assert load_settings(environment={"PULVINAR_CONFIG": str(file)}).port == 77


@pytest.mark.parametrize(
    ("environment", "said"),
    [({"PULVINAR_PROT": "1"}, "'prot'"), ({"PULVINAR_PORT": "many"}, "'many'"), ({"PULVINAR_NODE": "Ä"}, "'node'")],
)
def test_what_is_misspelt_or_wrong_is_named(environment: dict[str, str], said: str):
    with pytest.raises(Invalid, match=said):
        load_settings(environment=environment)


def test_an_unknown_key_of_the_file_is_an_error(tmp_path: Path):
    file = tmp_path / "pulvinar.toml"
    file.write_text("colour = 'red'\n")
    with pytest.raises(Invalid, match="colour"):
        load_settings(file, {})


def test_a_broken_file_is_named(tmp_path: Path):
    file = tmp_path / "pulvinar.toml"
    file.write_text("port = \n")
    with pytest.raises(Invalid, match=r"pulvinar\.toml"):
        load_settings(file, {})


def test_settings_are_frozen():
    with pytest.raises(ValueError, match="frozen"):
        Settings().port = 1  # type: ignore[misc]


def test_secrets_are_not_shown():
    shown = repr(load_settings(environment={}, s3_secret_key="hidden", s3_access_key="hidden"))
    assert "hidden" not in shown


@pytest.mark.parametrize("name", sorted(Settings.model_fields))
def test_every_setting_is_documented_and_can_come_from_the_environment(name: str):
    field = Settings.model_fields[name]
    assert field.description
    assert field.description.endswith(".")
    value = getattr(Settings(), name)
    given = {"scratch": "/tmp/x", "public": "true"}.get(name, str(value))
    loaded = load_settings(environment={f"PULVINAR_{name.upper()}": given})
    assert str(getattr(loaded, name)).lower() == given.lower()


def test_empty_addresses_resolve_to_the_home(tmp_path: Path):
    settings = load_settings(environment={}, home=tmp_path)
    assert settings.resolved_database_url() == f"sqlite:///{tmp_path}/catalogue.sqlite"
    assert settings.resolved_store_url() == f"file://{tmp_path}/store"
    assert settings.resolved_scratch() == tmp_path / "scratch"


def test_a_relative_home_means_the_same_from_every_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    settings = load_settings(environment={}, home=Path("here"))
    assert settings.resolved_scratch() == tmp_path / "here" / "scratch"
    assert str(tmp_path) in settings.resolved_database_url()
    assert str(tmp_path) in settings.resolved_store_url()
