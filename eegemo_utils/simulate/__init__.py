"""Simulated cohorts by a forward model: what a method finds can be held against what was put in.

A recording is the sum of rhythms of a few dipoles in a spherical head (`SOURCES`), a 1/f background of
many random dipoles, blinks, and what electrode contacts add: offset, drift, noise, mains. States change
the strength of known sources (`state_effects`). People differ in head gain, alpha frequency, strength of
each source and how much a state shows in them; recordings differ in all that the contacts add, so that a
recording can be recognised without any state in it. That is how leaks arise in real data, and why a
random split scores too high here as it does there.

`simulate_trials` records a plan with any cap; `simulate_cohort` makes a plan of people and states.
"""

from eegemo_utils.simulate.cohorts import simulate_cohort, simulate_trials, state_effects
from eegemo_utils.simulate.head import SOURCES, lead_field
from eegemo_utils.simulate.planted import planted_map

__all__ = ["SOURCES", "lead_field", "planted_map", "simulate_cohort", "simulate_trials", "state_effects"]
