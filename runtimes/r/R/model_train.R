# Models that caret's train() made: by formula, by x and y, or by recipe.

model_facts.train <- function(model, classify) {
  shape <- if (inherits(model, "train.recipe")) {
    recipe_shape(model$recipe)
  } else if (!is.null(model$terms)) {
    terms_shape(model$terms, model$xlevels,
      frame = model$trainingData, rows = nrow(model$trainingData)
    )
  } else {
    columns <- train_xy_columns(model)
    list(columns = columns, row_wise = TRUE, refusal = coded_by_request(model, columns))
  }
  classifier <- identical(model$modelType, "Classification")
  facts(
    framework = "caret", shape = shape, type = if (!classifier) "regression",
    labels = if (classifier) model$levels %||% levels(model$trainingData$.outcome),
    refusal = wrong_type(classifier, classify) %||% train_refusal(model, classify),
    takes_missing = !"kernlab" %in% model$modelInfo$library
  )
}

score_rows.train <- function(model, data, classify, facts) {
  if (classify) {
    stats::predict(model, data, type = "prob", na.action = stats::na.pass)
  } else {
    stats::predict(model, data, na.action = stats::na.pass)
  }
}

train_refusal <- function(model, classify) {
  if (classify && (is.null(model$modelInfo$prob) ||
                     identical(model$control$classProbs, FALSE) && needs_class_probs(model))) {
    "it cannot give class probabilities; train it with classProbs = TRUE, or define score"
  }
}

#' Methods that need to know before training that probabilities are wanted
#' @noRd
needs_class_probs <- function(model) any(grepl("^(svm|lssvm|rvm|gaussp)", model$method))

#' Why a forest of text columns cannot serve: it codes text by what else a request holds
#' @noRd
coded_by_request <- function(model, columns) {
  texts <- names(Filter(function(column) is.character(column$like), columns))
  if (length(texts) && inherits(model$finalModel, c("randomForest", "ranger"))) {
    paste("it keeps no levels of text column(s)", quoted(texts), "; train it with factors")
  }
}

#' Columns from the rows of training, or from the model inside where those were not kept
#' @noRd
train_xy_columns <- function(model) {
  data <- model$trainingData
  if (!is.null(data)) {
    return(frame_columns(data[setdiff(names(data), c(".outcome", ".weights"))]))
  }
  inner <- model$finalModel
  if (inherits(inner, "randomForest")) {
    return(forest_columns(inner))
  }
  levels <- Filter(is.character, inner$xlevels)
  named(inner$xNames, function(name) {
    if (is.null(levels[[name]])) column(double()) else column(factor(character(), levels[[name]]))
  })
}
