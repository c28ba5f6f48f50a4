# What a process does that serves models, before and after it is forked.

#' Load what most models need, in a parent that is then forked
#'
#' The parent must have one thread and share neither its temporary folder nor
#' its random numbers with its children.
#' @export
warm_up <- function() {
  for (package in c("caret", "recipes", "randomForest", "glmnet", "rpart", "Matrix")) {
    suppressPackageStartupMessages(requireNamespace(package, quietly = TRUE))
  }
  rehearse()
  stop_ticking()
  unlink(tempdir(), recursive = TRUE)
  forget_random_numbers()
  # Each full collection makes survivors one generation older. What is in the oldest is left alone
  # by the frequent collections, so that its pages stay shared with the children.
  for (generation in 1:3) gc(full = TRUE)
}

#' Run the ways of a request, so that children share what R compiles when it first runs
#' @noRd
rehearse <- function() {
  if (!isNamespaceLoaded("caret")) {
    return(invisible())
  }
  rows <- data.frame(x = c(1, 2, 3, 4, 5, 6), z = c(2, 1, 4, 3, 6, 5))
  once <- function(...) caret::trainControl(method = "none", ...)
  models <- list(
    regression = caret::train(rows, rows$z, method = "lm", trControl = once()),
    binary = caret::train(y ~ z, cbind(rows, y = factor(rep(c("a", "b"), 3))),
      method = "rpart", trControl = once(classProbs = TRUE), tuneGrid = data.frame(cp = 0)
    )
  )
  file <- tempfile()
  for (type in names(models)) {
    saveRDS(models[[type]], file)
    for (time in 1:3) {
      opened <- guard("load", open_model, list(read_model(file), type))[[1L]]
      describe_model(opened)
      guard("predict", predict_rows, list(opened, read_csv_text("x,z\n1,2\n")))
      columns_out(data.frame(a = 1, b = "b"), c("a", "b"))
    }
  }
}

#' Package cli keeps a thread for the ticks of its progress bars
#' @noRd
stop_ticking <- function() {
  if (isNamespaceLoaded("cli")) {
    stop_thread <- asNamespace("cli")$clic_stop_thread
    if (!is.null(stop_thread)) .Call(stop_thread)
  }
}

#' Own temporary folder, own random numbers
#' @export
enter_child <- function() {
  tempdir(check = TRUE)
  forget_random_numbers()
}

forget_random_numbers <- function() {
  if (exists(".Random.seed", globalenv(), inherits = FALSE)) rm(".Random.seed", envir = globalenv())
}

#' Names of a list, never NULL
#' @export
names_of <- function(list) as.character(names(list))
