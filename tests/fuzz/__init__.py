"""Drawn models, and what holds for each of them."""
