"""Measurements, as ratios of paired runs; nothing is asserted."""
