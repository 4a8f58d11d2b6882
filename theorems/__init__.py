"""Claims of published papers, one numbered result a file. `pytest theorems` checks them all."""
