"""What a person drew in napari as marks of a Pulvinar: points, and shapes as lines through their corners."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from pulvinar.errors import Invalid

if TYPE_CHECKING:
    from pulvinar.client import Client
    from pulvinar.client.marks import RemoteDocument

KEPT = "pulvinar_marks"
"""Under this name a layer remembers where its marks went: sent again, they take the place of those."""
_CLOSED = ("polygon", "rectangle", "ellipse")


def marks_of(layer: Any) -> list[dict[str, Any]]:
    """The marks that a layer of points or shapes holds, places (z, y, x) in micrometres of the world.

    Raises `Invalid` for a layer of another kind, and for one that doesn't lie in three dimensions.
    """
    kind = type(layer).__name__
    if kind == "Points":
        return [{"kind": "point", "places_um": [place], "text": layer.name} for place in _world(layer, layer.data)]
    if kind == "Shapes":
        return [_shape(layer, corners, what) for corners, what in zip(layer.data, layer.shape_type, strict=True)]
    raise Invalid(f"{layer.name} is a layer of {kind.lower()}", hint="points and shapes can be sent as marks")


def send_marks(client: Client, layer: Any, dataset_id: str) -> RemoteDocument:
    """Put the marks of `layer` into a document of its own on a dataset; sent again, into the same in their place."""
    marks = marks_of(layer)
    if not marks:
        raise Invalid(f"{layer.name} is empty", hint="draw something first")
    before = layer.metadata.get(KEPT, {})
    again = before.get("server") == client.url and before.get("dataset") == dataset_id
    document = client.document(before["document"]) if again else client.make_document(layer.name, dataset=dataset_id)
    names = document.add(marks)
    if again:
        document.remove(before["marks"])
    layer.metadata[KEPT] = {"server": client.url, "dataset": dataset_id, "document": document.id, "marks": names}
    return document


def _shape(layer: Any, corners: npt.NDArray[np.float64], what: str) -> dict[str, Any]:
    places = _world(layer, corners)
    return {
        "kind": "polyline",
        "places_um": [*places, places[0]] if what in _CLOSED else places,
        "text": layer.name,
    }


def _world(layer: Any, places: npt.ArrayLike) -> list[list[float]]:
    """Places of a layer's own as (z, y, x) in the world; the axes before those three, as time, are left out."""
    here = np.asarray(places, float)
    if here.ndim != 2 or here.shape[1] < 3:
        raise Invalid(f"{layer.name} has {here.shape[-1]} dimensions", hint="marks lie in three: add the layer in 3D")
    return [[float(value) for value in layer.data_to_world(place)[-3:]] for place in here]
