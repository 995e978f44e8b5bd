import re
from pathlib import Path

from setuptools import find_packages, setup

ROOT = Path(__file__).parent
VERSION = re.search(r'__version__ = "(.+)"', (ROOT / "keras_sam/__init__.py").read_text())
# Where the repository is, as "https://github.com/<owner>/<name>": empty until it is public.
PUBLIC_ADDRESS = ""
PAGES = {
    "Changelog": f"{PUBLIC_ADDRESS}/blob/main/CHANGELOG.md",
    "Issues": f"{PUBLIC_ADDRESS}/issues",
}

# Lower bounds, the oldest versions that CI tests. None replaces what Colab has.
TENSORFLOW = ["tensorflow>=2.18"]
JAX = ["jax>=0.6.2"]
TORCH = ["torch>=2.11"]
TOOLS = ["hypothesis>=6.100", "mypy>=1.14", "pytest>=8.0", "ruff>=0.6"]
# To run the notebooks.
NOTEBOOKS = ["ipykernel>=6.29", "keras-hub>=0.21", "nbclient>=0.10", "nbformat>=5.10"]
# Other implementations, to compare with.
PEERS = [
    "hessian-eigenthings>=1.0.0a5",
    "optax>=0.2.5",
    "pytorch_optimizer>=4.1",
    "tf_keras>=2.18",
]
# Eigenvalues and pictures of `keras_sam.analysis`.
ANALYSIS = ["matplotlib>=3.8", "scipy>=1.11"]
# The search of `keras_sam.tuning`, and its picture.
TUNING = ["matplotlib>=3.8", "optuna>=4.0"]
EXAMPLES = [
    "absl-py>=2.0",
    "importlib_resources>=6.0",  # TensorFlow Datasets imports it, but does not ask for it.
    *ANALYSIS,
    "scikit-learn>=1.4",
    "tensorboard>=2.18",
    "tensorflow-datasets>=4.9",
]
# The site of docs/. Ruff breaks the lines of its signatures.
DOCS = [
    "mkdocs==1.6.1",
    "mkdocs-material==9.8.2",
    "mkdocstrings[python]==1.0.8",
    "ruff>=0.6",
]


def readme():
    """README as a package index shows it, where links to its own files are dead."""
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    return re.sub(r"(!?)\[([^]]*)\]\((?!https?:|#)([^)\s]+)\)", _public, text)


def _public(link):
    """A link to a file: by the public address, or else the file's name and no picture."""
    picture, words, path = link.groups()
    if PUBLIC_ADDRESS:
        kind = "raw" if picture else "blob"
        return f"{picture}[{words}]({PUBLIC_ADDRESS}/{kind}/main/{path})"
    return "" if picture else f"{words} (`{path.partition('#')[0]}`)"


setup(
    name="keras_sam",
    version=VERSION[1],
    description="Sharpness-aware minimization (SAM) for Keras 3",
    long_description=readme(),
    long_description_content_type="text/markdown",
    url=PUBLIC_ADDRESS or None,
    project_urls=PAGES if PUBLIC_ADDRESS else {},
    # No classifier names it: setuptools refuses that beside an expression.
    license_expression="Apache-2.0",
    classifiers=[
        "Development Status :: 4 - Beta",
        "Intended Audience :: Developers",
        "Intended Audience :: Science/Research",
        *(
            f"Programming Language :: Python :: 3{minor}"
            for minor in ("", ".10", ".11", ".12", ".13")
        ),
        "Topic :: Scientific/Engineering :: Artificial Intelligence",
        "Typing :: Typed",
    ],
    packages=find_packages(include=["keras_sam", "keras_sam.*"]),
    package_data={"keras_sam": ["py.typed"]},
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
        "analysis": ANALYSIS,
        "tuning": TUNING,
        "examples": EXAMPLES,
        "docs": DOCS,
        # One version of PyTorch, so that CI installs a build without CUDA.
        "test": [
            *TENSORFLOW,
            *JAX,
            "torch==2.13.0",
            *EXAMPLES,
            *TUNING,
            *TOOLS,
            *NOTEBOOKS,
            *PEERS,
        ],
    },
)
