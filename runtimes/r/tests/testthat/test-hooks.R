custom <- function(...) {
  file <- file.path(withr::local_tempdir(.local_envir = parent.frame()), "custom.R")
  writeLines(c(...), file)
  file
}

test_that("hooks are found, and nothing else", {
  hooks <- load_hooks(custom(
    "score <- function(data, model) 1", "helper <- function() 2", "init <- 3"
  ))
  expect_identical(names(hooks), "score")
})

test_that("a file that does not parse names its line", {
  expect_error(load_hooks(custom("a <- 1", "", "score <- function( {")), "custom.R:3:",
    class = "polyhost_load_error"
  )
})

test_that("a file that fails while it runs names its line", {
  expect_error(load_hooks(custom("a <- 1", "stop('boom')")), "custom.R:2: simpleError: boom",
    class = "polyhost_load_error"
  )
})

test_that("a missing package is named with the command that installs it", {
  expect_error(load_hooks(custom("library(brnnx)")), "r-cran-brnnx",
    class = "polyhost_runtime_unavailable"
  )
})

test_that("quit in a hook is an error", {
  hooks <- load_hooks(custom("score <- function(data, model) q(status = 3)"))
  expect_error(call_hook(hooks, "score", list(1, 2)), "must not end its process")
})

test_that("labels go to score as its parameters ask", {
  labels <- list(
    positive_class_label = "yes", negative_class_label = "no", class_labels = NULL
  )
  score <- function(hook) call_score(list(score = hook), 1, 2, labels)
  expect_identical(score(function(data, model) "two"), "two")
  expect_identical(score(function(data, model, kwargs) kwargs), labels)
  expect_identical(score(function(data, model, negative_class_label) negative_class_label), "no")
  expect_identical(score(function(data, model, ...) list(...)$positive_class_label), "yes")
  expect_identical(score(function(data, model, ...) list(...)[[1]]$positive_class_label), "yes")
})

test_that("without labels, dots stay empty, so that a hook can pass them on", {
  none <- list(positive_class_label = NULL, negative_class_label = NULL, class_labels = NULL)
  count <- function(data, model, ...) ...length()
  expect_identical(call_score(list(score = count), 1, 2, none), 0L)
})

test_that("init takes code_dir by name, by position or not at all", {
  expect_identical(call_init(list(init = function(code_dir) code_dir), "d"), "d")
  expect_identical(call_init(list(init = function(path) path), "d"), "d")
  expect_identical(call_init(list(init = function(...) list(...)), "d"), list(code_dir = "d"))
  expect_identical(call_init(list(init = function() 1), "d"), 1)
})

test_that("score_unstructured gets what it names", {
  hook <- function(model, data, query) paste(model, data, query$mode)
  extra <- list(mimetype = "text/plain", query = list(mode = "m"))
  expect_identical(call_unstructured(list(score_unstructured = hook), "a", "b", extra), "a b m")
})

test_that("an unstructured reply is text, raw, NULL or a pair", {
  expect_identical(unstructured_reply("a"), list("a", NULL, NULL))
  expect_identical(unstructured_reply(as.raw(1)), list(as.raw(1), NULL, NULL))
  expect_identical(unstructured_reply(NULL), list(NULL, NULL, NULL))
  expect_identical(unstructured_reply(list(NULL, NULL)), list(NULL, NULL, NULL))
  expect_identical(
    unstructured_reply(list("a", list(mimetype = "x/y", charset = "utf8"))),
    list("a", "x/y", "utf8")
  )
  expect_error(unstructured_reply(list(1, 2, 3)), class = "polyhost_invalid_output")
  expect_error(unstructured_reply(data.frame(a = 1)), class = "polyhost_invalid_output")
})

test_that("fit gets what it names", {
  given <- NULL
  hook <- function(X, y, output_dir, ...) given <<- list(X, y, output_dir, list(...))
  rows <- data.frame(a = 1:2)
  rest <- list(output_dir = "d", class_order = c("p", "n"), parameters = list(k = 1))
  expect_null(call_fit(list(fit = hook), rows, data.frame(y = 3:4), NULL, rest))
  expect_identical(given[1:3], list(rows, 3:4, "d"))
  expect_identical(given[[4L]]$class_order, c("p", "n"))
  hooks <- list(fit = function(X) given <<- X)
  expect_null(call_fit(hooks, rows, NULL, NULL, rest))
  expect_identical(given, rows)
  hooks$transform <- function(data, model) data.frame(a = data$a * 2, unset = is.null(model))
  expect_null(call_fit(hooks, rows, NULL, NULL, rest))
  expect_identical(given, data.frame(a = c(2, 4), unset = TRUE))
  expect_null(call_fit(hooks, rows, NULL, NULL, rest, transforms = TRUE))
  expect_identical(given, rows)
})
