"""The sharpness-aware step."""
