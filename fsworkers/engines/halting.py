"""Decides when a run has seen enough failures to stop. Pure.

The rules are written as GNU parallel writes them: ``soon,fail=3`` starts nothing more once three
files have failed and lets running ones finish; ``now,fail=1`` ends these as well. A percentage is
one of the files that came to an outcome so far, and needs three failures at least: one failure
among the first ten files says little of the rest.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Literal

import msgspec

from fsworkers.errors import BadSetting
from fsworkers.model import FAILURES

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fsworkers.model import Status

LEAST_FOR_PERCENT = 3

_RULE = r"(?P<when>now|soon),fail=(?P<number>\d+(?:\.\d+)?)(?P<percent>%?)"


class Halting(msgspec.Struct, frozen=True):
    """One rule.

    Attributes:
        when: ``soon`` lets running jobs finish, ``now`` ends them.
        most: So many failures, or percent of the outcomes, are too many.
        is_percent: Which of the two.
    """

    when: Literal["now", "soon"]
    most: float
    is_percent: bool

    @classmethod
    def parse(cls, text: str) -> Halting:
        """Read a rule.

        Raises:
            BadSetting: It is none.
        """
        found = re.fullmatch(_RULE, text.strip())
        accepted = "now or soon, then fail= and a count or percentage: soon,fail=10%"
        if found is None:
            raise BadSetting("halt", text, accepted)
        is_percent = bool(found["percent"])
        most = float(found["number"])
        is_possible = 0 < most <= 100 if is_percent else most >= 1 and most.is_integer()
        if not is_possible:
            raise BadSetting("halt", text, accepted)
        return cls("now" if found["when"] == "now" else "soon", most, is_percent)

    def is_crossed(self, outcomes: Mapping[Status, int]) -> bool:
        """Whether there are too many failures among these counts of outcomes."""
        failures = sum(outcomes.get(status, 0) for status in FAILURES)
        if not self.is_percent:
            return failures >= self.most
        total = sum(outcomes.values())
        return failures >= LEAST_FOR_PERCENT and 100 * failures >= self.most * total

    def __str__(self) -> str:
        percent = "%" if self.is_percent else ""
        return f"{self.when},fail={self.most:g}{percent}"
