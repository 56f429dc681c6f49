"""How many examples a costly property is tried on: all of them by `make deep`, a third in every run."""

import os


def examples(whole: int) -> int:
    """Of `whole` examples, those of this run."""
    return whole if os.environ.get("PULVINAR_EXAMPLES") == "deep" else -(-whole // 3)
