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
  stop_ticking()
  unlink(tempdir(), recursive = TRUE)
  forget_random_numbers()
  gc(full = TRUE)
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
