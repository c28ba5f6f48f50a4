# Models that nothing more is known of than that predict() takes them.

model_facts.default <- function(model, classify) {
  facts(framework = class(model)[[1L]], refusal = if (!has_predict(model)) no_predict(model))
}

score_rows.default <- function(model, data, classify, facts) {
  if (classify) stats::predict(model, data, type = "prob") else stats::predict(model, data)
}

has_predict <- function(model) {
  is.object(model) && any(vapply(class(model), function(class) {
    !is.null(utils::getS3method("predict", class, optional = TRUE))
  }, NA))
}

no_predict <- function(model) paste("there is no predict method for class", class(model)[[1L]])

model_facts.glmnet <- function(model, classify) {
  refusal <- if (classify || length(model$lambda) != 1L) {
    "a bare glmnet needs to be told newx = and s ="
  }
  facts(framework = "glmnet", refusal = refusal)
}

model_facts.cv.glmnet <- function(model, classify) {
  facts(framework = "glmnet", refusal = "a bare cv.glmnet needs to be told newx = and s =")
}

score_rows.glmnet <- function(model, data, classify, facts) {
  if (is.data.frame(data)) data <- data.matrix(data)
  stats::predict(model, data)
}
