#' Apply a transformer that R's own tools made
#' @export
bake_rows <- function(transformer, data) UseMethod("bake_rows")

bake_rows.recipe <- function(transformer, data) recipes::bake(transformer, data)

bake_rows.default <- function(transformer, data) {
  abort(
    "missing_hook", "no built-in transform knows a model of class ", class(transformer)[[1L]],
    ": expected a recipe (package recipes), or a transform hook."
  )
}

model_facts.recipe <- function(model, classify) {
  facts(framework = "recipes", shape = recipe_shape(model), type = "transform")
}

#' Transform rows, by the hook where there is one
#'
#' @param hooks the hooks; `model` the transformer or NULL; `target` rows or NULL.
#' @return a data.frame or a sparse matrix.
#' @export
transform_rows <- function(hooks, model, data, target = NULL) {
  result <- if (is.null(hooks$transform)) {
    bake_rows(model, data)
  } else {
    accepted <- takes(hooks$transform)
    values <- list(data, model, target)
    three <- length(accepted) > 2L || "..." %in% accepted
    call_hook(hooks, "transform", if (three) values else values[1:2])
  }
  if (is.list(result) && !is.data.frame(result)) result <- without_target(result)
  if (length(dim(result)) == 2L && !ncol(result)) {
    abort("invalid_output", "transform returned no columns: expected at least one.")
  }
  result
}

without_target <- function(result) {
  if (length(result) != 2L || !is.null(result[[2L]])) {
    abort(
      "invalid_output", "Transformation of the target variable is not supported by DRUM. ",
      "transform must return a data.frame, a sparse matrix, or list(X, NULL); ",
      "found a list of ", length(result), "."
    )
  }
  result[[1L]]
}

#' Columns of a prepared recipe, from the types and levels that it found in training
#' @noRd
recipe_shape <- function(recipe) {
  info <- recipe$var_info
  info <- info[info$role %in% "predictor" & info$source %in% "original", ]
  steps <- vapply(recipe$steps, function(step) class(step)[[1L]], "")
  unknown <- if (any(c("step_novel", "step_other") %in% steps)) "own" else "error"
  columns <- lapply(seq_len(nrow(info)), function(i) {
    recipe_column(info$type[[i]], recipe$orig_lvls[[info$variable[[i]]]], unknown)
  })
  list(
    columns = stats::setNames(columns, info$variable),
    row_wise = all(steps %in% row_wise_steps)
  )
}

recipe_column <- function(type, known, unknown) {
  if (any(c("numeric", "double", "integer") %in% type)) {
    return(column(double()))
  }
  if (is.character(known$values)) {
    like <- if (isFALSE(known$factor)) {
      character()
    } else {
      factor(character(), known$values, ordered = isTRUE(known$ordered))
    }
    return(column(like, known$values, unknown))
  }
  kind <- intersect(type, c("logical", "date", "datetime", "nominal"))
  switch(if (length(kind)) kind[[1L]] else "other",
    logical = column(logical()),
    date = column(.Date(double())),
    datetime = column(.POSIXct(double(), "UTC")),
    nominal = column(character()),
    column()
  )
}

# Steps of recipes whose value for a row depends on that row alone once prepared.
row_wise_steps <- paste0("step_", c(
  "center", "scale", "normalize", "range", "log", "sqrt", "logit", "inverse", "hyperbolic",
  "BoxCox", "YeoJohnson", "dummy", "novel", "other", "unknown", "ordinalscore", "num2factor",
  "zv", "nzv", "corr", "lincomb", "rm", "pca", "ica", "interact", "poly", "ns", "bs", "date",
  "impute_mean", "impute_median", "impute_mode", "impute_knn", "impute_bag", "impute_linear",
  "ratio", "cut", "discretize", "bin2factor", "string2factor", "factor2string", "relevel"
))
