#' Signal an error of polyhost's own
#'
#' @param kind who must act and why, in snake case: `schema_mismatch`,
#'   `invalid_input`, `invalid_output`, `load_error`, `missing_hook`,
#'   `runtime_unavailable`. The condition has class `polyhost_<kind>`.
#' @param ... pieces of the message: what is wrong, what was expected, what was
#'   found, what to do next.
#' @noRd
abort <- function(kind, ...) {
  stop(structure(
    class = c(paste0("polyhost_", kind), "polyhost_error", "error", "condition"),
    list(message = paste0(...), call = NULL, kind = kind)
  ))
}

#' Values quoted and joined for a message, at most `most` of them
#' @noRd
quoted <- function(values, most = 10L) {
  values <- as.character(values)
  shown <- paste0("'", utils::head(values, most), "'", collapse = ", ")
  if (length(values) > most) paste0(shown, " and ", length(values) - most, " more") else shown
}
