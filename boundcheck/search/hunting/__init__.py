"""The hunt: climbs the tightness ratio towards a claim's worst case, and keeps only what the rigour layer confirms."""

from boundcheck.search.hunting.extreme import Extreme
from boundcheck.search.hunting.hunt import CutShortError, HuntInterrupted, News, hunt
from boundcheck.search.hunting.options import Hunt, Proposals

__all__ = ["CutShortError", "Extreme", "Hunt", "HuntInterrupted", "News", "Proposals", "hunt"]
