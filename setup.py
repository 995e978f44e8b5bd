import re
from pathlib import Path

from setuptools import find_packages, setup

ROOT = Path(__file__).parent
VERSION = re.search(r'__version__ = "(.+)"', (ROOT / "keras_sam/__init__.py").read_text())

TENSORFLOW = ["tensorflow>=2.18"]
JAX = ["jax>=0.6.1", "keras>=3.15"]
TORCH = ["torch>=2.13", "keras>=3.15"]
TOOLS = ["hypothesis>=6.100", "pytest>=8.0", "ruff>=0.6"]
# Other implementations, to compare with.
PEERS = ["optax>=0.2.5", "pytorch_optimizer>=4.1"]
EXAMPLES = ["absl-py>=2.0", "matplotlib>=3.8", "scikit-learn>=1.4"]

setup(
    name="keras_sam",
    version=VERSION[1],
    description="Sharpness-aware minimization (SAM) for Keras 3",
    long_description=(ROOT / "README.md").read_text(encoding="utf-8"),
    long_description_content_type="text/markdown",
    license="Apache-2.0",
    packages=find_packages(include=["keras_sam", "keras_sam.*"]),
    python_requires=">=3.10",
    # No TensorFlow here: tensorflow-tpu, tensorflow-cpu and nightly builds give the same
    # module, and a requirement on `tensorflow` would install over them.
    install_requires=["keras>=3.10", "numpy>=1.26"],
    extras_require={
        "tensorflow": TENSORFLOW,
        "jax": JAX,
        "torch": TORCH,
        # The TPU compiler of the tests, with the version of libtpu that goes with it.
        "tpu": ["jax[tpu]==0.10.2"],
        "examples": EXAMPLES,
        # One version of PyTorch, so that CI installs a build without CUDA.
        "test": [*TENSORFLOW, *JAX, *TORCH, "torch==2.13.0", *EXAMPLES, *TOOLS, *PEERS],
    },
)
