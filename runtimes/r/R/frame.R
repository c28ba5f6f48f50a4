#' Put text columns into a frame that was built outside of R
#'
#' @param frame a data.frame whose text columns hold anything.
#' @param positions which columns; `codes` a list of integer codes from 1, NA
#'   where a cell is missing; `cells` a list of the distinct texts, each a
#'   character vector or a list of one text: all of them and a last one to drop,
#'   joined by the unit separator.
#' @param typed which of them are cells of a file, whose text may yet be a number?
#' @export
fill_text <- function(frame, positions, codes, cells, typed) {
  columns <- unclass(frame)
  for (i in seq_along(positions)) {
    texts <- cells[[i]]
    if (is.list(texts)) {
      texts <- utils::head(strsplit(texts[[1L]], "\x1f", fixed = TRUE)[[1L]], -1L)
    }
    if (typed[[i]]) texts <- typed_cells(texts)
    columns[[positions[[i]]]] <- texts[codes[[i]]]
  }
  class(columns) <- "data.frame"
  columns
}

#' A sparse matrix of coordinates counted from 1
#' @export
sparse_rows <- function(row, column, values, names, rows) {
  require_packages("Matrix", "sparse input")
  matrix <- Matrix::spMatrix(rows, length(names), row, column, values)
  if (any(nzchar(names))) colnames(matrix) <- names
  matrix
}

#' Read Matrix Market text as a sparse matrix
#' @export
read_mtx_text <- function(text, names = NULL) {
  require_packages("Matrix", "sparse input")
  connection <- textConnection(text)
  on.exit(close(connection))
  matrix <- tryCatch(Matrix::readMM(connection), error = function(condition) {
    abort(
      "invalid_input", "cannot read the sparse data: ", conditionMessage(condition),
      ". Expected Matrix Market coordinate text."
    )
  })
  if (is.null(names)) {
    return(matrix)
  }
  if (length(names) != ncol(matrix)) {
    abort(
      "invalid_input", length(names), " column names for a sparse matrix of ", ncol(matrix),
      " columns: expected one name for each."
    )
  }
  colnames(matrix) <- names
  matrix
}

#' Rows of a frame or matrix, or NULL
#' @export
frame_rows <- function(frame) if (length(dim(frame)) == 2L) nrow(frame)

#' A frame's columns as plain vectors
#'
#' @param frame what a hook returned; not a frame is an error.
#' @param labels class labels wanted, or NULL: see [match_labels()].
#' @param from the hook, for the error.
#' @return `list(names, columns, row_names)`: a column is a double, integer or
#'   logical vector, or `list(codes, texts)`; `row_names` is NULL when automatic.
#'   Of a sparse matrix that `transform` returned: `list(names, list(row,
#'   column, value), NULL, rows)`, counted from 0.
#' @export
columns_out <- function(frame, labels = NULL, from = "score") {
  if (from == "transform" && inherits(frame, "sparseMatrix")) {
    return(triplets_out(frame))
  }
  if (!is.data.frame(frame)) {
    abort(
      "invalid_output", from, " must return a data.frame, but returned ", describe_value(frame),
      ". Return one row for each input row."
    )
  }
  frame <- flat(frame)
  names <- enc2utf8(as.character(names(frame)))
  if (length(labels)) names <- match_labels(names, labels)
  row_names <- attr(frame, "row.names")
  list(names, lapply(unclass(frame), plain_vector), if (is.character(row_names)) row_names)
}

triplets_out <- function(matrix) {
  names <- colnames(matrix)
  if (is.null(names)) names <- paste0("V", seq_len(ncol(matrix)))
  for (form in c("dMatrix", "generalMatrix", "TsparseMatrix")) matrix <- methods::as(matrix, form)
  list(enc2utf8(names), list(matrix@i, matrix@j, matrix@x), NULL, nrow(matrix))
}

describe_value <- function(value) {
  if (is.null(value)) "NULL" else paste(class(value), collapse = "/")
}

#' Columns that are matrices or frames become columns of their own
#' @noRd
flat <- function(frame) {
  wide <- vapply(unclass(frame), function(column) length(dim(column)) == 2L, NA)
  if (!any(wide)) {
    return(frame)
  }
  row_names <- attr(frame, "row.names")
  columns <- list()
  for (i in seq_along(wide)) {
    name <- names(frame)[[i]]
    if (!wide[[i]]) {
      columns[[length(columns) + 1L]] <- stats::setNames(list(frame[[i]]), name)
      next
    }
    inner <- as.data.frame(as.matrix(frame[[i]]))
    prefix <- is.data.frame(frame[[i]]) || !is.null(colnames(frame[[i]]))
    names(inner) <- if (prefix) paste0(name, ".", names(inner)) else rep_len(name, ncol(inner))
    columns[[length(columns) + 1L]] <- as.list(inner)
  }
  structure(do.call(c, columns), class = "data.frame", row.names = row_names)
}

plain_vector <- function(column) {
  if (is.factor(column)) {
    return(list(as.integer(column), enc2utf8(levels(column))))
  }
  if (inherits(column, "integer64")) {
    return(as_double_64(column))
  }
  if (inherits(column, c("Date", "POSIXt"))) column <- as.character(column)
  if (is.list(column)) column <- unlist_column(column)
  if (is.character(column)) {
    column <- enc2utf8(as.vector(column))
    texts <- unique(column[!is.na(column)])
    return(list(match(column, texts), texts))
  }
  if (is.complex(column) || is.raw(column) || !is.atomic(column)) {
    abort(
      "invalid_output", "a column of type ", typeof(column), " cannot leave R: expected ",
      "numbers, logicals, text, factors or dates."
    )
  }
  attributes(column) <- NULL
  column
}

as_double_64 <- function(column) {
  require_packages("bit64", "a column of class integer64")
  getExportedValue("bit64", "as.double.integer64")(column)
}

unlist_column <- function(column) {
  if (!all(lengths(column) <= 1L)) {
    abort(
      "invalid_output", "a list column cannot leave R: expected one value in each cell; found ",
      max(lengths(column)), " in one. Spread them over columns, or paste them into text."
    )
  }
  column[lengths(column) == 0L] <- NA
  unlist(column)
}
