"""What a rule shows of itself."""


def described(rule):
    """A rule as the call that makes it: `Adaptive(p=2.0, eta=0.01)`."""
    settings = rule.get_config().items()
    shown = ", ".join(f"{name}={value!r}" for name, value in settings if value is not None)
    return f"{type(rule).__name__}({shown})"
