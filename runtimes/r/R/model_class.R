# Bare classifiers of packages e1071, MASS and nnet.

model_facts.svm <- function(model, classify) {
  classifier <- model$type %in% c(0, 1)
  facts(
    framework = "e1071", shape = svm_shape(model),
    labels = if (classifier) model$levels,
    type = if (model$type == 2) "anomaly" else if (!classifier) "regression",
    refusal = wrong_type(classifier, classify) %||% if (classify && !isTRUE(model$compprob)) {
      "it cannot give class probabilities; train it with probability = TRUE, or define score"
    }
  )
}

score_rows.svm <- function(model, data, classify, facts) {
  if (!classify) {
    return(stats::predict(model, data))
  }
  attr(stats::predict(model, data, probability = TRUE), "probabilities")
}

#' An svm keeps no levels, but names of the columns that its first factor became
#' @noRd
svm_shape <- function(model) {
  names <- colnames(model$SV)
  if (is.null(model$terms)) {
    names <- names %||% names(model$x.scale[["scaled:center"]])
    return(list(columns = number_columns(names), row_wise = TRUE))
  }
  scale <- function(name) model$x.scale[["scaled:center"]][name]
  shape <- terms_shape(
    model$terms, svm_levels(model$terms, names),
    scale = function(name) if (!anyNA(scale(name))) scale(name), rows = length(model$fitted)
  )
  # Its predict codes text by what a request holds, so that text must be a factor of all levels.
  shape$columns <- lapply(shape$columns, function(known) {
    if (is.character(known$like)) column(factor(character(), known$levels)) else known
  })
  if (!is.null(shape$refusal)) {
    shape$refusal <- paste0(shape$refusal, "; train it with x = and y =, or by caret")
  }
  shape
}

#' Levels of the one factor of a formula without interactions, from the names of its columns
#'
#' The matrix has no intercept, so that the first factor has a column for each of its levels.
#' @noRd
svm_levels <- function(terms, names) {
  classes <- attr(stats::delete.response(terms), "dataClasses")
  labels <- attr(terms, "term.labels")
  simple <- all(labels %in% names(classes)) && !any(classes[labels] == "ordered")
  coded <- labels[classes[labels] %in% c("factor", "character", "logical")]
  texts <- coded[classes[coded] != "logical"]
  if (!simple || length(texts) != 1L || texts != coded[[1L]]) {
    return(NULL)
  }
  others <- setdiff(labels, texts)
  others <- c(others, sprintf("%sTRUE", others))
  own <- names[startsWith(names, texts) & !names %in% others]
  stats::setNames(list(substring(own, nchar(texts) + 1L)), texts)
}

model_facts.naiveBayes <- function(model, classify) {
  columns <- lapply(model$tables, function(table) {
    levels <- colnames(table)
    if (is.null(levels)) column(double()) else column(factor(character(), levels))
  })
  facts(
    framework = "e1071", labels = names(model$apriori),
    shape = list(columns = columns, row_wise = TRUE), refusal = wrong_type(TRUE, classify)
  )
}

score_rows.naiveBayes <- function(model, data, classify, facts) {
  stats::predict(model, data, type = "raw")
}

model_facts.lda <- function(model, classify) discriminant_facts(model, classify)

model_facts.qda <- function(model, classify) discriminant_facts(model, classify)

discriminant_facts <- function(model, classify) {
  facts(
    framework = "MASS", labels = names(model$prior),
    shape = if (is.null(model$terms)) {
      list(columns = number_columns(colnames(model$means)), row_wise = TRUE)
    } else {
      mean_of <- function(name) if (name %in% colnames(model$means)) model$means[, name]
      terms_shape(model$terms, model$xlevels, scale = mean_of, rows = model$N)
    },
    refusal = wrong_type(TRUE, classify)
  )
}

score_rows.lda <- function(model, data, classify, facts) stats::predict(model, data)$posterior

score_rows.qda <- function(model, data, classify, facts) stats::predict(model, data)$posterior

model_facts.polr <- function(model, classify) {
  facts(
    framework = "MASS", labels = model$lev, shape = lm_shape(model),
    refusal = wrong_type(TRUE, classify)
  )
}

score_rows.polr <- function(model, data, classify, facts) {
  by_class(stats::predict(model, data, type = "probs"), nrow(data), facts$labels)
}

#' Probabilities as a matrix; of one row R returns a vector
#' @noRd
by_class <- function(scores, rows, labels) {
  if (length(dim(scores)) == 2L) {
    return(scores)
  }
  matrix(scores, rows, byrow = rows == 1L, dimnames = list(NULL, labels))
}

model_facts.nnet <- function(model, classify) {
  responses <- colnames(model$fitted.values)
  labels <- model$lev %||% if (isTRUE(model$softmax)) responses
  facts(
    framework = "nnet", labels = labels, type = if (is.null(labels)) "regression",
    shape = if (is.null(model$terms)) {
      list(row_wise = TRUE)
    } else {
      terms_shape(model$terms, model$xlevels, frame = model$model, rows = NROW(model$fitted.values))
    },
    refusal = wrong_type(!is.null(labels), classify) %||% if (!classify && model$n[[3L]] != 1) {
      "it predicts several columns"
    }
  )
}

score_rows.nnet <- function(model, data, classify, facts) {
  if (is.null(model$terms)) check_width(data, model$n[[1L]])
  scores <- stats::predict(model, data, type = "raw")
  if (!classify || ncol(scores) != 1L) {
    return(scores)
  }
  second_of_two(scores, facts$labels)
}

#' Such a net knows its columns by position only, and R reads past the end of a narrow matrix
#' @noRd
check_width <- function(data, width) {
  numbers <- vapply(data, function(column) is.numeric(column) || is.logical(column), NA)
  if (ncol(data) != width || !all(numbers)) {
    abort(
      "schema_mismatch", "the model takes ", width, " columns of numbers by position, as it keeps ",
      "no names; found ", ncol(data), ": ", quoted(names(data), 50L), "."
    )
  }
}

model_facts.multinom <- function(model, classify) {
  facts(
    framework = "nnet", labels = model$lev %||% model$lab,
    shape = terms_shape(
      model$terms, model$xlevels,
      frame = model$model, rows = NROW(model$fitted.values)
    ),
    refusal = wrong_type(TRUE, classify)
  )
}

score_rows.multinom <- function(model, data, classify, facts) {
  scores <- stats::predict(model, data, type = "probs")
  if (length(facts$labels) == 2L && length(dim(scores)) != 2L) {
    return(second_of_two(scores, facts$labels))
  }
  by_class(scores, nrow(data), facts$labels)
}
