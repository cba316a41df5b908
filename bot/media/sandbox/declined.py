"""Says from inside a sandbox that the file is at fault."""


class Declined(Exception):
    """The work can't be done on this file; `problem` is a word of `pictures.Problem` or `films.Problem`."""

    def __init__(self, problem: str, **facts: int | str) -> None:
        super().__init__(problem)
        self.problem = problem
        self.facts = facts
