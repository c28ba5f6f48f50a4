# Bare lm and glm, and whatever else keeps its terms.

model_facts.lm <- function(model, classify) {
  do.call(facts, c(
    list(
      framework = "stats",
      refusal = if (classify) "an lm has no class probabilities"
    ),
    terms_columns(stats::terms(model), model$xlevels)
  ))
}

model_facts.glm <- function(model, classify) {
  labels <- if (classify) glm_labels(model)
  refusal <- if (classify && is.null(labels)) {
    paste(
      "a glm gives class probabilities when its family is binomial and its response a factor,",
      "logical or 0/1, kept in the model (model = TRUE)"
    )
  }
  do.call(facts, c(
    list(framework = "stats", labels = labels, refusal = refusal),
    terms_columns(stats::terms(model), model$xlevels)
  ))
}

#' A binomial glm models the probability of the response's second level
#' @noRd
score_rows.glm <- function(model, data, classify, facts) {
  if (!classify) {
    return(stats::predict(model, data))
  }
  second <- as.double(stats::predict(model, data, type = "response"))
  stats::setNames(list2frame(list(1 - second, second)), facts$labels)
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

#' Columns that a formula needs, from its terms
#' @noRd
terms_columns <- function(terms, xlevels = NULL) {
  right <- stats::delete.response(terms)
  variables <- all.vars(attr(right, "variables"))
  env <- environment(terms)
  constant <- vapply(variables, function(name) {
    is.environment(env) && exists(name, envir = env) && !is.function(get(name, envir = env))
  }, NA)
  variables <- variables[!constant]
  classes <- attr(right, "dataClasses")
  columns <- lapply(stats::setNames(nm = variables), function(name) {
    switch(if (name %in% names(classes)) classes[[name]] else "other",
      numeric = "number", logical = "boolean", factor = , ordered = , character = "text", "any"
    )
  })
  list(
    columns = columns,
    levels = xlevels[names(xlevels) %in% variables],
    row_wise = terms_row_wise(right)
  )
}

# Functions whose value for a row depends on that row alone once the model is fitted.
row_wise_functions <- c(
  "~", "+", "-", "*", "/", "^", ":", "(", "%in%", "I", "list", "log", "log2", "log10", "log1p",
  "exp", "sqrt", "abs", "sin", "cos", "tan", "factor", "as.factor", "poly", "ns", "bs", "scale",
  "offset", "<", ">", "<=", ">=", "==", "!=", "&", "|", "!", "ifelse"
)

terms_row_wise <- function(terms) {
  used <- all.names(attr(terms, "variables"), unique = TRUE)
  all(setdiff(used, all.vars(attr(terms, "variables"))) %in% row_wise_functions)
}
