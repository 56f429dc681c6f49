"""What a search asks other rooms: which regions of other species are alike, and what is near a place."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from sqlalchemy import select
from sqlalchemy.orm import Session

from pulvinar.access.visibility import visible
from pulvinar.atlases.homology import homologues, regions_called
from pulvinar.atlases.tables import atlas
from pulvinar.atlases.trees import Tree
from pulvinar.catalogue.blocks import Ball, BoxFigure, Figure
from pulvinar.catalogue.nearby import PlacesNear
from pulvinar.catalogue.query_nodes import InBox, Located
from pulvinar.catalogue.search_plan import Homologues, Place
from pulvinar.errors import Invalid
from pulvinar.model.access import Actor
from pulvinar.model.atlas import atlas_from_json
from pulvinar.model.ontology import Ontology, Region
from pulvinar.model.record import Species
from pulvinar.model.space import Space


def table_of_homologues(session: Session, trees: Sequence[Tree]) -> Homologues:
    """The table of regions across species, for the atlases of `trees`: names of regions by their ontology's name."""
    species = {row.name: Species(row.species) for row in session.execute(select(atlas.c.name, atlas.c.species))}
    known = {tree.ontology.name: species[tree.atlas] for tree in trees if tree.atlas in species}

    def alike(ontology: Ontology, region: Region) -> Iterator[tuple[str, str]]:
        own = known.get(ontology.name)
        for found in homologues(own, region) if own else ():
            for tree in trees:
                if known.get(tree.ontology.name) is found.b_species:
                    yield from ((tree.ontology.name, one.name) for one in regions_called(found.b, tree.ontology)[:1])

    return alike


def located_assets(session: Session, actor: Actor, where: Located, places: tuple[Place, ...]) -> PlacesNear:
    """The assets, whoever may see them, with a node, a soma, an end or a cell near a point or in a box.

    Raises `Invalid` for an unknown space, and where a region is named instead of a point."""
    figure: Figure
    if isinstance(where, InBox):
        figure = BoxFigure(where.start_um, where.stop_um)
    elif where.point_um is not None:
        figure = Ball(where.point_um, where.radius_um)
    else:
        raise Invalid("within: needs a point", hint="of:(x,y,z)@space, for example of:(5400,3800,6200)@allen_ccfv3")
    spaces = known_spaces(session, actor)
    space = spaces.get(where.space)
    if space is None:
        raise Invalid(f"no atlas lies in a space {where.space!r}", hint=f"there are {', '.join(spaces) or 'none'}")
    return PlacesNear(session, [(space, figure)])


def known_spaces(session: Session, actor: Actor) -> dict[str, Space]:
    """The spaces of the installed atlases that `actor` may see, by name."""
    seen = select(atlas.c.manifest).where(visible(actor, atlas.c.dataset_id))
    manifests = session.scalars(seen.order_by(atlas.c.name, atlas.c.version)).all()
    return {one.space.name: one.space for one in map(atlas_from_json, manifests)}
