# What a model's terms say of the columns that its formula needs.

#' Columns that a formula needs
#'
#' @param terms terms of a model, with `dataClasses`.
#' @param xlevels levels by variable, as the model keeps them.
#' @param frame rows that the model was trained with, where it keeps them.
#' @param scale function of a column's name that gives some of its values in training as numbers,
#'   for models that keep neither rows nor classes of their dates; NULL when there are none.
#' @param rows number of rows in training, to know a column from a constant of the formula.
#' @return a list of `columns`, `row_wise` and `refusal`.
#' @noRd
terms_shape <- function(terms, xlevels = NULL, frame = NULL, unknown = "error",
                        scale = function(name) NULL, rows = NULL) {
  right <- stats::delete.response(terms)
  expressions <- as.list(attr(right, "variables"))[-1L]
  classes <- attr(right, "dataClasses")
  variables <- unique(unlist(lapply(expressions, all.vars)))
  variables <- Filter(function(name) {
    name %in% names(classes) || name %in% names(frame) ||
      !is_constant(name, environment(terms), rows)
  }, variables)
  columns <- named(variables, function(name) {
    levels <- if (is.character(xlevels[[name]])) xlevels[[name]]
    bare <- name %in% names(classes)
    inner <- if (!bare) inner_column(name, expressions, xlevels)
    if (identical(inner$kind, "category")) {
      inner
    } else if (name %in% names(frame)) {
      like <- frame[[name]]
      column(like, if (is_text(like)) levels, unknown)
    } else if (bare) {
      class_column(classes[[name]], levels, unknown, scale(name))
    } else {
      inner
    }
  })
  lost <- names(Filter(is.character, columns))
  list(
    columns = Filter(Negate(is.character), columns),
    row_wise = terms_row_wise(right),
    refusal = if (length(lost)) {
      paste0("it keeps no ", columns[[lost[[1L]]]], " of column(s) ", quoted(lost))
    }
  )
}

#' A column by its class in the terms; text that says what is missing when that is not enough
#' @noRd
class_column <- function(class, levels, unknown, scale) {
  switch(class,
    numeric = column(double()),
    logical = column(logical()),
    factor = if (is.null(levels)) "levels" else column(factor(character(), levels), NULL, unknown),
    ordered = if (is.null(levels)) {
      "levels"
    } else {
      column(factor(character(), levels, ordered = TRUE), NULL, unknown)
    },
    character = if (is.null(levels)) "levels" else column(character(), levels, unknown),
    other = if (is.null(scale)) {
      "class"
    } else if (any(abs(scale) > 1e6, na.rm = TRUE)) { # seconds since 1970, not days
      column(.POSIXct(double(), "UTC"))
    } else {
      column(.Date(double()))
    },
    column()
  )
}

#' A column that stands only inside calls, such as `log(x)` or `factor(x)`
#' @noRd
inner_column <- function(name, expressions, xlevels) {
  within <- Filter(function(expression) name %in% all.vars(expression), expressions)
  if (all(vapply(within, is_arithmetic, NA))) {
    return(column(double()))
  }
  for (call in Filter(is_factor_call, within)) {
    levels <- xlevels[[deparse(call, 500L)]]
    if (is.character(levels)) {
      makes <- deparse(call[[1L]]) %in% makes_factors
      return(column(if (makes) character() else factor(), levels))
    }
  }
  column()
}

makes_factors <- c("factor", "as.factor", "as.ordered")
takes_factors <- c("relevel", "C", "droplevels")

is_factor_call <- function(expression) {
  is.call(expression) && length(expression) > 1L && is.name(expression[[2L]]) &&
    (deparse(expression[[1L]]) %in% makes_factors && length(expression) == 2L ||
       deparse(expression[[1L]])[[1L]] %in% takes_factors)
}

arithmetic_functions <- c(
  "+", "-", "*", "/", "^", "(", "I", "log", "log2", "log10", "log1p", "exp", "sqrt", "abs",
  "sin", "cos", "tan", "poly", "ns", "bs", "scale", "offset", "::", "splines"
)

is_arithmetic <- function(expression) {
  all(setdiff(all.names(expression), all.vars(expression)) %in% arithmetic_functions)
}

#' Is a name of the formula a constant that comes with the model?
#' @noRd
is_constant <- function(name, env, rows) {
  env <- holder(name, env)
  if (is.null(env)) {
    return(FALSE)
  }
  value <- get(name, envir = env, inherits = FALSE)
  !is.function(value) && (is.null(rows) || NROW(value) != rows)
}

#' The environment that has a name, searched from this one
#'
#' The global environment and what is attached there are this process's and did not come with the
#' model, base apart.
#' @noRd
holder <- function(name, env) {
  if (!is.environment(env)) {
    return(NULL)
  }
  while (!identical(env, globalenv()) && !identical(env, emptyenv())) {
    if (exists(name, envir = env, inherits = FALSE)) {
      return(env)
    }
    env <- parent.env(env)
  }
  if (exists(name, envir = baseenv(), inherits = FALSE)) baseenv()
}

# Functions whose value for a row depends on that row alone once the model is fitted.
row_wise_functions <- c(
  arithmetic_functions, "~", ":", "%in%", "list", "factor", "as.factor", "ordered", "as.ordered",
  "<", ">", "<=", ">=", "==", "!=", "&", "|", "!", "ifelse", "relevel", "C", "as.numeric",
  "as.integer", "as.character", "as.logical", "round", "floor", "ceiling", "pmin", "pmax", "is.na",
  "months", "weekdays", "quarters"
)

terms_row_wise <- function(terms) {
  used <- all.names(attr(terms, "variables"), unique = TRUE)
  all(setdiff(used, all.vars(attr(terms, "variables"))) %in% row_wise_functions)
}
