#' Fail at once, naming every package that is not installed
#' @export
require_packages <- function(packages, what) {
  absent <- Filter(function(name) !requireNamespace(name, quietly = TRUE), unique(packages))
  if (length(absent)) missing_packages(what, absent)
  invisible(packages)
}

missing_packages <- function(what, absent) {
  debian <- paste0("r-cran-", tolower(absent), collapse = " ")
  abort(
    "runtime_unavailable", what, " needs R packages that are not installed: ",
    paste(absent, collapse = ", "), ". Install with: install.packages(",
    deparse(absent), ") (Debian, where packaged: apt-get install ", debian, ")."
  )
}

# What DRUM attaches before it loads a custom file; hooks use these without library().
attached_for_hooks <- c("caret", "recipes", "devtools", "stringi", "Matrix")

#' Attach those of the customary packages that a custom file mentions
#'
#' Attaching all of them would cost every start some seconds. A file that
#' sources others may mention them there, so then each one is attached.
#'
#' @param expressions a parsed file.
#' @export
attach_mentioned <- function(expressions) {
  mentioned <- setdiff(all.names(expressions, unique = TRUE), base_names())
  everything <- any(c("source", "sys.source") %in% all.names(expressions))
  for (package in attached_for_hooks) {
    if (!nzchar(system.file(package = package))) next
    if (everything || any(mentioned %in% c(package, package_exports(package)))) {
      suppressPackageStartupMessages(library(package, character.only = TRUE, quietly = TRUE))
    }
  }
}

base_names <- function() {
  unlist(lapply(c("base", "stats", "utils", "methods"), getNamespaceExports))
}

#' A package's exports, without loading it
#' @noRd
package_exports <- function(package) {
  readRDS(system.file("Meta", "nsInfo.rds", package = package))$exports
}
