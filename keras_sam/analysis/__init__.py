"""How sharp a model is: any compiled Keras model, sharpness-aware or not."""

from keras_sam.analysis.density import Density, hessian_density
from keras_sam.analysis.eigenvalues import Eigenvalues, hessian_eigenvalues
from keras_sam.analysis.landscape import Landscape, loss_landscape
from keras_sam.analysis.pac_bayes import Noise, pac_bayes_sigma
from keras_sam.analysis.report import Report, report
from keras_sam.analysis.sharpness import Sharpness, sharpness
from keras_sam.analysis.trace import Trace, hessian_trace

__all__ = [
    "Density",
    "Eigenvalues",
    "Landscape",
    "Noise",
    "Report",
    "Sharpness",
    "Trace",
    "hessian_density",
    "hessian_eigenvalues",
    "hessian_trace",
    "loss_landscape",
    "pac_bayes_sigma",
    "report",
    "sharpness",
]


def __dir__():
    return __all__
