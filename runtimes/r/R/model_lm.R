# Bare lm, glm and gam, and whatever else rests on them.

model_facts.lm <- function(model, classify) {
  facts(
    framework = "stats", shape = lm_shape(model), type = "regression",
    refusal = if (classify) {
      "an lm has no class probabilities"
    } else if (inherits(model, "mlm")) {
      "it predicts several columns"
    }
  )
}

model_facts.glm <- function(model, classify) {
  labels <- glm_labels(model)
  facts(
    framework = "stats", shape = lm_shape(model), labels = labels,
    type = if (is.null(labels)) "regression", either = identical(labels, c("0", "1")),
    refusal = if (classify && is.null(labels)) {
      paste(
        "a glm gives class probabilities when its family is binomial and its response a factor,",
        "logical or 0/1, kept in the model (model = TRUE)"
      )
    }
  )
}

#' mgcv takes a level that it does not know for a missing value
#' @noRd
model_facts.gam <- function(model, classify) {
  known <- model_facts.glm(model, classify)
  known$framework <- "mgcv"
  known$columns <- lapply(known$columns, function(column) {
    if (column$kind == "category") column$unknown <- "missing"
    column
  })
  known
}

lm_shape <- function(model) {
  kept <- if (is.data.frame(model$data)) model$data else model$model
  shape <- terms_shape(
    stats::terms(model), model$xlevels,
    frame = kept, rows = NROW(model$fitted.values)
  )
  # predict() evaluates an offset that was given as an argument in the new rows.
  further <- setdiff(all.vars(model$call$offset), names(shape$columns))
  shape$columns <- c(shape$columns, number_columns(further))
  shape
}

#' A binomial glm models the probability of the response's second level
#' @noRd
score_rows.glm <- function(model, data, classify, facts) {
  if (!classify) {
    return(stats::predict(model, data))
  }
  second_of_two(stats::predict(model, data, type = "response"), facts$labels)
}

#' Probabilities of two classes, from that of the second
#' @noRd
second_of_two <- function(second, labels) {
  second <- as.double(second)
  stats::setNames(list2frame(list(1 - second, second)), labels)
}

list2frame <- function(columns) {
  rows <- length(columns[[1L]])
  names(columns) <- seq_along(columns)
  structure(columns, class = "data.frame", row.names = .set_row_names(rows))
}

glm_labels <- function(model) {
  if (!model$family$family %in% c("binomial", "quasibinomial") || is.null(model$model)) {
    return(NULL)
  }
  response <- stats::model.response(model$model)
  if (is.factor(response)) {
    if (nlevels(response) == 2L) levels(response)
  } else if (is.logical(response)) {
    c("FALSE", "TRUE")
  } else if (is.numeric(response) && is.null(dim(response)) && all(response %in% c(0, 1))) {
    c("0", "1")
  }
}
