hook_names <- c(
  "init", "load_model", "read_input_data", "transform", "score", "post_process",
  "score_unstructured", "fit"
)

#' Load the hooks of a custom file
#'
#' The file is evaluated in an environment of its own under the global one, with
#' its folder as working directory. `q` and `quit` are masked there, so that a
#' hook which gives up becomes an error of that request.
#'
#' @param file path of `custom.R`.
#' @return a named list of the hooks that the file defines.
#' @export
load_hooks <- function(file) {
  expressions <- parse_custom(file)
  attach_mentioned(expressions)
  mask <- list2env(list(q = masked_quit, quit = masked_quit), parent = globalenv())
  hooks <- new.env(parent = mask)
  old <- setwd(dirname(file))
  on.exit(setwd(old))
  withCallingHandlers(
    eval_in_order(expressions, hooks),
    packageNotFoundError = function(condition) {
      missing_packages(basename(file), condition$package)
    },
    error = function(condition) {
      if (inherits(condition, "polyhost_error")) {
        return()
      }
      where <- location(sys.calls(), file)
      if (!nzchar(where)) where <- file
      abort(
        "load_error", "cannot load ", where, ": ", class(condition)[[1L]], ": ",
        conditionMessage(condition), ". Expected a file that R can source; fix it there."
      )
    }
  )
  found <- Filter(function(name) is_hook(hooks, name), hook_names)
  mget(found, envir = hooks)
}

is_hook <- function(env, name) exists(name, envir = env, mode = "function", inherits = FALSE)

masked_quit <- function(...) {
  stop("quit() was called by the model's code: a hook must not end its process", call. = FALSE)
}

#' Parse, keeping the source so that errors can say `file:line`
#' @noRd
parse_custom <- function(file) {
  tryCatch(
    parse(file, keep.source = TRUE, encoding = "UTF-8"),
    error = function(condition) {
      abort(
        "load_error", "cannot parse the custom file: ", conditionMessage(condition),
        "\nExpected R code. Fix the line named here."
      )
    }
  )
}

eval_in_order <- function(expressions, env) {
  sources <- attr(expressions, "srcref")
  for (i in seq_along(expressions)) {
    eval(structure(expressions[i], srcref = sources[i]), env)
  }
}

#' Call a hook as its author would write the call
#'
#' The values are bound to names, so that tracebacks read `score(data, model)`.
#' Every value is evaluated before the hook starts.
#'
#' @param hooks list of hooks; `name` one of them.
#' @param values list of arguments; those with a name are passed by name.
#' @export
call_hook <- function(hooks, name, values) {
  symbols <- names(values) %||% rep("", length(values))
  unnamed <- !nzchar(symbols)
  symbols[unnamed] <- hook_arguments[[name]][which(unnamed)]
  env <- list2env(stats::setNames(values, symbols), parent = globalenv())
  env[[name]] <- hooks[[name]]
  arguments <- lapply(symbols, as.name)
  names(arguments) <- ifelse(unnamed, "", symbols)
  eval(as.call(c(as.name(name), arguments)), env)
}

hook_arguments <- list(
  init = "code_dir",
  load_model = "code_dir",
  read_input_data = "bytes",
  transform = c("data", "model", "target"),
  score = c("data", "model", "labels"),
  post_process = c("predictions", "model"),
  score_unstructured = c("model", "data"),
  fit = character()
)

`%||%` <- function(left, right) if (is.null(left)) right else left

takes <- function(hook) names(formals(args(hook)))

#' @export
call_init <- function(hooks, code_dir) {
  accepted <- takes(hooks$init)
  named <- any(c("code_dir", "...") %in% accepted)
  values <- if (named) list(code_dir = code_dir) else if (length(accepted)) list(code_dir)
  call_hook(hooks, "init", as.list(values))
}

#' Call `load_model(code_dir)`; what its model needs is loaded, where it is there
#' @export
call_load_model <- function(hooks, code_dir) {
  model <- call_hook(hooks, "load_model", list(code_dir))
  for (package in model_packages(model)) requireNamespace(package, quietly = TRUE)
  model
}

#' Call `score(data, model, ...)` with the class labels
#'
#' A hook that names `positive_class_label`, `negative_class_label` or
#' `class_labels` gets them by name. A third parameter of another name gets one
#' list of all three. With `...` and labels, both are given.
#' @export
call_score <- function(hooks, data, model, labels) {
  accepted <- takes(hooks$score)
  extra <- setdiff(accepted[-(1:2)], "...")
  given <- Filter(Negate(is.null), labels)
  by_name <- given[names(given) %in% accepted]
  dots <- "..." %in% accepted
  values <- list(data, model)
  if (length(setdiff(extra, names(labels))) || (dots && length(given))) {
    values <- c(values, list(labels))
  }
  call_hook(hooks, "score", c(values, if (dots) given else by_name))
}

#' Call `fit`, every argument by name, where wanted
#'
#' The features pass through `transform` first, without a model, as they do before `score`; the
#' hook of a model that is a transform is what is trained, and does not.
#'
#' @param rows data frame of the features.
#' @param target,weights data frames of one column, or NULL.
#' @param rest list with `output_dir`, `class_order` and `parameters`.
#' @param transforms whether the model is a transform.
#' @export
call_fit <- function(hooks, rows, target, weights, rest, transforms = FALSE) {
  if (!is.null(hooks$transform) && !transforms) {
    rows <- call_hook(hooks, "transform", list(rows, NULL))
  }
  values <- c(
    list(X = rows, y = only_column(target), row_weights = only_column(weights)), rest
  )
  accepted <- takes(hooks$fit)
  if (!"..." %in% accepted) values <- values[names(values) %in% accepted]
  call_hook(hooks, "fit", values)
  NULL
}

only_column <- function(frame) if (!is.null(frame)) frame[[1L]]

#' Call `score_unstructured(model, data, ...)`; the rest goes by name, where wanted
#' @export
call_unstructured <- function(hooks, model, data, extra) {
  accepted <- takes(hooks$score_unstructured)
  if (!"..." %in% accepted) extra <- extra[names(extra) %in% accepted]
  call_hook(hooks, "score_unstructured", c(list(model, data), extra))
}

#' What `score_unstructured` returned, as `list(body, mimetype, charset)`
#' @export
unstructured_reply <- function(result) {
  about <- NULL
  if (is.list(result)) {
    if (length(result) != 2L || !(is.null(result[[2L]]) || is.list(result[[2L]]))) {
      abort(
        "invalid_output", "score_unstructured must return text, raw, NULL or list(data, ",
        "list(mimetype =, charset =)); found a list of ", length(result), " of types ",
        paste(vapply(result, typeof, ""), collapse = ", "), "."
      )
    }
    about <- result[[2L]]
    result <- result[[1L]]
  }
  if (!(is.null(result) || is.raw(result) || is.character(result))) {
    abort(
      "invalid_output", "score_unstructured must return text, raw or NULL, or list(data, ",
      "list(mimetype =, charset =)); found ", class(result)[[1L]], "."
    )
  }
  if (is.character(result)) result <- if (length(result)) enc2utf8(result[[1L]])
  list(result, about$mimetype, about$charset)
}
