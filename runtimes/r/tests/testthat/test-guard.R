test_that("a value comes back, NULL included", {
  expect_identical(guard("score", function(x) x + 1, list(1)), list(2, NULL))
  expect_identical(guard("score", function() NULL), list(NULL, NULL))
})

test_that("an error comes back with its type, message and the calls from the hook inwards", {
  hooks <- list(score = function(data, model) inner(data), other = NULL)
  inner <- function(x) stop("score went wrong")
  environment(hooks$score) <- environment()
  failure <- guard("score", call_hook, list(hooks, "score", list(1, 2)))[[2]]
  expect_identical(failure[1:3], c("", "simpleError", "score went wrong"))
  expect_match(failure[[4]], "^1: score\\(data, model\\)\n2: inner\\(data\\)\n3: stop\\(")
})

test_that("an error of ours keeps its kind", {
  failure <- guard("score", function() abort("schema_mismatch", "column ", "x"))[[2]]
  expect_identical(failure[1:3], c("schema_mismatch", "polyhost_schema_mismatch", "column x"))
})

test_that("an endless recursion is reported in at most fifty calls", {
  score <- function(n) score(n + 1)
  failure <- guard("score", call_hook, list(list(score = score), "score", list(1)))[[2]]
  expect_match(failure[[3]], "infinite recursion|C stack usage")
  expect_lte(length(strsplit(failure[[4]], "\n")[[1]]), 50L)
})

test_that("warnings are printed and do not stop the call", {
  warns <- function() {
    warning("careful")
    7
  }
  printed <- capture.output(result <- guard("score", warns), type = "message")
  expect_identical(result, list(7, NULL))
})
