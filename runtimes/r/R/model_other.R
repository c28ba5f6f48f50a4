# Models that nothing more is known of than that predict() takes them.

model_facts.default <- function(model, classify) {
  facts(
    framework = class(model)[[1L]],
    shape = if (terms_suffice(model)) {
      shape <- terms_shape(model$terms, as.list(model$xlevels), frame = model$model)
      shape[c("columns", "refusal")]
    } else {
      list()
    },
    refusal = if (isS4(model)) {
      "predict is called for classes of S3 only; train it by caret, or define score"
    } else if (!has_predict(model)) {
      paste("there is no predict method for class", class(model)[[1L]])
    } else if (classify) {
      no_probabilities(model)
    }
  )
}

#' Do the terms name all columns? Arguments beside the formula may name others, as `random =` does.
#' @noRd
terms_suffice <- function(model) {
  if (!is.list(model) || !inherits(model$terms, "terms")) {
    return(FALSE)
  }
  arguments <- as.list(model$call)[-1L]
  place <- names(arguments) %||% rep("", length(arguments))
  others <- arguments[place != "data" & place != "formula"]
  unnamed <- which(!nzchar(names(others) %||% rep("", length(others))))
  others[utils::head(unnamed, 2L)] <- NULL # formula and data by position
  length(all.vars(as.call(c(quote(list), unname(others))))) == 0L
}

score_rows.default <- function(model, data, classify, facts) {
  if (!classify) {
    return(stats::predict(model, data))
  }
  scores <- stats::predict(model, data, type = "prob")
  if (length(dim(scores)) != 2L || ncol(scores) < 2L) { # a method that takes no type ignores it
    abort(
      "invalid_output", "predict(type = \"prob\") of class ", class(model)[[1L]], " returned ",
      describe_value(scores), ": expected a column for each class. Define a score hook."
    )
  }
  scores
}

predict_methods <- function(model) {
  Filter(Negate(is.null), lapply(class(model), function(class) {
    utils::getS3method("predict", class, optional = TRUE)
  }))
}

has_predict <- function(model) is.object(model) && length(predict_methods(model)) > 0L

#' Why `predict(type = "prob")` cannot work, by the types that the method names; NULL when it may
#' @noRd
no_probabilities <- function(model) {
  parameters <- formals(args(predict_methods(model)[[1L]]))
  types <- if (is.call(parameters$type)) tryCatch(eval(parameters$type), error = function(e) NULL)
  if (is.character(types) && !"prob" %in% types) {
    paste0("its predict knows the types ", quoted(types), ", and not 'prob'")
  } else if (!any(c("type", "...") %in% names(parameters))) {
    "its predict takes no type"
  }
}

model_facts.glmnet <- function(model, classify) {
  labels <- model$classnames
  facts(
    framework = "glmnet", labels = labels, type = if (is.null(labels)) "regression",
    shape = list(columns = number_columns(glmnet_names(model)), row_wise = TRUE),
    refusal = if (length(model$lambda) != 1L) {
      "a bare glmnet of several lambdas does not say which to predict with (s =)"
    } else {
      wrong_type(!is.null(labels), classify)
    }
  )
}

#' A cv.glmnet predicts with its lambda.1se unless it is asked for another
#' @noRd
model_facts.cv.glmnet <- function(model, classify) {
  inner <- model$glmnet.fit
  inner$lambda <- model$lambda.1se
  model_facts.glmnet(inner, classify)
}

glmnet_names <- function(model) {
  rownames(if (is.list(model$beta)) model$beta[[1L]] else model$beta)
}

score_rows.glmnet <- function(model, data, classify, facts) {
  if (is.data.frame(data)) data <- data.matrix(data)
  if (!classify) {
    return(stats::predict(model, data))
  }
  scores <- stats::predict(model, data, type = "response")
  if (length(dim(scores)) == 3L) {
    return(matrix(scores, nrow(data), dimnames = list(NULL, dimnames(scores)[[2L]])))
  }
  second_of_two(scores, facts$labels)
}

score_rows.cv.glmnet <- function(model, data, classify, facts) {
  score_rows.glmnet(model, data, classify, facts)
}
