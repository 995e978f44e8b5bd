"""A training loop of the user's own around the step."""
