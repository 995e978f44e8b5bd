"""A check that is made once of the same variables."""


class Once:
    """Remembers of which variables the last check was."""

    def __init__(self):
        self._checked_for = None

    def __call__(self, variables, check):
        """Runs a check of these variables, unless they have passed it already."""
        key = tuple(map(id, variables))
        if self._checked_for != key:
            check()
            self._checked_for = key
