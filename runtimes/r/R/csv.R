#' Read CSV text as `read.csv` does, refusing rows of unequal length
#'
#' Names stay as they are. A file of one column is read with its blank lines,
#' which are missing rows there.
#'
#' @param text the whole file, as one UTF-8 string.
#' @export
read_csv_text <- function(text) {
  text <- sub("\n$", "", text) # text connections end each string with a line end themselves
  check_ragged(text)
  read <- function(...) {
    withCallingHandlers(
      utils::read.csv(text = text, check.names = FALSE, ...),
      error = function(condition) malformed(conditionMessage(condition)),
      warning = function(condition) malformed(conditionMessage(condition))
    )
  }
  frame <- read()
  if (ncol(frame) == 1L) frame <- read(blank.lines.skip = FALSE)
  frame
}

malformed <- function(reason) {
  abort(
    "invalid_input", "cannot read the CSV data: ", reason,
    ". Expected a header line and rows separated by commas, quoted with \"."
  )
}

#' The names in a header line, as `read.csv` reads them
#' @export
header_names <- function(line) {
  scan(
    text = line, what = "", sep = ",", quote = "\"", nlines = 1L, quiet = TRUE,
    strip.white = TRUE, na.strings = character(0), comment.char = "", encoding = "UTF-8"
  )
}

check_ragged <- function(text) {
  connection <- textConnection(text, encoding = "UTF-8")
  on.exit(close(connection))
  counts <- utils::count.fields(connection, sep = ",", quote = "\"", comment.char = "")
  records <- counts[!is.na(counts)]
  odd <- which(records != records[1L])
  if (length(odd)) {
    abort(
      "invalid_input", "row ", odd[[1L]] - 1L, " of the CSV data has ", records[odd[[1L]]],
      " fields: expected ", records[[1L]], ", as in the header. Give every row one field for ",
      "each name in the header."
    )
  }
}

#' Distinct cells of a text column, typed as `read.csv` would type the column
#' @noRd
typed_cells <- function(cells) {
  cells[cells == "NA"] <- NA_character_
  utils::type.convert(cells, as.is = TRUE, na.strings = character(0))
}
