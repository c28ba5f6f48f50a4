# Columns of a request as the type that the model was trained with.

#' Check what must be there, and give columns the type that the model expects
#'
#' Columns that the model does not name are left out, and the others stand in its order: a model
#' trained with a matrix takes them by position.
#' @noRd
prepare_rows <- function(columns, data) {
  if (!length(columns)) {
    return(data)
  }
  at <- match(names(columns), names(data))
  if (anyNA(at)) {
    abort(
      "schema_mismatch", "columns are missing in the data: ", quoted(names(columns)[is.na(at)]),
      "; the model expects ", quoted(names(columns), 50L), "; found ", quoted(names(data), 50L),
      ". Send every column that the model was trained with."
    )
  }
  cast <- unclass(data)[at]
  for (i in seq_along(at)) {
    cast[[i]] <- cast_column(cast[[i]], columns[[i]], names(columns)[[i]])
  }
  structure(
    stats::setNames(cast, names(columns)),
    class = "data.frame", row.names = .set_row_names(nrow(data))
  )
}

cast_column <- function(column, expected, name) {
  switch(expected$kind,
    number = cast_number(column, expected$like, name),
    boolean = cast_boolean(column, name),
    category = cast_category(column, expected, name),
    text = cast_text(column, expected$like),
    date = cast_time(column, expected$like, name, "a date as in 2024-02-29"),
    time = cast_time(column, expected$like, name, "a time as in 2024-02-29T12:30:00"),
    column
  )
}

is_text <- function(column) is.character(column) || is.factor(column)

cast_number <- function(column, like, name) {
  if (is_text(column)) column <- as_flags(column) %||% refuse_text(column, name, "numbers")
  if (inherits(column, c("Date", "POSIXt"))) {
    unfit(name, "dates", format(column[!is.na(column)]), "numbers")
  }
  if (is.object(like)) { # a difftime
    attributes(column) <- attributes(like)
  } else if (is.logical(column)) {
    column <- as.double(column)
  }
  column
}

cast_boolean <- function(column, name) {
  flags <- if (is_text(column)) {
    as_flags(column)
  } else if (is.logical(column)) {
    column
  } else if (is.numeric(column) && all(column %in% c(0, 1, NA))) {
    as.logical(column)
  }
  if (is.null(flags)) unfit(name, "values", present(column), "logicals (TRUE or FALSE)")
  flags
}

true_words <- c("TRUE", "True", "true", "T")
false_words <- c("FALSE", "False", "false", "F")

#' Text that spells logicals, as logicals; NULL when some does not
#' @noRd
as_flags <- function(column) {
  texts <- trimws(as.character(column))
  flags <- texts %in% true_words
  flags[is_missing_text(texts)] <- NA
  if (all(flags %in% c(TRUE, NA) | texts %in% false_words)) flags
}

missing_words <- c(
  "", "NA", "NaN", "nan", "NAN", "null", "NULL", "N/A", "n/a", "None", "<NA>", "#N/A"
)

is_missing_text <- function(texts) is.na(texts) | texts %in% missing_words

#' Cells as one of the levels that the model knows
#' @noRd
cast_category <- function(column, expected, name) {
  like <- expected$like
  if (is.factor(like) && identical(class(column), class(like)) &&
        identical(levels(column), levels(like))) {
    return(column)
  }
  values <- if (is.factor(column)) levels(droplevels(column)) else unique(column)
  places <- match_levels(values, expected$levels)
  levels <- expected$levels
  new <- is.na(places) & !is_missing_text(as.character(values))
  if (any(new)) levels <- settle_unknown(as.character(values[new]), expected, name)
  places[new] <- match(as.character(values[new]), levels)
  texts <- levels[places[match(column, values)]]
  if (is.factor(like)) factor(texts, levels, ordered = is.ordered(like)) else texts
}

#' The levels to use when there are others, by the model's rule for those
#' @noRd
settle_unknown <- function(texts, expected, name) {
  if (expected$unknown == "error") {
    abort(
      "schema_mismatch", "column '", name, "' holds values that the model was not trained with: ",
      quoted(texts, 5L), "; it knows ", quoted(expected$levels, 20L), ". Send one of these."
    )
  }
  c(expected$levels, if (expected$unknown == "own") texts)
}

#' The level that each value stands for: by its text, as a number, or as a logical
#' @noRd
match_levels <- function(values, levels) {
  texts <- as.character(values)
  found <- match(texts, levels)
  if (anyNA(found)) {
    numbers <- as_number(levels)
    wanted <- if (is.numeric(values)) as.double(values) else as_number(texts)
    padded <- grepl("^\\s*[+-]?0[0-9]", texts)
    unique_number <- !(numbers %in% numbers[duplicated(numbers)])
    by_number <- match(wanted, replace(numbers, !unique_number, NA), incomparables = NA)
    flags <- as_flag(levels)
    pair <- is.logical(values) || all(c(TRUE, FALSE) %in% flags) # "F" beside "M" is not false
    by_flag <- if (pair) match(as_flag(texts), flags, incomparables = NA) else found
    found <- ifelse(is.na(found) & !padded, by_number, found)
    found <- ifelse(is.na(found), by_flag, found)
    found <- ifelse(is.na(found), match(trimws(texts), levels), found)
  }
  found
}

as_flag <- function(texts) {
  ifelse(texts %in% true_words, TRUE, ifelse(texts %in% false_words, FALSE, NA))
}

cast_text <- function(column, like) {
  if (is.factor(like)) factor(as.character(column)) else as.character(column)
}

#' Dates or moments: the class that the model was trained with, from either class or ISO text
#' @noRd
cast_time <- function(column, like, name, expected) {
  date <- inherits(like, "Date")
  if (all(is.na(column))) {
    column <- rep(NA_real_, length(column))
    return(if (date) .Date(column) else .POSIXct(column, "UTC"))
  }
  if (is_text(column)) column <- parse_times(as.character(column), name, expected)
  if (inherits(column, "POSIXlt")) column <- as.POSIXct(column)
  if (!inherits(column, c("Date", "POSIXct"))) unfit(name, "values", present(column), expected)
  if (!date) {
    seconds <- if (inherits(column, "Date")) 86400 * as.double(column) else as.double(column)
    return(.POSIXct(seconds, attr(like, "tzone") %||% "UTC"))
  }
  if (inherits(column, "POSIXct")) as.Date(column, tz = "UTC") else column
}

parse_times <- function(texts, name, expected) {
  texts[is_missing_text(texts)] <- NA
  plain <- sub("Z$", "+0000", sub("([+-][0-9]{2}):?([0-9]{2})$", "\\1\\2", sub("T", " ", texts)))
  times <- rep(NA_real_, length(texts))
  for (format in c("%Y-%m-%d %H:%M:%OS%z", "%Y-%m-%d %H:%M:%OS", "%Y-%m-%d %H:%M", "%Y-%m-%d")) {
    shape <- time_shapes[[format]]
    at <- which(is.na(times) & grepl(shape, plain))
    times[at] <- as.double(as.POSIXct(strptime(plain[at], format, tz = "UTC")))
  }
  bad <- is.na(times) & !is.na(texts)
  if (any(bad)) unfit(name, "text", unique(texts[bad]), expected)
  .POSIXct(times, "UTC")
}

time_shapes <- list(
  "%Y-%m-%d %H:%M:%OS%z" = "^[0-9]{4}-[0-9]{2}-[0-9]{2} [0-9:.]+[+-][0-9]{4}$",
  "%Y-%m-%d %H:%M:%OS" = "^[0-9]{4}-[0-9]{2}-[0-9]{2} [0-9]{2}:[0-9]{2}:[0-9.]+$",
  "%Y-%m-%d %H:%M" = "^[0-9]{4}-[0-9]{2}-[0-9]{2} [0-9]{2}:[0-9]{2}$",
  "%Y-%m-%d" = "^[0-9]{4}-[0-9]{2}-[0-9]{2}$"
)

present <- function(column) unique(as.character(column[!is.na(column)]))

refuse_text <- function(column, name, expected) {
  texts <- present(column)
  bad <- texts[is.na(as_number(texts)) & nzchar(trimws(texts))]
  unfit(name, "text", if (length(bad)) bad else texts, expected)
}

unfit <- function(name, what, values, expected) {
  abort(
    "schema_mismatch", "column '", name, "' holds ", what, ": ", quoted(values, 5L),
    "; the model expects ", expected, " there. Send those, or nothing where a value is missing."
  )
}
