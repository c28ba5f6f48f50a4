#' What a model says of itself
#'
#' @param model a model object.
#' @param classify will it be asked for class probabilities?
#' @return a list made by [facts()].
#' @export
model_facts <- function(model, classify) UseMethod("model_facts")

#' Predict rows: class probabilities by name, or one column
#'
#' @param model a model object; `data` a data.frame; `classify` as above.
#' @param facts what `model_facts()` returned.
#' @export
score_rows <- function(model, data, classify, facts) UseMethod("score_rows")

#' @param framework short name of what made the model.
#' @param shape list of `columns`, a record by name as [column()] makes it, `row_wise` (does each
#'   row count on its own?) and `refusal`.
#' @param type `"regression"`, `"binary"`, `"multiclass"`, `"anomaly"` or NULL: what it was
#'   trained for; found from the labels when not given. `either`: it may answer as another type too.
#' @param takes_missing FALSE: its predict answers nonsense for a row with a missing value.
#' @param labels class labels in the order of the model.
#' @param refusal why the built-in predict cannot serve, or NULL.
#' @noRd
facts <- function(framework, shape = list(), type = NULL, labels = NULL, refusal = NULL,
                  either = FALSE, takes_missing = TRUE) {
  labels <- as.character(labels)
  if (is.null(type) && length(labels)) type <- if (length(labels) == 2L) "binary" else "multiclass"
  list(
    framework = framework, type = type, labels = labels, columns = as.list(shape$columns),
    row_wise = isTRUE(shape$row_wise), refusal = refusal %||% shape$refusal, either = either,
    takes_missing = takes_missing
  )
}

#' Why a classifier does not answer as a regression, or the other way round; NULL when it fits
#' @noRd
wrong_type <- function(classifier, classify) {
  if (classifier && !classify) {
    "it is a classifier; choose the target type binary or multiclass, or define score"
  } else if (classify && !classifier) {
    "it is a regression model, and class probabilities are wanted"
  }
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

#' What a model was trained for
#'
#' @param model a model object.
#' @return a character vector: the target type and the class labels, or nothing where the model
#'   does not say.
#' @export
artifact_target <- function(model) {
  known <- model_facts(model, TRUE)
  if (is.null(known$type)) character() else c(known$type, enc2utf8(known$labels))
}

#' Facts as plain vectors, for a host that is not R
#' @export
describe_model <- function(opened) {
  facts <- opened$facts
  c(
    list(
      framework = facts$framework, labels = enc2utf8(facts$labels),
      type = if (facts$either) character() else as.character(facts$type),
      row_wise = facts$row_wise, matrix = all_numbers(facts$columns),
      refusal = as.character(facts$refusal)
    ),
    describe_columns(facts$columns)
  )
}
