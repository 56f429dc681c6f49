import inspect
import pickle

import pytest

from pulvinar import errors

TREE = [kind for _, kind in inspect.getmembers(errors, inspect.isclass) if kind.__module__ == errors.__name__]


@pytest.mark.parametrize("kind", TREE)
def test_every_error_has_one_root_and_stands_in_the_drawing(kind: type[errors.PulvinarError]):
    assert issubclass(kind, errors.PulvinarError)
    assert kind.__name__ in (errors.__doc__ or "")
    assert kind.__doc__


@pytest.mark.parametrize("kind", TREE)
def test_an_error_keeps_message_and_hint_across_processes(kind: type[errors.PulvinarError]):
    again = pickle.loads(pickle.dumps(kind("brain.tif is torn", hint="copy it again")))
    assert type(again) is kind
    assert (str(again), again.hint) == ("brain.tif is torn", "copy it again")
