#' What a model tells of itself
#'
#' @param model a model object.
#' @param classify will it be asked for class probabilities?
#' @return a list made by [facts()].
#' @export
model_facts <- function(model, classify) UseMethod("model_facts")

#' Predict rows: class probabilities by name, or one column
#'
#' @param model a model object; `data` a data.frame; `classify` as above.
#' @param facts what `model_facts()` told.
#' @export
score_rows <- function(model, data, classify, facts) UseMethod("score_rows")

#' @param framework short name of what made the model.
#' @param labels class labels in the order of the model.
#' @param columns list of column name to `"number"`, `"text"`, `"boolean"` or
#'   `"any"`: what the model must be given.
#' @param factors list of column name to the factor prototype that the model
#'   insists on; text columns become such factors.
#' @param levels list of column name to the only texts the model knows.
#' @param row_wise does each row count on its own?
#' @param refusal why the built-in predict cannot serve, or NULL.
#' @noRd
facts <- function(framework, labels = NULL, columns = list(), factors = list(), levels = list(),
                  row_wise = FALSE, refusal = NULL) {
  list(
    framework = framework, labels = as.character(labels), columns = columns, factors = factors,
    levels = c(levels, lapply(factors, levels)), row_wise = row_wise, refusal = refusal
  )
}

#' Make a loaded model ready to predict
#'
#' @param model a model object.
#' @param target_type `"regression"`, `"anomaly"`, `"binary"`, `"multiclass"`,
#'   `"multilabel"`, `"transform"`; others have no built-in predict.
#' @param hooked does a hook predict? Then a missing package is the hook's affair.
#' @export
open_model <- function(model, target_type, hooked = FALSE) {
  if (!hooked) {
    require_packages(model_packages(model), paste("a model of class", class(model)[[1L]]))
  }
  classify <- target_type %in% c("binary", "multiclass", "multilabel")
  facts <- if (hooked) {
    facts(class(model)[[1L]], refusal = "a hook answers")
  } else {
    model_facts(model, classify)
  }
  if (!classify && !target_type %in% c("regression", "anomaly", "transform")) {
    facts$refusal <- paste("no built-in predict serves the target type", target_type)
  }
  list(model = model, classify = classify, facts = facts)
}

#' Facts as plain vectors, for a host that is not R
#' @export
describe_model <- function(opened) {
  facts <- opened$facts
  list(
    facts$framework, facts$labels, as.character(names(facts$columns)),
    as.character(unlist(facts$columns)), facts$row_wise, facts$refusal %||% character()
  )
}

#' Predict with an opened model; one row comes back for each row of `data`
#'
#' @return `list(names, columns)`, the columns being double vectors.
#' @export
predict_rows <- function(opened, data) {
  facts <- opened$facts
  if (is.data.frame(data)) data <- prepare_rows(facts, data)
  scores <- score_rows(opened$model, data, opened$classify, facts)
  scores <- score_columns(scores)
  check_rows(data, lengths(scores))
  list(enc2utf8(names(scores) %||% rep("", length(scores))), scores)
}

#' Check what must be there, and give columns the type that the model insists on
#' @noRd
prepare_rows <- function(facts, data) {
  columns <- facts$columns
  at <- match(names(columns), names(data))
  if (anyNA(at)) {
    abort(
      "schema_mismatch", "columns are missing in the data: ", quoted(names(columns)[is.na(at)]),
      "; the model expects ", quoted(names(columns), 50L), "; found ", quoted(names(data), 50L),
      ". Send every column that the model was trained with."
    )
  }
  for (i in seq_along(at)) {
    column <- .subset2(data, at[[i]])
    cast <- cast_column(column, columns[[i]], names(columns)[[i]])
    if (!identical(typeof(cast), typeof(column))) data[[at[[i]]]] <- cast
  }
  for (name in names(facts$levels)) check_levels(data[[name]], facts$levels[[name]], name)
  for (name in names(facts$factors)) {
    like <- facts$factors[[name]]
    data[[name]] <- factor(as.character(data[[name]]), levels(like), ordered = is.ordered(like))
  }
  data
}

cast_column <- function(column, type, name) {
  if (is.logical(column) && all(is.na(column))) {
    return(switch(type, number = as.double(column), text = as.character(column), column))
  }
  if (type == "number" && (is.character(column) || is.factor(column))) {
    texts <- unique(as.character(column[!is.na(column)]))
    bad <- texts[is.na(as_number(texts)) & nzchar(trimws(texts))]
    if (!length(bad)) bad <- texts
    abort(
      "schema_mismatch", "column '", name, "' holds text: ", quoted(bad, 5L),
      "; the model expects numbers there. Send numbers, or nothing where a value is missing."
    )
  }
  column
}

check_levels <- function(column, levels, name) {
  texts <- unique(as.character(column))
  new <- setdiff(texts[!is.na(texts)], levels)
  if (length(new)) {
    abort(
      "schema_mismatch", "column '", name, "' holds values that the model was not trained with: ",
      quoted(new, 5L), "; it knows ", quoted(levels, 20L), ". Send one of these."
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
