"""Errors of model packages. With any of them a node signs nothing, and a verifier has no word on anybody.

CommonweightError
└── ModelPackageUnusable       this machine cannot build the run's model
    ├── ModelPackageMissing    the package is not installed
    ├── ModelPackageDiffers    the package's files are not those that the run names
    └── InvalidModelPackage    the package is no model that a run can have
"""

from __future__ import annotations

from contracts.errors import CommonweightError


class ModelPackageUnusable(CommonweightError):
    """This machine cannot build the run's model from a package."""


class ModelPackageMissing(ModelPackageUnusable):
    """The model package that a run names is not installed on this machine; nothing is ever fetched for it."""

    code = "model-package-missing"


class ModelPackageDiffers(ModelPackageUnusable):
    """The model package on this machine has other files than the run names."""

    code = "model-package-differs"


class InvalidModelPackage(ModelPackageUnusable):
    """A package that is no model: it has no `build`, keeps state, draws random numbers, or imports other libraries."""

    code = "invalid-model-package"
