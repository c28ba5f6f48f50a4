#' Column names turned back into the class labels that were asked for
#'
#' R makes names syntactic in passing (`yes x` becomes `yes.x`, `7.1` becomes
#' `X7.1`). Names that match a label in that form become the label again; any
#' other result is left for the caller to compare.
#'
#' @param names column names of a prediction; `labels` the labels asked for.
#' @export
match_labels <- function(names, labels) {
  if (all(labels %in% names)) {
    return(names)
  }
  made <- make.names(labels)
  at <- match(made, names)
  if (!anyNA(at)) {
    if (anyDuplicated(made)) {
      abort(
        "invalid_output", "ambiguous class labels ", quoted(labels), ": R turns two of them into ",
        "the same column name ", quoted(made[duplicated(made)]), ". Rename a label."
      )
    }
    names[at] <- labels
    return(names)
  }
  at <- match(as_number(labels), as_number(sub("^X", "", names)), incomparables = NA)
  if (!anyNA(at) && !anyDuplicated(at)) names[at] <- labels
  names
}

as_number <- function(text) suppressWarnings(as.numeric(text))
