# Functions that MLflow's R package saved: "crates".

#' Read a crate: an `.rds` file of the bytes that a function was serialised to
#'
#' @param file path of the file.
#' @return the function.
#' @export
read_crate <- function(file) {
  model <- read_model(file)
  if (is.raw(model)) {
    model <- tryCatch(unserialize(model), error = function(condition) {
      abort(
        "load_error", "cannot read the function in ", basename(file), ": ",
        conditionMessage(condition), ". Expected what mlflow_save_model() writes of a crate."
      )
    })
  }
  if (!is.function(model)) {
    abort(
      "load_error", basename(file), " holds ", describe_value(model),
      ": expected a function, such as carrier::crate() makes."
    )
  }
  require_packages(crate_packages(model), basename(file))
  load_packages_of(model)
  model
}

#' Packages that a crate's code names, as `package::name`
#' @noRd
crate_packages <- function(model) {
  functions <- c(list(model), Filter(is.function, crate_data(model)))
  code <- unlist(lapply(functions, function(part) list(body(part), formals(part))), FALSE)
  unique(unlist(lapply(code, packages_named)))
}

packages_named <- function(code) {
  if (is.call(code) && is.name(code[[1L]]) && as.character(code[[1L]]) %in% c("::", ":::")) {
    return(as.character(code[[2L]]))
  }
  if (is.call(code) || is.pairlist(code) || is.list(code)) {
    unlist(lapply(as.list(code), function(part) if (!missing(part)) packages_named(part)))
  }
}

#' What the environment of a crate holds beside its code
#' @noRd
crate_data <- function(model) {
  env <- environment(model)
  if (is.null(env) || isNamespace(env) || identical(env, globalenv())) list() else as.list(env)
}

#' Load the packages whose methods the models in a crate need, where they are installed
#' @noRd
load_packages_of <- function(model) {
  for (held in crate_data(model)) {
    for (package in model_packages(held)) requireNamespace(package, quietly = TRUE)
  }
}

#' Call a crate with the rows, and the parameters that it takes
#'
#' @param params a named list; those that the function has no argument for are left out.
#' @return its result, see [value_out()].
#' @export
call_crate <- function(model, data, params) {
  arguments <- takes(model)
  if (!"..." %in% arguments) params <- params[names(params) %in% arguments[-1L]]
  symbols <- lapply(names(params), as.name)
  names(symbols) <- names(params)
  values <- c(list(model = model, data = data), params)
  env <- list2env(values[!duplicated(names(values))], parent = globalenv())
  value_out(eval(as.call(c(list(as.name("model"), as.name("data")), symbols)), env))
}

#' Any value as lists and plain vectors, each with a word before it that says what it was
#'
#' `list("null")`; `list("vector", plain_vector)`; `list("matrix", dim, plain_vector)`, by column;
#' `list("list", names or NULL, values)`; `list("frame", names, values, rows)`.
#' @export
value_out <- function(value) {
  if (is.null(value)) {
    return(list("null"))
  }
  if (is.data.frame(value)) {
    return(frame_out(value))
  }
  if (inherits(value, "Matrix")) value <- as.matrix(value)
  if (length(dim(value)) == 2L && !is.list(value)) {
    return(list("matrix", dim(value), plain_vector(as.vector(value))))
  }
  if (is.list(value) && !inherits(value, "POSIXlt")) {
    return(list_out(value))
  }
  vector_out(value)
}

frame_out <- function(value) {
  columns <- lapply(unclass(flat(value)), value_out)
  names <- enc2utf8(as.character(names(columns)))
  list("frame", names, unname(columns), nrow(value))
}

list_out <- function(value) {
  names <- names(value)
  list("list", if (!is.null(names)) enc2utf8(names), lapply(unname(value), value_out))
}

vector_out <- function(value) {
  if (!is.atomic(value) && !inherits(value, "POSIXlt")) {
    abort(
      "invalid_output", "the function returned ", describe_value(value),
      ": expected a data.frame, a matrix, a vector or a list of them."
    )
  }
  list("vector", plain_vector(value))
}
