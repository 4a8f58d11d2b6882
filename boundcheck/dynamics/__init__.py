"""Fine-tuning problems and the limits of their gradient descents and flows, with certified radii."""

from boundcheck.dynamics import contraction
from boundcheck.dynamics.adam import AdamFit
from boundcheck.dynamics.descent import descend, limit
from boundcheck.dynamics.fine_tuning import Displaced, FineTuning, Setup, mean_square
from boundcheck.dynamics.flow import FlowLimit, flow_limit
from boundcheck.dynamics.flow_at import FlowAt, flow_at
from boundcheck.dynamics.instability import Instability, RelaxedInstability, Skill, SkillStep
from boundcheck.dynamics.quadratic_flow import QuadraticMotion, quadratic_flow, quadratic_motion

__all__ = [
    "AdamFit",
    "Displaced",
    "FineTuning",
    "FlowAt",
    "FlowLimit",
    "Instability",
    "QuadraticMotion",
    "RelaxedInstability",
    "Setup",
    "Skill",
    "SkillStep",
    "contraction",
    "descend",
    "flow_at",
    "flow_limit",
    "limit",
    "mean_square",
    "quadratic_flow",
    "quadratic_motion",
]
