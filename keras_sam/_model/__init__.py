"""What makes a Keras model sharpness-aware: its settings, its state, its files."""
