"""What pyproject.toml cannot say: configs, templates and pages lie in the package."""

from setuptools import find_packages, setup

setup(
    packages=[*find_packages(include=["fcn_jax*"]), "fcn_jax.configs"],
    package_dir={"fcn_jax.configs": "configs"},
    package_data={
        "fcn_jax": [
            "py.typed",
            "viz/templates/*",
            "serving/static/*",
            "pretrained/*",
        ]
    },
)
