"""Campaigns: draw, judge, try the mutants, shrink what breaks; and the hunt for the worst case."""

from boundcheck.profiles import PROFILES, Profile, profile
from boundcheck.search.ablation import Ablated, ablate
from boundcheck.search.campaign import Options, run_campaign
from boundcheck.search.evaluate import Evaluator
from boundcheck.search.hunting import Extreme, Hunt, hunt
from boundcheck.search.tally import Tally

__all__ = [
    "PROFILES",
    "Ablated",
    "Evaluator",
    "Extreme",
    "Hunt",
    "Options",
    "Profile",
    "Tally",
    "ablate",
    "hunt",
    "profile",
    "run_campaign",
]
