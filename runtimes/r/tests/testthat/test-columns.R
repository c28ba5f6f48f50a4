kinds <- function(shape) vapply(shape$columns, function(column) column$kind, "")

rows <- data.frame(
  x = c(1.5, 2.5, 3, 4, 5, 6), flag = c(TRUE, FALSE, TRUE, TRUE, FALSE, FALSE),
  k = factor(c(1, 2, 10, 1, 2, 10)), s = c("u", "v", "u", "v", "u", "v"),
  o = factor(c("lo", "hi", "lo", "hi", "lo", "hi"), c("lo", "hi"), ordered = TRUE),
  day = as.Date("2020-01-01") + c(3, 1, 4, 1, 5, 9),
  moment = as.POSIXct("2020-01-01", tz = "UTC") + c(3, 1, 4, 1, 5, 9), stringsAsFactors = FALSE
)
rows$y <- c(3, 1, 4, 1, 5, 9)

test_that("a formula's columns have the kinds and levels of training", {
  shape <- lm_shape(lm(y ~ x + flag + k + s + o + day + moment, rows))
  expect_identical(kinds(shape), c(
    x = "number", flag = "boolean", k = "category", s = "category", o = "category", day = "date",
    moment = "time"
  ))
  expect_identical(shape$columns$k$levels, c("1", "2", "10"))
  expect_identical(shape$columns$s$levels, c("u", "v"))
  expect_true(is.ordered(shape$columns$o$like))
  expect_null(shape$refusal)
})

test_that("columns that stand in calls only are found by the calls", {
  shape <- lm_shape(lm(y ~ log(x) + factor(k), rows))
  expect_identical(kinds(shape), c(x = "number", k = "category"))
  expect_identical(kinds(lm_shape(lm(y ~ weekdays(day), rows))), c(day = "any"))
})

test_that("constants of a formula are no columns, and columns named as data sets are", {
  fit <- function(degree) {
    cars <- NULL # nolint
    lm(y ~ poly(x, degree) + log(women), cbind(rows, women = rows$x + 1))
  }
  expect_identical(names(lm_shape(fit(2))$columns), c("x", "women"))
})

test_that("a model that keeps neither levels nor class of a column is refused", {
  shape <- terms_shape(terms(lm(y ~ s, rows)))
  expect_match(shape$refusal, "keeps no levels of column\\(s\\) 's'")
  shape <- terms_shape(terms(lm(y ~ day, rows)))
  expect_match(shape$refusal, "keeps no class of column\\(s\\) 'day'")
})

cast <- function(values, like, levels = NULL, ...) {
  cast_column(values, column(like, levels, ...), "c")
}
known <- factor(character(), c("1", "2", "10"))

test_that("levels are found by text, number, logical and text without blanks", {
  expect_identical(as.character(cast(c(10, 1, NA), known)), c("10", "1", NA))
  expect_identical(as.character(cast(c("10.0", " 2", "", "NA"), known)), c("10", "2", NA, NA))
  expect_error(cast("01", known), "'01'; it knows '1', '2'", class = "polyhost_schema_mismatch")
  letters <- factor(character(), c("T", "F"))
  expect_identical(as.character(cast(c(TRUE, FALSE), letters)), c("T", "F"))
  expect_identical(as.character(cast(c("True", "f", "F"), factor(character(), c("F", "T", "f")))),
    c("T", "f", "F"))
  expect_identical(as.character(cast(FALSE, factor(character(), c("F", "M")))), "F")
  expect_error(cast("FALSE", factor(character(), c("F", "M"))), class = "polyhost_schema_mismatch")
  expect_identical(cast(c("b", NA), character(), c("a", "b")), c("b", NA))
})

test_that("a factor keeps the levels of training, in their order and class", {
  found <- cast(factor(c("hi", "lo")), rows$o)
  expect_identical(found, factor(c("hi", "lo"), c("lo", "hi"), ordered = TRUE))
})

test_that("unknown levels follow the model's rule", {
  expect_identical(as.character(cast(c("7", "1"), known, unknown = "missing")), c(NA, "1"))
  own <- cast(c("7", "1"), known, unknown = "own")
  expect_identical(levels(own), c("1", "2", "10", "7"))
  expect_identical(as.character(own), c("7", "1"))
})

test_that("numbers, logicals, text, dates and moments come as the model was trained", {
  expect_identical(cast(c(NA, NA), 1), c(NA_real_, NA_real_))
  expect_identical(cast(c("True", "false", NA), 1), c(1, 0, NA))
  expect_error(cast("many", 1), "holds text: 'many'; the model expects numbers")
  expect_identical(cast(c("True", "F", ""), TRUE), c(TRUE, FALSE, NA))
  expect_identical(cast(c(1, 0, NA), TRUE), c(TRUE, FALSE, NA))
  expect_error(cast(2, TRUE), "expects logicals")
  expect_identical(cast(c("2020-02-29", NA), as.Date(NA)), as.Date(c("2020-02-29", NA)))
  expect_error(cast("spring", as.Date(NA)), "holds text: 'spring'; the model expects a date")
  moment <- as.POSIXct("2020-02-29 12:30:15.5", tz = "UTC")
  spelled <- c("2020-02-29T12:30:15.5Z", "2020-02-29 13:30:15.5+01:00", "2020-02-29T12:30:15.5")
  expect_equal(cast(spelled, moment), rep(moment, 3))
  berlin <- as.POSIXct("2020-02-29 12:30:15.5", tz = "Europe/Berlin")
  expect_identical(format(cast("2020-02-29T11:30:15.5Z", berlin)), format(berlin))
  expect_equal(cast(as.Date("2020-02-29"), moment), as.POSIXct("2020-02-29", tz = "UTC"))
})

test_that("columns stand in the model's order, without others", {
  data <- data.frame(other = 1, b = 2, a = 3)
  expect_identical(prepare_rows(number_columns(c("a", "b")), data), data.frame(a = 3, b = 2))
})

test_that("an offset that was given as an argument is a column", {
  model <- lm(y ~ k, rows, offset = log(x))
  expect_identical(kinds(lm_shape(model)), c(k = "category", x = "number"))
  new <- data.frame(x = c(2, 3), k = factor(c(1, 2), c(1, 2, 10)))
  expect_equal(
    predict_rows(open_model(model, "regression"), new)[[2]][[1]],
    unname(predict(model, new))
  )
})

test_that("a class whose terms do not name all columns has them all", {
  skip_if_not_installed("nlme")
  model <- nlme::lme(distance ~ age, nlme::Orthodont, random = ~ 1 | Subject)
  opened <- open_model(model, "regression")
  expect_identical(opened$facts$columns, list())
  new <- as.data.frame(nlme::Orthodont)[1:2, ]
  expect_equal(predict_rows(opened, new)[[2]][[1]], as.vector(predict(model, new)))
})
