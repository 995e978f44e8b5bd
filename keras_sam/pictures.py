"""matplotlib, which only pictures need."""


def pyplot():
    try:
        from matplotlib import pyplot
    except ImportError as error:
        raise ImportError(
            "A picture needs matplotlib: `pip install matplotlib`."
        ) from error
    return pyplot
