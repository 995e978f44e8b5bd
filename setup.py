from pathlib import Path

from setuptools import find_packages, setup

TENSORFLOW = ["tensorflow>=2.18"]
TEST = ["hypothesis>=6.100", "pytest>=8", "scikit-learn>=1.4"]

setup(
    name="keras_sam",
    version="0.1.0",
    description="Sharpness-aware minimization (SAM) for Keras 3",
    long_description=Path(__file__).with_name("README.md").read_text(encoding="utf-8"),
    long_description_content_type="text/markdown",
    license="Apache-2.0",
    packages=find_packages(include=["keras_sam", "keras_sam.*"]),
    python_requires=">=3.10",
    install_requires=["keras>=3.10"],
    extras_require={
        "tensorflow": TENSORFLOW,
    },
)
