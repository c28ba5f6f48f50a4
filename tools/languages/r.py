"""R: its packages come from the system; only rpy2 is built here, against R."""

from __future__ import annotations

from language import Apt, Check, Language, Runner
from python_packages import install, pip

from shell import VENV, StepFailed, output, works

FOLDER = "runtimes/r"
PACKAGES = (
    "MASS",
    "Matrix",
    "caret",
    "e1071",
    "gbm",
    "glmnet",
    "jsonlite",
    "kernlab",
    "mgcv",
    "nnet",
    "randomForest",
    "ranger",
    "recipes",
    "rpart",
    "stringi",
    "testthat",
)
LINT = f"""
found <- lintr::lint_package("{FOLDER}")
print(found)
quit(status = length(found) > 0)
"""
STYLE = f"""
styler::style_pkg("{FOLDER}", dry = "%s")
"""
TESTS = f"testthat::test_local('{FOLDER}', load_package = 'source', reporter = 'check')"


def prepare() -> None:
    """See that R runs with its packages, and that rpy2 was built against it."""
    names = ", ".join(f"'{name}'" for name in PACKAGES)
    absent = output(
        "Rscript", "-e", f"cat('-', setdiff(c({names}), rownames(installed.packages())))"
    )
    if not absent:
        raise StepFailed(f"needs R 4.0 to 4.4 with headers, and the R packages {names}; no Rscript")
    if absent.strip() != "-":
        raise StepFailed(f"needs R packages that are not installed:{absent.strip('-')}")
    install("r", ["r"], key=output("R", "--version"))
    # Built without R's headers rpy2 falls back to a slower mode, and says so only at run time.
    if not works(str(VENV / "bin/python"), "-c", "import _rinterface_cffi_api"):
        again = ["install", "-q", "--force-reinstall", "--no-deps", "--no-cache-dir"]
        pip("rebuilding rpy2 against R", [*again, "rpy2>=3.5.11,<3.6"], log="rpy2")


LANGUAGE = Language(
    name="r",
    apt=Apt(
        (
            "r-base-dev",
            "r-cran-lintr",
            "r-cran-roxygen2",
            *(f"r-cran-{name.lower()}" for name in PACKAGES),
        )
    ),
    prepare=prepare,
    runner=Runner(
        "r", "testthat", ("Rscript", "-e", TESTS), r"^\[ FAIL \d+ .*\]$", f"{FOLDER}/tests"
    ),
    checks=(
        Check(
            "lintr",
            f"{FOLDER}/R",
            ("Rscript", "-e", "loadNamespace('lintr')"),
            ("Rscript", "-e", LINT),
        ),
        Check(
            "styler",
            f"{FOLDER}/R",
            ("Rscript", "-e", "loadNamespace('styler')"),
            ("Rscript", "-e", STYLE % "fail"),
            ("Rscript", "-e", STYLE % "off"),
        ),
    ),
    wheel=("DESCRIPTION", "NAMESPACE", "R", "inst"),
)
