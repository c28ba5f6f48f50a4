# Models that caret's train() made: by formula, by x and y, or by recipe.

model_facts.train <- function(model, classify) {
  shape <- if (inherits(model, "train.recipe")) {
    recipe_columns(model$recipe)
  } else if (!is.null(model$terms)) {
    train_formula_columns(model)
  } else {
    train_xy_columns(model)
  }
  do.call(facts, c(
    list(
      framework = "caret",
      labels = if (classify) model$levels %||% levels(model$trainingData$.outcome),
      refusal = train_refusal(model, classify)
    ),
    shape
  ))
}

score_rows.train <- function(model, data, classify, facts) {
  if (classify) {
    stats::predict(model, data, type = "prob", na.action = stats::na.pass)
  } else {
    stats::predict(model, data, na.action = stats::na.pass)
  }
}

train_refusal <- function(model, classify) {
  if (!classify && identical(model$modelType, "Classification")) {
    return("it is a classifier; choose the target type binary or multiclass, or define score")
  }
  if (!classify) {
    return(NULL)
  }
  if (!identical(model$modelType, "Classification")) {
    return("it is a regression model, and class probabilities are wanted")
  }
  if (is.null(model$modelInfo$prob) || identical(model$control$classProbs, FALSE) &&
        needs_class_probs(model)) {
    return("it cannot give class probabilities; train it with classProbs = TRUE, or define score")
  }
  NULL
}

#' Methods that must be told before training that probabilities are wanted
#' @noRd
needs_class_probs <- function(model) any(grepl("^(svm|lssvm|rvm|gaussp)", model$method))

train_formula_columns <- function(model) {
  shape <- terms_columns(model$terms, model$xlevels)
  data <- model$trainingData
  for (name in intersect(names(shape$columns), names(data))) {
    shape$columns[[name]] <- column_type(data[[name]])
  }
  shape
}

train_xy_columns <- function(model) {
  data <- model$trainingData
  if (is.null(data)) {
    levels <- Filter(is.character, model$finalModel$forest$xlevels %||% model$finalModel$xlevels)
    factors <- lapply(levels, function(known) factor(character(), known))
    names <- model$finalModel$xNames
    columns <- lapply(stats::setNames(nm = names), function(name) {
      if (name %in% names(factors)) "text" else "any"
    })
    return(list(columns = columns, factors = factors, row_wise = TRUE))
  }
  data <- data[setdiff(names(data), c(".outcome", ".weights"))]
  list(
    columns = lapply(data, column_type),
    factors = lapply(Filter(is.factor, data), function(column) column[0L]),
    row_wise = TRUE
  )
}

column_type <- function(column) {
  if (is.logical(column)) {
    "boolean"
  } else if (is.numeric(column)) {
    "number"
  } else if (is.factor(column) || is.character(column)) {
    "text"
  } else {
    "any"
  }
}
