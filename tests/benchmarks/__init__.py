"""How fast the geometry and the checking of claims are, beside other ways to the same numbers. All in float64.

`make bench` measures and saves, `make speed` makes reports/speed.md of the last save, `make bench-compare` puts the last two
saves beside each other. What is compared: `workloads`, from `networks` (models and inputs), `loops`, `functional` and
`jax_forms` (the other ways) and `claims`. How it is measured: `interleaved` (ratios), `memory` (fresh processes),
`throughput` (two processes), `scaling` (curves) and `roofline`. What is made of it: `record`, `tables`, `figures`, `page`.
"""
