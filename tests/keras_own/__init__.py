"""Keras's own tests, with sharpness-aware classes at rho = 0 in the place of Keras's."""
