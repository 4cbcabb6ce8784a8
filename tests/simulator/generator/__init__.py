"""Worlds made up from a seed, and what each of their invoices should end as."""

from tests.simulator.generator.predict import Prediction, predict
from tests.simulator.generator.world import generate_world

__all__ = ["Prediction", "generate_world", "predict"]
