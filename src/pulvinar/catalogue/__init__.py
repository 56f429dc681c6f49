"""What the platform knows: datasets, versions, assets and their objects, and how to find them."""

from pulvinar.catalogue.datasets import Page, create_dataset, get_dataset, list_datasets
from pulvinar.catalogue.drafts import add_asset, open_draft
from pulvinar.catalogue.publishing import publish
from pulvinar.catalogue.version_manifest import manifest
from pulvinar.catalogue.versions import get_version, list_versions

__all__ = [
    "Page",
    "add_asset",
    "create_dataset",
    "get_dataset",
    "get_version",
    "list_datasets",
    "list_versions",
    "manifest",
    "open_draft",
    "publish",
]
