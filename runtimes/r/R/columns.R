# The columns that a model expects, one record each.

#' What a model expects in one column
#'
#' @param like a vector of the type that the model was trained with (its values do
#'   not matter; the levels of a factor do), or NULL when the type is not known.
#' @param levels the only texts that the model knows, in its order.
#' @param unknown what becomes of other texts: `"error"`, `"missing"`, or `"own"` when
#'   the model has a rule of its own for them.
#' @noRd
column <- function(like = NULL, levels = NULL, unknown = "error") {
  like <- like[0L]
  if (is.factor(like)) levels <- levels %||% levels(like)
  kind <- column_kind(like, levels)
  if (is.factor(like) && !identical(levels(like), levels)) {
    like <- factor(character(), levels, ordered = is.ordered(like))
  }
  list(kind = kind, like = like, levels = levels, unknown = unknown)
}

column_kind <- function(like, levels) {
  if (length(levels)) {
    "category"
  } else if (is.factor(like) || is.character(like)) {
    "text"
  } else if (is.logical(like)) {
    "boolean"
  } else if (inherits(like, "Date")) {
    "date"
  } else if (inherits(like, "POSIXct")) {
    "time"
  } else if (is.numeric(like) || inherits(like, "difftime")) {
    "number"
  } else {
    "any"
  }
}

#' Records of a data frame's columns
#' @noRd
frame_columns <- function(frame) lapply(frame, column)

#' Records of columns that are numbers, or that the model codes as numbers
#'
#' A model that keeps no more than the names of its columns takes logicals as 0 and 1. Text has no
#' number there: the levels that it was coded by are not in the model.
#' @noRd
number_columns <- function(names) named(names, function(name) column(double()))

named <- function(names, make) lapply(stats::setNames(nm = as.character(names)), make)

#' Records as plain vectors, for a host that is not R
#' @noRd
describe_columns <- function(columns) {
  text <- function(field) vapply(columns, function(column) column[[field]], "", USE.NAMES = FALSE)
  list(
    names = as.character(names(columns)),
    kinds = text("kind"),
    levels = unname(lapply(columns, function(column) enc2utf8(as.character(column$levels)))),
    ordered = vapply(columns, function(column) is.ordered(column$like), NA, USE.NAMES = FALSE),
    unknown = text("unknown")
  )
}

#' Does the model take its columns as one matrix of numbers?
#' @noRd
all_numbers <- function(columns) {
  all(vapply(columns, function(column) column$kind == "number", NA))
}
