"""Solutions: what can be done to data, described so that a form can be made from it."""

from __future__ import annotations

from fastapi import APIRouter
from pydantic import BaseModel, Field

from pulvinar.model.dataset import AssetKind
from pulvinar.model.solution import ParameterKind, SolutionDescription, Value, description_to_json
from pulvinar.solutions.solution import describe_all, find_solution

router = APIRouter(prefix="/solutions", tags=["solutions"])


class WordsOut(BaseModel):
    """The same in English and in Chinese."""

    en: str
    zh: str


class InputOut(BaseModel):
    """An asset that a solution takes."""

    name: str
    title: WordsOut
    help: WordsOut
    kinds: list[AssetKind] = Field(description="It is of one of these kinds.")
    optional: bool
    several: bool = Field(description="As many as there are, given as NAME.1, NAME.2 and so on.")


class ParameterOut(BaseModel):
    """What a person may choose."""

    name: str
    kind: ParameterKind
    title: WordsOut
    help: WordsOut
    default: Value
    minimum: float | None
    maximum: float | None
    choices: list[str]
    unit: str


class OutputOut(BaseModel):
    """An asset that a solution makes."""

    name: str
    title: WordsOut
    kind: AssetKind


class SolutionOut(BaseModel):
    """A solution."""

    name: str
    version: str
    title: WordsOut
    summary: WordsOut
    citation: str
    inputs: list[InputOut]
    parameters: list[ParameterOut]
    outputs: list[OutputOut]


@router.get("")
def list_solutions() -> list[SolutionOut]:
    """The solutions that are installed, by name."""
    return [_out(one) for one in describe_all()]


@router.get("/{name}")
def get_solution(name: str) -> SolutionOut:
    """One solution."""
    return _out(find_solution(name).description)


def _out(one: SolutionDescription) -> SolutionOut:
    return SolutionOut.model_validate(description_to_json(one))
