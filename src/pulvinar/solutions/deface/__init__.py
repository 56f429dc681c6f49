"""Removing the face from a head, offline: where it is follows from aligning the head to the template of its atlas."""

from pulvinar.solutions.deface.face import Part, face_mask
from pulvinar.solutions.deface.measure import measure
from pulvinar.solutions.deface.removal import FaceFound, find_face

__all__ = ["FaceFound", "Part", "face_mask", "find_face", "measure"]
