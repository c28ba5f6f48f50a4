# Bare trees and forests.

model_facts.randomForest <- function(model, classify) {
  wrong <- classify != identical(model$type, "classification")
  shape <- if (is.null(model$terms)) {
    list(
      columns = lapply(stats::setNames(nm = rownames(model$importance)), function(name) "any"),
      row_wise = TRUE
    )
  } else {
    terms_columns(model$terms)
  }
  known <- Filter(is.character, model$forest$xlevels)
  do.call(facts, c(
    list(
      framework = "randomForest",
      labels = if (classify) model$classes,
      factors = lapply(known, function(levels) factor(character(), levels)),
      refusal = if (wrong) paste("it is a forest for", model$type)
    ),
    shape[setdiff(names(shape), "levels")]
  ))
}

model_facts.rpart <- function(model, classify) {
  wrong <- classify != identical(model$method, "class")
  do.call(facts, c(
    list(
      framework = "rpart",
      labels = if (classify) attr(model, "ylevels"),
      refusal = if (wrong) paste("it is a tree of method", model$method)
    ),
    terms_columns(model$terms, attr(model, "xlevels"))
  ))
}

model_facts.ranger <- function(model, classify) {
  kind <- model$treetype
  wanted <- if (classify) "Probability estimation" else "Regression"
  facts(
    framework = "ranger",
    labels = if (classify) colnames(model$predictions),
    columns = lapply(stats::setNames(nm = model$forest$independent.variable.names), function(name) {
      "any"
    }),
    row_wise = TRUE,
    refusal = if (!identical(kind, wanted)) {
      paste0("it is a forest for ", kind, " and ", wanted, " is wanted")
    }
  )
}

score_rows.ranger <- function(model, data, classify, facts) {
  stats::predict(model, data = data)$predictions
}
