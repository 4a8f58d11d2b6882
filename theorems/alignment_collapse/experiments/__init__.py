"""The Geometry of Alignment Collapse: pictures of what the corrected statements say."""
