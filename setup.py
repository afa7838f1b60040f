"""What pyproject.toml cannot say: the folder ``notebooks`` is part of the package, as ``eegemo_utils/_notebooks``."""

from setuptools import find_packages, setup

setup(
    packages=[*find_packages(include=["eegemo_utils*"]), "eegemo_utils._notebooks"],
    package_dir={"eegemo_utils._notebooks": "notebooks"},
)
