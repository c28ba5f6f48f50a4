#' Predict with an opened model; one row comes back for each row of `data`
#'
#' @return `list(names, columns)`, the columns being double vectors.
#' @export
predict_rows <- function(opened, data) {
  facts <- opened$facts
  if (is.data.frame(data)) data <- prepare_rows(facts$columns, data)
  scores <- predict_whole(opened, data)
  if (is.null(scores)) scores <- predict_apart(opened, data)
  if (is.null(scores)) {
    scores <- withCallingHandlers(score(opened, data), error = new_level)
    check_rows(data, lengths(scores))
  }
  list(enc2utf8(names(scores) %||% rep("", length(scores))), scores)
}

score <- function(opened, data) {
  withCallingHandlers(
    score_columns(score_rows(opened$model, data, opened$classify, opened$facts)),
    warning = text_for_number
  )
}

#' Text that a formula turns into a number, as in `as.numeric(x)`, would be missing silently
#' @noRd
text_for_number <- function(condition) {
  coerced <- gettext("NAs introduced by coercion", domain = "R")
  if (grepl(coerced, conditionMessage(condition), fixed = TRUE)) {
    abort(
      "schema_mismatch", "text in the data has no number, where the model needs one: ",
      deparse(conditionCall(condition), 120L)[[1L]], ". Send numbers, or nothing where a value is ",
      "missing."
    )
  }
}

#' The columns of all rows; NULL when `predict` raised, returned another number of rows, or takes no
#' missing values
#' @noRd
predict_whole <- function(opened, data) {
  if (nrow(data) == 0L) {
    return(no_rows(opened))
  }
  if (!opened$facts$takes_missing && anyNA(data)) {
    return(NULL)
  }
  tryCatch(
    {
      scores <- score(opened, data)
      if (all(lengths(scores) == nrow(data))) scores
    },
    polyhost_error = function(condition) stop(condition),
    error = function(condition) NULL
  )
}

no_rows <- function(opened) {
  if (!opened$classify) {
    return(list(double()))
  }
  labels <- opened$facts$labels
  if (length(labels)) stats::setNames(rep(list(double()), length(labels)), labels)
}

#' The columns of rows that `predict` does not take together; NULL when it does not take them apart
#'
#' Many an R model raises, or leaves rows out, for a missing value: the other rows are predicted
#' without those, whose prediction is missing, as it is where R's `predict` takes such rows. Some
#' return a single row as a vector of another length: that row is predicted twice.
#' @noRd
predict_apart <- function(opened, data) {
  if (!opened$facts$row_wise || !is.data.frame(data)) {
    return(NULL)
  }
  whole <- stats::complete.cases(data)
  if (all(whole)) {
    return(predict_twice(opened, data))
  }
  kept <- data[whole, , drop = FALSE]
  row.names(kept) <- NULL
  scores <- predict_whole(opened, kept) %||% predict_twice(opened, kept)
  if (!is.null(scores)) {
    report_missing(data, whole)
    lapply(scores, function(column) replace(rep(NA_real_, nrow(data)), whole, column))
  }
}

#' The columns of a single row, predicted beside itself; NULL for several
#' @noRd
predict_twice <- function(opened, data) {
  if (nrow(data) == 1L) {
    scores <- predict_whole(opened, data.frame(lapply(data, rep, 2L), check.names = FALSE))
    if (!is.null(scores)) lapply(scores, function(column) column[[1L]])
  }
}

report_missing <- function(data, whole) {
  holes <- names(data)[vapply(data, anyNA, NA)]
  warning(
    "predict takes no missing values: the prediction of row(s) ",
    paste(utils::head(which(!whole), 10L), collapse = ", "), " is missing, for ", quoted(holes, 5L),
    call. = FALSE
  )
}

#' R's own error for a level that only the formula makes, such as `factor(x)`, is the caller's
#' @noRd
new_level <- function(condition) {
  message <- conditionMessage(condition)
  if (grepl("^factor .* has new levels? ", message)) {
    abort(
      "schema_mismatch", message, ": the model was not trained with it. Send a value that it knows."
    )
  }
}

#' What `predict` returned as a list of double vectors
#' @noRd
score_columns <- function(scores) {
  if (length(dim(scores)) == 2L) {
    names <- colnames(scores)
    if (is.matrix(scores)) {
      scores <- lapply(seq_len(ncol(scores)), function(i) scores[, i])
    }
    scores <- stats::setNames(unclass(scores), names)
  } else {
    scores <- list(scores)
  }
  lapply(scores, score_column)
}

score_column <- function(column) {
  if (is.factor(column)) column <- as_number(as.character(column))
  if (!is.numeric(column) && !is.logical(column)) {
    abort(
      "invalid_output", "predict returned values of type ", typeof(column),
      ": expected numbers. Define a score hook for this model."
    )
  }
  as.double(column)
}

check_rows <- function(data, found) {
  rows <- nrow(data)
  if (all(found == rows)) {
    return(invisible())
  }
  holes <- if (is.data.frame(data)) names(data)[vapply(data, anyNA, NA)]
  abort(
    "invalid_output", "predict returned ", found[found != rows][[1L]], " rows for ", rows,
    ": expected one for each row",
    if (length(holes)) paste0("; rows with missing values are lost, in ", quoted(holes)),
    ". Fill missing values before, or in a transform hook."
  )
}
