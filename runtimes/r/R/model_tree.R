# Bare trees and forests.

model_facts.randomForest <- function(model, classify) {
  kinds <- forest_columns(model)
  shape <- if (is.null(model$terms)) {
    list(columns = kinds, row_wise = TRUE)
  } else {
    split <- function(name) splits_of(model, name)
    levels <- lapply(kinds, function(kind) kind$levels)
    terms_shape(model$terms, levels, scale = split, rows = length(model$predicted))
  }
  classifier <- identical(model$type, "classification")
  facts(
    framework = "randomForest", shape = shape, type = if (!classifier) "regression",
    labels = model$classes,
    refusal = if (!identical(model$type, "unsupervised")) {
      wrong_type(classifier, classify)
    } else {
      "it is an unsupervised forest"
    }
  )
}

#' Columns by the levels in a forest; one whose levels count as one category is ordered
#' @noRd
forest_columns <- function(model) {
  xlevels <- model$forest$xlevels
  ncat <- model$forest$ncat
  names <- rownames(model$importance)
  if (!length(xlevels)) {
    return(number_columns(names))
  }
  names(xlevels) <- names
  named(names, function(name) {
    levels <- xlevels[[name]]
    if (!is.character(levels)) {
      return(column(double()))
    }
    ordered <- length(levels) > 1L && ncat[[match(name, names)]] == 1L
    column(factor(character(), levels, ordered = ordered))
  })
}

splits_of <- function(model, name) {
  at <- match(name, rownames(model$importance))
  variable <- if (is.null(model$forest$bestvar)) integer() else model$forest$bestvar
  model$forest$xbestsplit[variable == at]
}

score_rows.randomForest <- function(model, data, classify, facts) {
  if (classify) {
    stats::predict(model, data, type = "prob")
  } else {
    stats::predict(model, data)
  }
}

model_facts.rpart <- function(model, classify) {
  classifier <- identical(model$method, "class")
  split <- function(name) model$splits[rownames(model$splits) == name, "index"]
  facts(
    framework = "rpart", labels = if (classifier) attr(model, "ylevels"),
    shape = terms_shape(
      model$terms, attr(model, "xlevels"),
      scale = split, frame = model$model, rows = length(model$where)
    ),
    type = if (!classifier) "regression", refusal = wrong_type(classifier, classify)
  )
}

model_facts.ranger <- function(model, classify) {
  kind <- model$treetype
  wanted <- if (classify) "Probability estimation" else "Regression"
  labels <- colnames(model$predictions) %||% model$forest$levels
  lost <- ranger_lost(model$forest)
  facts(
    framework = "ranger", labels = if (!identical(kind, "Regression")) labels,
    type = if (identical(kind, "Regression")) "regression",
    shape = list(columns = ranger_columns(model$forest), row_wise = TRUE),
    refusal = if (!identical(kind, wanted)) {
      paste0("it is a forest for ", kind, " and ", wanted, " is wanted")
    } else if (length(lost)) {
      paste0(
        "it keeps no levels of its factors: ", quoted(lost), "; train it with ",
        "respect.unordered.factors = \"order\""
      )
    }
  )
}

#' Factors whose levels are not in the forest (respect.unordered.factors = "partition")
#' @noRd
ranger_lost <- function(forest) {
  unordered <- forest$independent.variable.names[!forest$is.ordered]
  setdiff(unordered, names(Filter(length, forest$covariate.levels)))
}

#' Columns by the levels in a forest; without them, which is the default, a factor is not known
#' @noRd
ranger_columns <- function(forest) {
  named(forest$independent.variable.names, function(name) {
    levels <- forest$covariate.levels[[name]]
    if (is.null(levels)) column(double()) else column(factor(character(), levels))
  })
}

score_rows.ranger <- function(model, data, classify, facts) {
  predicted <- stats::predict(model, data = data)$predictions
  if (!classify || length(dim(predicted)) == 2L) {
    return(predicted)
  }
  matrix(predicted, nrow(data), dimnames = list(NULL, facts$labels))
}

model_facts.gbm <- function(model, classify) {
  kind <- model$distribution$name
  labels <- if (identical(kind, "multinomial")) {
    model$classes
  } else if (kind %in% c("bernoulli", "adaboost")) {
    c("0", "1")
  }
  facts(
    framework = "gbm", labels = labels, type = if (is.null(labels)) "regression",
    shape = list(columns = gbm_columns(model), row_wise = TRUE),
    either = identical(labels, c("0", "1")),
    refusal = if (classify && is.null(labels)) {
      paste("it has no class probabilities: its distribution is", kind)
    } else if (!classify && identical(kind, "multinomial")) {
      wrong_type(TRUE, classify)
    }
  )
}

#' gbm codes factors by their levels; an ordered one counts as continuous
#' @noRd
gbm_columns <- function(model) {
  columns <- lapply(seq_along(model$var.names), function(i) {
    levels <- model$var.levels[[i]]
    if (!is.character(levels)) {
      return(column(double()))
    }
    column(factor(character(), levels, ordered = model$var.type[[i]] == 0))
  })
  stats::setNames(columns, model$var.names)
}

score_rows.gbm <- function(model, data, classify, facts) {
  kind <- if (classify) "response" else "link"
  scores <- suppressMessages(stats::predict(model, data, type = kind))
  if (length(dim(scores)) == 3L) {
    return(matrix(scores, nrow(data), dimnames = list(NULL, dimnames(scores)[[2L]])))
  }
  if (classify) second_of_two(scores, facts$labels) else scores
}
